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

interface Chip extends Omit<DfuTwinOptions, 'flash' | 'isProtected'> {
  readonly name: string
  readonly dials?: TwinVariant['dials']
  readonly times: FlashTimes
  /** Where its program is, in bytes from the start. */
  readonly programAt?: number
}

/** As its name tells them. */
function sectorsIn(flashName: string): Range[] {
  let address = flashStart
  return [...flashName.matchAll(/(\d+)\*(\d+)K/g)].flatMap(([, count, kib]) =>
    Array.from({ length: Number(count) }, () => {
      const sector = { address, length: Number(kib) * 1024 }
      address += sector.length
      return sector
    }),
  )
}

const chip = ({ name, dials = [], times, programAt = 0, ...options }: Chip): TwinVariant => ({
  name,
  dials: [...dials, 'stuckBit', 'flickerBit'],
  make(dials: Dials = {}) {
    const sectors = sectorsIn(options.flashName)
    const content = blank(sectors.reduce((sum, { length }) => sum + length, 0))
    content.set(practiceProgram(flashStart + programAt, Math.min(20_000, content.length / 3)), programAt)
    const flash = new TwinFlash(sectors, times, content, dials)
    const twin = new DfuTwin({ ...options, flash, ...(dials.locked && { isProtected: true }) })
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

/** Each byte is followed by its complement: no protection, everything else as delivered. */
const optionBytes = Uint8Array.from([0xaa, ...Array<number>(7).fill(0xff)].flatMap((byte) => [byte, ~byte]))

type Rom = Pick<Chip, 'flashName' | 'others' | 'times' | 'tellMs'> & {
  readonly model: string
  readonly serial: string
}

const stm32 = ({ model, serial, ...rest }: Rom): TwinVariant =>
  chip({
    name: `${model} in its ROM boot loader`,
    ids: { vendorId: 0x0483, productId: 0xdf11, deviceVersion: 0x2200 },
    texts: { manufacturer: 'STMicroelectronics', product: 'STM32  BOOTLOADER', serial },
    transferBytes: 2048,
    dials: ['locked'],
    ...rest,
  })

export default {
  stm32f072: stm32({
    ...{ model: 'STM32F072', serial: 'FFFFFFFEFFFF' },
    flashName: '@Internal Flash  /0x08000000/064*0002Kg',
    others: [{ name: '@Option Bytes  /0x1FFFF800/01*016 e', address: 0x1fff_f800, bytes: optionBytes }],
    times: { eraseMs: () => 30, programMsPerKib: 27.4 },
    tellMs: (ms) => ms * 1.5,
  }),
  stm32f405: stm32({
    ...{ model: 'STM32F405', serial: '357236583333' },
    flashName: '@Internal Flash  /0x08000000/04*016Kg,01*064Kg,07*128Kg',
    others: [
      { name: '@Option Bytes  /0x1FFFC000/01*016 e', address: 0x1fff_c000, bytes: optionBytes },
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
    programAt: 0x2000,
    mayWrite: (address) => address >= flashStart + 0x2000,
    times: { eraseMs: () => 20, programMsPerKib: 27 },
    refusesEarly: true,
  }),
} satisfies TwinShelf
