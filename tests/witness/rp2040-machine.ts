/**
 * An RP2040 with its own boot ROM, emulated by rp2040js, at the end of a USB cable: what the ROM needs beside the emulator's
 * chip is added here (a flash chip behind the SSI, the chip select that the ROM drives by hand, both halves of double
 * buffers). Neither the emulator nor the ROM is part of this project: `npm install --no-save rp2040js@1.4.1`, and
 * `demo/bootrom.ts` of wokwi/rp2040js. Sources: RP2040 datasheet, 2.19, 4.1, 4.10; data sheet of W25Q16JV.
 */

// ---- what is used of the emulator ----------------------------------------------------------------------

interface Peripheral {
  readUint32(offset: number): number
  writeUint32(offset: number, value: number): void
  writeUint32Atomic(offset: number, value: number, type: number): void
}

interface Mcu {
  readonly core: { readonly waiting: boolean; executeInstruction(): number }
  readonly peripherals: Record<number, Peripheral>
  readonly usbDPRAM: Uint8Array
  readonly usbDPRAMView: DataView
  readonly usbCtrl: {
    buffStatus: number
    buffStatusUpdated(): void
    onUSBEnabled: () => void
    onResetReceived: () => void
    DPRAMUpdated: () => void
    readUint32(offset: number): number
    resetDevice(): void
    sendSetupPacket(packet: Uint8Array): void
  }
  logger: unknown
  loadBootrom(rom: Uint32Array): void
}

interface Simulator {
  readonly rp2040: Mcu
  readonly clock: { readonly nanosToNextAlarm: number; readonly nanos: number; tick(nanos: number): void }
}

interface Emulator {
  readonly Simulator: new () => Simulator
}

/** Installed, or where `RP2040JS` says. @throws when it is not there */
export async function loadEmulator(): Promise<Emulator> {
  const name = process.env['RP2040JS'] ?? 'rp2040js'
  return (await import(/* @vite-ignore */ name)) as Emulator
}

// ---- the machine ------------------------------------------------------------------------------------

/** By register, with the chip's aliases that set, clear and toggle bits. */
class Registers implements Peripheral {
  readonly #read: (offset: number) => number
  readonly #write: (offset: number, value: number) => void

  constructor(
    read: (offset: number) => number,
    write: (offset: number, value: number) => void = () => undefined,
  ) {
    this.#read = read
    this.#write = write
  }
  readUint32(offset: number): number {
    return this.#read(offset) >>> 0
  }
  writeUint32(offset: number, value: number): void {
    this.#write(offset, value >>> 0)
  }
  writeUint32Atomic(offset: number, value: number, type: number): void {
    const old = type === 0 ? 0 : this.#read(offset)
    this.writeUint32(offset, [value, old ^ value, old | value, old & ~value][type] ?? value)
  }
}

/** A NOR flash on SPI: it does not look at higher address bits. */
export class SpiFlash {
  readonly bytes: Uint8Array
  #command: number[] = []
  #mayWrite = false

  constructor(length: number) {
    this.bytes = new Uint8Array(length).fill(0xff)
  }

  /** `selected` false: what was said is done now. */
  select(selected: boolean): void {
    const [command] = this.#command
    if (!selected && command === 0x06) this.#mayWrite = true
    if (!selected && this.#mayWrite && (command === 0x20 || command === 0x02)) {
      this.#mayWrite = false
      const at = this.#address
      if (command === 0x20) this.bytes.fill(0xff, at - (at % 4096), at - (at % 4096) + 4096)
      else
        for (const [i, byte] of this.#command.slice(4).entries()) {
          const to = at - (at % 256) + ((at + i) % 256)
          this.bytes[to] = (this.bytes[to] ?? 0) & byte
        }
    }
    this.#command = []
  }

