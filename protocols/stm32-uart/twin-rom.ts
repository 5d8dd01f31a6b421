/**
 * An STM32 behind a USB-serial bridge, its boot pins set: the boot loader in its ROM from reset on, byte by byte. Its
 * receiver holds one byte while it does something else. Protection and writes of option bytes reset the chip, and after
 * Go the program runs, which says nothing. Sources: ST, AN3155 and AN2606.
 */
import { blank } from '#core/bytes.ts'
import type { Parity, Range } from '#core/programmer.ts'
import type { TwinFlash } from '#bench/twin-flash.ts'
import type { SerialTwin, SerialWire, TwinPatient } from '#bench/twin.ts'
import { allPages, autobaud, Command, Reply, xor } from './packets.ts'
import { Misread, Processor, Reset } from './twin-processor.ts'

export interface RomOptions {
  readonly usb: NonNullable<SerialTwin['usb']>
  readonly bridge: SerialTwin['bridge']
  readonly id: number
  /** Of the boot loader, as Get says it: 0x31 is 3.1. */
  readonly version: number
  readonly erase: typeof Command.Erase | typeof Command.ExtendedErase
  readonly flash: TwinFlash
  readonly ram: Range
  /** What else can be read: option bytes, the word with the size of the flash. */
  readonly others: readonly { readonly address: number; readonly bytes: Uint8Array }[]
  readonly optionsAt: number
  readonly isProtected?: boolean
  /** It says so again and again while it erases, in ms; absent: it is silent. */
  readonly saysBusyEachMs?: number
}

/** From reset to the first byte. */
const startUpMs = 5
/** Of the option bytes. */
const optionsMs = 30

/** What is said at the end of a command. */
type Ending = 'yes' | 'no' | 'nothing'

export class RomTwin implements SerialTwin, TwinPatient {
  readonly link = 'serial'
  readonly usb: RomOptions['usb']
  readonly bridge: RomOptions['bridge']
  readonly flash: TwinFlash
  readonly #options: RomOptions
  #isProtected: boolean
  #wire: SerialWire | undefined
  #processor: Processor | undefined

  constructor(options: RomOptions) {
    this.usb = options.usb
    this.bridge = options.bridge
    this.flash = options.flash
    this.#options = options
    this.#isProtected = options.isProtected ?? false
  }

  plugged(wire: SerialWire): void {
    this.#wire = wire
    this.pressReset()
  }

  unplugged(): void {
    this.brownOut()
    this.#processor?.stop()
    this.#wire = this.#processor = undefined
  }

  set onWork(listener: (ms: number) => void) {
    this.flash.onWork = listener
  }

  brownOut(): void {
    if (!this.#wire) return
    this.flash.losePower(this.#wire.clock.now())
    this.pressReset()
  }

  /** Its boot pins stay as they are. */
  pressReset(): void {
    this.#processor?.stop()
    if (!this.#wire) return
    const processor = new Processor(this.#wire)
    this.#processor = processor
    void this.#run(processor)
  }

  receive(bytes: Uint8Array, baud: number, parity: Parity = 'none'): void {
    for (const byte of bytes) this.#processor?.arrive(byte, baud, parity)
  }

  /** Nothing is wired to DTR and RTS. */
  signals(): void {
    return
  }

  async #run(processor: Processor): Promise<void> {
    try {
      await processor.work(startUpMs)
      await this.#measureSpeed(processor)
      for (;;) await this.#command(processor).catch(refusing(processor))
    } catch (error) {
      if (processor.isStopped) return
      if (!(error instanceof Reset)) throw error
      this.pressReset()
    }
  }

  /** By the first byte, which ought to be 7F: after another one it is set to a speed that nobody speaks. */
  async #measureSpeed(processor: Processor): Promise<void> {
    const { byte, baud } = await processor.first()
    processor.baud = byte === autobaud ? baud : baud * 1.3
    await processor.send(byte === autobaud ? Reply.Ack : Reply.Nack)
  }

  async #command(processor: Processor): Promise<void> {
    const code = await processor.next()
    const complement = await processor.next()
    const isFree = this.#always.includes(code) || !this.#isProtected
    const work = this.#commands[code]
    if (complement !== (code ^ 0xff) || !work || !isFree) return processor.send(Reply.Nack)
    await processor.send(Reply.Ack)
    const ending = await work(processor)
    if (ending !== 'nothing') await processor.send(ending === 'yes' ? Reply.Ack : Reply.Nack)
  }

  readonly #always: readonly number[] = [
    ...[Command.Get, Command.GetVersion, Command.GetId, Command.ReadoutUnprotect],
  ]

