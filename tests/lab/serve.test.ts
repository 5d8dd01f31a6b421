/** A serial twin's line as a TCP socket, for programs that take one. */
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { afterEach, expect, it } from 'vitest'
import type { WireFaults } from '#bench/twin.ts'
import { serveLine } from './serve.ts'

/** STK500v1: is anybody there? Insync, ok. */
const ask = Uint8Array.of(0x30, 0x20)
const here = [0x14, 0x10]

const sockets: Socket[] = []
afterEach(() => {
  for (const socket of sockets.splice(0)) socket.destroy()
})

async function line(faults: WireFaults = {}): Promise<() => Promise<Socket>> {
  const port = await serveLine({ ids: ['stk500:uno'], port: 0, faults }, 115_200)
  return async () => {
    const socket = connect(port, '127.0.0.1')
    sockets.push(socket)
    await once(socket, 'connect')
    return socket
  }
}

/** Asks again until there is an answer, as tools do: the boot loader takes a moment to begin. */
async function answer(socket: Socket): Promise<number[]> {
  const asking = setInterval(() => socket.write(ask), 50)
  try {
    const [bytes] = (await once(socket, 'data')) as [Buffer]
    return [...bytes.subarray(0, 2)]
  } finally {
    clearInterval(asking)
  }
}

it('answers as the board does, on each connection anew', async () => {
  const open = await line()
  const first = await open()
  expect(await answer(first)).toEqual(here)
  first.destroy()
  expect(await answer(await open())).toEqual(here)
})

it('ends the connection when the cable is pulled in mid-transfer', async () => {
  const open = await line({ unplugAt: 1 })
  const socket = await open()
  socket.write(ask)
  await once(socket, 'close')
})