  exchange(byte: number): number {
    const position = this.#command.push(byte) - 1
    const [command] = this.#command
    if (command === 0x05 && position > 0) return this.#mayWrite ? 2 : 0
    if (command === 0x03 && position > 3)
      return this.bytes[(this.#address + position - 4) % this.bytes.length] ?? 0
    return 0xff
  }

  get #address(): number {
    const [, high = 0, middle = 0, low = 0] = this.#command
    return ((high << 16) | (middle << 8) | low) % this.bytes.length
  }
}

/** Where the chip has what is changed, as the emulator numbers its parts. */
const Part = { Ssi: 0x18000, XipControl: 0x14000, IoQspi: 0x40018, ChipReset: 0x40064 } as const
const Ssi = { RxLevel: 0x24, Status: 0x28, Data: 0x60, DataEnd: 0xf0 } as const
const ssiReady = 6
const ssiReceived = 8
const xipStatus = 8
const chipSelectControl = 0x0c
const bufferHandled = 0x5c
const packetBytes = 64
const cycleNanos = 8
/** Of half a buffer's control word. */
const Half = { Available: 1 << 10, Stall: 1 << 11, Select: 1 << 12, Full: 1 << 15, Length: 0x3ff } as const
const doubled = 0x4000_0000
const someInstructions = 50
/** A command that takes longer is not going to end. */
const patience = 4_000_000

export type Answer = Uint8Array | 'stall' | 'nak'

interface Ready {
  readonly half: 0 | 1
  readonly bits: number
}

export class Rp2040Machine {
  readonly flash: SpiFlash
  readonly #simulator: Simulator
  /** By endpoint and direction: the half that is next. */
  readonly #next = new Map<number, 0 | 1>()
  #handled = 0

  constructor(emulator: Emulator, rom: Uint32Array, flashBytes: number) {
    this.flash = new SpiFlash(flashBytes)
    this.#simulator = new emulator.Simulator()
    const { rp2040 } = this.#simulator
    const silent = () => undefined
    rp2040.logger = { debug: silent, info: silent, warn: silent, error: silent }
    rp2040.loadBootrom(rom)
    this.#addFlash(rp2040)
    this.#start(rp2040)
  }

  #addFlash({ peripherals }: Mcu): void {
    const pins = new Map<number, number>()
    const received: number[] = []
    let selected = false
    peripherals[Part.ChipReset] = new Registers(() => 0)
    peripherals[Part.XipControl] = new Registers((offset) => (offset === xipStatus ? 3 : 0))
    peripherals[Part.IoQspi] = new Registers(
      (offset) => pins.get(offset) ?? 0,
      (offset, value) => {
        pins.set(offset, value)
        const drive = (value >> 8) & 3 // OUTOVER: 2 is low, 3 is high
        if (offset !== chipSelectControl || drive === 0 || selected === (drive === 2)) return
        selected = drive === 2
        this.flash.select(selected)
      },
    )
    const isData = (offset: number) => offset >= Ssi.Data && offset < Ssi.DataEnd
    peripherals[Part.Ssi] = new Registers(
      (offset) =>
        isData(offset)
          ? (received.shift() ?? 0)
          : offset === Ssi.Status
            ? ssiReady | (received.length > 0 ? ssiReceived : 0)
            : offset === Ssi.RxLevel
              ? received.length
              : 0,
      (offset, value) => {
        if (isData(offset)) received.push(selected ? this.flash.exchange(value & 0xff) : 0xff)
      },
    )
  }

  #start({ usbCtrl }: Mcu): void {
    let isEnabled = false
    let wasReset = false
    const read = usbCtrl.readUint32.bind(usbCtrl)
    usbCtrl.DPRAMUpdated = () => undefined
    usbCtrl.readUint32 = (offset) => (offset === bufferHandled ? this.#handled >>> 0 : read(offset))
    usbCtrl.onUSBEnabled = () => (isEnabled = true)
    usbCtrl.onResetReceived = () => {
      wasReset = true
      this.#next.clear()
    }
    this.#until(() => isEnabled)
    this.#run(20_000)
    usbCtrl.resetDevice()
    this.#until(() => wasReset)
    this.#run(20_000)
    this.control(0x00, 5, 1, 0, 0) // SET_ADDRESS
    this.control(0x00, 9, 1, 0, 0) // SET_CONFIGURATION
  }

