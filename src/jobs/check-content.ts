/**
 * Holds what an image is, by the inspector, and what its file says of itself against what it is to be written to.
 * Pure. What is certain refuses, what is likely warns, what is only possible says nothing.
 */
import { usbId, versionText } from '#core/bytes.ts'
import type { Check, Fact, Patient } from '#core/programmer.ts'
import type { Architecture, Statement } from '#inspector/clue.ts'
import type { WantedSource } from '#store/journal.ts'

/** As the field calls them. */
const architectureNames: Readonly<Record<Architecture, string>> = {
  avr: 'AVR',
  'cortex-m': 'Arm Cortex-M',
  esp: 'ESP8266, ESP32',
  mcs51: '8051',
}

/** What files say for them (ELF's e_machine). */
const machines: Readonly<Record<Architecture, readonly string[]>> = {
  avr: ['AVR'],
  'cortex-m': ['ARM'],
  esp: ['Xtensa', 'RISC-V'],
  mcs51: ['8051'],
}

/** By the beginning of a patient's kind, e.g. `avr:1e930f`. */
const architectureOf = ({ kind }: Pick<Patient, 'kind'>): Architecture | undefined =>
  (Object.keys(architectureNames) as Architecture[]).find((one) => kind.startsWith(`${one}:`))

export function checkContent(
  patient: Pick<Patient, 'kind' | 'chip'>,
  statements: readonly Statement[],
  said: WantedSource['said'],
): Check[] {
  const own = architectureOf(patient)
  if (own === undefined) return []
  const say = (result: Check['result'], found: string, clue: Check['values']): Check[] => [
    { code: 'content-matches', result, values: { ...clue, expected: patient.chip, found } },
  ]
  const telling = statements.filter((one) => one.architecture && one.confidence !== 'possible')
  const [fits] = telling.filter(({ architecture }) => architecture === own)
  const [other] = telling.filter(({ architecture }) => architecture !== own)
  // What is certain of another kind is not made good by what is likely of this one.
  const strongest =
    other?.confidence === 'certain' && fits?.confidence !== 'certain' ? other : (fits ?? other)
  if (strongest && strongest !== fits)
    return say(
      strongest.confidence === 'certain' ? 'refused' : 'warning',
      nameOf(strongest),
      clueOf(strongest),
    )
  const machine = said?.claims.machine
  if (said && machine !== undefined && !machines[own].includes(machine))
    return say('refused', machine, { clue: 'claim', format: said.format })
  return fits ? say('passed', nameOf(fits), clueOf(fits)) : []
}

/** What the file itself names, or the kind of processor. */
const nameOf = ({ values, architecture }: Statement): string =>
  values['chip'] ?? values['machine'] ?? (architecture ? architectureNames[architecture] : '')

/** Its first piece of evidence; the text of the check puts it into words. */
function clueOf({ evidence: [first] }: Statement): Check['values'] {
  return first ? { ...first.values, clue: first.code } : {}
}

/** What is connected, as its descriptor says it: `0483:df11`, and bcdDevice as `22.00` where that is known. */
export interface ConnectedUsb {
  readonly id: string
  readonly version: string | undefined
}

export function connectedUsb(facts: readonly Fact[]): ConnectedUsb | undefined {
  const id = facts.find(({ name }) => name === 'usb-id')?.value
  const version = facts.find(
    ({ name, source }) => name === 'firmware-version' && source === 'bcdDevice',
  )?.value
  return id === undefined ? undefined : { id, version }
}

/**
 * A DFU suffix names the device; only through its own boot loader there is one to compare with. Another release is no
 * more than a warning: what is connected is the boot loader, and who makes files seldom says its.
 */
export function checkUsb(
  way: 'itself' | 'target',
  said: WantedSource['said'],
  connected: ConnectedUsb | undefined,
): Check[] {
  const { vendorId, productId, deviceVersion } = said?.claims.usb ?? {}
  if (vendorId === undefined && productId === undefined) return []
  const parts = usbId(vendorId ?? 0, productId ?? 0).split(':')
  const wanted = [vendorId, productId].map((id, i) => (id === undefined ? undefined : parts[i]))
  const expected = wanted.map((id) => id ?? '*').join(':')
  const say = (result: Check['result'], values: Check['values']): Check[] => [
    { code: 'usb-matches', result, values: { expected, ...values } },
  ]
  if (way === 'target' || connected === undefined) return say('passed', { why: 'unknown' })
  const { id, version } = connected
  const isMeant = id.split(':').every((part, i) => wanted[i] === undefined || wanted[i] === part)
  if (!isMeant) return say('refused', { found: id })
  const release = deviceVersion ? versionText(bcdDigits(deviceVersion)) : undefined // tools write 0 for none
  if (release === undefined || version === undefined || release === version)
    return say('passed', { found: id })
  return say('warning', { expected: `${expected} ${release}`, found: `${id} ${version}` })
}

/** 0x2211: major 22, minor 1, sub 1. */
const bcdDigits = (bcd: number): [number, number, number] => [bcd >> 8, (bcd >> 4) & 15, bcd & 15]
