/** What the bytes are as a whole, where no program is found: nothing, text, or something without any pattern. */
import { hex } from '#core/bytes.ts'
import { evidence, place, type Clue, type Evidence, type Statement } from './clue.ts'
import type { TextureCell, TextureKind } from './texture.ts'

/** Fewer bytes without a pattern may be chance. */
const leastRandomBytes = 1024

const content: Clue = ({ texture }) => {
  if (texture.length === 0) return []
  const total = bytesIn(texture)
  const of = (kind: TextureKind) => texture.filter((cell) => cell.kind === kind)
  const share = (kind: TextureKind) => bytesIn(of(kind)) / total
  const statement = (
    code: Statement['code'],
    confidence: Statement['confidence'],
    kind: TextureKind,
  ): Statement => ({
    code,
    confidence,
    values: { percent: String(Math.floor(share(kind) * 100)) },
    evidence: of(kind).slice(0, 3).map(shown),
  })
  const filled = share('blank') < 1 ? bytesIn(of('random')) / (total - bytesIn(of('blank'))) : 0
  return [
    ...(share('blank') === 1 ? [statement('only-blank', 'certain', 'blank')] : []),
    ...(share('text') > 0 && share('text') + share('blank') >= 0.99
      ? [statement('only-text', 'likely', 'text')]
      : []),
    ...(filled >= 0.5 && bytesIn(of('random')) >= leastRandomBytes
      ? [statement('no-pattern', filled >= 0.9 ? 'likely' : 'possible', 'random')]
      : []),
  ]
}
export default content

const bytesIn = (cells: readonly TextureCell[]): number => cells.reduce((sum, { length }) => sum + length, 0)

const shown = ({ address, last, kind, entropy, blankBytes }: TextureCell): Evidence =>
  kind === 'blank'
    ? evidence('only-byte', { byte: hex(blankBytes > 0 ? 0xff : 0) }, address, last - address + 1)
    : evidence(
        'entropy',
        { bits: entropy.toFixed(2), from: place(address), to: place(last) },
        address,
        last - address + 1,
      )