  /** What each does between its acknowledgement and the last one. */
  get #commands(): Readonly<Record<number, (processor: Processor) => Promise<Ending>>> {
    const { version, id, erase } = this.#options
    const answering =
      (...bytes: readonly number[]) =>
      async (processor: Processor): Promise<Ending> => {
        await processor.send(...bytes)
        return 'yes'
      }
    const offered = [
      ...[
        Command.Get,
        Command.GetVersion,
        Command.GetId,
        Command.ReadMemory,
        Command.Go,
        Command.WriteMemory,
      ],
      ...[
        erase,
        Command.WriteProtect,
        Command.WriteUnprotect,
        Command.ReadoutProtect,
        Command.ReadoutUnprotect,
      ],
    ]
    const protect = (isProtected: boolean) => async (processor: Processor) => {
      if (!isProtected) await this.#work(processor, this.flash.eraseAll(processor.clock))
      await processor.work(optionsMs)
      this.#isProtected = isProtected
      return this.#resetAfter(processor)
    }
    return {
      [Command.Get]: answering(offered.length, version, ...offered),
      [Command.GetVersion]: answering(version, 0, 0),
      [Command.GetId]: answering(1, id >> 8, id & 0xff),
      [Command.ReadMemory]: (processor) => this.#read(processor),
      [Command.Go]: (processor) => this.#go(processor),
      [Command.WriteMemory]: (processor) => this.#write(processor),
      [erase]: (processor) => this.#erase(processor, erase === Command.ExtendedErase),
      [Command.WriteProtect]: async (processor) => {
        const count = (await processor.next()) + 1
        const sectors = await processor.take(count)
        if ((await processor.next()) !== xor([count - 1, ...sectors])) return 'no'
        await processor.work(optionsMs)
        return this.#resetAfter(processor)
      },
      [Command.WriteUnprotect]: async (processor) => {
        await processor.work(optionsMs)
        return this.#resetAfter(processor)
      },
      [Command.ReadoutProtect]: protect(true),
      [Command.ReadoutUnprotect]: protect(false),
    }
  }

  async #resetAfter(processor: Processor): Promise<never> {
    await processor.send(Reply.Ack)
    throw new Reset()
  }

  async #read(processor: Processor): Promise<Ending> {
    const address = await this.#address(processor)
    if (address === undefined || !this.#holds(address, 1)) return 'no'
    await processor.send(Reply.Ack)
    const last = await processor.next()
    if ((await processor.next()) !== (last ^ 0xff)) return 'no'
    const bytes = this.#bytesAt(address, last + 1)
    if (!bytes) return 'no'
    await processor.send(Reply.Ack, ...bytes)
    return 'nothing'
  }

  async #go(processor: Processor): Promise<Ending> {
    const address = await this.#address(processor)
    if (address === undefined || !this.#holds(address, 8)) return 'no'
    await processor.send(Reply.Ack)
    return processor.forever() // the program, which says nothing
  }

  async #write(processor: Processor): Promise<Ending> {
    const address = await this.#address(processor)
    if (address === undefined || !this.#holds(address, 1)) return 'no'
    await processor.send(Reply.Ack)
    const last = await processor.next()
    const bytes = await processor.take(last + 1)
    if ((await processor.next()) !== xor([last, ...bytes]) || !this.#holds(address, bytes.length)) return 'no'
    if (this.flash.holds(address, bytes.length))
      await this.#work(processor, this.flash.program(address, Uint8Array.from(bytes), processor.clock))
    else if (address === this.#options.optionsAt) {
      this.#other(address, bytes.length)?.set(bytes)
      await processor.work(optionsMs)
      return this.#resetAfter(processor)
    }
    return 'yes'
  }

  /** Nothing is erased unless all of it can be. */
  async #erase(processor: Processor, isExtended: boolean): Promise<Ending> {
    const number = async () =>
      isExtended ? ((await processor.next()) << 8) | (await processor.next()) : processor.next()
    const digits = (value: number) => (isExtended ? [value >> 8, value & 0xff] : [value])
    const { sectors } = this.flash
    const last = await number()
    const isSpecial = last === allPages.short ? !isExtended : last >= 0xfff0
    if (isSpecial) {
      if ((await processor.next()) !== xor(digits(last))) return 'no'
      if (last !== (isExtended ? allPages.extended : allPages.short)) return 'no'
      await this.#work(processor, this.flash.eraseAll(processor.clock))
      return 'yes'
    }
    const numbers: number[] = []
    for (let i = 0; i <= last; i++) numbers.push(await number())
    if ((await processor.next()) !== xor([last, ...numbers].flatMap(digits))) return 'no'
    if (numbers.some((one) => one >= sectors.length)) return 'no'
    for (const one of numbers)
      await this.#work(processor, this.flash.erase(sectors[one]?.address ?? 0, processor.clock))
    return 'yes'
  }

  async #work(processor: Processor, ms: number): Promise<void> {
    const each = this.#options.saysBusyEachMs
    for (let left = ms; left > 0; left -= each ?? ms) {
      await processor.work(Math.min(left, each ?? ms))
      if (each !== undefined) await processor.send(Reply.Busy)
    }
  }

  async #address(processor: Processor): Promise<number | undefined> {
    const bytes = await processor.take(4)
    if ((await processor.next()) !== xor(bytes)) return undefined
    return new DataView(Uint8Array.from(bytes).buffer).getUint32(0)
  }

  #holds(address: number, length: number): boolean {
    const { ram } = this.#options
    const isRam = address >= ram.address && address + length <= ram.address + ram.length
    return isRam || this.flash.holds(address, length) || this.#other(address, length) !== undefined
  }

  /** RAM is not looked after. */
  #bytesAt(address: number, length: number): Uint8Array | undefined {
    if (!this.#holds(address, length)) return undefined
    if (this.flash.holds(address, length)) return this.flash.read(address, length)
    return this.#other(address, length) ?? blank(length)
  }

  /** Not a copy. */
  #other(address: number, length: number): Uint8Array | undefined {
    const other = this.#options.others.find(
      (one) => address >= one.address && address + length <= one.address + one.bytes.length,
    )
    return other?.bytes.subarray(address - other.address, address - other.address + length)
  }
}

const refusing = (processor: Processor) => (error: unknown) => {
  if (!(error instanceof Misread)) throw error
  return processor.send(Reply.Nack)
}
