/**
 * The ArduinoISP sketch 1.18 as a program of a twin: an STK500v1 programmer at 19200 baud with an AVR behind
 * its SPI pins. Behaviour and times from `ArduinoISP.ino`; nothing is checked that the sketch does not check.
 */
import type { TwinAvr } from '#bench/twin-avr.ts'
import { Command, eop, MemType, parseDevice, Reply, signOn, type DeviceParameters } from './packets.ts'
import type { Program } from './twin-board.ts'
import { buffers } from './twin-uart.ts'

const baud = 19_200
/** Three LEDs, three pulses each, 30 ms on and off. */
const ledMs = 540
const sckHz = 125_000
/** Four bytes at 125 kHz, and the sketch's own overhead. */
const transactionMs = 0.28
const commitMs = 30
const eepromByteMs = 45
const eepromChunk = 32

export const arduinoIsp =
  (target: TwinAvr, [major, minor]: readonly [number, number] = [1, 18]): Program =>
  async (cpu) => {
    const parameters: Readonly<Record<number, number>> = { 0x80: 2, 0x81: major, 0x82: minor, 0x93: 0x53 }
    /** What is longer than a word goes through it; it keeps what was there. */
    const buffer = new Uint8Array(256)
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
          return answer(...new TextEncoder().encode(signOn))
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
          const low = await getch()
          here = low | ((await getch()) << 8)
          return answer()
        }
        case Command.Universal: {
          const [a = 0, b = 0, c = 0, d = 0] = await take(4)
          await needSpi()
          return answer(transact(a, b, c, d))
        }
        case Command.ProgFlash:
          await getch()
          await getch()
          return answer()
        case Command.ProgData:
          await getch()
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
      const length = ((await getch()) << 8) | (await getch())
      const memType = await getch()
      if (memType === MemType.Flash) {
        await take(length)
        if ((await getch()) !== eop) return cpu.send(Reply.NoSync)
        cpu.send(Reply.InSync)
        await needSpi()
        await programFlash(length)
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

    /** Words: an odd length takes one more byte from the buffer. */
    async function programFlash(length: number): Promise<void> {
      let page = currentPage()
      for (let i = 0; i < length; i += 2, here++) {
        if (page !== currentPage()) {
          await commit(page)
          page = currentPage()
        }
        transact(0x40, here >> 8, here & 0xff, buffer[i] ?? 0xff)
        transact(0x48, here >> 8, here & 0xff, buffer[i + 1] ?? 0xff)
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
      const length = ((await getch()) << 8) | (await getch())
      const memType = await getch()
      if ((await getch()) !== eop) return cpu.send(Reply.NoSync)
      await needSpi()
      cpu.send(Reply.InSync)
      if (memType === MemType.Flash) await readFlash(length)
      if (memType === MemType.Eeprom) await readEeprom(length)
      cpu.send(memType === MemType.Flash || memType === MemType.Eeprom ? Reply.Ok : Reply.Failed)
    }

    /** Words too. */
    async function readFlash(length: number): Promise<void> {
      for (let i = 0; i < length; i += 2, here++) {
        const [high, low] = [here >> 8, here & 0xff]
        cpu.send(transact(0x20, high, low, 0), transact(0x28, high, low, 0))
        if (i % 16 === 14) await settle()
      }
    }

    async function readEeprom(length: number): Promise<void> {
      for (let address = here * 2; address < here * 2 + length; address++) {
        cpu.send(transact(0xa0, address >> 8, address & 0xff, 0xff))
        if (address % 16 === 15) await settle()
      }
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
      for (let i = 0; i < count; i++) buffer[i % buffer.length] = await getch()
      return buffer.subarray(0, count)
    }

    /** EOP, then INSYNC, `data` and OK; the sketch lives on after a wrong EOP. */
    async function answer(...data: readonly number[]): Promise<void> {
      cpu.send(...((await getch()) === eop ? [Reply.InSync, ...data, Reply.Ok] : [Reply.NoSync]))
    }
  }
