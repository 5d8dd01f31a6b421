/**
/**
 * The shelf of DFU devices: STM32 in their ROM's boot loader, with real sector maps, a Black Magic Probe in its own and
 * in use, three without addresses, and AVRs with USB in theirs. An STM32F103 has no such ROM. Sources: ST, AN2606
 * (layouts), data sheets of STM32F072, F103 and F405 ("Flash memory characteristics"; what a ROM tells is the maximum
 * there); Black Magic Debug, `platforms/common/stm32/dfucore.c` and `dfu_f1.c`; devanlai/dapboot.
 */
import { blank } from '#core/bytes.ts'
import { FlashError } from '#core/errors.ts'
import type { Range } from '#core/programmer.ts'
import type { Dials, TwinShelf, TwinVariant } from '#bench/twin.ts'
import { avrPartByName } from '#chips/avr-parts.ts'
import { practiceProgram } from '#chips/cortex-m-program.ts'
import { blackMagicProgram, practiceAvrProgram, practiceUsbSerial, productIn } from './images.ts'
import { ApplicationTwin, type ApplicationOptions } from './twin-application.ts'
import { blackMagicDescriptors, lonelyDescriptors } from './twin-descriptors.ts'
import { DfuTwin, type DfuTwinOptions, type TwinContent } from './twin-device.ts'
import { FlipTwin, type FlipTwinOptions } from './twin-flip.ts'
import { DfuseContent, type DfuseOptions } from './twin-dfuse.ts'
import { TwinFlash, type FlashTimes } from '#bench/twin-flash.ts'
import { PlainContent, type PlainOptions } from './twin-plain.ts'
import { serialPortIn } from './twin-usb-serial.ts'

const flashStart = 0x0800_0000

interface Chip extends Omit<DfuTwinOptions, 'content'> {
  readonly name: string
  readonly dials?: TwinVariant['dials']
  readonly sectors: readonly Range[]
  readonly times: FlashTimes
  /** Where its program is, in bytes from the start. */
  readonly programAt?: number
  readonly others?: DfuseOptions['others']
  readonly content: (flash: TwinFlash, dials: Dials) => TwinContent
  /** Bytes in front that nobody can read or write: its boot loader. */
  readonly hiddenBytes?: number
  readonly image?: (address: number, length: number) => Uint8Array
  /** What its flash makes of it. */
  readonly application?: Omit<ApplicationOptions, 'loader' | 'product'> & {
    /** As in `ApplicationOptions`, of the flash from `programAt` on. */
    readonly product: (flashed: Uint8Array) => string | undefined
  }
  /** It is met running that. */
  readonly isRunning?: true
}

const chip = ({
  name,
  dials: own = [],
  sectors,
  times,
  programAt = 0,
  hiddenBytes = 0,
  image = practiceProgram,
  application,
  isRunning,
  others,
  content,
  ...options
}: Chip): TwinVariant => ({
  name,
  dials: [...own, 'stuckBit', 'flickerBit'],
  make(dials: Dials = {}) {
    const bytes = blank(sectors.reduce((sum, { length }) => sum + length, 0))
    const programBytes = Math.min(20_000, bytes.length / 3)
    const address = sectors[0]?.address ?? 0
    bytes.set(image(address + programAt, programBytes), programAt)
    const seen = (bit: number | undefined) => (bit === undefined ? bit : bit + hiddenBytes * 8)
    const [stuckBit, flickerBit] = [seen(dials.stuckBit), seen(dials.flickerBit)]
    const flash = new TwinFlash(sectors, times, bytes, {
      ...(stuckBit !== undefined && { stuckBit }),
      ...(flickerBit !== undefined && { flickerBit }),
    })
    const loader: DfuTwin = new DfuTwin({
      ...options,
      content: content(flash, dials),
      ...(application && { runs: () => app?.powersUpAs() ?? loader }),
    })
    const app =
      application &&
      new ApplicationTwin({
        ...application,
        loader,
        product: () => application.product(flash.bytes.subarray(programAt)),
      })
    const other = (id: string) => others?.find(({ name }) => isOf(id, name))?.bytes ?? new Uint8Array()
    const memory = (id: string) => (id === 'flash' ? flash.bytes.subarray(hiddenBytes) : other(id))
    const twin = isRunning && app ? app : loader
    return { twin, patient: loader, memory, ...(app && { byItself: () => app }) }
  },
})

