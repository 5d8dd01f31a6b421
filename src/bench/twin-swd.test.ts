import { describe, expect, test } from 'vitest'
import { fromHex } from '#core/bytes.ts'
import { jtagToSwd, lineReset, TestDebugger } from './test-swd.ts'
import { ArmBus, ChipClock, ram, type Region } from './twin-arm-bus.ts'
import { Ack, SwdPort } from './twin-swd.ts'
import { VirtualClock } from './virtual-clock.ts'

const none = { ack: Ack.None, value: 0 }
const fault = { ack: Ack.Fault, value: 0 }

/** A chip of 4 KiB RAM, and of one word at 4000_0000 that takes a millisecond. */
function onWires() {
  const clock = new ChipClock()
  const bench = new VirtualClock()
  clock.source = bench
  const memory = new Uint8Array(0x1000)
  const slow: Region = {
    address: 0x4000_0000,
    length: 4,
    read: () => {
      clock.stall(clock.now() + 1)
      return 0x5107
    },
    write: () => true,
  }
  const bus = new ArmBus(clock, [ram(0x2000_0000, memory), slow])
  const resets: boolean[] = []
  const port = new SwdPort({
    dpidr: 0x1ba0_1477,
    aps: [{ idr: 0x1477_0011, base: 0xe00f_f003, bus }],
    onReset: (asserted) => resets.push(asserted),
  })
  return { port, memory, resets, bench, debug: new TestDebugger(port) }
}

describe('until the wire is SWD, nobody answers', () => {
  test('it starts as JTAG, and a line reset does not change that', () => {
    const { port } = onWires()
    expect(port.read(false, 0)).toEqual(none)
    port.sequence(lineReset, 64)
    expect(port.read(false, 0)).toEqual(none)
  })

  test('JTAG-to-SWD and a line reset do, in one piece or in several', () => {
    const whole = onWires().port
    whole.sequence(jtagToSwd, 136)
    expect(whole.read(false, 0)).toEqual({ ack: Ack.Ok, value: 0x1ba0_1477 })
    const inPieces = onWires().port
    for (const piece of [jtagToSwd.subarray(0, 7), jtagToSwd.subarray(7, 9), jtagToSwd.subarray(9)])
      inPieces.sequence(piece, piece.length * 8)
    expect(inPieces.read(false, 0).ack).toBe(Ack.Ok)
  })

  test('without its line reset JTAG-to-SWD is not enough', () => {
    const { port } = onWires()
    port.sequence(jtagToSwd, 72)
    expect(port.read(false, 0)).toEqual(none)
    port.sequence(lineReset, 64)
    expect(port.read(false, 0).ack).toBe(Ack.Ok)
  })

  test('49 ones are no line reset, nor are 50 without two idle cycles', () => {
    const { port } = onWires()
    port.sequence(jtagToSwd, 72)
    port.sequence(fromHex('00 fe ff ff ff ff ff 03 00'), 72)
    expect(port.read(false, 0)).toEqual(none)
    port.sequence(fromHex('ff ff ff ff ff ff 07'), 52)
    expect(port.read(false, 0)).toEqual(none)
    port.sequence(fromHex('ff ff ff ff ff ff 03'), 52)
    expect(port.read(false, 0).ack).toBe(Ack.Ok)
  })

  test('after a line reset DPIDR comes first; anything else locks the wire until the next one', () => {
    const { port } = onWires()
    port.sequence(jtagToSwd, 136)
    expect(port.read(false, 4)).toEqual(none)
    expect(port.read(false, 0)).toEqual(none)
    port.sequence(lineReset, 64)
    expect(port.read(false, 0).ack).toBe(Ack.Ok)
    expect(port.read(false, 4).ack).toBe(Ack.Ok)
  })

  test('SWD-to-JTAG goes back', () => {
    const { port } = onWires()
    port.sequence(jtagToSwd, 136)
    port.sequence(fromHex('ff ff ff ff ff ff ff 3c e7 ff'), 80)
    port.sequence(lineReset, 64)
    expect(port.read(false, 0)).toEqual(none)
  })

  test('power that went makes it JTAG again', () => {
    const { port, debug } = onWires()
    debug.connect()
    port.power(false)
    expect(port.read(false, 0)).toEqual(none)
    port.power(true)
    port.sequence(lineReset, 64)
    expect(port.read(false, 0)).toEqual(none)
    expect(debug.connect()).toBe(0x1ba0_1477)
  })
})

