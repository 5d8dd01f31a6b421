/** dfu-util, as Debian ships it: list, back up, write, erase and unlock STM32 and a Black Magic Probe in DFU mode. */
import assert from 'node:assert/strict'
import { equal, isBlank } from '#core/bytes.ts'
import { withDfuSuffix } from '#firmware/dfu-suffix.ts'
import { blackMagicProgram } from '../../protocols/dfu/images.ts'
import type { LabCase } from './lab-case.ts'

const flashAt = '0x08000000'
// dfu-util reads into no file that is there already, e.g. from the case before.

const lists: LabCase = {
  name: 'dfu-util, dfu:stm32f405: lists its memories',
  twins: [{ id: 'dfu:stm32f405' }],
  async run({ guest }) {
    const output = await guest.do('dfu-util -l')
    for (const text of [
      'Found DFU: [0483:df11] ver=2200',
      'name="@Internal Flash  /0x08000000/04*016Kg,01*064Kg,07*128Kg", serial="357236583333"',
      'alt=1, name="@Option Bytes  /0x1FFFC000/01*016 e"',
      'alt=2, name="@OTP Memory /0x1FFF7800/01*512 e,01*016 e"',
    ])
      assert(output.includes(text), `it does not list ${text}:\n${output}`)
  },
}

const whole: LabCase = {
  name: 'dfu-util, dfu:stm32f072: reads and writes the whole flash, and leaves',
  twins: [{ id: 'dfu:stm32f072' }],
  async run({ guest, twins: [twin], random }) {
    assert(twin)
    const [before, program] = [twin.memory('flash').slice(), random(128 * 1024)]
    await guest.put('/tmp/flash.bin', program)
    await guest.do(`rm -f /tmp/read.bin; dfu-util -a 0 -s ${flashAt} -U /tmp/read.bin`, 120_000)
    assert(equal(await guest.get('/tmp/read.bin'), before), 'dfu-util read something else')
    await guest.do('rm -f /tmp/options.bin; dfu-util -a 1 -s 0x1ffff800:16 -U /tmp/options.bin')
    assert(equal(await guest.get('/tmp/options.bin'), twin.memory('options')), 'so are the option bytes')
    await guest.do(`dfu-util -a 0 -s ${flashAt}:leave -D /tmp/flash.bin`, 120_000)
    assert(equal(twin.memory('flash'), program), 'the flash is not what was written')
    assert.equal(twin.port.present, undefined, 'it is still in DFU mode')
  },
}

const riscv: LabCase = {
  name: 'dfu-util, dfu:gd32vf103: corrects its pages by its part number, reads and writes it',
  twins: [{ id: 'dfu:gd32vf103' }],
  async run({ guest, twins: [twin], random }) {
    assert(twin)
    const [before, program] = [twin.memory('flash').slice(), random(10 * 1024)]
    const said = await guest.do(`rm -f /tmp/read.bin; dfu-util -a 0 -s ${flashAt} -U /tmp/read.bin`, 120_000)
    assert.match(said, /page size 1024, count 128/)
    assert(equal(await guest.get('/tmp/read.bin'), before), 'dfu-util read something else')
    await guest.put('/tmp/part.bin', program)
    await guest.do('dfu-util -a 0 -s 0x08004400 -D /tmp/part.bin', 120_000)
    before.set(program, 0x4400)
    assert(equal(twin.memory('flash'), before), 'the flash is not what was written')
  },
}

const sectors: LabCase = {
  name: 'dfu-util, dfu:stm32f405: writes over sectors of three sizes',
  twins: [{ id: 'dfu:stm32f405' }],
  async run({ guest, twins: [twin], random }) {
    assert(twin)
    const [at, program] = [0xc000, random((16 + 64 + 8) * 1024)]
    const expected = twin.memory('flash').slice()
    expected.fill(0xff, at, 0x4_0000).set(program, at)
    await guest.put('/tmp/part.bin', program)
    await guest.do('dfu-util -a 0 -s 0x0800c000 -D /tmp/part.bin', 120_000)
    assert(equal(twin.memory('flash'), expected), 'the flash is not what was written')
  },
}

const erased: LabCase = {
  name: 'dfu-util, dfu:stm32f072: erases everything, and writes',
  twins: [{ id: 'dfu:stm32f072' }],
  async run({ guest, twins: [twin], random }) {
    assert(twin)
    const program = random(4096)
    await guest.put('/tmp/part.bin', program)
    await guest.do('dfu-util -a 0 -s 0x08004000:mass-erase:force -D /tmp/part.bin', 120_000)
    const flash = twin.memory('flash')
    assert(equal(flash.subarray(0x4000, 0x5000), program), 'the flash is not what was written')
    assert(isBlank(flash.subarray(0, 0x4000)) && isBlank(flash.subarray(0x5000)), 'something is left')
  },
}

