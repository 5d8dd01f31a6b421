/** What devices do with their waiting times and refusals, over the real link; each wait has an end. */
import { expect, onTestFinished, test } from 'vitest'
import type { SetupPacket, TwinAnswer } from '#bench/twin.ts'
import { TwinUsb } from '#bench/twin-usb.ts'
import { VirtualClock } from '#bench/virtual-clock.ts'
import { blank } from '#core/bytes.ts'
import { Context } from '#core/context.ts'
import { Devices } from '#transport/devices.ts'
import { formatStatus, Request, State, type Status } from './packets.ts'
import { DfuSession, type SessionOptions } from './session.ts'
import { DfuTwin } from './twin-device.ts'
import { DfuseContent } from './twin-dfuse.ts'
import { TwinFlash } from '#bench/twin-flash.ts'

type Told = TwinAnswer | Status

/** Says of its state what it is told to; what is left unsaid it answers as the device that it is. */
class Liar extends DfuTwin {
  asked = 0
  readonly #says: (asked: number) => Told | undefined

  constructor(says: (asked: number) => Told | undefined) {
    const sector = { address: 0x0800_0000, length: 1024 }
    super({
      ids: { vendorId: 0x0483, productId: 0xdf11, deviceVersion: 0x2200 },
      texts: { manufacturer: 'Test', product: 'Liar', serial: '1' },
      transferBytes: 64,
      content: new DfuseContent({
        flash: new TwinFlash([sector], { eraseMs: () => 30, programMsPerKib: 30 }, blank(1024)),
        transferBytes: 64,
        flashName: '@Internal Flash  /0x08000000/01*001Kg',
      }),
    })
    this.#says = says
  }

  override async control(setup: SetupPacket, bytes: Uint8Array): Promise<TwinAnswer> {
    const said = setup.request === Request.GetStatus ? this.#says(++this.asked) : undefined
    if (said === undefined) return super.control(setup, bytes)
    return typeof said === 'object' && 'state' in said ? formatStatus(said) : said
  }
}

async function session(
  says: (asked: number, now: () => number) => Told | undefined,
  options: Partial<SessionOptions> = {},
) {
  const clock = new VirtualClock()
  const usb = new TwinUsb({ clock, granted: true })
  const twin = new Liar((asked) => says(asked, () => clock.now()))
  usb.plug(twin)
  const [device] = await new Devices({ usb }, clock).list()
  if (device?.link !== 'usb') throw new Error('not listed')
  const link = await device.open()
  onTestFinished(() => link[Symbol.asyncDispose]())
  const ctx = new Context({ clock })
  return { session: new DfuSession(link, { number: 0, transferBytes: 64, ...options }), twin, ctx, clock }
}

const busy = (pollMs: number): Status => ({ status: 'OK', pollMs, state: State.DownloadBusy })
const taken: Status = { status: 'OK', pollMs: 0, state: State.DownloadIdle }
const idle: Status = { status: 'OK', pollMs: 0, state: State.Idle }
const refusedAs = (during: string, status: string) =>
  expect.objectContaining({ code: 'device-refused', detail: { during, status } }) as unknown
const block = Uint8Array.of(1, 2, 3, 4)

test('a device that is busy and says 0 ms is asked again, and not without a breath', async () => {
  const { session: dfu, twin, ctx, clock } = await session((asked) => (asked < 20 ? busy(0) : taken))
  await dfu.download(2, block, ctx)
  expect(twin.asked).toBe(20)
  expect(clock.now()).toBeGreaterThanOrEqual(19)
})

test('one that says 0 ms forever is stuck, which is known at once', async () => {
  const { session: dfu, twin, ctx, clock } = await session(() => busy(0))
  await expect(dfu.download(2, block, ctx)).rejects.toEqual(refusedAs('waiting for it', 'dfuDNBUSY'))
  expect(twin.asked).toBe(100)
  expect(clock.now()).toBeLessThan(1000)
})

test('one that says nothing of an erase is asked again, ever more rarely and not too rarely', async () => {
  const times: number[] = []
  const notDone: Status = { status: 'NOTDONE', pollMs: 0, state: State.DownloadBusy }
  const { session: dfu, ctx } = await session(
    (asked, now) => {
      times.push(now())
      return asked < 200 ? notDone : { status: 'OK', pollMs: 0, state: State.Idle }
    },
    { saysNothing: true },
  )
  expect(await dfu.send(0, block, ctx)).toMatchObject({ status: 'OK', state: State.Idle })
  const waits = times.slice(1).map((at, i) => at - (times[i] ?? 0))
  expect(Math.max(...waits)).toBeLessThan(110)
  expect(times.at(-1)).toBeGreaterThan(15_000)
})

test('an error whose status can be cleared alone is left by an abort', async () => {
  const {
    session: dfu,
    ctx,
    twin,
  } = await session((asked) => {
    if (asked > 2) return undefined
    return {
      status: asked === 1 ? 'ADDRESS' : 'OK',
      pollMs: 0,
      state: asked === 1 ? State.Error : State.UploadIdle,
    }
  })
  await dfu.toIdle(ctx)
  expect(twin.asked).toBe(3)
})

