/** The twin alone, request by request: what the published firmwares did in an emulator. */
import { describe, expect, it } from 'vitest'
import { blank, fromHex, hexBytes } from '#core/bytes.ts'
import { VirtualClock } from '#bench/virtual-clock.ts'
import { TwinAvr } from '#bench/twin-avr.ts'
import type { Comeback, Dials, TwinBus } from '#bench/twin.ts'
import { avrPartNamed } from '#chips/avr-parts.ts'
import { BlockFlag, encodeBlock, encodeLongAddress, encodeTransmit, Request } from './packets.ts'
import { describeVersion, msSet } from './twin-descriptors.ts'
import { UsbaspTwin, type UsbaspTwinOptions } from './twin-firmware.ts'

interface Options extends Omit<UsbaspTwinOptions, 'target'> {
  dials?: Dials
  chip?: string
}

class Desk {
  readonly clock = new VirtualClock()
  readonly target: TwinAvr
  readonly twin: UsbaspTwin
  detached: Comeback | undefined | 'for good'

  constructor({ dials = {}, chip = 'ATmega328P', ...options }: Options = {}) {
    this.target = new TwinAvr(avrPartNamed(chip), { dials })
    this.twin = new UsbaspTwin({ ...options, target: this.target })
    this.plug()
  }

  plug(): void {
    const bus: TwinBus = { clock: this.clock, detach: (next) => (this.detached = next ?? 'for good') }
    this.twin.plugged(bus)
  }
  ask(request: number, value = 0, index = 0, length = 4) {
    return this.twin.control({ requestType: 0xc0, request, value, index, length }, new Uint8Array())
  }
  write(request: number, value: number, index: number, bytes: Uint8Array) {
    return this.twin.control({ requestType: 0x40, request, value, index, length: bytes.length }, bytes)
  }
  transmit(...instruction: [number, number, number, number]) {
    const { value, index } = encodeTransmit(instruction)
    return this.ask(Request.Transmit, value, index)
  }
  async enter(): Promise<this> {
    await this.ask(Request.Connect)
    await this.clock.sleep(100)
    expect(await this.ask(Request.EnableProg)).toEqual(Uint8Array.of(0))
    return this
  }
}

const bytes = (text: string) => fromHex(text)
const pattern = (length: number, seed = 0x35) => Uint8Array.from({ length }, (_, i) => (i ^ seed) & 0xff)

describe('descriptors', () => {
  it.each([
    ['1.02', '12 01 10 01 ff 00 00 08 c0 16 dc 05 02 01 01 02 00 01'],
    ['1.03', '12 01 10 01 ff 00 00 08 c0 16 dc 05 03 01 01 02 00 01'],
    ['1.04', '12 01 10 01 ff 00 00 08 c0 16 dc 05 04 01 01 02 00 01'],
    ['1.05', '12 01 10 01 ff 00 00 08 c0 16 dc 05 05 01 01 02 00 01'],
    ['1.07', '12 01 10 01 ff 00 00 08 c0 16 dc 05 07 01 01 02 00 01'],
    ['1.10', '12 01 01 02 00 00 00 08 c0 16 dc 05 10 01 01 02 03 01'],
  ])('of %s are those of the published image', (version, device) => {
    expect(hexBytes(describeVersion(version).device)).toBe(device)
  })
  it.each([
    ['1.05', '09 02 12 00 01 01 00 80 19 09 04 00 00 00 00 00 00 00'],
    ['1.07', '09 02 12 00 01 01 00 a0 19 09 04 00 00 00 00 00 00 00'],
  ])('configuration of %s', (version, configuration) => {
    expect(hexBytes(describeVersion(version).configuration)).toBe(configuration)
  })
  it('1.10 has BOS and the MS OS 2.0 set, older ones give zero bytes for both', async () => {
    const getBos = { requestType: 0x80, request: 6, value: 0x0f00, index: 0, length: 255 }
    const [newer, older] = [new Desk({ version: '1.10' }), new Desk({ version: '1.07' })]
    expect(await newer.twin.control(getBos, blank(0))).toHaveLength(0x35)
    expect(await older.twin.control(getBos, blank(0))).toHaveLength(0)
    expect(await newer.ask(0x5d, 0, 7, 512)).toEqual(msSet)
    expect(msSet).toHaveLength(310)
    expect(await older.ask(0x5d, 0, 7, 512)).toHaveLength(0)
  })
})

