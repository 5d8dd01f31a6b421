import { expect, test } from 'vitest'
import { fromHex } from '#core/bytes.ts'
import { jtagToSwd, lineReset, TestDebugger } from './test-swd.ts'
import { ArmBus, ChipClock, ram } from './twin-arm-bus.ts'
import { rp2040Wires } from './twin-rp2040-swd.ts'
import { Ack } from './twin-swd.ts'
import { VirtualClock } from './virtual-clock.ts'

const dormantToSwd = fromHex('ff 92f30962952d8586e9afdde3a20ebc19 a0f1ff ff ff ff ff ff ff ff 00')
const swdToDormant = fromHex('ff ff ff ff ff ff ff bc e3')
const core0 = 0x0100_2927
const core1 = 0x1100_2927
const rescue = 0xf100_2927

function onWires() {
  const clock = new ChipClock()
  clock.source = new VirtualClock()
  const cores = [new Uint8Array(16).fill(0xa0), new Uint8Array(16).fill(0xa1)] as const
  const [a, b] = cores.map((memory) => new ArmBus(clock, [ram(0x2000_0000, memory)]))
  if (!a || !b) throw new Error('two cores')
  let rescues = 0
  const wires = rp2040Wires({ cores: [a, b], onRescue: () => rescues++ })
  const debug = new TestDebugger(wires)
  const select = (target: number) => {
    wires.sequence(lineReset, 64)
    expect(wires.write(false, 0xc, target)).toBe(Ack.None)
    return wires.read(false, 0)
  }
  const powerUp = () => {
    debug.writeDp(0, 0x1e)
    debug.writeDp(4, 0x5000_0000)
  }
  return { wires, debug, select, powerUp, rescues: () => rescues }
}

test('dormant it hears neither a line reset nor JTAG-to-SWD, but the selection alert', () => {
  const { wires, select } = onWires()
  expect(select(core0).ack).toBe(Ack.None)
  wires.sequence(jtagToSwd, 136)
  expect(select(core0).ack).toBe(Ack.None)
  wires.sequence(dormantToSwd, 224)
  expect(select(core0)).toEqual({ ack: Ack.Ok, value: 0x0bc1_2477 })
  wires.sequence(swdToDormant, 72)
  expect(select(core0).ack).toBe(Ack.None)
})

test('without TARGETSEL nobody answers, nor to a target that is not there', () => {
  const { wires, select } = onWires()
  wires.sequence(dormantToSwd, 224)
  expect(wires.read(false, 0).ack).toBe(Ack.None)
  expect(select(0x2100_2927).ack).toBe(Ack.None)
  expect(wires.read(false, 0).ack).toBe(Ack.None)
  expect(select(core1).ack).toBe(Ack.Ok)
})

test('each core is reached by its own port', () => {
  const { wires, debug, select, powerUp } = onWires()
  wires.sequence(dormantToSwd, 224)
  for (const [target, content, instance] of [
    [core0, 0xa0a0_a0a0, 0x0000_0001],
    [core1, 0xa1a1_a1a1, 0x1000_0001],
  ] as const) {
    select(target)
    powerUp()
    expect(debug.read(0x2000_0000)).toBe(content)
    expect(debug.readAp(0xfc)).toBe(0x0477_0031)
    debug.writeDp(8, 2)
    expect(debug.readDp(4)).toBe(0x0100_2927)
    debug.writeDp(8, 3)
    expect(debug.readDp(4)).toBe(instance)
    debug.writeDp(8, 0)
  }
})

test('the rescue port has no memory, and restarts the chip when it is powered up', () => {
  const { wires, debug, select, powerUp, rescues } = onWires()
  wires.sequence(dormantToSwd, 224)
  select(rescue)
  expect(rescues()).toBe(0)
  powerUp()
  expect(rescues()).toBe(1)
  expect(debug.readAp(0xfc)).toBe(0)
  debug.writeDp(4, 0)
  debug.writeDp(4, 0x1000_0000)
  expect(rescues()).toBe(2)
})
