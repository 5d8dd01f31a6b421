/**
 * An ST-Link's own firmware, through its boot loader: written block by block, each answered for, and never read back. The
 * loader below and the settings between are left alone, so that a write which breaks off, or an image that does nothing, is
 * written again. Sources: blackmagic-debug/stlink-tool, `src/stlink.c` (the order of erasing and writing);
 * GMMan/st-link-hack, `paper/protocol_notes.txt` (identity, settings, layout); RM0431, "Flash memory organization" (V3).
 */
import { hex, hexBytes, isBlank } from '#core/bytes.ts'
import type { Context } from '#core/context.ts'
import { FlashError, isFlashError } from '#core/errors.ts'
import type { Check, Contents, Fact, Memory, Notice, Patient, Range, Unreadable } from '#core/programmer.ts'
import { isAbortedWithin, type Clock } from '#core/time.ts'
import { checkImage } from './loader-check.ts'
import { deviceKey, encrypt, layered } from './loader-cipher.ts'
import { generations, type Generation } from './loader-layout.ts'
import {
  askConfig,
  askHardware,
  askIdentity,
  askStatus,
  blockBytes,
  checksum,
  commandBlock,
  configBytes,
  dataBlock,
  downloadFrame,
  erasePage,
  eraseSector,
  hardwareBytes,
  identityBytes,
  isProtocol,
  loaderMode,
  parseHardware,
  parseIdentity,
  parseStatus,
  setAddress,
  State,
  statusBytes,
  type Hardware,
  type LoaderIdentity,
} from './loader-packets.ts'
import { v2ProductId } from './identity.ts'
import { exitDfu } from './packets.ts'
import type { StLinkSession } from './session.ts'

/** Longer than the loader of any takes for its slowest sector. */
const mostWaitMs = 10_000
/** A device that was told to go has gone by then, and the browser has heard of it. */
const goneWithinMs = 5000
/** For the estimate: a kibibyte erased and written, with what is said for it. */
const kibibyteMs = { 1: 55, 2: 55, 3: 22 } as const

export class LoaderPatient implements Patient {
  readonly notices: readonly Notice[]
  readonly unreadable: readonly Unreadable[] = [{ memory: 'flash', reason: 'write-only' }]
  readonly memories: readonly Memory[]
  readonly kind: string
  readonly chip: string
  readonly facts: readonly Fact[]
  readonly #session: StLinkSession
  readonly #generation: Generation
  readonly #key: Uint8Array
  readonly #flash: Memory

