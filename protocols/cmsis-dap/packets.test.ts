/** Bytes as the specification and its examples have them. */
import { expect, test } from 'vitest'
import { fromHex } from '#core/bytes.ts'
import { findPipes } from './descriptors.ts'
import {
  Command,
  info,
  Info,
  parseTransfer,
  swjClock,
  swjPins,
  swjSequence,
  transfer,
  transferBlock,
} from './packets.ts'

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex')

test('accesses to the debug port and to an access port', () => {
  expect(hex(transfer([{ isAp: false, address: 0 }]))).toBe('05000102')
  expect(hex(transfer([{ isAp: false, address: 4, write: 0x5000_0000 }]))).toBe('0500010400000050')
  expect(hex(transfer([{ isAp: false, address: 4 }]))).toBe('05000106')
  expect(hex(transfer([{ isAp: false, address: 8, write: 0 }]))).toBe('0500010800000000')
  expect(hex(transfer([{ isAp: true, address: 0, write: 0x2300_0052 }]))).toBe('0500010152000023')
  expect(hex(transfer([{ isAp: true, address: 0xc }]))).toBe('0500010f')
  expect(hex(transferBlock({ isAp: true, address: 0xc, count: 0x0102 }))).toBe('060002010f')
  const words = Uint32Array.of(0x8765_4321, 0xffff_ffff)
  expect(hex(transferBlock({ isAp: true, address: 0xc, count: 2, words }))).toBe('060002000d21436587ffffffff')
})

test('what is set up', () => {
  expect(hex(info(Info.PacketSize))).toBe('00ff')
  expect(hex(swjClock(1_000_000))).toBe('1140420f00')
  expect(hex(swjSequence(fromHex('9ee7'), 16))).toBe('12109ee7')
  expect(hex(swjSequence(new Uint8Array(32), 256)).slice(0, 4)).toBe('1200') // 256 is written as 0
  expect(hex(swjPins(0, 0x80))).toBe('10008000000000')
})

test('an answer says how many were done, and why no more', () => {
  const all = parseTransfer(fromHex('0501017714a01b'), Command.Transfer, 1, 1)
  expect([all.count, all.ack, ...all.words]).toEqual([1, 1, 0x1ba0_1477])
  const block = parseTransfer(fromHex('0602000144332211ddccbbaa'), Command.TransferBlock, 2, 2)
  expect([...block.words]).toEqual([0x1122_3344, 0xaabb_ccdd])
  const fault = parseTransfer(fromHex('06010004443322110000'), Command.TransferBlock, 3, 3)
  expect([fault.count, fault.ack, ...fault.words]).toEqual([1, 4, 0x1122_3344])
})

test('an answer that is cut off, or another command’s, is none', () => {
  const parse = (text: string) => () => parseTransfer(fromHex(text), Command.Transfer, 1, 1)
  expect(parse('0501')).toThrow(expect.objectContaining({ code: 'short-transfer' }))
  expect(parse('0501017714a0')).toThrow(expect.objectContaining({ code: 'short-transfer' }))
  expect(parse('0601017714a01b')).toThrow(expect.objectContaining({ code: 'unexpected-answer' }))
})

test('its pipes are the first bulk ones of its interface, whatever else it has', () => {
  const serial = '0904000001020200000705810308000a'
  const dap = '0904010002ff0000070705040240000007058502400000'
  const [configuration] = [fromHex(`09020000020100c032${serial}${dap}`)]
  expect(findPipes(configuration, 1)).toEqual({ out: 4, in: 5, packetBytes: 64 })
  expect(findPipes(configuration, 0)).toBeUndefined()
  expect(findPipes(configuration.subarray(0, -2), 1)).toBeDefined()
  expect(findPipes(fromHex('0000'), 1)).toBeUndefined()
})
