/**
 * The boot loaders as programs of a twin: optiboot 4.4 and 8.3, and ATmegaBOOT. Behaviour and times from
 * their sources (`optiboot.c`, `ATmegaBOOT_168.c`), compared with the real ones in `tests/witness`.
 */
import { blank } from '#core/bytes.ts'
import { Command, eop, MemType, Reply, signOn } from './packets.ts'
import { ToApplication, WatchdogReset, type Processor, type Program } from './twin-board.ts'
import { buffers } from './twin-uart.ts'

/** A page takes 3.7 to 4.5 ms to erase, and as long again to write. */
const spmMs = 4
const eepromByteMs = 3.4
/** RAM that the loaders collect a page in; it keeps what was there. */
const bufferBytes = 256

export interface Optiboot {
  readonly version: readonly [number, number]
  readonly bootStart: number
  /** Pages below can be erased while the processor goes on (RWW section). */
  readonly nrwwStart: number
}

/** Before 4.1 it said 3 to whatever it was asked, and had no version word. */
export const saysItsVersion = ([major, minor]: Optiboot['version']): boolean =>
  major > 4 || (major === 4 && minor >= 1)

/** 16 MHz / 8 / 17: what "115200" is on these boards. */
const optibootBaud = 117_647
const windowMs = 1000
const deathMs = 16
const flashes = 6
const flashMs = 62.5

export const optiboot =
  ({ version, bootStart, nrwwStart }: Optiboot): Program =>
  async (cpu, cause) => {
    if (cause !== 'external') return
    const [major, minor] = version
    const parameters: Readonly<Record<number, number>> = saysItsVersion(version)
      ? { 0x81: major, 0x82: minor }
      : {}
    const { chip } = cpu
    const { pageBytes } = chip.part.flash
    const isOld = major < 6
    const buffer = new Uint8Array(bufferBytes)
    let address = 0
    let periodMs = windowMs
    let bitesAt = 0
    const kick = () => (bitesAt = cpu.now() + periodMs)

    cpu.listen(optibootBaud, buffers.hardware)
    for (let i = 0; i < flashes; i++) {
      await cpu.work(flashMs)
      if (!isOld && cpu.uart?.waiting) break
    }
    kick()

    for (;;) {
      const command = await getch()
      switch (command) {
        case Command.GetParameter: {
          const id = await getch()
          await verifySpace()
          cpu.send(parameters[id] ?? 0x03)
          break
        }
        case Command.SetDevice:
          await swallow(20)
          break
        case Command.SetDeviceExt:
          await swallow(5)
          break
        case Command.Universal:
          await swallow(4)
          cpu.send(0)
          break
        case Command.LoadAddress:
          address = (((await getch()) | ((await getch()) << 8)) << 1) & 0xffff
          await verifySpace()
          break
        case Command.ProgPage:
          await progPage()
          break
        case Command.ReadPage: {
          await getch()
          const length = (await getch()) || bufferBytes
          await getch() // 4.4 and small builds of 8.3 read flash, whatever the memory type
          await verifySpace()
          cpu.send(...cpu.readFlash(address, length))
          address += length
          break
        }
        case Command.ReadSign:
          await verifySpace()
          cpu.send(...chip.part.signature)
          break
        case Command.LeaveProgmode:
          periodMs = deathMs
          kick()
          await verifySpace()
          break
        default:
          await verifySpace()
      }
      cpu.send(Reply.Ok)
    }

    /** Only a byte without framing error restarts the watchdog. */
    async function getch(): Promise<number> {
      const received = await cpu.next(Math.max(0, bitesAt - cpu.now()))
      if (!received || cpu.now() >= bitesAt) throw new WatchdogReset()
      if (!received.framingError) kick()
      return received.byte
    }

    async function verifySpace(): Promise<void> {
      if ((await getch()) !== eop) {
        await cpu.work(deathMs)
        throw new WatchdogReset()
      }
      cpu.send(Reply.InSync)
    }

    async function swallow(count: number): Promise<void> {
      for (let i = 0; i < count; i++) await getch()
      await verifySpace()
    }

    async function progPage(): Promise<void> {
      await getch() // pages are not longer than 255 bytes here
      const length = (await getch()) || bufferBytes
      const memType = await getch()
      const isLocked = address >= bootStart // lock bits 0F: SPM does nothing in the boot section
      const isErasedEarly = isOld && address < nrwwStart
      if (isErasedEarly && !isLocked) chip.erasePage(address, spmMs)
      for (let i = 0; i < length; i++) buffer[i] = await getch()
      await verifySpace()
      if (!isOld && memType === MemType.Eeprom) {
        await cpu.work(bitesAt - cpu.now()) // built without EEPROM: waits for the watchdog
        throw new WatchdogReset()
      }
      if (isLocked) return cpu.work(spmMs)
      if (!isErasedEarly) {
        chip.erasePage(address, spmMs)
        await cpu.work(spmMs)
      }
      await writePage(cpu, address, buffer.subarray(0, isOld ? pageBytes : length))
    }
  }