describe('small requests', () => {
  it.each([
    ['1.02', '', ''],
    ['1.03', '', '00'],
    ['1.04', '01 00 00 00', '00'],
    ['1.05', '01 00 00 00', '00'],
    ['1.07', '01 00 00 00', '00'],
    ['1.10', '81 00 00 00', '00'],
  ])('%s answers GETCAPABILITIES with "%s" and SETISPSCK with "%s"', async (version, capabilities, sck) => {
    const desk = new Desk({ version })
    expect(await desk.ask(Request.GetCapabilities)).toEqual(bytes(capabilities))
    expect(await desk.ask(Request.SetIspSck)).toEqual(bytes(sck))
  })
  it('unknown ones are answered with zero bytes', async () => {
    expect(await new Desk().ask(99)).toEqual(blank(0))
  })
  it('TRANSMIT gives the four bytes shifted in, each one behind', async () => {
    const desk = await new Desk().enter()
    expect(await desk.transmit(0x30, 0, 0, 0)).toEqual(bytes('00 30 00 1e'))
    expect(await desk.ask(Request.Transmit, 0x0030, 0, 2)).toEqual(bytes('00 30'))
  })
})

describe('order', () => {
  const before = (what: 'transmit' | 'read' | 'enable', desk: Desk) =>
    ({
      transmit: () => desk.transmit(0x30, 0, 0, 0),
      read: () => desk.ask(Request.ReadFlash, 0, 0, 8),
      enable: () => desk.ask(Request.EnableProg),
    })[what]()

  it.each(['transmit', 'read', 'enable'] as const)('1.04 restarts on %s before CONNECT', async (what) => {
    const desk = new Desk({ version: '1.04' })
    expect(await before(what, desk)).toBe('broken')
    expect(await desk.ask(Request.GetCapabilities)).toBe('broken')
    expect(desk.detached).toBeUndefined()
    desk.twin.reset()
    expect(await desk.ask(Request.GetCapabilities)).toEqual(bytes('01 00 00 00'))
  })
  it.each(['transmit', 'read', 'enable'] as const)('1.10 comes anew on %s before CONNECT', async (what) => {
    const desk = new Desk({ version: '1.10' })
    expect(await before(what, desk)).toBe('broken')
    expect(desk.detached).toMatchObject({ twin: desk.twin })
    desk.plug()
    expect(await desk.ask(Request.GetCapabilities)).toEqual(bytes('81 00 00 00'))
  })
  it.each(['transmit', 'read', 'enable'] as const)('1.02 survives %s before CONNECT', async (what) => {
    const desk = new Desk({ version: '1.02' })
    expect(await before(what, desk)).toBeInstanceOf(Uint8Array)
    await desk.enter()
  })
  it.each(['transmit', 'read', 'enable'] as const)(
    '1.02 of 2007 hangs on %s before CONNECT',
    async (what) => {
      expect(await before(what, new Desk({ version: '1.02 (2007)' }))).toBe('silent')
    },
  )
  it.each(['1.07', '1.10'])(
    '%s hangs on TRANSMIT without ENABLEPROG, and a reset does not help',
    async (version) => {
      const desk = new Desk({ version })
      await desk.ask(Request.Connect)
      expect(await desk.transmit(0x30, 0, 0, 0)).toBe('silent')
      desk.twin.reset()
      expect(await desk.ask(Request.GetCapabilities)).toBe('broken')
      desk.plug()
      expect(await desk.ask(Request.GetCapabilities)).toHaveLength(4)
    },
  )
  it.each(['1.02', '1.03', '1.04', '1.05'])(
    '%s does not mind TRANSMIT without ENABLEPROG',
    async (version) => {
      const desk = new Desk({ version })
      await desk.ask(Request.Connect)
      expect(await desk.transmit(0x30, 0, 0, 0)).toEqual(bytes('ff ff ff ff'))
    },
  )
  it.each(['1.02', '1.04', '1.10'])('%s hangs on TRANSMIT after DISCONNECT', async (version) => {
    const desk = await new Desk({ version }).enter()
    await desk.ask(Request.Disconnect)
    expect(await desk.transmit(0x30, 0, 0, 0)).toBe('silent')
  })
})

