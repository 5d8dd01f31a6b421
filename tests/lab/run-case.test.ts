/** One case, however it ends; the guest is a stand-in that attaches at once. */
import { beforeEach, describe, expect, it } from 'vitest'
import type { Guest } from './guest.ts'
import type { GuestCase, HereCase, Lab } from './lab-case.ts'
import { runCase, trouble, type Around } from './run-case.ts'
import { Status } from './usbip-packets.ts'
import { UsbipServer } from './usbip-server.ts'

const attached: number[] = []
const guest = {
  attach: (number: number) => Promise.resolve(void attached.push(number)),
} as unknown as Guest
const server = new UsbipServer()
let around: Around

beforeEach(() => {
  attached.length = 0
  server.ports = []
  const signal = new AbortController().signal
  around = { guest, server, seed: 1, signal, strays: [], settleMs: 20 }
})

const inGuest = (run: GuestCase['run'], more: Partial<GuestCase> = {}): GuestCase => ({
  ...{ name: 'a tool: its job', twins: [{ id: 'usbasp:attiny13' }], run },
  ...more,
})
const here = (runHere: HereCase['runHere'], more: Partial<HereCase> = {}): HereCase => ({
  ...{ name: 'a tool here: its job', runHere },
  ...more,
})

/** What a USBasp can do, as a driver asks it. */
async function asked({ twins: [twin] }: Lab, given = new AbortController().signal) {
  const setup = { requestType: 0xc0, request: 127, value: 0, index: 0, length: 4 }
  const urb = { kind: 'submit', sequence: 1, endpoint: 0, direction: 'in', setup, length: 4 } as const
  return twin?.port.present?.submit(urb, new Uint8Array(), given)
}
const forever = () => new Promise<never>(() => undefined)

describe('a case in the guest', () => {
  it('passes, with what went over the wire of its first twin', async () => {
    const one = inGuest(async (lab) => {
      expect((await asked(lab))?.status).toBe(Status.Ok)
      await lab.measure('once more', () => asked(lab))
    })
    expect(await runCase(one, around)).toMatchObject({
      ...{ name: 'a tool: its job', passed: true, error: '', isLeft: false },
      ...{ twin: 'usbasp:attiny13', transfers: 2, bytes: 8 },
      measured: [{ job: 'once more', transfers: 1, bytes: 4 }],
    })
    expect(attached).toEqual([1])
    expect(server.ports.map(({ present }) => present !== undefined)).toEqual([true]) // for --keep
  })

  it('fails with what it threw and its last transfers', async () => {
    const one = inGuest(async (lab) => {
      await asked(lab)
      throw new Error('the flash is not what was written')
    })
    const { passed, error, isLeft } = await runCase(one, around)
    expect([passed, isLeft]).toEqual([false, false])
    expect(error).toContain('the flash is not what was written')
    expect(error).toMatch(/The last transfers:\n\s*\d+ in 0 c07f000000000400: /)
  })

  it.each<[string, (lab: Lab) => unknown]>([
    ['in a twin', ({ twins }) => twins[0]?.port.errors.push(new Error('a mistake'))],
    ['that nobody waited for', () => around.strays.push(new Error('a mistake'))],
  ])('fails by a mistake %s, even if all else is well', async (_, err) => {
    const one = inGuest((lab) => Promise.resolve(void err(lab)))
    const { passed, error } = await runCase(one, around)
    expect(passed).toBe(false)
    expect(error).toContain('a mistake')
    expect(around.strays).toEqual([])
  })

  it('fails when a twin cannot be attached', async () => {
    const refusing = {
      attach: () => Promise.reject(new Error('port 0 of vhci is in use')),
    } as unknown as Guest
    const { error } = await runCase(inGuest(forever), { ...around, guest: refusing })
    expect(error).toContain('port 0 of vhci is in use')
  })

  it('is left alone when the guest hangs', async () => {
    const hung = { attach: forever } as unknown as Guest
    const one = inGuest(() => Promise.resolve(), { timeoutMs: 20 })
    const { passed, error, isLeft } = await runCase(one, { ...around, guest: hung })
    expect([passed, isLeft]).toEqual([false, true])
    expect(error).toContain('not done after 0.02 s')
  })

  it('loses its devices when it takes too long, and what it says then is told too', async () => {
    const one = inGuest(
      async (lab) => {
        lab.twins[0]?.port.listen(() => undefined)
        const { present } = lab.twins[0]?.port ?? {}
        await new Promise((resolve) => present?.gone.addEventListener('abort', resolve))
        throw new Error('avrdude: no such device')
      },
      { timeoutMs: 20 },
    )
    const { passed, error, isLeft } = await runCase(one, around)
    expect([passed, isLeft]).toEqual([false, false])
    expect(error).toMatch(/not done after 0.02 s[^]*avrdude: no such device/)
    expect(server.ports).toEqual([])
  })

  it('is left alone when it does not end even then', async () => {
    const { passed, error, isLeft } = await runCase(inGuest(forever, { timeoutMs: 20 }), around)
    expect([passed, isLeft]).toEqual([false, true])
    expect(error).toContain('not done after 0.02 s')
  })

  it('is broken off at once', async () => {
    const stopping = new AbortController()
    const one = inGuest(() => {
      stopping.abort()
      return forever()
    })
    const { passed } = await runCase(one, { ...around, signal: stopping.signal, settleMs: 1e6 })
    expect(passed).toBe(false)
  })

  it('has the same random images for the same seed, and others than another case', async () => {
    const images: string[] = []
    const run: GuestCase['run'] = ({ random }) =>
      Promise.resolve(void images.push(Buffer.from([...random(4), ...random(4)]).toString('hex')))
    for (const [seed, name] of [
      [1, 'one'],
      [1, 'one'],
      [1, 'two'],
      [2, 'one'],
    ] as const)
      await runCase(inGuest(run, { name }), { ...around, seed })
    const [first, again, ...others] = images
    expect(again).toBe(first)
    expect(new Set([first, ...others]).size).toBe(3)
    expect(first?.slice(0, 8)).not.toBe(first?.slice(8))
  })
})

it.each([
  ['goes on', { hasEnded: false, run: () => Promise.resolve({ code: 0, output: '' }) }, ''],
  ['has ended', { hasEnded: true, run: forever }, 'The guest has ended'],
  ['hangs', { hasEnded: false, run: () => Promise.reject(new Error('late')) }, 'The guest hangs'],
])('a guest that %s is told from others', async (_, one, why) => {
  expect(await trouble(one)).toBe(why)
})

describe('a case on this computer', () => {
  it('needs no guest', async () => {
    const result = await runCase(
      here(() => Promise.resolve()),
      { ...around, guest: undefined },
    )
    expect(result).toMatchObject({ passed: true, twin: '', transfers: 0, error: '' })
  })

  it('is told when it takes too long', async () => {
    const one = here(
      ({ signal }) =>
        new Promise((_, reject) => {
          signal.addEventListener('abort', () => reject(new Error('killed')))
        }),
      { timeoutMs: 20 },
    )
    const { error, isLeft } = await runCase(one, around)
    expect(error).toMatch(/not done after 0.02 s[^]*killed/)
    expect(isLeft).toBe(false)
  })
})
