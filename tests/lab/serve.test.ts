/** Twins for other programs: a serial twin's line as a TCP socket, and twins over USB/IP. */
import { once } from 'node:events'
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import { EchoSerialTwin } from '#bench/test-twins.ts'
import type { WireFaults } from '#bench/twin.ts'
import { VirtualClock } from '#bench/virtual-clock.ts'
import { lineOf, serve, serveLine, type Served } from './serve.ts'

const sockets: Socket[] = []
const served: Served[] = []
afterEach(async () => {
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

  it('is one of a serial twin', async () => {
    const options = { ids: ['usbasp:attiny13'], port: 0, faults: {} }
    await expect(serveLine(options, 115_200)).rejects.toThrow('usbasp:attiny13 is no serial twin')
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
