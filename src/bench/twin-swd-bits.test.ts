/** SWD clock by clock: what is on the wire is the specification's (Arm IHI 0031, B4.1 and B4.2). */
import { expect, test } from 'vitest'
import { jtagToSwd, lineReset } from './test-swd.ts'
import { SwdBits } from './twin-swd-bits.ts'
import { SwdPort } from './twin-swd.ts'
import { ArmBus, ChipClock } from './twin-arm-bus.ts'

const dpidr = 0x1ba0_1477

function wire() {
  const bus = new ArmBus(new ChipClock(), [])
  const port = new SwdPort({ dpidr, aps: [{ idr: 0x1477_0011, base: 0xe00f_f003, bus }] })
  const bits = new SwdBits(port)
  const drive = (value: number, count: number) => {
    for (let i = 0; i < count; i++) bits.clock(true, (value >>> i) & 1)
  }
  const listen = (count: number): number => {
    let value = 0
    for (let i = 0; i < count; i++) value |= bits.clock(false, 1) << i
    return value >>> 0
  }
  const sequence = (bytes: Uint8Array) => {
    for (const byte of bytes) drive(byte, 8)
  }
  /** Acknowledge, word and parity. */
  const read = (request: number) => {
    drive(request, 8)
    const answer = [listen(3), listen(32), listen(1)]
    listen(2)
    return answer
  }
  const write = (request: number, value: number, parity: number) => {
    drive(request, 8)
    const ack = listen(3)
    listen(2)
    drive(value, 32)
    drive(parity, 1)
    return ack
  }
  return { port, drive, listen, sequence, read, write }
}

const [readDpidr, readStat, writeAbort, writeStat, readAp] = [0xa5, 0x8d, 0x81, 0xa9, 0x9f]

test('after the switch from JTAG and a line reset it gives its identity, with even parity', () => {
  const { sequence, read } = wire()
  expect(read(readDpidr)[0]).toBe(7) // nobody
  sequence(jtagToSwd)
  expect(read(readDpidr)).toEqual([1, dpidr, 0])
})

test('a word with wrong parity is not taken, and noted', () => {
  const { sequence, read, write } = wire()
  sequence(jtagToSwd)
  read(readDpidr)
  expect(write(writeStat, 0x5000_0000, 1)).toBe(1)
  expect((read(readStat)[1] ?? 0) & 0x5000_0080).toBe(0x80)
  expect(write(writeAbort, 0x1e, 0)).toBe(1)
  expect(write(writeStat, 0x5000_0000, 0)).toBe(1)
  expect((read(readStat)[1] ?? 0) >>> 28).toBe(0xf)
})

test('a request with wrong parity silences it until the next line reset', () => {
  const { sequence, read, drive, listen } = wire()
  sequence(jtagToSwd)
  read(readDpidr)
  drive(readDpidr ^ 0x20, 8)
  expect(listen(3)).toBe(7)
  listen(35)
  expect(read(readDpidr)[0]).toBe(7)
  sequence(lineReset)
  expect(read(readDpidr)).toEqual([1, dpidr, 0])
})

test('without overrun detection no data follows WAIT, with it they do, and all that follows is refused', () => {
  const { port, sequence, read, write, drive, listen } = wire()
  sequence(jtagToSwd)
  read(readDpidr)
  write(writeStat, 0x5000_0000, 0)
  port.waits = 1
  drive(readAp, 8)
  expect([listen(3), listen(2)]).toEqual([2, 3])
  expect(read(readDpidr)).toEqual([1, dpidr, 0])
  write(writeStat, 0x5000_0001, 1)
  port.waits = 1
  expect(read(readAp)[0]).toBe(2)
  expect(read(readAp)[0]).toBe(4)
  expect((read(readStat)[1] ?? 0) & 2).toBe(2)
  write(writeAbort, 0x10, 1)
  expect(read(readAp)[0]).toBe(1)
})
