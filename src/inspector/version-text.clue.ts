/** Texts that say a version, when and with what something was built. The patterns are data; the first hit of each is told. */
import { textEvidence, type Clue, type StatementCode } from './clue.ts'

interface Pattern {
  readonly code: Extract<StatementCode, 'version' | 'built' | 'made-with'>
  /** The group `said` is what is told; without it all of the hit. */
  readonly text: RegExp
}

const months = 'Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec'

export const versionPatterns: readonly Pattern[] = [
  // `__DATE__` of C, e.g. `Jul  4 2023`.
  { code: 'built', text: new RegExp(`\\b(?:${months})\\s{1,2}\\d{1,2} (?:19|20)\\d\\d\\b`) },
  {
    code: 'built',
    text: /\b20[0-3]\d-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])(?:[ T]\d\d:\d\d(?::\d\d)?)?\b/,
  },
  { code: 'version', text: /\bversion[ :=]{1,3}(?<said>v?\d{1,5}(?:\.\d{1,5}){0,3}[\w.+-]{0,24})/i },
  { code: 'version', text: /\bv\d{1,3}\.\d{1,4}(?:\.\d{1,4})?(?:-[\w.+-]{1,32})?(?![\w.])/ },
  { code: 'made-with', text: /\bGCC: \([^)]{1,60}\) \d{1,2}\.\d{1,2}\.\d{1,2}/ },
  {
    code: 'made-with',
    text: /\b(?:FreeRTOS|Zephyr|Mbed OS|ChibiOS|RIOT|NuttX|ThreadX)\b[\w .:/-]{0,40}/,
  },
  { code: 'made-with', text: /\bESP-IDF[\w .:/-]{0,40}/ },
  { code: 'made-with', text: /\b(?:LUFA|V-USB|TinyUSB|CherryUSB|libopencm3)\b[\w .:/-]{0,40}/ },
  { code: 'made-with', text: /\bU-Boot \d{4}\.\d\d[\w.+-]{0,24}/ },
  { code: 'made-with', text: /\bLinux version \d{1,2}\.\d{1,3}\.\d{1,3}[\w.+-]{0,32}/ },
]

const versionText: Clue = ({ strings }) =>
  versionPatterns.flatMap(({ code, text }) => {
    for (const found of strings) {
      const hit = text.exec(found.text)
      if (!hit) continue
      const said = (hit.groups?.['said'] ?? hit[0]).trim()
      return [{ code, confidence: 'possible', values: { said }, evidence: [textEvidence(found)] }]
    }
    return []
  })
export default versionText
