/** Bytes as avrdude 7.1 sends them (`butterfly.c`) and as Caterina's source reads them. */
import { expect, test } from 'vitest'
import { hexBytes } from '#core/bytes.ts'
import * as packets from './packets.ts'

const { MemType } = packets

test('flash is addressed by words, EEPROM by bytes, high byte first', () => {
  expect(hexBytes(packets.setAddress(MemType.Flash, 0x6f80).bytes)).toBe('41 37 c0')
  expect(hexBytes(packets.setAddress(MemType.Eeprom, 0x03e0).bytes)).toBe('41 03 e0')
})

test('a block is asked for with its length and memory, and is all of the answer', () => {
  const { bytes, answerBytes } = packets.readBlock(MemType.Flash, 128)
  expect(hexBytes(bytes)).toBe('67 00 80 46')
  expect(answerBytes).toBe(128)
})

test('a block is written with its bytes behind it', () => {
  const { bytes, answerBytes } = packets.writeBlock(MemType.Eeprom, Uint8Array.of(1, 2))
  expect(hexBytes(bytes)).toBe('42 00 02 45 01 02')
  expect(answerBytes).toBe(1)
})

test('what is asked at the start has its letters', () => {
  const asked = [packets.softwareId, packets.softwareVersion, packets.blockSupport, packets.readSignature]
  const letters = [...asked, ...packets.readFuses, packets.readLock, packets.exit].map(({ bytes }) =>
    new TextDecoder().decode(bytes),
  )
  expect(letters.join('')).toBe('SVbsFNQrE')
})
