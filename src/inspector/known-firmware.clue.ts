/** Whose firmware it is, by the marks in `known-firmware.ts`: all marks of one are certain, a part of them is not. */
import { descriptorEvidence, textEvidence, type Clue, type Statement, type Subject } from './clue.ts'
import { knownMarks, type KnownMarks } from './known-firmware.ts'

const knownFirmware: Clue = (subject) => {
  const told = (isGeneral: boolean) =>
    knownMarks
      .filter((marks) => (marks.isGeneral ?? false) === isGeneral)
      .flatMap((marks) => statementOf(marks, subject) ?? [])
  const own = told(false)
  return own.length > 0 ? own : told(true)
}
export default knownFirmware

function statementOf(marks: KnownMarks, { usbDescriptors, strings }: Subject): Statement | undefined {
  const { name, family, usb, texts = [], ownsId, hasUsbVersion, isGeneral } = marks
  const descriptor = usbDescriptors.find(({ usbId }) => usb?.includes(usbId))
  const found = texts.map((text) => strings.find((one) => text.test(one.text)))
  const present = found.filter((one) => one !== undefined)
  if ((usb && !descriptor) || present.length < texts.length) return undefined
  const isWhole = descriptor !== undefined && (texts.length > 0 || ownsId === true)
  const [said] = texts.flatMap((text, i) => text.exec(found[i]?.text ?? '')?.groups?.['version'] ?? [])
  const versioned = descriptor ?? (hasUsbVersion ? usbDescriptors[0] : undefined)
  return {
    code: 'firmware',
    confidence: isWhole && !isGeneral ? 'certain' : isGeneral ? 'possible' : 'likely',
    values: {
      name,
      version: said ?? (hasUsbVersion ? (versioned?.version ?? '') : ''),
      ...(family !== undefined && { family }),
    },
    evidence: [...(descriptor ? [descriptorEvidence(descriptor)] : []), ...present.map(textEvidence)],
  }
}
