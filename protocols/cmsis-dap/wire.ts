/**
 * How packets get to a CMSIS-DAP probe and from it: as reports of a HID device, padded (version 1), or by the bulk
 * endpoints of its interface, as long as they are (version 2). Source: ARM-software/CMSIS-DAP, `dap_firmware.md`.
 */
import { FlashError, isFlashError } from '#core/errors.ts'
import type { SeenReport } from '#core/programmer.ts'
import type { HidLink, UsbLink } from '#transport/links.ts'
import type { Pipes } from './descriptors.ts'

/** A probe that waits for its target does so for less than a second. */
const timeoutMs = 3000
/** Of an interrupt endpoint's packet (USB 2.0, 5.7.3). */
const mostReportBytes = 1024

/** Both directions may be under way at once; each is in order. */
export interface Wire {
  /** A packet cannot be longer. */
  readonly mostBytes: number
  send(packet: Uint8Array): Promise<void>
  /** `length`: how long the packet may be. */
  receive(length: number): Promise<Uint8Array>
  /** Both directions begin anew. */
  begin(): Promise<void>
  /** Forgets what is under way in the probe, too. False: this link cannot. */
  reset(): Promise<boolean>
}

export class BulkWire implements Wire {
  readonly mostBytes = Infinity
  readonly #link: UsbLink
  readonly #pipes: Pipes

  constructor(link: UsbLink, pipes: Pipes) {
    this.#link = link
    this.#pipes = pipes
  }

  send(packet: Uint8Array): Promise<void> {
    const { out } = this.#pipes
    return this.#unhalted('out', out, this.#link.bulkOut(out, packet, { timeoutMs }))
  }

  receive(length: number): Promise<Uint8Array> {
    const { in: into, packetBytes } = this.#pipes
    return this.#unhalted('in', into, this.#link.bulkIn(into, Math.max(length, packetBytes), { timeoutMs }))
  }

  async begin(): Promise<void> {
    await this.#link.clearHalt('out', this.#pipes.out)
    await this.#link.clearHalt('in', this.#pipes.in)
  }

  async reset(): Promise<boolean> {
    await this.#link.reset()
    return true
  }

  /** A stall ends with its telling. */
  async #unhalted<T>(direction: 'in' | 'out', endpoint: number, transfer: Promise<T>): Promise<T> {
    try {
      return await transfer
    } catch (error) {
      if (isFlashError(error, 'stalled'))
        await this.#link.clearHalt(direction, endpoint).catch(() => undefined) // as it will be when it is opened
      throw error
    }
  }
}

/** Without an id, and of a size that a device can have. */
const isPacket = (report: SeenReport | undefined): report is SeenReport =>
  report?.id === 0 && report.bytes > 0 && report.bytes <= mostReportBytes

export class ReportWire implements Wire {
  readonly mostBytes: number
  readonly #link: HidLink
  readonly #inBytes: number

  /** Of a probe's own collection. @throws `wrong-device` where its reports are none of a probe */
  constructor(link: HidLink) {
    this.#link = link
    const { collections } = link.seen
    const all = collections.flatMap(({ inputs: [input], outputs: [output] }) =>
      isPacket(input) && isPacket(output) ? [{ input, output }] : [],
    )
    const [reports] = all
    if (!reports)
      throw new FlashError('wrong-device', { expected: 'CMSIS-DAP', found: link.seen.product ?? '' })
    this.mostBytes = reports.output.bytes
    this.#inBytes = reports.input.bytes
  }

  async send(packet: Uint8Array): Promise<void> {
    const bytes = new Uint8Array(this.mostBytes)
    bytes.set(packet)
    await this.#link.sendReport({ id: 0, bytes }, { timeoutMs })
  }

  async receive(): Promise<Uint8Array> {
    const { bytes } = await this.#link.readReport({ timeoutMs })
    if (bytes.length >= this.#inBytes) return bytes
    const during = 'waiting for a report'
    throw new FlashError('short-transfer', { during, expected: this.#inBytes, found: bytes.length })
  }

  async begin(): Promise<void> {
    // the system's own driver has cleared what was halted
  }

  reset(): Promise<boolean> {
    return Promise.resolve(false)
  }
}
