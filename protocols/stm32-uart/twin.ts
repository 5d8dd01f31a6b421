/**
 * The shelf of STM32 in the boot loader of their ROM, each behind another bridge. Sources: ST, AN2606 (ids, versions,
 * commands); data sheets of STM32F030, F103 and F410 ("Flash memory characteristics", typical values).
 */
import { practiceProgram } from '#chips/cortex-m-program.ts'
import { findStm32Part, flashStart, sectorsOf } from '#chips/stm32-parts.ts'
import { blank } from '#core/bytes.ts'
import { FlashError } from '#core/errors.ts'
import { TwinFlash, type FlashTimes } from '#bench/twin-flash.ts'
import type { Dials, TwinShelf, TwinVariant } from '#bench/twin.ts'
import { Command } from './packets.ts'
import { RomTwin, type RomOptions } from './twin-rom.ts'

interface Chip extends Pick<RomOptions, 'usb' | 'bridge' | 'id' | 'version' | 'erase' | 'saysBusyEachMs'> {
  readonly name: string
  readonly kib: number
  readonly ramKib: number
  readonly times: FlashTimes
}

/** Each byte is followed by its complement: no protection, everything else as delivered. */
const optionBytes = (): Uint8Array =>
  Uint8Array.from([0xaa, ...Array<number>(7).fill(0xff)].flatMap((byte) => [byte, ~byte]))

export const stm32 = ({ name, kib, ramKib, times, ...options }: Chip): TwinVariant => ({
  name,
  dials: ['locked', 'stuckBit', 'flickerBit'],
  make({ locked = false, ...dials }: Dials = {}) {
    const part = findStm32Part(options.id)
    const { sizeAt, options: where } = part ?? {}
    if (!part || !where || sizeAt === undefined)
      throw new FlashError('bug', { during: `taking an STM32 ${String(options.id)}` })
    const program = practiceProgram(flashStart, Math.min(20_000, (kib * 1024) / 3))
    const content = blank(kib * 1024)
    content.set(program)
    const flash = new TwinFlash(sectorsOf(part, kib), times, content, dials)
    const optionsNow = optionBytes()
    const sizeBlock = blank(256)
    sizeBlock.set([kib & 0xff, kib >> 8], sizeAt & 0xff)
    const twin = new RomTwin({
      ...options,
      flash,
      ram: { address: 0x2000_0000, length: ramKib * 1024 },
      others: [
        { address: where.address, bytes: optionsNow },
        { address: sizeAt & ~0xff, bytes: sizeBlock },
      ],
      optionsAt: where.address,
      isProtected: locked,
    })
    const memory = (id: string) =>
      id === 'flash' ? flash.bytes : id === 'options' ? optionsNow : new Uint8Array()
    return { twin, patient: twin, memory }
  },
})

export default {
  stm32f030: stm32({
    name: 'STM32F030x4 in its ROM boot loader, behind a CP2102',
    usb: { vendorId: 0x10c4, productId: 0xea60 },
    bridge: 'cp210x',
    ...{ id: 0x444, version: 0x10, erase: Command.ExtendedErase, kib: 16, ramKib: 4 },
    times: { eraseMs: () => 30, programMsPerKib: 27.4 },
  }),
  stm32f103: stm32({
    name: 'STM32F103x8 in its ROM boot loader, behind a CH340',
    usb: { vendorId: 0x1a86, productId: 0x7523 },
    bridge: 'ch340',
    ...{ id: 0x410, version: 0x22, erase: Command.Erase, kib: 64, ramKib: 20 },
    times: { eraseMs: () => 20, programMsPerKib: 27 },
  }),
  stm32f410: stm32({
    name: 'STM32F410xB in its ROM boot loader, behind an FT232R',
    usb: { vendorId: 0x0403, productId: 0x6001 },
    bridge: 'ftdi',
    ...{ id: 0x458, version: 0x31, erase: Command.ExtendedErase, kib: 128, ramKib: 32 },
    times: { eraseMs: (bytes) => (bytes > 16_384 ? 550 : 250), programMsPerKib: 4.1 },
  }),
} satisfies TwinShelf
