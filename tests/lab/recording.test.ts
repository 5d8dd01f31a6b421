/** A replay must fail when the twin answers otherwise, at another moment, at another speed or not at all. */
import { describe, expect, it } from 'vitest'
import { EchoSerialTwin, EchoUsbTwin } from '#bench/test-twins.ts'
import type { SerialTwin, SerialWire } from '#bench/twin.ts'
import { VirtualClock } from '#bench/virtual-clock.ts'
import { recordSerial, recordUsb, replay, type RecordedEvent } from './recording.ts'
import { UsbPort } from './usb-port.ts'

const recording = (events: readonly RecordedEvent[]) => ({ program: 'a test', twin: 'echo', events })

/** Says 01 and then 02 to it. */
async function recordedLine(): Promise<RecordedEvent[]> {
  const events: RecordedEvent[] = []
  const clock = new VirtualClock()
  const twin = recordSerial(new EchoSerialTwin(), events)
  twin.plugged({ clock, send: () => undefined, detach: () => undefined })
  twin.signals(true, true)
  for (const byte of [1, 2]) {
    await clock.sleep(10)
    twin.receive(Uint8Array.of(byte), 115_200)
  }
  return events
}

async function same(events: readonly RecordedEvent[], twin: SerialTwin | EchoUsbTwin): Promise<boolean> {
  const { now, then } = await replay(recording(events), twin, new VirtualClock())
  expect(then).not.toBe('')
  return now === then
}

describe('a line', () => {
  it('is said again, with the speed of the answers', async () => {
    const events = await recordedLine()
    expect(events).toContainEqual({ at: 10, answered: '01', baud: 115_200 })
    expect(await same(events, new EchoSerialTwin())).toBe(true)
  })

  it('differs when an answer comes before its question', async () => {
    class Hasty extends EchoSerialTwin {
      override receive(bytes: Uint8Array): void {
        if (bytes[0] === 1) this.wire?.send(Uint8Array.of(1, 2), this.baud)
      }
    }
    expect(await same(await recordedLine(), new Hasty())).toBe(false)
  })

  class Slow extends EchoSerialTwin {
    override plugged(wire: SerialWire): void {
      super.plugged({ ...wire, send: (bytes) => wire.send(bytes, 9600) })
    }
  }

  it('differs when the answers have another speed', async () => {
    expect(await same(await recordedLine(), new Slow())).toBe(false)
  })

  it('has no speed to compare in recordings that kept none', async () => {
    const events = (await recordedLine()).map((event) =>
      'answered' in event ? { at: event.at, answered: event.answered } : event,
    )
    expect(await same(events, new Slow())).toBe(true)
  })
})

describe('a USB device', () => {
  async function recorded(): Promise<RecordedEvent[]> {
    const events: RecordedEvent[] = []
    const port = new UsbPort(new EchoUsbTwin(), new VirtualClock())
    recordUsb(port, events)
    const setup = { requestType: 0, request: 0, value: 0, index: 0, length: 0 }
    const urb = { kind: 'submit', sequence: 1, endpoint: 2, direction: 'out', setup, length: 1 } as const
    await port.present?.submit(urb, Uint8Array.of(1), new AbortController().signal)
    return events
  }

  it('is asked again', async () => {
    expect(await same(await recorded(), new EchoUsbTwin())).toBe(true)
  })

  it('differs when it never answers', async () => {
    const silent = Object.assign(new EchoUsbTwin(), { bulkOut: () => new Promise(() => undefined) })
    expect(await same(await recorded(), silent as EchoUsbTwin)).toBe(false)
  })

  it('differs when it goes away', async () => {
    class Leaving extends EchoUsbTwin {
      override bulkOut() {
        this.bus?.detach()
        return Promise.resolve(new Uint8Array())
      }
    }
    expect(await same(await recorded(), new Leaving())).toBe(false)
  })
})
