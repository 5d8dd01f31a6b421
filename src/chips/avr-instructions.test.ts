import { expect, test } from 'vitest'
import { hexBytes } from '#core/bytes.ts'
import * as isp from './avr-instructions.ts'
import type { Instruction } from './isp-master.ts'

const bytes = (instruction: Instruction) => hexBytes(Uint8Array.from(instruction))

test.each<[string, Instruction, string]>([
  ['chip erase', isp.eraseChip, 'ac 80 00 00'],
  ['poll RDY/BSY', isp.pollReady, 'f0 00 00 00'],
  ['read signature byte 2', isp.readSignature(2), '30 00 02 00'],
  ['read calibration byte 3', isp.readCalibration(3), '38 00 03 00'],
  ['read lock bits', isp.readLock, '58 00 00 00'],
  ['write lock bits', isp.writeLock(0x0f), 'ac e0 00 cf'],
  ['read low fuse', isp.readFuse('low'), '50 00 00 00'],
  ['read high fuse', isp.readFuse('high'), '58 08 00 00'],
  ['read extended fuse', isp.readFuse('extended'), '50 08 00 00'],
  ['write low fuse', isp.writeFuse('low', 0x62), 'ac a0 00 62'],
  ['write high fuse', isp.writeFuse('high', 0xd9), 'ac a8 00 d9'],
  ['write extended fuse', isp.writeFuse('extended', 0xff), 'ac a4 00 ff'],
  ['load extended address', isp.loadExtendedAddress(0x3_fffe), '4d 00 01 00'],
  ['load extended address of the first half', isp.loadExtendedAddress(0x1_ffff), '4d 00 00 00'],
  ['load page, low byte', isp.loadFlash(0, 0x12), '40 00 00 12'],
  ['load page, high byte of the last word', isp.loadFlash(255, 0x34), '48 00 7f 34'],
  ['write the page at byte 0x7f80', isp.writeFlashPage(0x7f80), '4c 3f c0 00'],
  ['write a page beyond 128 KiB', isp.writeFlashPage(0x3_ff00), '4c ff 80 00'],
  ['read flash, low byte', isp.readFlash(0x7ffe), '20 3f ff 00'],
  ['read flash, high byte', isp.readFlash(0x7fff), '28 3f ff 00'],
  ['read EEPROM', isp.readEeprom(0x1ff), 'a0 01 ff 00'],
  ['write EEPROM byte', isp.writeEeprom(0xfff, 0x55), 'c0 0f ff 55'],
  ['load EEPROM page byte', isp.loadEeprom(3, 0x66), 'c1 00 03 66'],
  ['write EEPROM page', isp.writeEepromPage(0x104), 'c2 01 04 00'],
])('%s', (_, instruction, expected) => {
  expect(bytes(instruction)).toBe(expected)
})