describe('debug port', () => {
  test('power-up requests are acknowledged, and without one an AP is a sticky error', () => {
    const { port } = onWires()
    port.sequence(jtagToSwd, 136)
    port.read(false, 0)
    expect(port.read(true, 0)).toEqual(fault)
    expect(port.read(false, 4).value).toBe(0x20)
    port.write(false, 0, 0x04)
    port.write(false, 4, 0x5000_0000)
    expect(port.read(false, 4).value).toBe(0xf000_0000)
    expect(port.read(true, 0).ack).toBe(Ack.Ok)
  })

  test('AP reads are posted, RDBUFF fetches, RESEND repeats', () => {
    const { port, debug } = onWires()
    debug.connect()
    debug.write(0x2000_0000, 0x1111_1111)
    debug.write(0x2000_0004, 0x2222_2222)
    debug.writeAp(0x04, 0x2000_0000)
    port.read(true, 0xc)
    expect(port.read(true, 0xc).value).toBe(0x1111_1111)
    expect(port.read(false, 0x8).value).toBe(0x1111_1111)
    expect(port.read(false, 0xc).value).toBe(0x2222_2222)
    expect(port.read(false, 0xc).value).toBe(0x2222_2222)
    expect(port.read(false, 0x8).value).toBe(0x2222_2222)
  })

  test('an address where nothing is is a sticky error that everything meets but DPIDR, CTRL/STAT and ABORT', () => {
    const { port, debug } = onWires()
    debug.connect()
    debug.writeAp(0x04, 0x3000_0000)
    expect(port.read(true, 0xc).ack).toBe(Ack.Ok)
    expect(port.read(false, 0xc)).toEqual(fault)
    expect(port.read(true, 0xc)).toEqual(fault)
    expect(port.write(false, 0x8, 0)).toBe(Ack.Fault)
    expect(port.read(false, 0).ack).toBe(Ack.Ok)
    expect(port.read(false, 4).value).toBe(0xf000_0020)
    expect(port.write(false, 0, 0x1e)).toBe(Ack.Ok)
    expect(port.read(false, 4).value & 0x20).toBe(0)
    expect(port.write(true, 0xc, 0)).toBe(Ack.Ok)
    expect(port.read(false, 4).value & 0x20).toBe(0x20)
  })

  test('a line reset leaves sticky errors as they are', () => {
    const { port, debug } = onWires()
    debug.connect()
    debug.writeAp(0x04, 0x3000_0000)
    port.read(true, 0xc)
    port.sequence(lineReset, 64)
    expect(port.read(false, 0).ack).toBe(Ack.Ok)
    expect(port.read(false, 0xc)).toEqual(fault)
  })

  test('an AP that is busy is waited for, and DAPABORT gives up', async () => {
    const { port, debug, bench } = onWires()
    debug.connect()
    debug.writeAp(0x04, 0x4000_0000)
    expect(port.read(true, 0xc).ack).toBe(Ack.Ok)
    expect(port.read(false, 0xc).ack).toBe(Ack.Wait)
    expect(port.write(true, 0x4, 0)).toBe(Ack.Wait)
    expect(port.read(false, 4).value & 0x22).toBe(0)
    await bench.sleep(1)
    expect(port.read(false, 0xc)).toEqual({ ack: Ack.Ok, value: 0x5107 })
    port.read(true, 0xc)
    expect(port.read(false, 0xc).ack).toBe(Ack.Wait)
    port.write(false, 0, 0x01)
    expect(port.read(false, 0xc).ack).toBe(Ack.Ok)
  })

  test('waits on demand, and overrun detection remembers what was not taken', () => {
    const { port, debug } = onWires()
    debug.connect()
    port.waits = 1
    expect(port.read(true, 0).ack).toBe(Ack.Wait)
    expect(port.read(true, 0).ack).toBe(Ack.Ok)
    debug.writeDp(0x4, 0x5000_0001)
    port.waits = 1
    expect(port.read(true, 0).ack).toBe(Ack.Wait)
    expect(port.read(true, 0)).toEqual(fault)
    expect(port.read(false, 4).value & 0x3).toBe(0x3)
    port.write(false, 0, 0x10)
    expect(port.read(false, 4).value & 0x3).toBe(0x1)
  })

  test('nRESET reaches the chip', () => {
    const { port, resets } = onWires()
    port.reset(true)
    port.reset(false)
    expect(resets).toEqual([true, false])
  })
})

