/** All that is said of a firmware, from the inspector, the protocols and the catalogue, surest first. */
import type { KnownFirmware, Segment } from '#core/programmer.ts'
import type { Published } from '#catalogue/published.ts'
import { bySurest, evidence, type Evidence, type Statement, type StatementCode } from '#inspector/clue.ts'
import type { TextureCell } from '#inspector/texture.ts'

export function whatItIs(
  found: readonly Statement[],
  firmware: KnownFirmware | undefined,
  known: Published | undefined,
): readonly Statement[] {
  const others = found.filter(({ values: { family } }) => !family || family !== firmware?.family)
  return [...(known ? [published(known)] : []), ...(firmware ? [recognised(firmware)] : []), ...others].sort(
    bySurest,
  )
}

const published = ({ name, version, chip }: Published): Statement => ({
  code: 'published',
  confidence: 'certain',
  values: { name, version, chip },
  evidence: [evidence('hash', {})],
})

const recognised = ({ name, version = '', confidence, evidence: said }: KnownFirmware): Statement => ({
  code: 'firmware',
  confidence,
  values: { name, version },
  evidence: said.map(asEvidence),
})

/** The words of a protocol end with the address, where there is one: `… at 0x0a3c`. */
function asEvidence(said: string): Evidence {
  const [, text = said, digits] = /^(.*?)(?: at)? 0x([0-9a-f_]+)$/.exec(said) ?? []
  const address = digits === undefined ? undefined : parseInt(digits.replaceAll('_', ''), 16)
  return evidence('recognised', { text }, address)
}

/** In a word, for who has to decide: `what` it is, how sure that is, or that nothing tells. */
export type Verdict =
  | {
      readonly kind: Statement['confidence']
      readonly what: Statement
      readonly isFor: Statement | undefined
    }
  | { readonly kind: 'blank' | 'unknown' }

const naming: readonly StatementCode[] = [
  'published',
  'firmware',
  'avr-program',
  'cortex-program',
  'esp-image',
  'esp-flash',
  'mcs51-program',
  'avr-bootloader',
  'says-chip',
  'says-machine',
  'says-usb-device',
  'embedded',
]
const purposes: readonly StatementCode[] = ['avr-chips', 'cortex-base', 'esp-application']

/** Of statements that are sorted, surest first. */
export function verdictOn(statements: readonly Statement[]): Verdict {
  if (statements.some(({ code }) => code === 'only-blank')) return { kind: 'blank' }
  const what = statements.find(({ code }) => naming.includes(code))
  if (!what) return { kind: 'unknown' }
  const isFor = statements.find(
    ({ code, confidence }) => purposes.includes(code) && confidence !== 'possible',
  )
  return { kind: what.confidence, what, isFor: what.code === 'published' ? undefined : isFor }
}

export interface Looked {
  readonly statements: readonly Statement[]
  readonly texture: readonly TextureCell[]
}

/** The same of a memory in a backup; no chip's here is so large that it would hold up the page. */
export async function lookInto(memory: Segment, firmware: KnownFirmware | undefined): Promise<Looked> {
  const [{ inspect }, { findImage }, { findPublished }] = await Promise.all([
    import('#inspector/inspect.ts'),
    import('#catalogue/catalogue.ts'),
    import('#catalogue/published.ts'),
  ])
  const segments = [memory]
  const { statements, texture } = inspect({ segments })
  const known = (await findImage(segments)) ?? (await findPublished(segments))
  return { statements: whatItIs(statements, firmware, known), texture }
}