const isOf = (id: string, name: string): boolean =>
  (id === 'options' && name.startsWith('@Option')) || (id === 'otp' && name.startsWith('@OTP'))

// ---- DfuSe ----------------------------------------------------------------------------------------

type Dfuse = Omit<Chip, 'sectors' | 'content'> &
  Omit<DfuseOptions, 'flash' | 'isProtected'> & {
    /** What it has, in pages of 1 KiB; absent: what its name tells. */
    readonly flashBytes?: number
  }

const dfuse = ({ flashName, flashBytes, ...rest }: Dfuse): TwinVariant =>
  chip({
    ...rest,
    sectors: sectorsIn(
      flashBytes === undefined ? flashName : `${String(flashBytes / pageBytes)}*${String(pageBytes / 1024)}K`,
    ),
    content: (flash, { locked = false }) =>
      new DfuseContent({ ...rest, flash, flashName, isProtected: locked }),
  })

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

/** Each byte is followed by its complement: no protection, everything else as delivered. */
const optionBytes = Uint8Array.from([0xaa, ...Array<number>(7).fill(0xff)].flatMap((byte) => [byte, ~byte]))

type Rom = Pick<Dfuse, 'flashName' | 'others' | 'times' | 'tellMs'> & {
  readonly model: string
  readonly serial: string
}

const stm32 = ({ model, serial, ...rest }: Rom): TwinVariant =>
  dfuse({
    name: `${model} in its ROM boot loader`,
    ids: { vendorId: 0x0483, productId: 0xdf11, deviceVersion: 0x2200 },
    texts: { manufacturer: 'STMicroelectronics', product: 'STM32  BOOTLOADER', serial },
    transferBytes: 2048,
    dials: ['locked'],
    ...rest,
  })

// ---- plain DFU ------------------------------------------------------------------------------------

type Plain = Omit<Chip, 'sectors' | 'content' | 'times'> &
  Pick<PlainOptions, 'names' | 'setting'> & { readonly address: number; readonly kib: number }

const pageBytes = 1024
/** Of an STM32F103. */
const f103: FlashTimes = { eraseMs: () => 20, programMsPerKib: 27 }

const plain = ({ address, kib, names, setting, ...rest }: Plain): TwinVariant =>
  chip({
    ...rest,
    times: f103,
    sectors: Array.from({ length: kib }, (_, i) => ({ address: address + i * pageBytes, length: pageBytes })),
    content: (flash) => new PlainContent({ ...rest, flash, names, setting }),
  })

/** Made up: as small as can be. */
const small: Omit<Plain, 'name'> = {
  ids: { vendorId: 0x1209, productId: 0x0001, deviceVersion: 0x0100 },
  texts: { manufacturer: 'Practice', product: 'Plain DFU (practice)', serial: '0001' },
  transferBytes: pageBytes,
  address: 0,
  kib: 8,
  names: ['Firmware'],
  setting: 0,
}

const loaderBytes = 0x2000

const blackMagic: Dfuse = {
  name: 'Black Magic Probe in its boot loader',
  ids: { vendorId: 0x1d50, productId: 0x6017, deviceVersion: 0x0100 },
  texts: {
    manufacturer: 'Black Magic Debug',
    product: 'Black Magic Probe DFU v1.9.0 (practice)',
    serial: 'B1A2C3D4',
  },
  transferBytes: 1024,
  flashName: '@Internal Flash   /0x08000000/8*001Ka,120*001Kg',
  programAt: loaderBytes,
  hiddenBytes: loaderBytes,
  takes: (address) => address >= flashStart + loaderBytes,
  times: f103,
  tellMs: (ms) => (ms === f103.eraseMs(pageBytes) ? ms : 27),
  image: blackMagicProgram,
  application: { describe: blackMagicDescriptors, product: productIn, dfu: 4, detachesItself: true },
}

// ---- FLIP -----------------------------------------------------------------------------------------

type Avr = Pick<FlipTwinOptions, 'productId' | 'build' | 'texts'> & {
  readonly name: string
  readonly chip: string
  readonly dials?: TwinVariant['dials']
  readonly program: Uint8Array
}

