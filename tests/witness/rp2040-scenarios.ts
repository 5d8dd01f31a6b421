/**
 * Questions to a chip in BOOTSEL mode, and what is written down of its answers: asked of the RP2040's own ROM in an emulator,
 * and of our twin. The flash has 256 KiB and begins blank.
 */
import { hexBytes } from '#core/bytes.ts'
import { Command, encodeCommand, Endpoint, rangeArgs, Request } from '#protocols/picoboot/packets.ts'

export type Answer = Uint8Array | 'stall' | 'nak'

export interface Bench {
  control(type: number, request: number, value: number, index: number, length: number): Promise<Answer>
  bulkIn(endpoint: number, length: number): Promise<Answer>
  bulkOut(endpoint: number, bytes: Uint8Array): Promise<Answer>
}

const text = (answer: Answer): string => (answer instanceof Uint8Array ? hexBytes(answer, '') : answer)
const none = new Uint8Array()

/** Asks, and writes the answers down. */
export class Asking {
  readonly answers: string[] = []
  readonly #bench: Bench
  #token = 0

  constructor(bench: Bench) {
    this.#bench = bench
  }

  async send(command: number, args: Uint8Array = none, transferBytes = 0): Promise<void> {
    await this.out(encodeCommand({ token: ++this.#token, command, args, transferBytes }))
  }
  async out(bytes: Uint8Array): Promise<void> {
    const answer = await this.#bench.bulkOut(Endpoint.Out, bytes)
    this.#say(`out ${String(bytes.length)}`, answer instanceof Uint8Array ? 'taken' : answer)
  }
  async in(length = 64): Promise<void> {
    this.#say(`in ${String(length)}`, text(await this.#bench.bulkIn(Endpoint.In, length)))
  }
  async status(length = 16): Promise<void> {
    this.#say('status', text(await this.#bench.control(0xc1, Request.Status, 0, 1, length)))
  }
  async reset(): Promise<void> {
    for (const endpoint of [Endpoint.In | 0x80, Endpoint.Out]) await this.#bench.control(2, 1, 0, endpoint, 0)
    await this.#bench.control(0x41, Request.Reset, 0, 1, 0)
  }
  async descriptor(type: number, index: number, language: number, length: number): Promise<void> {
    const answer = await this.#bench.control(0x80, 6, (type << 8) | index, language, length)
    this.#say(`descriptor ${String(type)}.${String(index)}`, text(answer))
  }

  #say(asked: string, answer: string): void {
    this.answers.push(`${asked}: ${answer}`)
  }
}

const flash = 0x1000_0000
const page = Uint8Array.from({ length: 256 }, (_, i) => (i * 7) & 0xff)
const tookOver = async (ask: Asking) => {
  await ask.send(Command.ExclusiveAccess, Uint8Array.of(1))
  await ask.in()
  await ask.send(Command.ExitXip)
  await ask.in()
}
const wrote = async (ask: Asking, address: number, bytes: Uint8Array) => {
  await ask.send(Command.Write, rangeArgs(address, bytes.length), bytes.length)
  await ask.out(bytes)
  await ask.in()
}
const read = async (ask: Asking, address: number, length: number) => {
  await ask.send(Command.Read, rangeArgs(address, length), length)
  await ask.in(length)
  await ask.out(Uint8Array.of(0))
}

export const scenarios: Readonly<Record<string, (ask: Asking) => Promise<void>>> = {
  'describes itself': async (ask) => {
    await ask.descriptor(1, 0, 0, 18)
    await ask.descriptor(2, 0, 0, 64)
    for (const index of [1, 2, 3]) await ask.descriptor(3, index, 0x0409, 64)
  },
  'is taken over, written and read': async (ask) => {
    await tookOver(ask)
    await wrote(ask, flash + 0x100, page)
    await read(ask, flash + 0x100, 256)
    await read(ask, flash, 8)
    await ask.status()
  },
  'shows its beginning again behind its end': async (ask) => {
    await tookOver(ask)
    await wrote(ask, flash, page)
    await read(ask, flash + 256 * 1024, 16)
    await read(ask, flash + 128 * 1024, 16)
  },
  'clears bits only, until it is erased': async (ask) => {
    await tookOver(ask)
    await wrote(ask, flash, page)
    await wrote(
      ask,
      flash,
      page.map((byte) => byte ^ 0xff),
    )
    await read(ask, flash, 16)
    await ask.send(Command.FlashErase, rangeArgs(flash, 4096))
    await ask.in()
    await read(ask, flash, 16)
  },
  'is written by the sector, as we do': async (ask) => {
    await tookOver(ask)
    await ask.send(Command.FlashErase, rangeArgs(flash + 4096, 8192))
    await ask.in()
    await wrote(
      ask,
      flash + 4096,
      Uint8Array.from({ length: 4096 }, (_, i) => (i * 13 + (i >> 8)) & 0xff),
    )
    await read(ask, flash + 8192 - 64, 64)
    await read(ask, flash + 8192 - 256, 300)
  },
  'says that it has erased what it has not': async (ask) => {
    await tookOver(ask)
    await wrote(ask, flash, page)
    for (const [address, length] of [
      [flash + 256, 4096],
      [flash, 256],
      [0x3000_0000, 4096],
    ] as const) {
      await ask.send(Command.FlashErase, rangeArgs(address, length))
      await ask.in()
      await ask.status()
    }
    await read(ask, flash, 16)
  },
  'tells its revision, at any address of its ROM': async (ask) => {
    await read(ask, 0x10, 4)
    await read(ask, 0x13, 1)
  },
  'halts at a command that it does not know': async (ask) => {
    await ask.send(0x0a, new Uint8Array(16))
    await ask.in()
    await ask.status()
    await ask.reset()
    await ask.status()
    await read(ask, 0x13, 1)
  },
  'halts at arguments of the wrong size': async (ask) => {
    await ask.send(Command.ExclusiveAccess, Uint8Array.of(1, 0))
    await ask.in()
    await ask.out(none)
    await ask.status()
  },
  'halts at a length that is not that of the range': async (ask) => {
    await ask.send(Command.Read, rangeArgs(flash, 256), 128)
    await ask.in()
    await ask.status()
    await ask.reset()
    await tookOver(ask)
  },
  'halts at what is no command': async (ask) => {
    await ask.out(new Uint8Array(32))
    await ask.in()
    await ask.status()
    await ask.reset()
    await ask.out(Uint8Array.of(1, 2, 3))
    await ask.in()
  },
  'stalls a read between pages': async (ask) => {
    await tookOver(ask)
    await ask.send(Command.Read, rangeArgs(flash + 16, 64), 64)
    await ask.in()
    await ask.status()
    await ask.reset()
    await read(ask, 0x13, 1)
  },
  'stalls a read where nothing is': async (ask) => {
    await ask.send(Command.Read, rangeArgs(0x3000_0000, 64), 64)
    await ask.in()
    await ask.status()
  },
  'refuses to tell a status of another length': async (ask) => {
    await ask.status(15)
    await ask.status(17)
    await ask.status()
  },
}