  private constructor(
    session: StLinkSession,
    generation: Generation,
    own: { readonly identity: Uint8Array; readonly config: Uint8Array | undefined },
    hardware: Hardware | undefined,
  ) {
    const { protocol, name } = generation
    const identity = parseIdentity(own.identity)
    const kib = hardware?.is128Kib ? Math.max(identity.flashKib, 128) : identity.flashKib
    this.#session = session
    this.#generation = generation
    this.#key = deviceKey(protocol, identity.keyMaterial)
    this.chip = `ST-Link ${name} (${String(kib)} KiB)`
    this.kind = `cortex-m:stlink:${name.toLowerCase()}:${String(kib)}`
    if (!generation.sizesKib.includes(kib))
      throw new FlashError('unexpected-answer', { during: 'asking who it is', found: `${String(kib)} KiB` })
    const range = generation.flash(kib, hardware?.reserves20Kib ? 20 : 0)
    this.notices = noticesOf(generation, range)
    this.facts = factsOf(this.chip, generation, identity, hardware)
    const sectors = generation.sectors(range)
    const [first = range] = sectors
    this.#flash = {
      ...{ id: 'flash', ...range, pageBytes: blockBytes, sectors, write: 'overwrite', writeOnly: true },
      ...{ guard: first, reserved: [], pageMs: kibibyteMs[protocol] },
      program: (address, bytes, ctx) => this.#program(address, bytes, ctx),
    }
    this.memories = [
      this.#flash,
      told('signature', own.identity),
      ...(own.config ? [told('config', own.config)] : []),
    ]
  }

  /**
   * @throws `device-refused` when another program answers than a boot loader that is known · `unexpected-answer` when its
   * chip is none that ST has taken for it
   */
  static async connect(session: StLinkSession, ctx: Context): Promise<LoaderPatient> {
    const { mode, loader } = await session.begin()
    if (mode !== loaderMode) throw refusing('asking its boot loader', 'its firmware runs')
    const generation = isProtocol(loader) ? generations[loader] : undefined
    if (!generation) throw refusing('asking its boot loader', `protocol ${String(loader)}`)
    ctx.checkpoint()
    const identity = await session.ask(askIdentity, identityBytes, 'asking who it is')
    const askMore = (frame: Uint8Array, length: number, during: string) =>
      generation.protocol === 1 ? undefined : session.askIfKnown(frame, length, during)
    const hardware = await askMore(askHardware, hardwareBytes, 'asking for its hardware')
    const config = await askMore(askConfig, configBytes, 'asking for its settings')
    return new LoaderPatient(session, generation, { identity, config }, hardware && parseHardware(hardware))
  }

  check(wanted: Contents, _present: Contents, claimedChip?: string): readonly Check[] {
    return checkImage({
      generation: this.#generation,
      chip: this.chip,
      flash: this.#flash,
      wanted,
      claimedChip,
    })
  }

  /** It stays in its boot loader: leaving it would end the job. */
  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.resolve()
  }

  /** @throws `device-refused` when it stays: nothing is there that starts */
  leave(ctx: Context): Promise<void> {
    return ctx.critical(async ({ clock }) => {
      const session = this.#session
      const { seen } = session.link
      if (await goesWith(session, exitDfu, clock)) return
      // a V2 goes over to ST's own firmware where it is
      const { mode } = seen.productId === v2ProductId ? await session.begin() : { mode: loaderMode }
      if (mode === loaderMode) throw refusing('starting its firmware', 'it stays in its boot loader')
    })
  }

  // ---- writing ------------------------------------------------------------------------------------

  /** Unit by unit: erased, then what is not blank of it, the block with the vector last. */
  async #program(address: number, bytes: Uint8Array, ctx: Context): Promise<void> {
    const units = this.#generation.sectors({ address, length: bytes.length })
    for (const unit of units) {
      ctx.checkpoint()
      await this.#erase(unit, ctx)
      const starts = Array.from({ length: Math.ceil(unit.length / blockBytes) }, (_, i) => i * blockBytes)
      for (const at of [...starts.slice(1), 0]) {
        ctx.checkpoint()
        const from = unit.address + at
        const block = bytes.subarray(
          from - address,
          Math.min(from + blockBytes, unit.address + unit.length) - address,
        )
        if (!isBlank(block)) await this.#write(from, block, ctx)
        ctx.progress.advance(block.length, from)
      }
    }
  }

  #erase({ address }: Range, ctx: Context): Promise<void> {
    const sector = this.#generation.sectorAt(address)
    const command = sector === undefined ? erasePage(address) : eraseSector(sector)
    return this.#command(command, `erasing at ${hex(address, 8)}`, ctx)
  }

  async #write(address: number, block: Uint8Array, ctx: Context): Promise<void> {
    const during = `writing at ${hex(address, 8)}`
    await this.#command(setAddress(address), during, ctx)
    const sent = layered(this.#generation.protocol, block)
    await this.#download(dataBlock, sent, encrypt(this.#key, sent), during, ctx)
  }

  #command(bytes: Uint8Array, during: string, ctx: Context): Promise<void> {
    return this.#download(commandBlock, bytes, bytes, during, ctx)
  }

  /** `summed`: what the checksum is of. */
  async #download(
    block: number,
    summed: Uint8Array,
    wire: Uint8Array,
    during: string,
    ctx: Context,
  ): Promise<void> {
    const { length } = wire
    await this.#session.tell(downloadFrame({ block, checksum: checksum(summed), length }), wire)
    const until = ctx.clock.now() + mostWaitMs
    for (;;) {
      const { status, state, pollMs } = parseStatus(await this.#session.ask(askStatus, statusBytes, during))
      if (status !== 'OK' || state === State.Error) throw refusing(during, status)
      if (state === State.DownloadIdle) return
      if (state !== State.Busy || ctx.clock.now() > until) throw refusing(during, `state ${String(state)}`)
      await ctx.clock.sleep(Math.min(pollMs, mostWaitMs))
    }
  }
}

/** Tells it to go, which it may do before it has said that it heard; whether it went. */
export async function goesWith(session: StLinkSession, frame: Uint8Array, clock: Clock): Promise<boolean> {
  const { gone } = session.link
  try {
    await session.tell(frame)
  } catch (error) {
    if (!isFlashError(error, 'device-gone', 'transfer-failed')) throw error
  }
  return isAbortedWithin(gone, goneWithinMs, clock)
}

const refusing = (during: string, status: string): FlashError =>
  new FlashError('device-refused', { during, status })

/** Undefined: this loader does not tell. */
/** What its loader says, as a memory: so it is kept, and tells this one from another. */
const told = (id: 'signature' | 'config', bytes: Uint8Array): Memory => ({
  ...{ id, address: 0, length: bytes.length, pageBytes: bytes.length, pageMs: 0 },
  ...{ write: 'overwrite', reserved: [] },
  read({ address, length }, ctx) {
    ctx.progress.advance(length, address)
    return Promise.resolve(bytes.slice(address, address + length))
  },
})

function factsOf(
  chip: string,
  { protocol, name }: Generation,
  { type, uid }: LoaderIdentity,
  hardware: Hardware | undefined,
): readonly Fact[] {
  const bootloader = [
    `${name}, protocol ${String(protocol)}`,
    /^[A-Z]$/.test(type) ? `type ${type}` : undefined,
    hardware && `hardware ${hardware.version}`,
  ]
  return [
    { name: 'chip', value: chip, source: 'flash size' },
    { name: 'bootloader', value: bootloader.filter(Boolean).join(', ') },
    { name: 'serial', value: hexBytes(uid, '').toUpperCase(), source: 'unique device ID' },
  ]
}

/** Most current vendor firmware for a V2-1 needs more than what clones with a small chip have. */
const roomy = 64 * 1024

function noticesOf({ protocol }: Generation, { length }: Range): readonly Notice[] {
  if (protocol === 3) return [{ code: 'stlink-v3-for-good', level: 'warning' }]
  const small: Notice = {
    ...{ code: 'stlink-small', level: 'info' },
    values: { room: String(Math.floor(length / 1024)) },
  }
  return [
    ...(protocol === 1 ? [{ code: 'stlink-v2-waits', level: 'info' } as const] : []),
    ...(length < roomy ? [small] : []),
  ]
}
