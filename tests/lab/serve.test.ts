/** Twins for other programs: a serial twin's line as a TCP socket, and twins over USB/IP. */
import { once } from 'node:events'
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { EchoSerialTwin } from '#bench/test-twins.ts'
import type { WireFaults } from '#bench/twin.ts'
import { VirtualClock } from '#bench/virtual-clock.ts'
import { lineOf, serve, serveLine, type Served } from './serve.ts'
import { hangUp, Host } from './test-host.ts'

const sockets: Socket[] = []
const served: Served[] = []
afterEach(async () => {
  hangUp()
  for (const socket of sockets.splice(0)) socket.destroy()
  for (const one of served.splice(0)) await one.close()
})

async function open({ port }: Served): Promise<Socket> {
  const socket = connect(port, '127.0.0.1')
  sockets.push(socket)
  await once(socket, 'connect')
  return socket
}

async function line(twin: EchoSerialTwin, faults: WireFaults = {}, baud = twin.baud): Promise<Served> {
  const one = await lineOf(twin, { port: 0, faults, clock: new VirtualClock() }, baud)
  served.push(one)
  return one
}

async function echo(socket: Socket, byte: number): Promise<number[]> {
  socket.write(Uint8Array.of(byte))
  const [bytes] = (await once(socket, 'data')) as [Buffer]
  return [...bytes]
}

describe('a line', () => {
  it('carries bytes, and each connection opens the port anew', async () => {
    const twin = new EchoSerialTwin()
    const one = await line(twin)
    const first = await open(one)
    expect(await echo(first, 1)).toEqual([1])
    first.destroy()
    expect(await echo(await open(one), 2)).toEqual([2])
    expect(twin.signalled.map(({ dtr }) => dtr)).toEqual([true, false, true])
  })

  it('refuses a second client, and survives its reset', async () => {
    const one = await line(new EchoSerialTwin())
    const first = await open(one)
    expect(await echo(first, 1)).toEqual([1])
    await once(await open(one), 'close')
    const reset = await open(one)
    reset.resetAndDestroy()
    await once(reset, 'close')
    expect(await echo(first, 2)).toEqual([2])
  })

  it('is free again when a client resets at once', async () => {
    const one = await line(new EchoSerialTwin())
    const reset = await open(one)
    reset.resetAndDestroy()
    await once(reset, 'close')
    expect(await echo(await open(one), 1)).toEqual([1])
  })

  it('hangs up when the port cannot be opened', async () => {
    await once(await open(await line(new EchoSerialTwin(), {}, 0)), 'close')
  })

  it('hangs up when the cable is pulled in mid-transfer', async () => {
    const socket = await open(await line(new EchoSerialTwin(), { unplugAt: 1 }))
    socket.write(Uint8Array.of(1))
    await once(socket, 'close')
  })

  it('is there again after such a fault, which strikes once', async () => {
    const twin = new EchoSerialTwin()
    const one = await line(twin, { unplugAt: 2 })
    const first = await open(one)
    expect(await echo(first, 1)).toEqual([1])
    first.write(Uint8Array.of(2))
    await once(first, 'close')
    const again = await open(one)
    for (const byte of [3, 4, 5]) expect(await echo(again, byte)).toEqual([byte])
  })

  it('counts faults from each connection, until they strike', async () => {
    const one = await line(new EchoSerialTwin(), { flipOutAt: 2 })
    const first = await open(one)
    expect(await echo(first, 1)).toEqual([1])
    first.destroy()
    const again = await open(one)
    expect(await echo(again, 1)).toEqual([1])
    expect(await echo(again, 1)).not.toEqual([1])
    again.destroy()
    const last = await open(one)
    for (let i = 0; i < 3; i++) expect(await echo(last, 1)).toEqual([1])
  })

  it('is one of a serial twin', async () => {
    const options = { ids: ['usbasp:attiny13'], port: 0, faults: {} }
    await expect(serveLine(options, 115_200)).rejects.toThrow('usbasp:attiny13 is no serial twin')
  })
})

describe('a twin over USB/IP', () => {
  const log: string[] = []
  async function serving(faults: WireFaults): Promise<() => Promise<Host>> {
    log.length = 0
    const clock = new VirtualClock()
    const options = {
      ids: ['usbasp:attiny13'],
      port: 0,
      faults,
      clock,
      log: (line: string) => log.push(line),
    }
    const one = await serve(options)
    served.push(one)
    return async () => {
      const host = await Host.connect(one.port)
      expect(await host.import('1-1')).toBe('00000000')
      return host
    }
  }
  /** What a USBasp says that it can do: four bytes, for a tool that asks. */
  const asked = (host: Host) => {
    host.submit('in', 0, 4, '', 'c07f000000000400')
    return host.reply()
  }

  it('is there again two seconds after a fault has unplugged it, which strikes once', async () => {
    const attach = await serving({ unplugAt: 2 })
    const host = await attach()
    expect(await asked(host)).toMatch(/^submitted 1: 0, /)
    expect(await asked(host)).toBeUndefined()
    await vi.waitFor(() =>
      expect(log).toContain('1-1 usbasp:attiny13 is back as 16c0:05dc, to be attached again'),
    )
    const again = await attach()
    for (const sequence of [1, 2, 3])
      expect(await asked(again)).toMatch(new RegExp(`^submitted ${String(sequence)}: 0, `))
  })

  it('counts faults from when it was attached, until they strike', async () => {
    const attach = await serving({ stallAt: 2 })
    const first = await attach()
    expect(await asked(first)).toMatch(/^submitted 1: 0, /)
    first.end()
    expect(await first.reply()).toBeUndefined()
    const again = await attach()
    expect(await asked(again)).toMatch(/^submitted 1: 0, /)
    expect(await asked(again)).toBe('submitted 2: -32, ')
    expect(await asked(again)).toMatch(/^submitted 3: 0, /)
  })
})

describe('a port of this computer that is taken', () => {
  it.each([
    ['a line', (port: number) => serveLine({ ids: ['stk500:uno'], port, faults: {} }, 115_200)],
    ['USB/IP', (port: number) => serve({ ids: ['stk500:uno'], port, faults: {} })],
  ])('is an error: %s', async (_, serving) => {
    const other = createServer().listen(0, '127.0.0.1')
    await once(other, 'listening')
    try {
      await expect(serving((other.address() as AddressInfo).port)).rejects.toThrow('EADDRINUSE')
    } finally {
      other.close()
    }
  })
})
