/**
 * Recognises an STK500v1 boot loader in a flash content, what is in front of it, and ArduinoISP by its
 * sign-on text. An application without a boot loader could be anything and is left to others. Sources: as
 * `loaders.ts`; `ArduinoISP.ino` for its text.
 */
import { blank, hex } from '#core/bytes.ts'
import { findStrings, type FoundString } from '#core/find.ts'
import type { Fact, KnownFirmware, RecogniseFirmware, Segment } from '#core/programmer.ts'
import { hasContent } from '#chips/avr-code.ts'
import { avrPartByName, findAvrPart, type AvrPart } from '#chips/avr-parts.ts'
import { practiceText } from './images.ts'
import { bootSizes, findLoader, loaderFact, type Loader } from './loaders.ts'
import { signOn } from './packets.ts'

/** As the driver names the sketch that answers so. */
const arduinoIspFact: Fact = { name: 'firmware', value: 'ArduinoISP' }

const recognise: RecogniseFirmware = (flash, chip) => {
  const part = chip === undefined ? undefined : avrPartByName(chip)
  const loader = loaderAtTop(flash, part)
  const texts = findStrings(flash)
  const practice = texts.find(({ text }) => text.startsWith(practiceText))
  const sketch = texts.find(({ text }) => text.includes(signOn))
  if (practice) return practiceImage(practice, loader)
  if (loader) return withLoader(flash, loader, sketch)
  return sketch && arduinoIsp(sketch)
}
export default recognise

/** The largest AVR flash; an image that ends beyond is for something else. */
const mostFlashBytes = 0x4_0000

function loaderAtTop(flash: readonly Segment[], part: AvrPart | undefined): Loader | undefined {
  const last = Math.max(0, ...flash.map(({ address, bytes }) => address + bytes.length))
  if (last === 0 || last > mostFlashBytes) return undefined
  const end = part?.flash.bytes ?? 2 ** Math.ceil(Math.log2(last)) // images of loaders end with the flash
  const length = Math.min(end, Math.max(...bootSizes(part)))
  return findLoader(topOf(flash, end - length, length), end - length, part)
}

function topOf(flash: readonly Segment[], start: number, length: number): Uint8Array {
  const top = blank(length)
  for (const { address, bytes } of flash) {
    const inside = bytes.subarray(Math.max(0, start - address), Math.max(0, start + length - address))
    if (inside.length > 0) top.set(inside, Math.max(0, address - start))
  }
  return top
}

function withLoader(
  flash: readonly Segment[],
  loader: Loader,
  sketch: FoundString | undefined,
): KnownFirmware {
  const { name, version, start, signature, evidence } = loader
  const application = hasContent(flash, { address: 0, length: start })
  const part = signature && findAvrPart(signature)
  return {
    family: 'stk500',
    name: sketch ? `ArduinoISP with ${name}` : application ? `Arduino sketch with ${name}` : name,
    version,
    confidence: 'certain',
    evidence: [...(sketch ? [textAt(sketch)] : []), ...evidence],
    // Any other sketch answers nobody: its loader would answer whether or not it runs.
    ...(sketch || !application
      ? { appears: { link: 'serial', says: [...(sketch ? [arduinoIspFact] : []), loaderFact(loader)] } }
      : {}),
    ...(part ? { chips: [part.name] } : {}),
  }
}

const arduinoIsp = (sketch: FoundString): KnownFirmware => ({
  family: 'stk500',
  name: 'ArduinoISP',
  version: undefined,
  confidence: 'possible', // other programmers answer with the same text
  evidence: [textAt(sketch)],
  appears: { link: 'serial', says: [arduinoIspFact] },
})

function practiceImage(found: FoundString, loader: Loader | undefined): KnownFirmware {
  return {
    family: 'stk500',
    name: loader ? `practice image with ${loader.name}` : 'practice image',
    version: found.text.slice(practiceText.length),
    confidence: 'certain',
    evidence: [textAt(found), ...(loader?.evidence ?? [])],
    // The program in it answers nobody, so there is no running version to ask for.
  }
}

const textAt = ({ text, address }: FoundString): string => `"${text}" at ${hex(address, 4)}`
