/**
 * The shelf of DFU devices: STM32 in their ROM's boot loader, with real sector maps, and a Black Magic Probe in its own.
 * An STM32F103 has no such ROM. Sources: ST, AN2606 (layouts), data sheets of STM32F072 and STM32F405 ("Flash memory
 * characteristics"; what a ROM tells is the maximum there); Black Magic Debug.
 */
import { blank } from '#core/bytes.ts'
import type { Range } from '#core/programmer.ts'
import type { Dials, TwinShelf, TwinVariant } from '#bench/twin.ts'
import { practiceProgram } from './images.ts'
import { DfuTwin, type DfuTwinOptions } from './twin-device.ts'
import { TwinFlash, type FlashTimes } from './twin-flash.ts'

const flashStart = 0x0800_0000

interface Chip extends Omit<DfuTwinOptions, 'flash'> {
  readonly name: string
  /** In KiB. */
  readonly sectors: readonly number[]
  readonly times: FlashTimes
  /** Where its program is, in bytes from the start. */
  readonly programAt?: number
}

function sectorsOf(kib: readonly number[]): Range[] {
  let address = flashStart
  return kib.map((size) => {
    const sector = { address, length: size * 1024 }
    address += sector.length
    return sector
  })
}

const chip = ({ name, sectors, times, programAt = 0, ...options }: Chip): TwinVariant => ({
  name,
  dials: ['stuckBit', 'flickerBit'],
  make(dials: Dials = {}) {
    const ranges = sectorsOf(sectors)
    const content = blank(ranges.reduce((sum, { length }) => sum + length, 0))
    content.set(practiceProgram(flashStart + programAt, Math.min(20_000, content.length / 3)), programAt)
    const flash = new TwinFlash(ranges, times, content, dials)
    const twin = new DfuTwin({ ...options, flash })
    return {
      twin,
      patient: twin,
      memory: (id) =>
        id === 'flash'
          ? flash.bytes
          : (options.others?.find(({ name }) => isOf(id, name))?.bytes ?? new Uint8Array()),
    }
  },
})

const isOf = (id: string, name: string): boolean =>
  (id === 'options' && name.startsWith('@Option')) || (id === 'otp' && name.startsWith('@OTP'))

const st = { vendorId: 0x0483, productId: 0xdf11, deviceVersion: 0x2200 }
const stTexts = { manufacturer: 'STMicroelectronics', product: 'STM32  BOOTLOADER' }
const optionsF0 = Uint8Array.of(
  0xaa,
  0x55,
  0xff,
  0x00,
  0xff,
  0x00,
  0xff,
  0x00,
  0xff,
  0x00,
  0xff,
  0x00,
  0xff,
  0x00,
  0xff,
  0x00,
)

export default {
  stm32f072: chip({
    name: 'STM32F072 in its ROM boot loader',
    ids: st,
    texts: { ...stTexts, serial: 'FFFFFFFEFFFF' },
    transferBytes: 2048,
    flashName: '@Internal Flash  /0x08000000/064*0002Kg',
    sectors: Array<number>(64).fill(2),
    others: [{ name: '@Option Bytes  /0x1FFFF800/01*016 e', address: 0x1fff_f800, bytes: optionsF0 }],
    times: { eraseMs: () => 30, programMsPerKib: 27.4 },
    tellMs: (ms) => ms * 1.5,
  }),
  stm32f405: chip({
    name: 'STM32F405 in its ROM boot loader',
    ids: st,
    texts: { ...stTexts, serial: '357236583333' },
    transferBytes: 2048,
    flashName: '@Internal Flash  /0x08000000/04*016Kg,01*064Kg,07*128Kg',
    sectors: [16, 16, 16, 16, 64, 128, 128, 128, 128, 128, 128, 128],
    others: [
      { name: '@Option Bytes  /0x1FFFC000/01*016 e', address: 0x1fff_c000, bytes: optionsF0 },
      { name: '@OTP Memory /0x1FFF7800/01*512 e,01*016 e', address: 0x1fff_7800, bytes: blank(528) },
    ],
    times: { eraseMs: (bytes) => (bytes > 65_536 ? 1000 : bytes > 16_384 ? 550 : 250), programMsPerKib: 4.1 },
    tellMs: (ms) => (ms > 100 ? ms * 2 : ms * 6),
  }),
  'black-magic': chip({
    name: 'Black Magic Probe in its boot loader',
    ids: { vendorId: 0x1d50, productId: 0x6017, deviceVersion: 0x0100 },
    texts: {
      manufacturer: 'Black Magic Debug',
      product: 'Black Magic Probe DFU (practice)',
      serial: 'B1A2C3D4',
    },
    transferBytes: 1024,
    flashName: '@Internal Flash   /0x08000000/8*001Ka,120*001Kg',
    sectors: Array<number>(128).fill(1),
    programAt: 0x2000,
    mayWrite: (address) => address >= flashStart + 0x2000,
    times: { eraseMs: () => 20, programMsPerKib: 27 },
    refusesEarly: true,
  }),
} satisfies TwinShelf
