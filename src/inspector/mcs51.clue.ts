/**
 * 8051, as in CH55x, FX2 and CC2510: a long jump at 0, and at the interrupt vectors, eight bytes apart, long jumps,
 * RETI or nothing. Document: MCS-51 Programmer's Guide and Instruction Set (LJMP, RETI).
 */
import { hex } from '#core/bytes.ts'
import { segmentAt } from '#firmware/image.ts'
import { evidence, type Clue } from './clue.ts'

const ljmp = 0x02
const reti = 0x32
const mostCodeBytes = 0x1_0000
const vectors = [0x03, 0x0b, 0x13, 0x1b, 0x23, 0x2b, 0x33]

const mcs51: Clue = ({ segments }) => {
  const [first, last] = [segments[0], segments.at(-1)]
  if (first?.address !== 0 || !last || last.address + last.bytes.length > mostCodeBytes) return []
  const byte = (at: number) => {
    const segment = segmentAt(segments, at)
    return segment?.bytes[at - segment.address]
  }
  const jump = (at: number) => {
    const target = ((byte(at + 1) ?? 0) << 8) | (byte(at + 2) ?? 0)
    return byte(at) === ljmp && byte(target) !== undefined && target > 2 ? target : undefined
  }
  const reset = jump(0)
  if (reset === undefined) return []
  const used = vectors.filter((at) => at < reset && (jump(at) !== undefined || byte(at) === reti))
  const wrong = vectors.filter((at) => at < reset && byte(at) === ljmp && jump(at) === undefined)
  if (used.length < 2 || wrong.length > 0) return []
  return [
    {
      code: 'mcs51-program',
      confidence: used.length >= 3 ? 'likely' : 'possible',
      values: {},
      evidence: [
        evidence('bytes', { bytes: `LJMP ${hex(reset, 4)}` }, 0, 3),
        ...used.map((at) =>
          evidence('bytes', { bytes: byte(at) === reti ? 'RETI' : `LJMP ${hex(jump(at) ?? 0, 4)}` }, at, 3),
        ),
      ],
      architecture: 'mcs51',
    },
  ]
}
export default mcs51