const unlocked: LabCase = {
  name: 'dfu-util, dfu:stm32f072: is refused what is read-protected, and lifts the protection',
  twins: [{ id: 'dfu:stm32f072', dials: { locked: true } }],
  async run({ guest, twins: [twin], random }) {
    assert(twin)
    const [before, program] = [twin.memory('flash').slice(), random(2048)]
    await guest.put('/tmp/part.bin', program)
    const { code, output } = await guest.run(
      `rm -f /tmp/read.bin; dfu-util -a 0 -s ${flashAt}:2048 -U /tmp/read.bin`,
    )
    assert.notEqual(code, 0)
    assert.match(output, /SET_ADDRESS/)
    assert(equal(twin.memory('flash'), before), 'the flash was changed')
    await guest.do(`dfu-util -a 0 -s ${flashAt}:unprotect:force -D /tmp/part.bin`)
    const isBack =
      'for ((i = 0; i < 50; i++)); do dfu-util -l | grep -q alt=1 && exit 0; sleep 0.2; done; exit 1'
    await guest.do(isBack)
    assert(isBlank(twin.memory('flash')), 'it was not erased')
    await guest.do(`dfu-util -a 0 -s ${flashAt} -D /tmp/part.bin`)
    assert(equal(twin.memory('flash').subarray(0, 2048), program), 'the flash is not what was written')
  },
}

const listed = (text: string) =>
  `for ((i = 0; i < 50; i++)); do dfu-util -l | grep -q '${text}' && exit 0; sleep 0.2; done; exit 1`

const blackMagic: LabCase = {
  name: 'dfu-util, dfu:black-magic-probe: leaves the application, writes another one, and starts it',
  twins: [{ id: 'dfu:black-magic-probe' }],
  async run({ guest, twins: [twin] }) {
    assert(twin)
    await guest.do("dfu-util -l | grep -q 'Found Runtime: .1d50:6018'; dfu-util -d 1d50:6018,:6017 -e")
    await guest.do(listed('Found DFU: .1d50:6017'))
    const { code, output } = await guest.run('dfu-util -s 0x08000000:1024 -U /tmp/hidden.bin')
    assert.notEqual(code, 0, `its boot loader was read:\n${output}`)
    const program = blackMagicProgram(0x0800_2000, 32 * 1024, 3)
    await guest.put('/tmp/flash.bin', program)
    await guest.do('dfu-util -s 0x08002000:leave -D /tmp/flash.bin', 120_000)
    assert(equal(twin.memory('flash').subarray(0, 0x8000), program), 'the flash is not what was written')
    await guest.do(listed('Found Runtime: .1d50:6018'))
    const product = await guest.do('cat /sys/bus/usb/devices/*/product')
    assert.match(product, /Black Magic Probe v2\.0\.0/)
  },
}

const resetInto: LabCase = {
  name: 'dfu-util, dfu:plain-running: leaves the application by a port reset',
  twins: [{ id: 'dfu:plain-running' }],
  async run({ guest }) {
    await guest.do('dfu-util -d 1209:0002,:0001 -e')
    await guest.do(listed('Found DFU: .1209:0001'))
  },
}

const plain = (id: string, setting: number, usbId: string): LabCase => ({
  name: `dfu-util, ${id}: reads and writes all of it`,
  twins: [{ id }],
  async run({ guest, twins: [twin], random }) {
    assert(twin)
    const before = twin.memory('flash').slice()
    const program = random(before.length)
    const dfuUtil = `dfu-util -a ${String(setting)}`
    await guest.put('/tmp/flash.bin', program)
    await guest.do(`rm -f /tmp/read.bin; ${dfuUtil} -U /tmp/read.bin`)
    assert(equal(await guest.get('/tmp/read.bin'), before), 'dfu-util read something else')
    const [vendorId = 0, productId = 0] = usbId.split(':').map((part) => parseInt(part, 16))
    await guest.put('/tmp/flash.dfu', withDfuSuffix(program, 0x0100, { vendorId, productId }))
    await guest.do(`${dfuUtil} -D /tmp/flash.dfu`)
    assert(equal(twin.memory('flash'), program), 'the flash is not what was written')
  },
})

export default [
  ...[lists, whole, riscv, sectors, erased, unlocked, blackMagic, resetInto],
  plain('dfu:plain', 0, '1209:0001'),
  plain('dfu:dapboot', 1, '1209:db42'),
]
