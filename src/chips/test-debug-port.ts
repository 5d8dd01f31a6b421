/** A debug port without a probe in between, for tests: access after access on the emulated wires. */
import { Ack, type TwinSwd } from '#bench/twin-swd.ts'
import type { Access, DebugPort, Transferred } from './debug-port.ts'

const acks: Readonly<Record<number, Transferred['ack']>> = {
  [Ack.Ok]: 'ok',
  [Ack.Wait]: 'wait',
  [Ack.Fault]: 'fault',
}

/** Access after access, with the value of a posted read fetched by itself. */
export function directly(swd: TwinSwd): DebugPort & { readonly rows: (readonly Access[])[] } {
  const rows: (readonly Access[])[] = []
  const done = <T>(value: T) => Promise.resolve(value)
  return {
    rows,
    speedsHz: [],
    ownChoicesHz: [1_000_000],
    attach: () => done(undefined),
    sequence: (bits, count) => done(swd.sequence(bits, count)),
    reset: (asserted) => done(swd.reset(asserted)),
    detach: () => done(undefined),
    transfer(row) {
      rows.push(row)
      const words: number[] = []
      for (const access of row) {
        const { isAp, address } = access
        const writes =
          'write' in access
            ? [access.write].flatMap((one) => (typeof one === 'number' ? [one] : [...one]))
            : []
        let ack: Ack = Ack.Ok
        for (const word of writes) if (ack === Ack.Ok) ack = swd.write(isAp, address, word)
        const reads = 'read' in access ? access.read : 0
        for (let left = reads; left > 0 && ack === Ack.Ok; left--) {
          let answer = swd.read(isAp, address)
          if (isAp && answer.ack === Ack.Ok) answer = swd.read(false, 0xc)
          ack = answer.ack
          if (ack === Ack.Ok) words.push(answer.value)
        }
        if (ack === Ack.Ok && isAp && writes.length > 0) ack = swd.read(false, 0xc).ack // whether it was done
        if (ack !== Ack.Ok) return done({ ack: acks[ack] ?? 'none', words: Uint32Array.from(words) })
      }
      return done({ ack: 'ok' as const, words: Uint32Array.from(words) })
    },
  }
}