describe('ENABLEPROG', () => {
  const timed = async (desk: Desk): Promise<[status: number, ms: number]> => {
    await desk.ask(Request.Connect)
    await desk.clock.sleep(100)
    const from = desk.clock.now()
    const answer = await desk.ask(Request.EnableProg)
    return [answer instanceof Uint8Array ? (answer[0] ?? -1) : -1, desk.clock.now() - from]
  }
  it.each([
    ['1.02', 0, 1, 12, 20],
    ['1.04', 0, 1, 3, 6],
    ['1.07', 20, 22, 1050, 1200],
    ['1.10', 20, 22, 1050, 1200],
  ])('%s takes %d to %d ms, without a target %d to %d', async (version, quick, quickest, slow, slowest) => {
    const [found, foundMs] = await timed(new Desk({ version }))
    const [missing, missingMs] = await timed(new Desk({ version, dials: { noTarget: true } }))
    expect([found, missing]).toEqual([0, 1])
    expect(foundMs).toBeGreaterThanOrEqual(quick)
    expect(foundMs).toBeLessThan(quickest)
    expect(missingMs).toBeGreaterThan(slow)
    expect(missingMs).toBeLessThan(slowest)
  })
  it('1.10 slows down by itself and finds a target of 1 MHz in about 205 ms', async () => {
    const [status, ms] = await timed(new Desk({ version: '1.10', dials: { targetHz: 1_000_000 } }))
    expect(status).toBe(0)
    expect(Math.round(ms)).toBeGreaterThan(195)
    expect(Math.round(ms)).toBeLessThan(210)
  })
  it('1.04 does not, and finds it only at a slower clock', async () => {
    const desk = new Desk({ version: '1.04', dials: { targetHz: 1_000_000 } })
    expect((await timed(desk))[0]).toBe(1)
    await desk.ask(Request.SetIspSck, 9)
    expect((await timed(desk))[0]).toBe(0)
  })
  it('the jumper slows 1.04 down, and is not looked at by 1.02 and 1.10', async () => {
    const transmitMs = async (version: string) => {
      const desk = await new Desk({ version, slowJumper: true }).enter()
      const from = desk.clock.now()
      await desk.transmit(0x30, 0, 0, 0)
      return desk.clock.now() - from
    }
    expect(await transmitMs('1.04')).toBeGreaterThan(3)
    expect(await transmitMs('1.02')).toBeLessThan(1)
    expect(await transmitMs('1.10')).toBeLessThan(1)
  })
})

describe('blocks', () => {
  it.each([
    ['1.04', 254, 254],
    ['1.04', 256, 0],
    ['1.07', 300, 44],
    ['1.10', 256, 256],
    ['1.10', 255, 255],
  ])('%s answers a READFLASH of %d bytes with %d', async (version, asked, given) => {
    const desk = await new Desk({ version }).enter()
    expect(await desk.ask(Request.ReadFlash, 0, 0, asked)).toHaveLength(given)
  })
  it('1.07 never answers one of 255, and lives on', async () => {
    const desk = await new Desk({ version: '1.07' }).enter()
    expect(await desk.ask(Request.ReadFlash, 0, 0, 255)).toBe('silent')
    expect(await desk.ask(Request.GetCapabilities)).toHaveLength(4)
  })
  it('in the wrong direction stalls', async () => {
    const desk = await new Desk().enter()
    expect(await desk.write(Request.ReadFlash, 0, 0, blank(2))).toBe('stall')
    expect(await desk.ask(Request.WriteFlash, 0, 0x0180, 8)).toBe('stall')
  })
  it('a page is written when the counter that FIRST loads is through', async () => {
    const { target, ...desk } = await paged()
    await desk.write(0, encodeBlock(128, BlockFlag.First), pattern(100))
    expect(target.flash[0]).toBe(0xff)
    await desk.write(100, encodeBlock(128, 0), pattern(128).subarray(100))
    expect(target.flash.slice(0, 128)).toEqual(pattern(128))
  })
  it('LAST writes a page that is not full; without it nothing is written', async () => {
    const { target, ...desk } = await paged()
    await desk.write(0, encodeBlock(128, BlockFlag.First), pattern(32))
    expect(target.flash[0]).toBe(0xff)
    await desk.write(32, encodeBlock(128, BlockFlag.Last), pattern(48).subarray(32))
    expect(target.flash.slice(0, 49)).toEqual(Uint8Array.of(...pattern(48), 0xff))
  })
  it('the counter has eight bits: pages of 256 bytes work', async () => {
    const { target, ...desk } = await paged('ATmega2560')
    await desk.write(0x100, encodeBlock(256, BlockFlag.First), pattern(256))
    expect(target.flash.slice(0x100, 0x200)).toEqual(pattern(256))
  })
  it('the long address counts on until CONNECT', async () => {
    const desk = await new Desk().enter()
    desk.target.flash.set(pattern(64), 0x100)
    const { value, index } = encodeLongAddress(0x100)
    await desk.ask(Request.SetLongAddress, value, index)
    expect(await desk.ask(Request.ReadFlash, 0, 0, 8)).toEqual(pattern(8))
    expect(await desk.ask(Request.ReadFlash, 0, 0, 8)).toEqual(pattern(16).subarray(8))
    await desk.enter()
    expect(await desk.ask(Request.ReadFlash, 0, 0, 8)).toEqual(blank(8))
  })
  it('EEPROM takes 9.6 ms a byte', async () => {
    const desk = await new Desk().enter()
    const from = desk.clock.now()
    await desk.write(Request.WriteEeprom, 4, 0, pattern(8))
    expect(desk.target.eeprom.slice(4, 12)).toEqual(pattern(8))
    expect(Math.round(desk.clock.now() - from)).toBeGreaterThanOrEqual(77)
  })

  async function paged(chip = 'ATmega328P') {
    const desk = await new Desk({ chip }).enter()
    const write = (address: number, index: number, content: Uint8Array) =>
      desk.write(Request.WriteFlash, address, index, content)
    return { target: desk.target, write }
  }
})