test('one that never leaves busy is given up after a minute, whatever it says', async () => {
  for (const pollMs of [1, 1500, 0xff_ffff]) {
    const { session: dfu, ctx, clock } = await session(() => busy(pollMs))
    await expect(dfu.download(2, block, ctx)).rejects.toEqual(refusedAs('waiting for it', 'dfuDNBUSY'))
    expect(clock.now()).toBeGreaterThanOrEqual(60_000)
    expect(clock.now()).toBeLessThan(62_000)
  }
})

test('one that says hours is asked after a minute, and had taken it', async () => {
  const { session: dfu, ctx } = await session((asked) => (asked === 1 ? busy(0xff_ffff) : taken))
  await dfu.download(2, block, ctx)
})

test('a stall while it is busy is no error: it is asked again, later and later', async () => {
  const times: number[] = []
  const {
    session: dfu,
    ctx,
    clock,
  } = await session((asked, now) => {
    times.push(now())
    return asked === 1 ? busy(100) : asked < 5 ? 'stall' : taken
  })
  await dfu.download(2, block, ctx)
  const waits = times.slice(1).map((at, i) => at - (times[i] ?? 0))
  expect(waits[0]).toBeGreaterThanOrEqual(100)
  expect([...waits].sort((a, b) => a - b)).toEqual(waits)
  expect(clock.now()).toBeLessThan(15_000)
})

test('one that stalls each question is given up, too', async () => {
  const { session: dfu, ctx, clock } = await session((asked) => (asked === 1 ? busy(100) : 'stall'))
  await expect(dfu.download(2, block, ctx)).rejects.toEqual(refusedAs('waiting for it', 'dfuDNBUSY'))
  expect(clock.now()).toBeLessThan(130_000)
})

test('a device that follows the book is left alone for as long as it says', async () => {
  const times: number[] = []
  const { session: dfu, ctx } = await session((asked, now) => {
    times.push(now())
    return asked === 1 ? busy(1500) : taken
  })
  await dfu.download(2, block, ctx)
  expect((times[1] ?? 0) - (times[0] ?? 0)).toBeGreaterThanOrEqual(1500)
})

test('one that is known to say too much is asked at once', async () => {
  const {
    session: dfu,
    ctx,
    clock,
  } = await session((asked) => (asked === 1 ? busy(1500) : taken), {
    saysTooLong: true,
  })
  await dfu.download(2, block, ctx)
  expect(clock.now()).toBeLessThan(10)
})

test('why a block is refused is told after the error was cleared', async () => {
  const { session: dfu, ctx } = await session((asked) => {
    if (asked === 1) return busy(1)
    return asked <= 3 ? { status: 'WRITE', pollMs: 0, state: State.Error } : undefined
  })
  await expect(dfu.download(7, block, ctx)).rejects.toEqual(refusedAs('block 7', 'dfuERROR, errWRITE'))
  expect((await dfu.status()).state).toBe(State.Idle)
})

test('found busy, it is waited for on the way to dfuIDLE', async () => {
  const { session: dfu, ctx, clock } = await session((asked) => (asked < 20 ? busy(100) : undefined))
  await dfu.toIdle(ctx)
  expect(clock.now()).toBeGreaterThanOrEqual(1900)
})

test('on the way to dfuIDLE a wait of hours ends, and so does being busy', async () => {
  const lying = await session((asked) => (asked === 1 ? busy(0xff_ffff) : undefined))
  await lying.session.toIdle(lying.ctx)
  expect(lying.clock.now()).toBeLessThan(62_000)

  const stuck = await session(() => busy(0xff_ffff))
  await expect(stuck.session.toIdle(stuck.ctx)).rejects.toEqual(refusedAs('waiting for it', 'dfuDNBUSY'))
  expect(stuck.clock.now()).toBeLessThan(62_000)
})

test('left in the middle of a write, a device that may not be asked early is brought to dfuIDLE', async () => {
  const { session: dfu, ctx } = await session((asked) => {
    if (asked === 1) return 'stall'
    return asked === 2 ? { status: 'STALLEDPKT', pollMs: 0, state: State.Error } : undefined
  })
  await dfu.toIdle(ctx)
  expect(await dfu.status()).toEqual(idle)
})

test('an error that cannot be cleared ends the way to dfuIDLE', async () => {
  const { session: dfu, ctx } = await session(() => ({
    status: 'FIRMWARE',
    pollMs: 0,
    state: State.Error,
  }))
  await expect(dfu.toIdle(ctx)).rejects.toEqual(refusedAs('going to dfuIDLE', 'dfuERROR, errFIRMWARE'))
})

test('a state that there is none of, and a status cut short, are told as such', async () => {
  const wrong = await session((asked) => (asked === 1 ? Uint8Array.of(0, 0, 0, 0, 0x20, 0) : idle))
  await expect(wrong.session.status()).rejects.toMatchObject({
    code: 'unexpected-answer',
    detail: { found: '00 00 00 00 20 00' },
  })
  const short = await session(() => Uint8Array.of(0, 0, 0))
  await expect(short.session.status()).rejects.toMatchObject({ code: 'short-transfer' })
})
