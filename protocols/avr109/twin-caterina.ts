/**
 * Caterina as a serial twin, command by command: of each packet one command is read and the rest dropped, operands may come
 * in packets that follow. It starts the sketch 8 s after its start or the last block command, if there is one; `E` leaves
 * half a second. Source: ArduinoCore-avr, `Caterina.c` and the published image behind a kernel (it stalls
 * SET_CONTROL_LINE_STATE).
 */
import type { Comeback, SerialTwin, SerialWire } from '#bench/twin.ts'
import type { TwinAvr } from '#bench/twin-avr.ts'
import { usbBaud } from '#bench/twin-line.ts'
import { loaderText } from './firmware.ts'
import { Command, MemType, Reply } from './packets.ts'

const packetBytes = 16
/** Of full-speed USB: an answer is fetched in another one than its question came in. */
const frameMs = 1
const windowMs = 8000
const exitMs = 500
const escape = 0x1b
const letter = (text: string): number => text.charCodeAt(0)
const ascii = (text: string): number[] => Array.from(text, letter)
const spmMs = 4
const eepromByteMs = 3.4

export interface CaterinaOptions {
  readonly usb: NonNullable<SerialTwin['usb']>
  readonly chip: TwinAvr
  /** First address of its section, which lock bits keep. */
  readonly bootStart: number
  /** A flash bit (`address * 8 + bit`) that flips on every second read. */
  readonly flickerBit?: number | undefined
  /** It starts the sketch. */
  readonly leave: () => void
}

/** Thrown where a byte is waited for that never comes: it lost its power. */
class PowerLost extends Error {}

export class Caterina implements SerialTwin {
  readonly link = 'serial'
  readonly bridge = 'native'
  readonly refusesSignals = true
  readonly usb: CaterinaOptions['usb']
  readonly #options: CaterinaOptions
  #wire: SerialWire | undefined
  #packets: Uint8Array[] = []
  /** Of the packet at hand. */
  #packet: Uint8Array = new Uint8Array()
  #at = 0
  #wake: (() => void) | undefined
  #address = 0
  #flickers = 0
  /** Milliseconds until it starts the sketch, counted from `#countsFrom` while there is one. */
  #left = windowMs
  #countsFrom = 0
  #stopCounting: (() => void) | undefined

  constructor(options: CaterinaOptions) {
    this.usb = options.usb
    this.#options = options
  }

  plugged(wire: SerialWire): void {
    this.#wire = wire
    this.#options.chip.power(wire.clock)
    this.#packets = []
    this.#packet = new Uint8Array()
    this.#at = this.#address = 0
    this.#left = windowMs
    this.#count()
    void this.#run(wire)
  }

  unplugged(): void {
    this.#halt()
    this.#wire = undefined
    this.#options.chip.losePower()
    this.#wake?.()
  }

