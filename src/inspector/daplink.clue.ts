/** DAPLink by the block in its vector table. */
import { hex } from '#core/bytes.ts'
import { blockBytes, daplinkImage } from '#chips/daplink-image.ts'
import { evidence, type Clue, type Statement } from './clue.ts'

const daplink: Clue = ({ segments }) =>
  segments.slice(0, 16).flatMap((segment): Statement[] => {
    const image = daplinkImage(segment)
    if (!image) return []
    const { part, chip, hicId, version = '', address, words } = image
    return [
      {
        code: 'firmware',
        confidence: 'certain',
        values: { name: `DAPLink ${part}, ${chip?.name ?? hex(hicId, 8)}`, version },
        evidence: [
          evidence('header', { bytes: words.map((word) => hex(word, 8)).join(' ') }, address, blockBytes),
        ],
        architecture: 'cortex-m',
      },
    ]
  })
export default daplink
