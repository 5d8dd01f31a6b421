/**
 * The ArduinoISP sketch 1.18 as a program of a twin: an STK500v1 programmer at 19200 baud with an AVR behind
 * its SPI pins. Behaviour and times from `ArduinoISP.ino`; nothing is checked that the sketch does not check.
 */
import type { TwinAvr } from '#bench/twin-avr.ts'
import { Command, eop, MemType, parseDevice, Reply, type DeviceParameters } from './packets.ts'
import type { Program } from './twin-board.ts'
import { buffers } from './twin-uart.ts'

export const signOnText = 'AVR ISP'

const baud = 19_200
/** Three LEDs, three pulses each, 30 ms on and off. */
const ledMs = 540
const sckHz = 125_000
/** Four bytes at 125 kHz, and the sketch's own overhead. */
const transactionMs = 0.28
const commitMs = 30
const eepromByteMs = 45
const eepromChunk = 32

const parameters: Readonly<Record<number, number>> = { 0x80: 2, 0x81: 1, 0x82: 18, 0x93: 0x53 }

export const arduinoIsp =
  (target: TwinAvr): Program =>
  async (cpu) => {
    let device: DeviceParameters = { deviceCode: 0, pageBytes: 0, eepromBytes: 0, flashBytes: 0 }
    let isProgramming = false
    /** In words. */
    let here = 0
    /** Time that the SPI took and that has not been waited for yet. */
    let spiMs = 0

    target.reset(false)
    cpu.listen(baud, buffers.ring)
    await cpu.work(ledMs)
    for (;;) {
      await execute(await getch())
      await settle()
    }

    async function execute(command: number): Promise<void> {
      switch (command) {
        case Command.GetSync:
          return answer()
        case Command.GetSignOn:
          return answer(...new TextEncoder().encode(signOnText))
        case Command.GetParameter:
          return answer(parameters[await getch()] ?? 0)
        case Command.SetDevice:
          device = parseDevice(await take(20))
          return answer()
        case Command.SetDeviceExt:
          await take(5)
          return answer()
        case Command.EnterProgmode:
          if (!isProgramming) await enter()
          return answer()
        case Command.LeaveProgmode:
          isProgramming = false
          resetTarget(false)
          return answer()
        case Command.LoadAddress: {
          const [low = 0, high = 0] = await take(2)
          here = low | (high << 8)
          return answer()
        }
        case Command.Universal: {
          const [a = 0, b = 0, c = 0, d = 0] = await take(4)
          await needSpi()
          return answer(transact(a, b, c, d))
        }
        case Command.ProgFlash:
          await take(2)
          return answer()
        case Command.ProgData:
          await take(1)
          return answer()
        case Command.ProgPage:
          return progPage()
        case Command.ReadPage:
          return readPage()
        case Command.ReadSign:
          if ((await getch()) !== eop) return cpu.send(Reply.NoSync)
          await needSpi()
          return cpu.send(Reply.InSync, ...[0, 1, 2].map((index) => transact(0x30, 0, index, 0)), Reply.Ok)
        case eop: // it expected something else
          return cpu.send(Reply.NoSync)
        default:
          return cpu.send((await getch()) === eop ? Reply.Unknown : Reply.NoSync)
      }
    }

    /** Says OK afterwards whatever is there: the echo is not looked at. */
    async function enter(): Promise<void> {
      resetTarget(true)
      await cpu.work(20)
      resetTarget(false)
      await cpu.work(0.1)
      resetTarget(true)
      await cpu.work(50)
      isProgramming = true
      transact(0xac, 0x53, 0, 0)
    }

    async function progPage(): Promise<void> {
      const [high = 0, low = 0, memType] = await take(3)
      const length = (high << 8) | low
      if (memType === MemType.Flash) {
        const bytes = await take(length)
        if ((await getch()) !== eop) return cpu.send(Reply.NoSync)
        cpu.send(Reply.InSync)
        await needSpi()
        await programFlash(bytes)
        return cpu.send(Reply.Ok)
      }
      if (memType !== MemType.Eeprom) return cpu.send(Reply.Failed) // what follows is taken as commands
      const isFitting = length <= device.eepromBytes // else too
      if (isFitting) {
        await needSpi()
        await programEeprom(length)
      }
      if ((await getch()) !== eop) return cpu.send(Reply.NoSync)
      cpu.send(Reply.InSync, isFitting ? Reply.Ok : Reply.Failed)
    }

    async function programFlash(bytes: Uint8Array): Promise<void> {
      let page = currentPage()
      for (const [i, byte] of bytes.entries()) {
        if (page !== currentPage()) {
          await commit(page)
          page = currentPage()
        }
        transact(i % 2 === 0 ? 0x40 : 0x48, here >> 8, here & 0xff, byte)
        here += i % 2
      }
      await commit(page)
    }

    async function commit(page: number): Promise<void> {
      await settle()
      transact(0x4c, page >> 8, page & 0xff, 0)
      await cpu.work(commitMs)
    }

    /** In words. Before SET_DEVICE, or with a size that it does not know, every word is a page. */
    function currentPage(): number {
      const { pageBytes } = device
      return [32, 64, 128, 256].includes(pageBytes) ? here - (here % (pageBytes / 2)) : here
    }

    async function programEeprom(length: number): Promise<void> {
      for (let done = 0; done < length; done += eepromChunk) {
        const bytes = await take(Math.min(eepromChunk, length - done))
        for (const [i, byte] of bytes.entries()) {
          const address = here * 2 + done + i
          transact(0xc0, address >> 8, address & 0xff, byte)
          await cpu.work(eepromByteMs)
        }
      }
    }

    async function readPage(): Promise<void> {
      const [high = 0, low = 0, memType] = await take(3)
      const length = (high << 8) | low
      if ((await getch()) !== eop) return cpu.send(Reply.NoSync)
      await needSpi()
      cpu.send(Reply.InSync)
      const isKnown = memType === MemType.Flash || memType === MemType.Eeprom
      for (let i = 0; isKnown && i < length; i++) {
        if (memType === MemType.Eeprom) {
          const address = here * 2 + i
          cpu.send(transact(0xa0, address >> 8, address & 0xff, 0xff))
        } else {
          cpu.send(transact(i % 2 === 0 ? 0x20 : 0x28, here >> 8, here & 0xff, 0))
          here += i % 2
        }
        if (i % 16 === 15) await settle()
      }
      cpu.send(isKnown ? Reply.Ok : Reply.Failed)
    }

    /** Without ENTER_PROGMODE the SPI is off, and the sketch waits for it for ever. */
    async function needSpi(): Promise<void> {
      while (!isProgramming) await cpu.next()
    }

    /** Four bytes over SPI. */
    function transact(...instruction: readonly [number, number, number, number]): number {
      spiMs += transactionMs
      return instruction.reduce((_, byte) => target.shift(byte, sckHz), 0)
    }

    async function settle(): Promise<void> {
      const ms = spiMs
      spiMs = 0
      if (ms > 0) await cpu.work(ms)
    }

    /** Device codes from 0xe0 on are AT89S chips, whose RESET is active high. */
    function resetTarget(isReset: boolean): void {
      target.reset(isReset !== device.deviceCode >= 0xe0)
    }

    async function getch(): Promise<number> {
      return (await cpu.next())?.byte ?? 0
    }

    async function take(count: number): Promise<Uint8Array> {
      const bytes = new Uint8Array(count)
      for (let i = 0; i < count; i++) bytes[i] = await getch()
      return bytes
    }

    /** EOP, then INSYNC, `data` and OK; the sketch lives on after a wrong EOP. */
    async function answer(...data: readonly number[]): Promise<void> {
      cpu.send(...((await getch()) === eop ? [Reply.InSync, ...data, Reply.Ok] : [Reply.NoSync]))
    }
  }
