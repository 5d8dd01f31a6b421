/**
 * What firmware and twin are both asked. Each scenario starts with freshly powered sides; its answers are
 * compared one by one. After a firmware is lost only that is compared: real hosts see it in several ways.
 */
import { blank } from '#core/bytes.ts'
import { avrPartByName, type AvrPart } from '#chips/avr-parts.ts'
import type { TwinAnswer } from '#bench/twin.ts'
import {
  BlockFlag,
  encodeBlock,
  encodeLongAddress,
  encodeTransmit,
  Request,
} from '#protocols/usbasp/packets.ts'
import type { Bench, Side } from './usbasp-sides.ts'

/** Asks one side, and remembers under a name what it answered. */
export class Questions {
  readonly answers: { readonly name: string; readonly answer: TwinAnswer | 'lost' }[] = []
  readonly #side: Side

  constructor(side: Side) {
    this.#side = side
  }

  async ask(name: string, request: number, value = 0, index = 0, length = 4, requestType = 0xc0) {
    const answer = await this.#side.control({ requestType, request, value, index, length })
    this.answers.push({ name, answer })
    return answer
  }
  async write(name: string, request: number, value: number, index: number, bytes: Uint8Array): Promise<void> {
    const setup = { requestType: 0x40, request, value, index, length: bytes.length }
    this.answers.push({ name, answer: await this.#side.control(setup, bytes) })
  }
  transmit(name: string, ...instruction: [number, number, number, number]) {
    const { value, index } = encodeTransmit(instruction)
    return this.ask(name, Request.Transmit, value, index)
  }
  descriptor(name: string, type: number, index = 0, length = 255) {
    return this.ask(name, 6, (type << 8) | index, index ? 0x0409 : 0, length, 0x80)
  }
  async connect(): Promise<void> {
    await this.ask('CONNECT', Request.Connect)
    await this.wait(100)
  }
  async enter(): Promise<void> {
    await this.connect()
    await this.ask('ENABLEPROG', Request.EnableProg)
  }
  wait(ms: number): Promise<void> {
    return this.#side.clock.sleep(ms)
  }
  /** Whether it answers at all (zero bytes, to an unknown request), before and after a port reset. */
  async isAlive(): Promise<void> {
    for (const when of ['afterwards', 'after a port reset']) {
      if (when !== 'afterwards') await this.#side.recover()
      const setup = { requestType: 0xc0, request: 99, value: 0, index: 0, length: 4 }
      const answer = await this.#side.control(setup)
      this.answers.push({ name: `alive ${when}`, answer: answer instanceof Uint8Array ? answer : 'lost' })
    }
  }
  memory(name: string, id: 'flash' | 'eeprom', from: number, to: number): void {
    this.answers.push({ name, answer: this.#side.target[id].slice(from, to) })
  }
}

export interface Scenario {
  readonly name: string
  readonly bench: Bench
  ask(questions: Questions): Promise<void>
}

const mega328 = avrPartByName('ATmega328P') as AvrPart
const mega2560 = avrPartByName('ATmega2560') as AvrPart
const bench: Bench = { part: mega328 }
const pattern = (length: number) => Uint8Array.from({ length }, (_, i) => (i ^ 0x35) & 0xff)

const descriptors: Scenario = {
  name: 'descriptors and unknown requests',
  bench,
  async ask(q) {
    await q.descriptor('device', 1)
    await q.descriptor('configuration', 2)
    for (const index of [0, 1, 2, 3, 4, 0xee]) await q.descriptor(`string ${String(index)}`, 3, index)
    await q.descriptor('BOS', 15)
    await q.ask('MS OS 2.0 set', 0x5d, 0, 7, 1024)
    await q.ask('GETCAPABILITIES', Request.GetCapabilities)
    await q.ask('SETISPSCK', Request.SetIspSck)
    await q.ask('unknown request', 99)
    await q.ask('HID feature report', 1, 0x0300, 1, 8, 0xa1)
    await q.ask('DISCONNECT at once', Request.Disconnect)
    await q.ask('GETCAPABILITIES', Request.GetCapabilities)
  },
}

const hazard = (name: string, ask: (q: Questions) => Promise<unknown>): Scenario => ({
  name: `order: ${name}`,
  bench,
  async ask(q) {
    await ask(q)
    await q.isAlive()
  },
})

const hazards: Scenario[] = [
  hazard('TRANSMIT before CONNECT', (q) => q.transmit('TRANSMIT', 0x30, 0, 0, 0)),
  hazard('READFLASH before CONNECT', (q) => q.ask('READFLASH', Request.ReadFlash, 0, 0, 8)),
  hazard('ENABLEPROG before CONNECT', (q) => q.ask('ENABLEPROG', Request.EnableProg)),
  hazard('TRANSMIT without ENABLEPROG', async (q) => {
    await q.connect()
    await q.transmit('TRANSMIT', 0x30, 0, 0, 0)
  }),
  hazard('TRANSMIT after DISCONNECT', async (q) => {
    await q.enter()
    await q.ask('DISCONNECT', Request.Disconnect)
    await q.transmit('TRANSMIT', 0x30, 0, 0, 0)
  }),
]

const speeds: Scenario[] = [
  ...[16_000_000, 1_000_000, 100_000].flatMap((targetHz) =>
    [0, 13, 12, 11, 10, 9, 8, 7, 5, 3].map((option): Scenario => ({
      name: `SETISPSCK ${String(option)}, target at ${String(targetHz / 1000)} kHz`,
      bench: { ...bench, dials: { targetHz } },
      async ask(q) {
        await q.ask('SETISPSCK', Request.SetIspSck, option)
        await q.connect()
        const answer = await q.ask('ENABLEPROG', Request.EnableProg)
        if (!(answer instanceof Uint8Array) || answer[0] !== 0) return
        await q.transmit('signature', 0x30, 0, 1, 0)
        await q.ask('READFLASH', Request.ReadFlash, 0x40, 0, 8)
        await q.ask('DISCONNECT', Request.Disconnect)
        await q.enter()
      },
    })),
  ),
  {
    name: 'no target',
    bench: { ...bench, dials: { noTarget: true } },
    async ask(q) {
      await q.enter()
      await q.ask('GETCAPABILITIES', Request.GetCapabilities)
      await q.enter()
      await q.ask('DISCONNECT', Request.Disconnect)
    },
  },
  {
    name: 'slow-SCK jumper, target at 32 kHz',
    bench: { ...bench, slowJumper: true, dials: { targetHz: 32_000 } },
    ask: (q) => q.enter(),
  },
]

const blocks: Scenario[] = [
  {
    name: 'reading blocks of every kind',
    bench,
    async ask(q) {
      await q.enter()
      for (const length of [0, 1, 7, 8, 9, 64, 200, 254, 255, 256, 300])
        await q.ask(`READFLASH ${String(length)}`, Request.ReadFlash, 0x123, 0, length)
      await q.ask('READEEPROM 20', Request.ReadEeprom, 3, 0, 20)
      await q.write('READFLASH as OUT', Request.ReadFlash, 0, 0, pattern(2))
      await q.ask('WRITEFLASH as IN', Request.WriteFlash, 0, 0x0180, 8)
      await q.ask('TRANSMIT, 2 bytes wanted', Request.Transmit, 0x0030, 0, 2)
      await q.ask('TRANSMIT, 8 bytes wanted', Request.Transmit, 0x0030, 0, 8)
    },
  },
  {
    name: 'the long address, until CONNECT',
    bench,
    async ask(q) {
      await q.enter()
      const { value, index } = encodeLongAddress(0x1234)
      await q.ask('SETLONGADDRESS', Request.SetLongAddress, value, index)
      for (const name of ['first', 'second', 'third']) await q.ask(name, Request.ReadFlash, 0, 0, 9)
      await q.enter()
      await q.ask('after CONNECT', Request.ReadFlash, 0, 0, 9)
    },
  },
  {
    name: 'beyond 64 KiB and 128 KiB',
    bench: { part: mega2560 },
    async ask(q) {
      await q.enter()
      await q.ask('16 bits, high one set', Request.ReadFlash, 0x9000, 0, 8)
      for (const address of [0xfffc, 0x1_fffc, 0x2_1000, 0x1000]) {
        const { value, index } = encodeLongAddress(address)
        await q.ask('SETLONGADDRESS', Request.SetLongAddress, value, index)
        await q.ask(`READFLASH ${String(address)}`, Request.ReadFlash, value, 0, 8)
      }
    },
  },
  {
    name: 'pages: FIRST, LAST, and the counter between',
    bench,
    async ask(q) {
      await q.enter()
      await q.transmit('chip erase', 0xac, 0x80, 0, 0)
      await q.wait(20)
      await q.enter()
      const write = async (name: string, address: number, flags: number, bytes: Uint8Array, page = 128) => {
        await q.write(name, Request.WriteFlash, address, encodeBlock(page, flags), bytes)
        q.memory(`flash after ${name}`, 'flash', 0, 0x800)
      }
      await write('a whole page', 0, BlockFlag.First, pattern(128))
      await write('two pages in one block', 0x100, BlockFlag.First, pattern(256))
      await write('a page ending in FF', 0x200, BlockFlag.First, Uint8Array.of(...pattern(120), ...blank(8)))
      await write('a part of a page', 0x280, BlockFlag.First, pattern(32))
      await write('the next part with LAST', 0x2a0, BlockFlag.Last, pattern(16))
      await write('a page in two blocks, first', 0x300, BlockFlag.First, pattern(100))
      await write('a page in two blocks, second', 0x364, 0, pattern(28))
      await write('without FIRST', 0x380, 0, pattern(128))
      await write('a target without pages', 0x400, BlockFlag.First, pattern(4), 0)
    },
  },
  {
    name: 'a target with pages of 256 bytes',
    bench: { part: mega2560 },
    async ask(q) {
      await q.enter()
      await q.transmit('chip erase', 0xac, 0x80, 0, 0)
      await q.wait(20)
      await q.enter()
      await q.write('a page', Request.WriteFlash, 0x100, encodeBlock(256, BlockFlag.First), pattern(256))
      q.memory('flash', 'flash', 0, 0x300)
    },
  },
  {
    name: 'EEPROM',
    bench,
    async ask(q) {
      await q.enter()
      await q.write('WRITEEEPROM', Request.WriteEeprom, 5, 0, pattern(20))
      q.memory('eeprom', 'eeprom', 0, 64)
    },
  },
]

export const scenarios: readonly Scenario[] = [descriptors, ...hazards, ...speeds, ...blocks]