  #run(instructions: number): void {
    const { rp2040, clock } = this.#simulator
    for (let i = 0; i < instructions; i++)
      if (!rp2040.core.waiting) clock.tick(rp2040.core.executeInstruction() * cycleNanos)
      else clock.tick(Math.max(1000, Math.min(clock.nanosToNextAlarm, 100_000)))
  }

  #until(isSo: () => boolean): void {
    for (let i = 0; i < patience * 10 && !isSo(); i += someInstructions) this.#run(someInstructions)
    if (!isSo()) throw new Error('the ROM does not get that far')
  }

  // ---- transfers --------------------------------------------------------------------------------

  /** Answers OUT with nothing. */
  control(type: number, request: number, value: number, index: number, length: number): Answer {
    const low = (word: number) => word & 0xff
    const setup = [type, request, low(value), value >> 8, low(index), index >> 8, low(length), length >> 8]
    this.#simulator.rp2040.usbCtrl.sendSetupPacket(Uint8Array.from(setup))
    this.#run(3000)
    if ((type & 0x80) === 0) return this.#inPacket(0)
    const answer = this.bulkIn(0, length)
    if (answer instanceof Uint8Array) this.#outPacket(0, new Uint8Array())
    return answer
  }

  bulkIn(endpoint: number, length: number): Answer {
    const bytes: number[] = []
    for (;;) {
      const packet = this.#inPacket(endpoint)
      if (!(packet instanceof Uint8Array)) return packet
      bytes.push(...packet)
      if (packet.length < packetBytes || bytes.length >= length) return Uint8Array.from(bytes)
    }
  }

  /** Answers with nothing. */
  bulkOut(endpoint: number, bytes: Uint8Array): Answer {
    let at = 0
    do {
      const answer = this.#outPacket(endpoint, bytes.subarray(at, at + packetBytes))
      if (!(answer instanceof Uint8Array)) return answer
      at += packetBytes
    } while (at < bytes.length)
    return new Uint8Array()
  }

  #inPacket(endpoint: number): Answer {
    const ready = this.#wait(endpoint, 0)
    if (typeof ready === 'string') return ready
    const at = this.#bufferOf(endpoint, 0) + ready.half * packetBytes
    const bytes = this.#simulator.rp2040.usbDPRAM.slice(at, at + (ready.bits & Half.Length))
    this.#done(endpoint, 0, ready.half, ready.bits & ~(Half.Available | Half.Full))
    return bytes
  }

  #outPacket(endpoint: number, bytes: Uint8Array): Answer {
    const ready = this.#wait(endpoint, 1)
    if (typeof ready === 'string') return ready
    this.#simulator.rp2040.usbDPRAM.set(bytes, this.#bufferOf(endpoint, 1) + ready.half * packetBytes)
    const bits = (ready.bits & ~(Half.Length | Half.Available)) | bytes.length | Half.Full
    this.#done(endpoint, 1, ready.half, bits)
    return new Uint8Array()
  }

  #wait(endpoint: number, out: 0 | 1): Ready | 'stall' | 'nak' {
    for (let i = 0; i < patience; i += someInstructions) {
      const found = this.#look(endpoint, out)
      if (found !== 'nak') return found
      this.#run(someInstructions)
    }
    return 'nak'
  }

  /** What the controller would find for a packet now. */
  #look(endpoint: number, out: 0 | 1): Ready | 'stall' | 'nak' {
    const { usbDPRAMView: memory, usbCtrl } = this.#simulator.rp2040
    const number = endpoint * 2 + out
    if (usbCtrl.buffStatus & (1 << number)) return 'nak' // it has not looked at the last one yet
    const word = memory.getUint32(controlOf(number), true)
    if (word & Half.Select) {
      this.#next.set(number, 0)
      memory.setUint32(controlOf(number), word & ~Half.Select, true)
    }
    const half = this.#next.get(number) ?? 0
    const bits = (word >>> (half * 16)) & 0xffff & ~Half.Select
    if (bits & Half.Available) return { half, bits }
    return (word | bits) & Half.Stall ? 'stall' : 'nak'
  }

  #done(endpoint: number, out: 0 | 1, half: 0 | 1, bits: number): void {
    const { usbDPRAMView: memory, usbCtrl } = this.#simulator.rp2040
    const number = endpoint * 2 + out
    const word = memory.getUint32(controlOf(number), true)
    memory.setUint32(
      controlOf(number),
      (word & ~(0xffff << (half * 16))) | ((bits & 0xffff) << (half * 16)),
      true,
    )
    this.#handled = half === 1 ? this.#handled | (1 << number) : this.#handled & ~(1 << number)
    if (endpoint > 0 && memory.getUint32(number * 4, true) & doubled)
      this.#next.set(number, half === 1 ? 0 : 1)
    usbCtrl.buffStatus |= 1 << number
    usbCtrl.buffStatusUpdated()
    this.#run(300)
  }

  #bufferOf(endpoint: number, out: 0 | 1): number {
    if (endpoint === 0) return 0x100
    return this.#simulator.rp2040.usbDPRAMView.getUint32((endpoint * 2 + out) * 4, true) & 0xffc0
  }
}

/** Of an endpoint's buffer. */
const controlOf = (number: number): number => 0x80 + number * 4

/** The words of `bootrom.ts`, whatever is around them. @throws when they are not as many as the ROM has */
export function romIn(text: string): Uint32Array {
  const words = [...text.slice(text.indexOf('[')).matchAll(/0x[0-9a-f]+/gi)].map(([word]) =>
    parseInt(word, 16),
  )
  if (words.length !== 4096)
    throw new Error(`a boot ROM has 4096 words, this file has ${String(words.length)}`)
  return Uint32Array.from(words)
}
