/**
 * The shelf of RP2040 and RP2350 boards: with flash chips as small as can be had, so that much can be tried; a Pico with its
 * 2 MiB; in BOOTSEL mode and in use. Sources: data sheets of W25Q16JV (times), Raspberry Pi Pico and Debug Probe.
 */
import { blank } from '#core/bytes.ts'
import type { Dials, TwinShelf, TwinVariant } from '#bench/twin.ts'
import { TwinFlash, type FlashTimes } from '#bench/twin-flash.ts'
import { flashAddress, sectorBytes, type Chip } from '#chips/rp2-chips.ts'
import { Play, practiceProgram, type PracticeProgram } from './images.ts'
import { BootselTwin, type BootselOptions } from './twin-bootsel.ts'
import { ProgramTwin } from './twin-program.ts'

interface Board {
  readonly name: string
  readonly chip: Chip['name']
  readonly kib: number
  readonly program: Omit<PracticeProgram, 'chip'>
  /** It is met running that. */
  readonly isRunning?: true
  /** Nobody can start BOOTSEL mode but by hand: there is no way to its flash. */
  readonly isClosed?: true
}

const times: FlashTimes = { eraseMs: () => 45, programMsPerKib: 1.6 }
/** What programs tell: on an RP2040 that of the flash chip, on an RP2350 the chip's own. */
const serialOf = (chip: Chip['name']): string =>
  chip === 'RP2040' ? 'E6614C311B7A1234' : roms.RP2350.strings.serial

const roms: Readonly<Record<Chip['name'], Pick<BootselOptions, 'romVersion' | 'strings'>>> = {
  RP2040: {
    romVersion: 2,
    strings: { manufacturer: 'Raspberry Pi', product: 'RP2 Boot', serial: 'E0C91200A4A1' },
  },
  RP2350: {
    romVersion: 2,
    strings: { manufacturer: 'Raspberry Pi', product: 'RP2350 Boot', serial: '5A1C0FFEE0D15EA5' },
  },
}

const board = ({ name, chip, kib, program, isRunning, isClosed }: Board): TwinVariant => ({
  name,
  dials: isClosed ? [] : ['stuckBit', 'flickerBit'],
  make(dials: Dials = {}) {
    const content = blank(kib * 1024)
    content.set(practiceProgram({ chip, ...program }))
    const sectors = Array.from({ length: content.length / sectorBytes }, (_, i) => ({
      address: flashAddress + i * sectorBytes,
      length: sectorBytes,
    }))
    const flash = new TwinFlash(sectors, times, content, dials)
    const loader: BootselTwin = new BootselTwin({
      chip,
      flash,
      ...roms[chip],
      runs: () => running.powersUpAs(),
    })
    const running: ProgramTwin = new ProgramTwin({
      chip,
      flash,
      serial: serialOf(chip),
      loader: () => loader,
    })
    if (isClosed) return { twin: running, memory: () => new Uint8Array() }
    return {
      twin: isRunning ? running : loader,
      patient: loader,
      memory: (id) => (id === 'flash' ? flash.bytes : new Uint8Array()),
      byItself: () => running.powersUpAs(),
    }
  },
})

const small = { plays: Play.stdio, version: 0x0100, length: 20_000 } as const
const probe = { plays: Play.probe, version: 0x0223, length: 60_000 } as const

export default {
  rp2040: board({
    name: 'RP2040 with 256 KiB of flash, BOOTSEL held',
    ...{ chip: 'RP2040', kib: 256, program: small },
  }),
  pico: board({
    name: 'Raspberry Pi Pico with debugprobe, BOOTSEL held',
    ...{ chip: 'RP2040', kib: 2048, program: probe },
  }),
  'pico-running': board({
    name: 'Raspberry Pi Pico running a program of the SDK',
    ...{ chip: 'RP2040', kib: 256, program: small, isRunning: true },
  }),
  rp2350: board({
    name: 'RP2350 with 256 KiB of flash, BOOTSEL held',
    ...{ chip: 'RP2350', kib: 256, program: { ...small, plays: Play.stdio2350 } },
  }),
  debugprobe: board({
    name: 'Debug Probe in use',
    ...{ chip: 'RP2040', kib: 64, program: { ...probe, version: 0x0231 }, isClosed: true },
  }),
} satisfies TwinShelf