/** The page buffer is filled by the low bits of the address: what begins in the middle wraps around. */
async function writePage(cpu: Processor, address: number, bytes: Uint8Array): Promise<void> {
  const page = blank(cpu.chip.part.flash.pageBytes)
  for (const [i, byte] of bytes.entries()) page[(address + i) % page.length] = byte
  cpu.chip.writePage(address, page, spmMs)
  await cpu.work(spmMs)
}

export interface AtmegaBoot {
  readonly baud: number
  readonly bootStart: number
}

const silenceMs = 1125
const mostErrors = 5
const ledMs = 200

/** Runs after every reset; goes to the application after silence or after the fifth error. */
export const atmegaBoot =
  ({ baud, bootStart }: AtmegaBoot): Program =>
  async (cpu) => {
    const { chip } = cpu
    const { pageBytes } = chip.part.flash
    /** In words after LOAD_ADDRESS; a page command turns it into bytes and leaves it behind the page. */
    let address = 0
    let errors = 0

    cpu.listen(baud, buffers.hardware)
    await cpu.work(ledMs)
    for (;;) await execute(await getch())

    async function execute(command: number): Promise<void> {
      switch (command) {
        case Command.GetSync:
        case Command.EnterProgmode:
        case Command.ChipErase:
        case Command.LeaveProgmode:
          return answer()
        case Command.GetSignOn:
          return answer(...new TextEncoder().encode(signOn))
        case Command.SetParameter:
          if ((await getch()) > 0x85) await getch()
          return answer()
        case Command.GetParameter:
          return answer(parameters[await getch()] ?? 0)
        case Command.SetDevice:
          await take(20)
          return answer()
        case Command.SetDeviceExt:
          await take(5)
          return answer()
        case Command.LoadAddress: {
          const [low = 0, high = 0] = await take(2)
          address = low | (high << 8)
          return answer()
        }
        case Command.Universal: {
          const [opcode, , index = 0] = await take(4)
          return answer(opcode === 0x30 ? (chip.part.signature[Math.min(index, 2)] ?? 0) : 0)
        }
        case Command.ProgPage:
          return progPage()
        case Command.ReadPage:
          return readPage()
        case Command.ReadSign:
          return answer(...chip.part.signature)
        case oscillatorCalibration:
          return answer(0)
        default:
          fail()
      }
    }

    async function progPage(): Promise<void> {
      const [high = 0, low = 0, memType] = await take(3)
      const bytes = await take((high << 8) | low)
      if ((await getch()) !== eop) return fail()
      address *= 2
      if (memType === MemType.Eeprom) {
        const ms = bytes.length * eepromByteMs
        chip.writeEeprom(address, bytes, ms)
        await cpu.work(ms)
        address += bytes.length
      } else {
        for (let i = 0; i < bytes.length; i += pageBytes) {
          if (address + i >= bootStart) continue
          chip.erasePage(address + i, spmMs)
          await cpu.work(spmMs)
          chip.writePage(address + i, bytes.subarray(i, i + pageBytes), spmMs)
          await cpu.work(spmMs)
        }
      }
      cpu.send(Reply.InSync, Reply.Ok)
    }

    async function readPage(): Promise<void> {
      const [high = 0, low = 0, memType] = await take(3)
      const length = (high << 8) | low
      if ((await getch()) !== eop) return // no answer, and not counted
      address *= 2
      const bytes =
        memType === MemType.Eeprom
          ? chip.eeprom.subarray(address, address + length)
          : cpu.readFlash(address, length)
      address += length
      cpu.send(Reply.InSync, ...bytes, Reply.Ok)
    }

    async function getch(): Promise<number> {
      const received = await cpu.next(silenceMs)
      if (!received) throw new ToApplication()
      return received.byte
    }

    async function take(count: number): Promise<Uint8Array> {
      const bytes = new Uint8Array(count)
      for (let i = 0; i < count; i++) bytes[i] = await getch()
      return bytes
    }

    /** EOP, then INSYNC, `data` and OK. */
    async function answer(...data: readonly number[]): Promise<void> {
      if ((await getch()) === eop) cpu.send(Reply.InSync, ...data, Reply.Ok)
      else fail()
    }

    function fail(): void {
      if (++errors === mostErrors) throw new ToApplication()
    }
  }

/** READ_OSCCAL. */
const oscillatorCalibration = 0x76
const parameters: Readonly<Record<number, number>> = { 0x80: 0x02, 0x81: 0x01, 0x82: 0x10, 0x98: 0x03 }
