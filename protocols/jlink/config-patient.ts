/**
 * A J-Link itself as a patient: the 256 bytes of its configuration, which are all that its own protocol gives and takes.
 * Its firmware, serial number and licences are not among them. Layout: libjaylink, `libjaylink/device.c`; what is reserved
 * there is kept byte for byte.
 */
import { hexBytes, isBlank } from '#core/bytes.ts'
import type { Context } from '#core/context.ts'
import { FlashError } from '#core/errors.ts'
import type { Check, Fact, Memory, Patient, Range, Unreadable } from '#core/programmer.ts'
import { Can, configBytes, hardwareText } from './packets.ts'
import type { JlinkProbe } from './probe.ts'

const macAt = 0x30
const macBytes = 6

export class ConfigPatient implements Patient {
  readonly kind: string
  readonly chip: string
  readonly notices = []
  readonly facts: readonly Fact[]
  readonly memories: readonly Memory[]
  readonly unreadable: readonly Unreadable[] = [{ memory: 'flash', reason: 'not-through-this-way' }]
  readonly #probe: JlinkProbe

  private constructor(probe: JlinkProbe, serial: string | undefined, config: Uint8Array) {
    this.#probe = probe
    const version = hardwareText(probe.said.hardware)
    // a network address is in it: what was saved of one unit is not for another
    this.kind = `jlink:${version}:${serial ?? ''}`
    this.chip = `J-Link ${version}`
    const mac = config.slice(macAt, macAt + macBytes).reverse()
    this.facts = [
      ...(serial === undefined ? [] : [{ name: 'serial', value: serial, source: 'iSerialNumber' } as const]),
      ...(isBlank(mac) ? [] : [{ name: 'mac', value: hexBytes(mac, ':'), source: 'READ_CONFIG' } as const]),
    ]
    this.memories = [this.#memory(probe.can(Can.WriteConfig) && !isBlank(config))]
  }

  static async connect(probe: JlinkProbe, serial: string | undefined, ctx: Context): Promise<ConfigPatient> {
    ctx.checkpoint()
    return new ConfigPatient(probe, serial, await probe.readConfig())
  }

  check(): readonly Check[] {
    return []
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // nothing is held: it goes on as it was, and takes what was written when it is plugged in again
  }

  #memory(isWritable: boolean): Memory {
    return {
      ...{ id: 'config', address: 0, length: configBytes, pageBytes: configBytes },
      ...{ write: 'overwrite', reserved: [], pageMs: 0 },
      read: (range, ctx) => this.#read(range, ctx),
      ...(isWritable && { program: (_: number, bytes: Uint8Array, ctx: Context) => this.#write(bytes, ctx) }),
    }
  }

  async #read({ address, length }: Range, ctx: Context): Promise<Uint8Array> {
    ctx.checkpoint()
    const bytes = (await this.#probe.readConfig()).slice(address, address + length)
    ctx.progress.advance(length, address)
    return bytes
  }

  async #write(bytes: Uint8Array, ctx: Context): Promise<void> {
    ctx.checkpoint()
    if (bytes.length !== configBytes || isBlank(bytes))
      throw new FlashError('does-not-fit', {
        ...{ memory: 'config', address: 0, length: bytes.length, available: configBytes },
      })
    await ctx.critical(() => this.#probe.writeConfig(bytes))
    ctx.progress.advance(bytes.length, 0)
  }
}
