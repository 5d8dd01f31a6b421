import { expect, test } from 'vitest'
import { TwinSerialBus } from '#bench/twin-serial.ts'
import type { SerialTwin, SerialWire } from '#bench/twin.ts'
import { VirtualClock } from '#bench/virtual-clock.ts'
import { Context } from '#core/context.ts'
import { Devices } from '#transport/devices.ts'
import { Session } from './session.ts'

/** Says something every 40 ms for a minute, whatever is asked. */
class Talker implements SerialTwin {
  readonly link = 'serial'
  readonly usb = { vendorId: 0x2341, productId: 0x0043 }
  readonly bridge = 'cdc-acm'
  plugged(wire: SerialWire): void {
    const talk = async () => {
      for (let i = 0; i < 1500; i++) {
        await wire.clock.sleep(40)
        wire.send(Uint8Array.of(i), 115_200)
      }
    }
    void talk()
  }
  receive(): void {
    // does not listen
  }
  signals(): void {
    // has no reset
  }
}

async function atTalker(signal?: AbortSignal) {
  const clock = new VirtualClock()
  const serial = new TwinSerialBus({ clock, granted: true })
  serial.plug(new Talker())
  const [attached] = await new Devices({ serial }, clock).list()
  if (attached?.link !== 'serial') throw new Error('no serial port')
  const link = await attached.open(115_200)
  return { clock, session: new Session(link), ctx: new Context({ clock, ...(signal && { signal }) }) }
}

test('a line that is never quiet is waited for no longer than two seconds', async () => {
  const { clock, session, ctx } = await atTalker()
  const from = clock.now()
  await session.settle(ctx)
  expect(clock.now() - from).toBeGreaterThan(1900)
  expect(clock.now() - from).toBeLessThan(2200)
})

test('a stop is heard while the line is not quiet', async () => {
  const stop = new AbortController()
  const { clock, session, ctx } = await atTalker(stop.signal)
  const from = clock.now()
  void clock.sleep(300).then(() => stop.abort())
  await expect(session.settle(ctx)).rejects.toMatchObject({ code: 'cancelled' })
  expect(clock.now() - from).toBeLessThan(500)
})
