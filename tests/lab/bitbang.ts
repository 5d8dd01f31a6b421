/**
 * A chip's wires as a TCP server, level by level: what OpenOCD calls remote_bitbang (its `doc/manual/jtag/drivers/
 * remote_bitbang.txt`). No probe, no USB and no guest is between, so its flash loaders run on a twin's core within seconds.
 * That of 0.12 knows JTAG alone: a chip that has only SWD is given a JTAG debug port for it, with the same registers.
 */
import { once } from 'node:events'
import { createServer, type AddressInfo, type Socket } from 'node:net'
import { JtagChain, JtagDp, type TwinJtag } from '#bench/twin-jtag.ts'
import type { SwdPort } from '#bench/twin-swd.ts'

export interface BitbangServer extends AsyncDisposable {
  readonly port: number
}

export async function serveBitbang(swd: SwdPort, idcode: number): Promise<BitbangServer> {
  const chain = new JtagChain([new JtagDp(idcode, swd.registers)])
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    sockets.add(socket)
    socket.setNoDelay(true)
    socket.on('error', () => undefined) // it is closed then, too
    const wires = new Wires(chain, (asserted) => {
      swd.reset(asserted)
    })
    socket.on('data', (letters) => {
      const levels = wires.hear(letters.toString('latin1'))
      if (levels) socket.write(levels)
    })
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    port: (server.address() as AddressInfo).port,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy()
      server.close()
      await once(server, 'close')
    },
  }
}

class Wires {
  readonly #chain: TwinJtag
  readonly #reset: (asserted: boolean) => void
  #levels = 0
  /** TDO was asked for before the edge that it belongs to, and that has been clocked for it. */
  #isClocked = false

  constructor(chain: TwinJtag, reset: (asserted: boolean) => void) {
    this.#chain = chain
    this.#reset = reset
  }

  /** Gives what is to be answered. */
  hear(letters: string): string {
    let answer = ''
    for (const letter of letters)
      if (letter >= '0' && letter <= '7') this.#drive(Number(letter))
      else if (letter === 'R') answer += String(this.#ask())
      else if ('rstu'.includes(letter)) this.#reset('su'.includes(letter))
    return answer
  }

  /** TCK, TMS and TDI. */
  #drive(levels: number): void {
    const rises = levels >= 4 && this.#levels < 4
    this.#levels = levels
    if (!rises) return
    if (!this.#isClocked) this.#clock()
    this.#isClocked = false
  }

  #ask(): number {
    this.#isClocked = true
    return this.#clock()
  }

  #clock = (): number => this.#chain.clock((this.#levels >> 1) & 1, this.#levels & 1)
}