  receive(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length; at += packetBytes)
      this.#packets.push(bytes.slice(at, at + packetBytes))
    this.#wake?.()
  }

  /** It goes, if it is there; undefined: for good. */
  comesBack(next: Comeback<SerialTwin> | undefined): void {
    this.#wire?.detach(next)
  }

  /** Nobody tells it: it stalls them. */
  signals(): void {}

  // ---- its clock --------------------------------------------------------------------------------

  #count(): void {
    this.#halt()
    const { chip, leave } = this.#options
    const clock = this.#wire?.clock
    const hasSketch = chip.flash[0] !== 0xff || chip.flash[1] !== 0xff
    if (!clock || !hasSketch) return
    this.#countsFrom = clock.now()
    this.#stopCounting = clock.after(this.#left, leave)
  }

  #halt(): void {
    if (!this.#stopCounting) return
    this.#stopCounting()
    this.#stopCounting = undefined
    this.#left -= (this.#wire?.clock.now() ?? 0) - this.#countsFrom
  }

  // ---- its program ------------------------------------------------------------------------------

  async #run(wire: SerialWire): Promise<void> {
    try {
      for (;;) {
        this.#packet = new Uint8Array()
        this.#at = 0
        const command = await this.#fetch(wire)
        this.#halt() // it looks at its clock between commands only
        await this.#works(frameMs, wire)
        await this.#execute(command, wire)
        this.#count()
      }
    } catch (error) {
      if (!(error instanceof PowerLost)) throw error
    }
  }

  async #fetch(wire: SerialWire): Promise<number> {
    while (this.#at >= this.#packet.length) {
      if (this.#wire !== wire) throw new PowerLost()
      const next = this.#packets.shift()
      if (next) {
        this.#packet = next
        this.#at = 0
      } else await new Promise<void>((resolve) => (this.#wake = resolve))
    }
    return this.#packet[this.#at++] ?? 0
  }

  async #works(ms: number, wire: SerialWire): Promise<void> {
    await wire.clock.sleep(ms)
    if (this.#wire !== wire) throw new PowerLost()
  }

  async #execute(command: number, wire: SerialWire): Promise<void> {
    const { chip } = this.#options
    const send = (...bytes: number[]) => {
      wire.send(Uint8Array.from(bytes), usbBaud)
    }
    const fetch = () => this.#fetch(wire)
    const [third = 0, second = 0, first = 0] = [...chip.signature].reverse()
    switch (command) {
      case Command.SoftwareId:
        return send(...ascii(loaderText))
      case Command.SoftwareVersion:
        return send(...ascii('10'))
      case letter('p'):
        return send(letter('S'))
      case letter('a'):
        return send(Reply.Yes)
      case Command.BlockSupport:
        return send(Reply.Yes, chip.part.flash.pageBytes >> 8, chip.part.flash.pageBytes & 0xff)
      case letter('t'):
        return send(0x44, 0)
      case letter('T'):
        await fetch()
        return send(Reply.Ok)
      case letter('P'):
      case letter('L'):
        return send(Reply.Ok)
      case Command.Signature:
        return send(third, second, first)
      case Command.LockBits:
        return send(chip.lock[0] ?? 0)
      case Command.LowFuse:
        return send(chip.fuses[0] ?? 0)
      case Command.HighFuse:
        return send(chip.fuses[1] ?? 0)
      case Command.ExtendedFuse:
        return send(chip.fuses[2] ?? 0)
      case letter('l'):
        chip.lock[0] = (chip.lock[0] ?? 0) & (await fetch())
        return send(Reply.Ok)
      case Command.SetAddress:
        this.#address = ((await fetch()) << 9) | ((await fetch()) << 1)
        return send(Reply.Ok)
      case Command.ReadBlock:
      case Command.WriteBlock:
        return this.#block(command, wire)
      case letter('e'):
        await this.#eraseAll(wire)
        return send(Reply.Ok)
      case Command.Exit:
        this.#left = exitMs
        return send(Reply.Ok)
      case escape:
        return
      default:
        return send(Reply.Unknown)
    }
  }

  async #block(command: number, wire: SerialWire): Promise<void> {
    this.#left = windowMs
    const length = ((await this.#fetch(wire)) << 8) | (await this.#fetch(wire))
    const memory = await this.#fetch(wire)
    if (memory !== MemType.Flash && memory !== MemType.Eeprom)
      return wire.send(Uint8Array.of(Reply.Unknown), usbBaud)
    if (command === Command.ReadBlock) return wire.send(this.#read(memory, length), usbBaud)
    await (memory === MemType.Flash ? this.#writePage(length, wire) : this.#writeEeprom(length, wire))
    wire.send(Uint8Array.of(Reply.Ok), usbBaud)
  }

  #read(memory: MemType, length: number): Uint8Array {
    const { chip, flickerBit = -1 } = this.#options
    const [source, start] =
      memory === MemType.Flash ? [chip.flash, this.#address] : [chip.eeprom, this.#address >> 1]
    const bytes = Uint8Array.from({ length }, (_, i) => source[(start + i) % source.length] ?? 0xff)
    this.#address += memory === MemType.Flash ? length & ~1 : length * 2
    const where = (flickerBit >> 3) - start
    if (memory === MemType.Flash && where >= 0 && where < length && this.#flickers++ % 2 === 1)
      bytes[where] = (bytes[where] ?? 0) ^ (1 << (flickerBit & 7))
    return bytes
  }

  /** Erased before its bytes come. */
  async #writePage(length: number, wire: SerialWire): Promise<void> {
    const { chip, bootStart } = this.#options
    const { pageBytes } = chip.part.flash
    const start = this.#address
    const isOurs = start < bootStart
    if (isOurs) chip.erasePage(start, spmMs)
    await this.#works(spmMs, wire)
    const page = new Map<number, number>()
    for (let i = 0; i < length; i++) {
      const byte = await this.#fetch(wire)
      const offset = (start + i) % pageBytes
      if (!page.has(offset)) page.set(offset, byte) // the buffer takes each word once
    }
    this.#address += length & ~1
    if (isOurs)
      chip.writePage(
        start,
        Uint8Array.from({ length: pageBytes }, (_, i) => page.get(i) ?? 0xff),
        spmMs,
      )
    await this.#works(spmMs, wire)
  }

  async #writeEeprom(length: number, wire: SerialWire): Promise<void> {
    const { chip } = this.#options
    for (let i = 0; i < length; i++) {
      const byte = await this.#fetch(wire)
      chip.writeEeprom(this.#address >> 1, Uint8Array.of(byte), eepromByteMs)
      this.#address += 2
      await this.#works(eepromByteMs, wire)
    }
  }

  async #eraseAll(wire: SerialWire): Promise<void> {
    const { chip, bootStart } = this.#options
    for (let at = 0; at < bootStart; at += chip.part.flash.pageBytes) {
      chip.erasePage(at, 2 * spmMs)
      await this.#works(2 * spmMs, wire)
    }
  }
}
