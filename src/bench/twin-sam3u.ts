/**
 * A SAM3U as a target: what a probe's twin has behind its wires. Source: Atmel 6430, SAM3U data sheet (memory map, CHIPID,
 * GPNVM and the ERASE pin). It has its planes of flash, RAM and core; of its other peripherals only the registers.
 */
import { blank } from '#core/bytes.ts'
import type { MemoryId } from '#core/programmer.ts'
import type { Clock } from '#core/time.ts'
import { ArmBus, ChipClock, numberAt, ram, StorageRegion, type Region } from './twin-arm-bus.ts'
import { TwinArmChip, tarWrapBytes } from './twin-arm-chip.ts'
import { Sam3uPlane } from './twin-sam3u-flash.ts'
import type { Dials } from './twin.ts'

export interface TwinSam3uOptions {
  readonly clock?: Clock
  readonly dials?: Dials
  /** Default: `SAM3U2C`. */
  readonly chip?: keyof typeof chips
  /** Contents from 8_0000; the rest is blank. */
  readonly flash?: Uint8Array
  /** Default: it starts its flash. */
  readonly gpnvm?: number
}

/** Of each plane; of SRAM0 and SRAM1. */
const chips = {
  SAM3U2C: { cidr: 0x280a_0761, planes: 1, sramKib: [16, 16] },
  SAM3U4E: { cidr: 0x2810_0961, planes: 2, sramKib: [32, 16] },
} as const
const planeBytes = 0x2_0000
const planesAt = [0x8_0000, 0x10_0000] as const
const controllersAt = [0x400e_0800, 0x400e_0a00] as const
const sramsAt = [0x2000_0000, 0x2008_0000] as const
const romAt = 0x18_0000
const uniqueId = Uint8Array.from('SAM3U practice 7', (letter) => letter.charCodeAt(0))
const Gpnvm = { Security: 1, FromFlash: 2, FromPlane1: 4 } as const

export class TwinSam3u extends TwinArmChip {
  readonly #planes: readonly Sam3uPlane[]
  readonly #peripherals: readonly StorageRegion[]
  /** What a reset has mapped to 0. */
  #boot: Region | undefined

  constructor(options: TwinSam3uOptions = {}) {
    const { dials = {}, flash = new Uint8Array() } = options
    const chip = chips[options.chip ?? 'SAM3U2C']
    const clock = new ChipClock()
    const rams = chip.sramKib.map((kib) => new Uint8Array(kib * 1024))
    const gpnvm = (options.gpnvm ?? Gpnvm.FromFlash) | (dials.locked ? Gpnvm.Security : 0)
    const content = flash.subarray(0, dials.halfWritten ? flash.length >> 1 : planeBytes)
    const planes = planesAt.slice(0, chip.planes).map(
      (address, i) =>
        new Sam3uPlane({
          ...{ clock, address, registersAt: controllersAt[i] ?? 0, bytes: planeBytes },
          ...{ content: i === 0 ? content : new Uint8Array(), dials: i === 0 ? dials : {} },
          ...(i === chip.planes - 1 && { uniqueId }),
          ...{ gpnvmBits: i === 0 ? chip.planes + 1 : 0, gpnvm: i === 0 ? gpnvm : 0 },
        }),
    )
    // up to the flash controllers, PMC and CHIPID among them; PIO to the watchdog behind
    const behind = controllersAt[0] + chip.planes * 0x200
    const peripherals = [
      new StorageRegion(0x4000_0000, 0xe_0800, { 0x400e0420: 8, 0x400e0740: chip.cidr }, { 0x400e0740: 0 }),
      new StorageRegion(behind, 0x400e_2000 - behind, { 0x400e1254: 0x3fff_2fff }),
    ]
    const bus = new ArmBus(clock, [
      ...planes.flatMap(({ regions }) => regions),
      { ...bootRom(romAt), length: 0x4000 },
      ...rams.map((bytes, i) => mirrored(sramsAt[i] ?? 0, bytes)),
      ...peripherals,
    ])
    bus.isClosed = () => ((planes[0]?.gpnvm ?? 0) & Gpnvm.Security) !== 0
    super({
      ...{ clock, bus, dials, rams, memories: planes.map(({ flash: memory }) => memory) },
      clockHz: 4_000_000,
      identity: { cpuid: 0x412f_c230, designer: { bank: 0, id: 0x1f }, part: 0x000 },
      ...{ dpidr: 0x2ba0_1477, apIdr: 0x2477_0011, wrapBytes: tarWrapBytes },
    })
    this.#planes = planes
    this.#peripherals = peripherals
    bus.add({ address: 0, length: planeBytes, read: this.#readBoot, write: () => false })
    if (options.clock) this.power(options.clock)
  }

  /** Its ERASE pin is held high. */
  assertErase(): void {
    this.bus.catchUp()
    for (const plane of this.#planes) plane.assertErase()
  }

  /** From the first plane to the last, with what is between. */
  memory(id: MemoryId): Uint8Array {
    this.cortex.catchUp()
    const [first, last] = [this.#planes[0], this.#planes.at(-1)]
    if (id !== 'flash' || !first || !last) return new Uint8Array()
    if (first === last) return first.flash.bytes
    const all = blank(last.flash.address + planeBytes - first.flash.address)
    for (const { flash } of this.#planes) all.set(flash.bytes, flash.address - first.flash.address)
    return all
  }

  protected loseContent(now: number): void {
    for (const plane of this.#planes) plane.losePower(now)
  }

  #readBoot: Region['read'] = (address, width, master) => this.#boot?.read(address, width, master)

  protected override hold(isSoft: boolean): void {
    super.hold(isSoft)
    for (const plane of this.#planes) plane.reset()
    for (const one of this.#peripherals) one.reset()
    const [first, second] = this.#planes
    const bits = first?.gpnvm ?? 0
    const starts = bits & Gpnvm.FromPlane1 && second ? second : first
    this.#boot = bits & Gpnvm.FromFlash ? starts?.window(0) : bootRom(0)
  }
}

/** It is there again and again, up to the next one. */
function mirrored(address: number, bytes: Uint8Array): Region {
  const own = ram(0, bytes)
  const at = (absolute: number) => (absolute - address) % bytes.length
  return {
    ...{ address, length: 0x8_0000 },
    read: (absolute, width, master) => own.read(at(absolute), width, master),
    write: (absolute, width, value, master) => own.write(at(absolute), width, value, master),
  }
}

/** SAM-BA, of which it only waits: a stack, where it starts, and b . */
function bootRom(address: number): Region {
  const bytes = Uint8Array.of(...[0, 0x10, 0, 0x20], ...[9, 0, 0x18, 0], ...[0xfe, 0xe7, 0, 0])
  return {
    ...{ address, length: planeBytes },
    read: (at, width) => numberAt(bytes, at - address, width),
    write: () => false,
  }
}