/** The boot section is as large as it can be. */
const avr = ({ name, chip, dials = [], program, ...options }: Avr): TwinVariant => ({
  name,
  dials: [...dials, 'stuckBit', 'flickerBit'],
  make(dials: Dials = {}) {
    const part = avrPartByName(chip)
    if (!part) throw new FlashError('bug', { during: `taking an ${chip}` })
    const bootBytes = Math.max(...(part.bootBytes ?? [0]))
    const flash = blank(part.flash.bytes)
    flash.set(program)
    const loader = practiceUsbSerial({ vendorId: 0x03eb, productId: options.productId }, bootBytes / 2)
    flash.set(loader, part.flash.bytes - bootBytes)
    const eeprom = Uint8Array.from({ length: part.eeprom.bytes / 2 }, (_, i) => i ^ 0x5a)
    const twin = new FlipTwin({ ...options, part, bootBytes, flash, eeprom, starts: serialPortIn }, dials)
    const application = () => twin.flash.bytes.subarray(0, part.flash.bytes - bootBytes)
    // of Atmel's nobody sees more
    const flashOf = () => (options.build === 'atmel' ? application() : twin.flash.bytes)
    return {
      twin,
      patient: twin,
      memory: (id) => (id === 'flash' ? flashOf() : id === 'eeprom' ? twin.eeprom : new Uint8Array()),
      ...(serialPortIn(program) && { byItself: () => serialPortIn(application()) }),
    }
  },
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
  gd32vf103: dfuse({
    name: 'GD32VF103 in its ROM boot loader',
    ids: { vendorId: 0x28e9, productId: 0x0189, deviceVersion: 0x0100 },
    // the part number's bytes, as a computer reads them, and pages that it has not
    texts: {
      manufacturer: 'GDMicroelectronics',
      product: 'GD32 0x418 DFU Bootloader ',
      serial: '\u4333\u4a42',
    },
    transferBytes: 2048,
    flashName: '@Internal Flash  /0x08000000/512*002Kg',
    flashBytes: 128 * 1024,
    dials: ['locked'],
    times: { eraseMs: () => 100, programMsPerKib: 10 },
  }),
  'black-magic': dfuse(blackMagic),
  'black-magic-probe': dfuse({ ...blackMagic, name: 'Black Magic Probe', isRunning: true }),
  dapboot: plain({
    name: 'dapboot on an STM32F103, its button held',
    ids: { vendorId: 0x1209, productId: 0xdb42, deviceVersion: 0x0111 },
    texts: { manufacturer: 'Devanarchy', product: 'DAPBoot DFU Bootloader (practice)', serial: '7C4D21F3' },
    transferBytes: pageBytes,
    address: flashStart + 0x2000,
    kib: 56,
    names: ['Unused', 'Internal Flash'],
    setting: 1,
    manifests: 'waits for a reset',
  }),
  plain: plain({
    ...small,
    name: 'DFU 1.1 device without addresses',
    manifests: 'stays',
    refusesEarly: true,
  }),
  'plain-running': plain({
    ...small,
    name: 'DFU 1.1 device running its application',
    manifests: 'starts at a reset',
    application: { describe: lonelyDescriptors, product: productIn, dfu: 0, detachesItself: false },
    isRunning: true,
  }),
  atmega16u2: avr({
    name: "Arduino Uno R3's USB chip in its boot loader",
    ...{ chip: 'ATmega16U2', productId: 0x2fef, build: 'arduino' },
    program: practiceUsbSerial({ vendorId: 0x2341, productId: 0x0043 }, 4034),
  }),
  atmega32u4: avr({
    name: "ATmega32U4 in Atmel's own boot loader",
    ...{ chip: 'ATmega32U4', productId: 0x2ff4, build: 'atmel', dials: ['locked'] },
    texts: { manufacturer: 'ATMEL', product: 'ATm32U4DFU', serial: '1.0.0' },
    program: practiceAvrProgram(9000),
  }),
  at90usb1286: avr({
    name: "AT90USB1286 in LUFA's boot loader",
    ...{ chip: 'AT90USB1286', productId: 0x2ffb, build: 'lufa', dials: ['locked'] },
    texts: { manufacturer: 'LUFA', product: 'LUFA DFU Bootloader (practice)', serial: '1' },
    program: practiceAvrProgram(100_000),
  }),
} satisfies TwinShelf
