/**
 * A debug port and its memory access port (MEM-AP): from the first bits on the line to bytes at addresses. Sources: Arm
 * IHI 0031 (ADIv5.2), B2 (DP registers), B5 (line reset, JTAG-to-SWD), C2 (MEM-AP).
 */
import { hex } from '#core/bytes.ts'
import type { Context } from '#core/context.ts'
import { FlashError } from '#core/errors.ts'
import type { Access, DebugPort } from './debug-port.ts'
import type { AccessPorts, ArmProbe, TargetMemory, Width } from './target-memory.ts'

const Dp = { Idr: 0, Abort: 0, ControlStatus: 4, Select: 8 } as const
const Ap = { ControlStatus: 0x0, Address: 0x4, Data: 0xc } as const
/** The sticky errors' flags, all of them. */
const clearErrors = 0x1e
/** DAPABORT. */
const abortTransfer = 1
/** CDBGPWRUPREQ and CSYSPWRUPREQ; their answers are each the next bit. */
const powerUp = 0x5000_0000
const poweredUp = 0xa000_0000
/** ORUNDETECT. */
const detectOverrun = 1
const powerUpMs = 500
const pollMs = 5

/** Into SWD from JTAG, a line reset before and behind it, and idle bits. */
const jtagToSwd = Uint8Array.from([
  ...Array<number>(7).fill(0xff),
  ...[0x9e, 0xe7],
  ...Array<number>(7).fill(0xff),
  0,
])

/** Out of the dormant state into SWD, a line reset behind it: ports that share their wires begin so. */
const dormantToSwd = Uint8Array.from([
  0xff,
  ...[0x92, 0xf3, 0x09, 0x62, 0x95, 0x2d, 0x85, 0x86, 0xe9, 0xaf, 0xdd, 0xe3, 0xa2, 0x0e, 0xbc, 0x19],
  ...[0xa0, 0xf1, 0xff],
  ...Array<number>(7).fill(0xff),
  0,
])
/** Whom TARGETSEL asks for, of several at the same wires: core 0 of an RP2040. */
const sharing = [0x0100_2927]

/** A write of TARGETSEL, bit by bit: nobody acknowledges it, which no probe's own commands allow for. */
function selectTarget(target: number): Uint8Array {
  let parity = 0
  for (let bit = 0; bit < 32; bit++) parity ^= (target >>> bit) & 1
  // the request; turnaround, acknowledge and turnaround, which nobody drives; the word, its parity, idle bits
  const bits = [0x99n, BigInt(target) << 13n, BigInt(parity) << 45n].reduce((all, one) => all | one)
  return Uint8Array.from({ length: 6 }, (_, i) => Number((bits >> BigInt(8 * i)) & 0xffn))
}

/** Address increments within this many bytes only. */
const tarWraps = 1024
/** Master debug and privileged access, as the field has them; the size and the increment beside it. */
const cswFixed = 0x2300_0000
const incrementSingle = 0x10
const cswSize: Readonly<Record<Width, number>> = { 1: 0, 2: 1, 4: 2 }

const dp = (address: number, write: number): Access => ({ isAp: false, address, write })
const ap = (address: number, write: number | Uint32Array): Access => ({ isAp: true, address, write })

/** A probe whose commands are accesses to the debug port. */
export const viaDebugPort = (port: DebugPort): ArmProbe => ({
  ownChoicesHz: port.ownChoicesHz,
  async enter(speedHz, ctx) {
    await port.attach(speedHz, ctx)
    return MemAp.connect(port, ctx)
  },
  reset: (asserted, ctx) => port.reset(asserted, ctx),
  leave: (ctx) => port.detach(ctx),
})

class MemAp implements TargetMemory {
  readonly idcode: number
  readonly accessPorts: AccessPorts = {
    read: async (port, register, ctx) => {
      const access = { isAp: true, address: register & 0xc, read: 1 }
      const [word] = await this.#select(port, register, access, ctx)
      return word ?? 0
    },
    write: async (port, register, value, ctx) => {
      await this.#select(port, register, ap(register & 0xc, value), ctx)
    },
  }
  readonly #port: DebugPort
  /** As it was written last; undefined: nobody knows. */
  #csw: number | undefined
  /** What clears the error before, as long as that was not done. */
  #owed: readonly Access[] | undefined
  /** Another access port may be the selected one, as it was asked and nobody knows how that ended. */
  #isElsewhere = false

  private constructor(port: DebugPort, idcode: number) {
    this.#port = port
    this.idcode = idcode
  }

  static async connect(port: DebugPort, ctx: Context): Promise<MemAp> {
    const idcode = await findDebugPort(port, ctx)
    if (idcode === undefined) throw new FlashError('target-missing', { tried: [wiresOf(port)] })
    const memory = new MemAp(port, idcode)
    await memory.#run('waking its debug port', [dp(Dp.Abort, clearErrors), dp(Dp.Select, 0)], ctx)
    await memory.#power(ctx)
    return memory
  }