describe('MEM-AP', () => {
  test('identifies itself; an AP that is not there reads as 0', () => {
    const { debug } = onWires()
    debug.connect()
    expect(debug.readAp(0xfc)).toBe(0x1477_0011)
    expect(debug.readAp(0xf8)).toBe(0xe00f_f003)
    expect(debug.readAp(0xf4)).toBe(0)
    expect(debug.readAp(0x00) & 0x40).toBe(0x40)
    expect(debug.readAp(0xfc, 1)).toBe(0)
  })

  test('bytes and half-words are in their lanes', () => {
    const { debug, memory } = onWires()
    debug.connect()
    debug.write(0x2000_0000, 0x4433_2211)
    debug.writeAp(0x00, 0x2300_0050)
    debug.writeAp(0x04, 0x2000_0001)
    debug.writeAp(0x0c, 0xdead_55ff)
    expect([...memory.subarray(0, 4)]).toEqual([0x11, 0x55, 0x33, 0x44])
    expect(debug.readAp(0x04)).toBe(0x2000_0002)
    expect(debug.readAp(0x0c) & 0x00ff_0000).toBe(0x0033_0000)
    debug.writeAp(0x00, 0x2300_0051)
    debug.writeAp(0x04, 0x2000_0002)
    expect(debug.readAp(0x0c) >>> 16).toBe(0x4433)
  })

  test('packed half-words fill a word', () => {
    const { debug, memory } = onWires()
    debug.connect()
    debug.writeAp(0x00, 0x2300_0061)
    debug.writeAp(0x04, 0x2000_0010)
    debug.writeAp(0x0c, 0x2222_1111)
    debug.writeAp(0x0c, 0x4444_3333)
    expect([...memory.subarray(0x10, 0x18)]).toEqual([...fromHex('1111 2222 3333 4444')])
    debug.writeAp(0x04, 0x2000_0012)
    expect(debug.readAp(0x0c)).toBe(0x2222_3333)
  })

  test('auto-increment wraps at 1 KiB, and is off where it is off', () => {
    const { debug } = onWires()
    debug.connect()
    debug.writeAp(0x04, 0x2000_03fc)
    debug.writeAp(0x00, 0x2300_0052)
    debug.writeAp(0x0c, 1)
    expect(debug.readAp(0x04)).toBe(0x2000_0000)
    debug.writeAp(0x00, 0x2300_0042)
    debug.writeAp(0x0c, 2)
    expect(debug.readAp(0x04)).toBe(0x2000_0000)
  })

  test('the banked data registers are the four words around TAR', () => {
    const { debug, memory } = onWires()
    debug.connect()
    debug.writeAp(0x00, 0x2300_0052)
    debug.writeAp(0x04, 0x2000_0024)
    debug.writeAp(0x1c, 0x1234_5678)
    expect([...memory.subarray(0x2c, 0x30)]).toEqual([0x78, 0x56, 0x34, 0x12])
    expect(debug.readAp(0x1c)).toBe(0x1234_5678)
    expect(debug.readAp(0x04)).toBe(0x2000_0024)
  })
})
