/** USB/IP as the kernel's documentation has it, byte for byte, and the server over a socket. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { fromHex } from '#core/bytes.ts'
import { EchoUsbTwin } from '#bench/test-twins.ts'
import type { TwinAnswer, UsbDescriptors, WireFaults } from '#bench/twin.ts'
import { VirtualClock } from '#bench/virtual-clock.ts'
import { ascii, hangUp, Host, packed, word, zeros } from './test-host.ts'
import { UsbPort, type Transfer } from './usb-port.ts'
import {
  encodeDevices,
  encodeImport,
  encodeSubmitted,
  encodeUnlinked,
  parseCommand,
  parseOp,
  Status,
} from './usbip-packets.ts'
import { UsbipServer } from './usbip-server.ts'

/** Linux, Documentation/usb/usbip_protocol.rst: the OP_REP_… tables, for an `EchoUsbTwin` at 1-2. */
const described = [
  ...[ascii('/reflasher/1-2', 256), ascii('1-2', 32)],
  ...['00000001', '00000002', '00000002'], // busnum, devnum, full speed
  ...['cafe', 'beef', '0104', 'ff0000', '010103'], // configuration 1 of 1, three interfaces
].join('')
const interfaces = 'ff010200 03000000 0a000000'.replaceAll(' ', '')

/** The example at the end of that document. */
const commandIn =
  '00000001 00000d05 0001000f 00000001 00000001 00000200 00000040 ffffffff 00000000 00000004 00000000 00000000'
const commandOut =
  '00000001 00000d06 0001000f 00000000 00000001 00000000 00000040 ffffffff 00000000 00000004 00000000 00000000'
// The example says ffffffff for the start frame; the table above it wants 0 of all but isochronous transfers.
const repliedOut =
  '00000003 00000d06 00000000 00000000 00000000 00000000 00000040 00000000 00000000 00000000 00000000 00000000'
const repliedIn = repliedOut.replace('d06', 'd05')

const joined = (text: string) => text.replaceAll(' ', '')

describe('packets', () => {
  const device = { number: 2, twin: new EchoUsbTwin() }
  const read = parseCommand(fromHex(commandIn))
  const write = parseCommand(fromHex(commandOut))

  it('tell requests apart', () => {
    expect([parseOp(fromHex('0111 8005 00000000')), parseOp(fromHex('0111 8003 00000000'))]).toEqual([
      0x8005, 0x8003,
    ])
  })

  it('list devices', () => {
    expect(packed(encodeDevices([]))).toBe('01110005' + '00000000' + '00000000')
    expect(packed(encodeDevices([device]))).toBe(
      '01110005' + '00000000' + '00000001' + described + interfaces,
    )
  })

  it('show the imported device, or say why not', () => {
    expect(packed(encodeImport(device))).toBe('01110003' + '00000000' + described)
    expect(packed(encodeImport('absent'))).toBe('01110003' + '00000001')
    expect(packed(encodeImport('busy'))).toBe('01110003' + '00000002')
  })

  it('ask for transfers', () => {
    expect(read).toMatchObject({ kind: 'submit', sequence: 0xd05, endpoint: 1, direction: 'in', length: 64 })
    expect(write).toMatchObject({
      kind: 'submit',
      sequence: 0xd06,
      endpoint: 1,
      direction: 'out',
      length: 64,
    })
    const setup = commandIn.slice(0, -17) + 'c0051234 56780400'
    expect(parseCommand(fromHex(setup))).toMatchObject({
      setup: { requestType: 0xc0, request: 5, value: 0x3412, index: 0x7856, length: 4 },
    })
  })

  it('answer them', () => {
    if (read.kind !== 'submit' || write.kind !== 'submit') throw new Error('no submission')
    const bytes = Uint8Array.from({ length: 64 }, (_, i) => i)
    expect(packed(encodeSubmitted(write, { status: Status.Ok, bytes }))).toBe(joined(repliedOut))
    expect(packed(encodeSubmitted(read, { status: Status.Ok, bytes }))).toBe(
      joined(repliedIn) + packed(bytes),
    )
  })

  it('give transfers up', () => {
    const unlink = parseCommand(fromHex(`00000002 00000d07 0001000f 00000000 00000000 00000d05 ${zeros(24)}`))
    expect(unlink).toEqual({ kind: 'unlink', sequence: 0xd07, target: 0xd05 })
    if (unlink.kind !== 'unlink') throw new Error('no unlink')
    const gone = `00000004 00000d07 ${zeros(12)} ffffff98 ${zeros(24)}`
    expect(packed(encodeUnlinked(unlink, Status.Unlinked))).toBe(joined(gone))
  })

  it.each([
    ['a length that no driver asks for', commandIn.replace('00000040', '7fffffff')],
    ['an unknown command', commandIn.replace('00000001', '00000005')],
  ])('refuse %s', (_, command) => {
    expect(() => parseCommand(fromHex(command))).toThrow()
  })
})

