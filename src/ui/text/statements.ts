/** What the inspector says of a firmware, and from what it follows, in words. Gaps are the field's own words. */
import type { Evidence, EvidenceCode, Statement, StatementCode } from '#inspector/clue.ts'
import type { InstructionSet } from '#inspector/machine-code.ts'
import type { TextureKind } from '#inspector/texture.ts'
import type { Verdict } from '../state/what-it-is.ts'
import { count } from './format.ts'
import { m } from './generated/messages.js'

const gapNames = [
  'address',
  'base',
  'bits',
  'byte',
  'bytes',
  'chip',
  'chips',
  'count',
  'format',
  'framework',
  'from',
  'id',
  'machine',
  'name',
  'names',
  'partition',
  'percent',
  'said',
  'set',
  'target',
  'text',
  'to',
  'value',
  'version',
] as const
type Gaps = Readonly<Record<(typeof gapNames)[number], string>>
type Sentence = (gaps: Gaps) => string

const none = '–'
const gapsOf = (values: Statement['values']): Gaps =>
  Object.fromEntries(gapNames.map((name) => [name, values[name] || none])) as Gaps

const statements: Record<StatementCode, Sentence> = {
  published: m.say_published,
  firmware: (gaps) => (gaps.version === none ? m.say_firmware(gaps) : m.say_firmware_version(gaps)),
  'avr-program': m.say_avr_program,
  'avr-chips': m.say_avr_chips,
  'avr-bootloader': m.say_avr_bootloader,
  'cortex-program': m.say_cortex_program,
  'cortex-base': (gaps) => (gaps.chips === none ? m.say_cortex_base(gaps) : m.say_cortex_base_chips(gaps)),
  'cortex-second': m.say_cortex_second,
  'esp-image': (gaps) => (gaps.name === none ? m.say_esp_image(gaps) : m.say_esp_image_named(gaps)),
  'esp-flash': m.say_esp_flash,
  'esp-application': m.say_esp_application,
  'mcs51-program': m.say_mcs51_program,
  // a family that has no name here is a number
  'says-chip': (gaps) => (gaps.chip.startsWith('0x') ? m.say_says_family(gaps) : m.say_says_chip(gaps)),
  'says-machine': m.say_says_machine,
  'says-usb-device': m.say_says_usb_device,
  'usb-device': m.say_usb_device,
  embedded: m.say_embedded,
  'only-blank': m.say_only_blank,
  'only-text': m.say_only_text,
  'no-pattern': m.say_no_pattern,
  'machine-code': m.say_machine_code,
  version: m.say_version,
  built: m.say_built,
  'made-with': m.say_made_with,
}

const evidences: Record<EvidenceCode, Sentence> = {
  text: m.clue_text,
  bytes: m.clue_bytes,
  'usb-descriptor': m.clue_usb_descriptor,
  jumps: m.clue_jumps,
  'same-target': m.clue_same_target,
  ends: m.clue_ends,
  starts: m.clue_starts,
  'self-programming': m.clue_self_programming,
  stack: m.clue_stack,
  reset: m.clue_reset,
  handlers: m.clue_handlers,
  'reserved-words': m.clue_reserved_words,
  'code-starts': m.clue_code_starts,
  checksum: m.clue_checksum,
  header: m.clue_header,
  partitions: m.clue_partitions,
  claim: m.clue_claim,
  hash: m.clue_hash,
  recognised: ({ text }) => text,
  entropy: (gaps) => m.clue_entropy({ ...gaps, bits: count(Number(gaps.bits)) }),
  instructions: m.clue_instructions,
  'only-byte': m.clue_only_byte,
}

const textures: Record<TextureKind, () => string> = {
  blank: m.texture_blank,
  text: m.texture_text,
  code: m.texture_code,
  data: m.texture_data,
  random: m.texture_random,
}

export const statementText = ({ code, values }: Pick<Statement, 'code' | 'values'>): string =>
  statements[code](gapsOf(values))

const verdicts: Record<Statement['confidence'], (gaps: { what: string }) => string> = {
  certain: ({ what }) => what,
  likely: m.verdict_likely,
  possible: m.verdict_possible,
}

/** What it is in a line, and what that means for whoever holds it. */
export function verdictText(verdict: Verdict): { readonly headline: string; readonly advice: string } {
  if (!('what' in verdict))
    return verdict.kind === 'blank'
      ? { headline: m.verdict_blank(), advice: m.verdict_blank_advice() }
      : { headline: m.verdict_unknown(), advice: m.verdict_unknown_advice() }
  const { kind, what, isFor } = verdict
  const parts = isFor ? [statementText(what), statementText(isFor)] : [statementText(what)]
  return { headline: verdicts[kind]({ what: parts.join(' · ') }), advice: m.image_use_note() }
}

export const evidenceText = ({ code, values }: Pick<Evidence, 'code' | 'values'>): string =>
  evidences[code](gapsOf(values))

export const textureName = (kind: TextureKind, set?: InstructionSet): string =>
  set === undefined ? textures[kind]() : m.texture_code_of({ set })
