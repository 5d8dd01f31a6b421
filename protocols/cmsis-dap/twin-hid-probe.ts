/**
 * The same probe as a HID device (CMSIS-DAP v1): each command and each answer is a report, whatever its length. Sources: as
 * `twin-descriptors.ts`; Device Class Definition for HID 1.11, 7.1 and 7.2 (what a host asks of it).
 */
import type { SetupPacket, TwinAnswer, TwinBus, UsbDescriptors, UsbTwin } from '#bench/twin.ts'
import { CmsisDapTwin, type ProbeOptions } from './twin-probe.ts'

const GetDescriptor = { requestType: 0x81, request: 6, report: 0x22 } as const
/** SET_IDLE and SET_PROTOCOL. */
const taken: readonly number[] = [0x0a, 0x0b]

export class HidProbeTwin implements UsbTwin {
  readonly link = 'usb'
  readonly chosenAs = 'hid'
  readonly speed: UsbTwin['speed']
  readonly descriptors: UsbDescriptors
  readonly #probe: CmsisDapTwin
  readonly #report: Uint8Array
  readonly #reportBytes: number

  /** @param report its report descriptor */
  constructor(options: ProbeOptions, report: Uint8Array) {
    this.#probe = new CmsisDapTwin(options)
    this.#report = report
    this.#reportBytes = options.packetBytes
    this.descriptors = options.descriptors
    this.speed = this.#probe.speed
  }

  plugged(bus: TwinBus): void {
    this.#probe.plugged(bus)
  }
  unplugged(): void {
    this.#probe.unplugged()
  }
  reset(): void {
    this.#probe.reset()
  }

  control(setup: SetupPacket): Promise<TwinAnswer> {
    const { requestType, request, value, length } = setup
    if (requestType === GetDescriptor.requestType && request === GetDescriptor.request)
      return Promise.resolve(value >> 8 === GetDescriptor.report ? this.#report.slice(0, length) : 'stall')
    if (requestType === 0x21 && taken.includes(request)) return Promise.resolve(new Uint8Array())
    return this.#probe.control(setup)
  }

  bulkOut(endpoint: number, bytes: Uint8Array): Promise<TwinAnswer> {
    return this.#probe.bulkOut(endpoint, bytes)
  }

  async bulkIn(): Promise<TwinAnswer> {
    const answer = await this.#probe.bulkIn()
    if (!(answer instanceof Uint8Array)) return answer
    const report = new Uint8Array(this.#reportBytes)
    report.set(answer.subarray(0, this.#reportBytes))
    return report
  }
}