describe('the server', () => {
  const server = new UsbipServer()
  const clock = new VirtualClock()
  let twins: EchoUsbTwin[]
  let ports: UsbPort[]
  let at: number

  beforeAll(async () => {
    at = await server.listen(0)
  })
  afterAll(() => server.close())
  beforeEach(() => {
    twins = [new EchoUsbTwin(), new EchoUsbTwin()]
    server.ports = ports = twins.map((twin) => new UsbPort(twin, clock))
  })
  afterEach(() => {
    hangUp()
  })

  async function imported(busId = '1-1'): Promise<Host> {
    const host = await Host.connect(at)
    expect(await host.import(busId)).toBe('00000000')
    return host
  }

  it('lists what is plugged in, and hangs up', async () => {
    ports[0]?.unplug()
    const host = await Host.connect(at)
    host.send('0111 8005 00000000')
    expect(await host.take(10_000)).toBe('01110005' + '00000000' + '00000001' + described + interfaces)
  })

  it.each(['1-3', '1-0', '2-1', 'x', '1-1'])('refuses to give %s when it is not there', async (busId) => {
    ports[0]?.unplug()
    const host = await Host.connect(at)
    expect(await host.import(busId)).toBe('00000001')
    expect(await host.take(1)).toBe('')
  })

  it('gives a device to one host at a time', async () => {
    const first = await imported()
    expect(await (await Host.connect(at)).import('1-1')).toBe('00000002')
    first.end()
    expect(await first.reply()).toBeUndefined()
    await imported()
  })

  it('hangs up on a host that says what it does not know', async () => {
    const said = vi.spyOn(console, 'error').mockImplementation(() => undefined)
    const host = await Host.connect(at)
    host.send('0111 1234 00000000')
    expect(await host.take(1)).toBe('')
    expect(said).toHaveBeenCalledWith('USB/IP: Error: operation 1234 is not known')
    said.mockRestore()
  })

  it('hangs up on nonsense, and leaves no pipe blocked', async () => {
    const said = vi.spyOn(console, 'error').mockImplementation(() => undefined)
    const [twin] = twins
    let answer: (bytes: Uint8Array) => void = () => undefined
    Object.assign(twin ?? {}, { bulkIn: () => new Promise<Uint8Array>((resolve) => (answer = resolve)) })
    const host = await imported()
    host.in(64)
    host.out(1)
    expect(await host.reply()).toBe('submitted 2: 0, 1 taken') // the read is under way
    host.send(word(5), zeros(44 + 10_000))
    expect(await host.reply()).toBeUndefined()
    expect(said).toHaveBeenCalledWith('USB/IP: Error: USB/IP command 5 is not known')
    said.mockRestore()

    const again = await imported()
    again.in(64)
    again.out(1)
    expect(await again.reply()).toBe('submitted 2: 0, 1 taken')
    answer(Uint8Array.of(7))
    expect(await again.reply()).toBe('submitted 1: 0, 07')
  })

  it('carries transfers of two devices apart', async () => {
    const [first, second] = [await imported('1-1'), await imported('1-2')]
    first.out(1, 2)
    second.out(3)
    expect(await first.reply()).toBe('submitted 1: 0, 2 taken')
    expect(await second.reply()).toBe('submitted 1: 0, 1 taken')
    first.in(64)
    second.in(64)
    expect(await first.reply()).toBe('submitted 2: 0, 0102')
    expect(await second.reply()).toBe('submitted 2: 0, 03')
  })

  it('lets a read wait until the device has something, or the host gives it up', async () => {
    const [twin] = twins
    let answer: (bytes: Uint8Array) => void = () => undefined
    Object.assign(twin ?? {}, { bulkIn: () => new Promise<Uint8Array>((resolve) => (answer = resolve)) })
    const host = await imported()
    const read = host.in(64)
    host.out(1) // another pipe does not wait for it
    expect(await host.reply()).toBe('submitted 2: 0, 1 taken')
    host.unlink(read)
    expect(await host.reply()).toBe('unlinked 3: -104')
    host.in(64)
    host.out(1)
    expect(await host.reply()).toBe('submitted 5: 0, 1 taken')
    answer(Uint8Array.of(7)) // to what was given up, so that the next one gets it
    expect(await host.reply()).toBe('submitted 4: 0, 07')
    host.unlink(4)
    expect(await host.reply()).toBe('unlinked 6: 0')
  })

  it('lets a read stall, and the pipe until that is cleared', async () => {
    const host = await imported()
    faults({ stallAt: 2 })
    host.out(1, 2)
    host.in(2)
    host.in(2)
    expect(await replies(host, 3)).toEqual([
      'submitted 1: 0, 2 taken',
      'submitted 2: -32, ',
      'submitted 3: -32, ',
    ])
    host.clearHalt(0x81)
    host.in(2)
    expect(await replies(host, 2)).toEqual(['submitted 4: 0, 0 taken', 'submitted 5: 0, 0102'])
  })

  it('lets an answer be short', async () => {
    const host = await imported()
    faults({ shortAt: 2 })
    host.out(1, 2)
    host.in(2)
    expect(await replies(host, 2)).toEqual(['submitted 1: 0, 2 taken', 'submitted 2: 0, 01'])
  })

  it('lets a transfer hang until it is given up', async () => {
    const host = await imported()
    faults({ hangAt: 1 })
    host.in(2)
    host.out(1)
    expect(await host.reply()).toBe('submitted 2: 0, 1 taken')
    host.unlink(1)
    host.in(1)
    expect(await replies(host, 2)).toEqual(['unlinked 3: -104', 'submitted 4: 0, 01'])
  })

  it('hangs up when the plug is pulled, and gives the device again once it is back', async () => {
    const host = await imported()
    faults({ unplugAt: 2 })
    host.out(1)
    expect(await host.reply()).toBe('submitted 1: 0, 1 taken')
    host.out(1)
    expect(await host.reply()).toBeUndefined()
    expect(await (await Host.connect(at)).import('1-1')).toBe('00000001')
    ports[0]?.plug()
    const again = await imported()
    again.out(1)
    expect(await again.reply()).toBe('submitted 1: 0, 1 taken')
  })

  describe('an interrupt pipe', () => {
    /** With an endpoint 83 of eight bytes, which says what `press` is given. */
    class Keypad extends EchoUsbTwin {
      press: (answer: TwinAnswer) => void = () => undefined
      override readonly descriptors: UsbDescriptors

      constructor() {
        super()
        const { descriptors } = new EchoUsbTwin()
        const configuration = Uint8Array.from([...descriptors.configuration, 7, 5, 0x83, 3, 8, 0, 10])
        configuration[2] = configuration.length
        this.descriptors = { ...descriptors, configuration }
      }
      override bulkIn(endpoint: number, length: number): Promise<TwinAnswer> {
        if (endpoint !== 3) return super.bulkIn(endpoint, length)
        return new Promise((resolve) => (this.press = resolve))
      }
    }
    const keypad = new Keypad()
    let port: UsbPort
    let host: Host
    let told: Transfer[]

    beforeEach(async () => {
      port = new UsbPort(keypad, clock)
      server.ports = [port]
      told = []
      port.listen((transfer) => told.push(transfer))
      host = await imported()
      host.submit('in', 3, 8)
      host.out(1) // another pipe does not wait for it
      expect(await host.reply()).toBe('submitted 2: 0, 1 taken')
    })

    it('says nothing until the device has something, and then as much as that is', async () => {
      keypad.press(Uint8Array.of(1, 2, 3))
      expect(await host.reply()).toBe('submitted 1: 0, 010203')
      expect(told.map(({ endpoint, isInterrupt }) => [endpoint, isInterrupt])).toEqual([
        [2, false],
        [3, true],
      ])
    })

    it('gives the next read what came of one that was given up', async () => {
      host.unlink(1)
      expect(await host.reply()).toBe('unlinked 3: -104')
      host.submit('in', 3, 8)
      keypad.press(Uint8Array.of(4))
      expect(await host.reply()).toBe('submitted 4: 0, 04')
    })

    it('stalls until that is cleared', async () => {
      keypad.press('stall')
      expect(await host.reply()).toBe('submitted 1: -32, ')
      host.submit('in', 3, 8)
      expect(await host.reply()).toBe('submitted 3: -32, ')
      host.clearHalt(0x83)
      expect(await host.reply()).toBe('submitted 4: 0, 0 taken')
      host.submit('in', 3, 8)
      host.out(1)
      expect(await host.reply()).toBe('submitted 6: 0, 1 taken')
      keypad.press(Uint8Array.of(5))
      expect(await host.reply()).toBe('submitted 5: 0, 05')
    })

    it('takes no more than was asked for', async () => {
      keypad.press(new Uint8Array(9))
      expect(await host.reply()).toBe('submitted 1: -75, ')
    })

    it('ends with the plug', async () => {
      port.unplug()
      expect(await host.reply()).toBeUndefined()
    })
  })

  const faults = (given: WireFaults) => Object.assign(ports[0] ?? {}, { faults: given })
  const replies = async (host: Host, count: number) => {
    const all: (string | undefined)[] = []
    while (all.length < count) all.push(await host.reply())
    return all
  }
})