  get #wanted(): Access {
    return dp(Dp.ControlStatus, powerUp | (this.#port.detectsOverrun ? detectOverrun : 0))
  }

  async #power(ctx: Context): Promise<void> {
    const row = [this.#wanted, { isAp: false, address: Dp.ControlStatus, read: 1 }]
    for (const until = ctx.clock.now() + powerUpMs; ;) {
      const [status = 0] = await this.#run('waking its debug port', row, ctx)
      if ((status & poweredUp) >>> 0 === poweredUp) return
      if (ctx.clock.now() >= until)
        throw new FlashError('device-refused', { during: 'waking its debug port', status: hex(status, 8) })
      await ctx.sleep(pollMs)
    }
  }

  async read(address: number, length: number, ctx: Context, width: Width = 4): Promise<Uint8Array> {
    const bytes = new Uint8Array(length)
    const view = new DataView(bytes.buffer)
    for (const { at, size } of pieces(address, length)) {
      const row = [...this.#towards(at, width), { isAp: true, address: Ap.Data, read: size / width }]
      const words = await this.#run(`reading ${hex(at, 8)}`, row, ctx)
      if (words.length !== size / width)
        throw new FlashError('short-transfer', {
          ...{ during: `reading ${hex(at, 8)}`, expected: size, found: words.length * width },
        })
      words.forEach((word, i) => {
        const offset = at - address + i * width
        if (width === 4) view.setUint32(offset, word, true)
        else if (width === 2) view.setUint16(offset, word >>> laneOf(at + i * width), true)
        else view.setUint8(offset, word >>> laneOf(at + i * width))
      })
    }
    return bytes
  }

  async write(address: number, bytes: Uint8Array, ctx: Context, width: Width = 4): Promise<void> {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    const wordAt = (offset: number, at: number): number => {
      if (width === 4) return view.getUint32(offset, true)
      return ((width === 2 ? view.getUint16(offset, true) : view.getUint8(offset)) << laneOf(at)) >>> 0
    }
    for (const { at, size } of pieces(address, bytes.length)) {
      const words = Uint32Array.from({ length: size / width }, (_, i) =>
        wordAt(at - address + i * width, at + i * width),
      )
      await this.#run(`writing ${hex(at, 8)}`, [...this.#towards(at, width), ap(Ap.Data, words)], ctx)
    }
  }

  async writeWords(
    words: readonly (readonly [address: number, value: number])[],
    ctx: Context,
  ): Promise<void> {
    const row = words.flatMap(([address, value]) => [...this.#towards(address, 4), ap(Ap.Data, value)])
    await this.#run(`writing ${hex(words[0]?.[0] ?? 0, 8)}`, row, ctx)
  }

  /** One access elsewhere; the memory's port is the selected one at all other times. */
  async #select(port: number, register: number, access: Access, ctx: Context): Promise<Uint32Array> {
    const during = `asking access port ${String(port)}`
    const selected = ((port << 24) | (register & 0xf0)) >>> 0
    this.#isElsewhere = true
    return this.#run(during, [dp(Dp.Select, selected), access, dp(Dp.Select, 0)], ctx)
  }

  #towards(address: number, width: Width): Access[] {
    const csw = cswFixed | incrementSingle | cswSize[width]
    const isSet = this.#csw === csw
    this.#csw = csw
    return [
      ...(this.#isElsewhere ? [dp(Dp.Select, 0)] : []),
      ...(isSet ? [] : [ap(Ap.ControlStatus, csw)]),
      ap(Ap.Address, address),
    ]
  }

  /** What still keeps it waiting takes no clearing either. */
  async #clear(row: readonly Access[], ctx: Context): Promise<void> {
    const { ack } = await this.#port.transfer(row, ctx)
    this.#owed = ack === 'ok' ? undefined : row
  }

  /** Ends with the memory's port selected. A sticky error is cleared before it is told. */
  async #run(during: string, row: readonly Access[], ctx: Context): Promise<Uint32Array> {
    try {
      if (this.#owed) await this.#clear(this.#owed, ctx)
      const { ack, words } = await this.#port.transfer(row, ctx)
      if (ack === 'ok') {
        this.#isElsewhere = false
        return words
      }
      const isThere = ack !== 'none' || (await findDebugPort(this.#port, ctx)) !== undefined
      if (!isThere) throw new FlashError('target-missing', { tried: [wiresOf(this.#port)] })
      const clear = dp(Dp.Abort, clearErrors | (ack === 'wait' ? abortTransfer : 0))
      // whoever was lost may have lost its power
      await this.#clear([clear, dp(Dp.Select, 0), ...(ack === 'none' ? [this.#wanted] : [])], ctx)
      const status = `${wiresOf(this.#port)} ${ack.toUpperCase()}`
      if (ack === 'fault') throw new FlashError('device-refused', { during, status })
      if (ack === 'wait') throw new FlashError('target-busy', { during, by: wiresOf(this.#port) })
      throw new FlashError('unexpected-answer', { during, found: status }) // once more it may be another one
    } catch (error) {
      this.#csw = undefined
      throw error
    }
  }
}

const wiresOf = ({ wires }: DebugPort): string => wires ?? 'SWD'

/** From whatever the lines were before. Undefined: nobody answers. */
async function findDebugPort(port: DebugPort, ctx: Context): Promise<number | undefined> {
  if (port.find) return port.find(ctx)
  const answered = async (bits: Uint8Array) => {
    await port.sequence(bits, bits.length * 8, ctx)
    const { ack, words } = await port.transfer([{ isAp: false, address: Dp.Idr, read: 1 }], ctx)
    return ack === 'ok' ? words[0] : undefined
  }
  const alone = await answered(jtagToSwd)
  if (alone !== undefined) return alone
  for (const target of sharing) {
    const found = await answered(Uint8Array.from([...dormantToSwd, ...selectTarget(target)]))
    if (found !== undefined) return found
  }
  return undefined
}

/** Where the bits of a narrow access are in the data register. */
const laneOf = (address: number): number => (address & 3) * 8

function* pieces(address: number, length: number): Generator<{ at: number; size: number }> {
  for (let at = address; at < address + length;) {
    const size = Math.min(address + length - at, tarWraps - (at % tarWraps))
    yield { at, size }
    at += size
  }
}
