/** dfu-programmer and avrdude, as Debian ships them: AVRs in Atmel's DFU boot loader, of three makes. */
import assert from 'node:assert/strict'
import { equal, isBlank } from '#core/bytes.ts'
import type { LabCase } from './lab-case.ts'

/** dfu-programmer takes and gives Intel HEX. */
const hexOf = (name: string): string => `objcopy -I binary -O ihex /tmp/${name}.bin /tmp/${name}.hex`

const whole: LabCase = {
  name: "dfu-programmer, dfu:atmega16u2: the Uno R3's chip asked, read, erased, written whole and started",
  twins: [{ id: 'dfu:atmega16u2' }],
  async run({ guest, twins: [twin], random }) {
    assert(twin)
    const before = [twin.memory('flash').slice(), twin.memory('eeprom').slice()]
    const [flash, eeprom] = [random(0x3000), random(512)]
    await guest.put('/tmp/flash.bin', flash)
    await guest.put('/tmp/eeprom.bin', eeprom)
    const output = await guest.do(
      `set -e
      tool() { dfu-programmer atmega16u2 "$@"; }
      tool get bootloader-version; tool get manufacturer; tool get family; tool get product-name
      tool dump > /tmp/was.bin; tool dump-eeprom > /tmp/was-eeprom.bin
      tool erase
      ${hexOf('flash')}; ${hexOf('eeprom')}
      tool flash /tmp/flash.hex; tool flash-eeprom /tmp/eeprom.hex
      tool dump > /tmp/is.bin; tool dump-eeprom > /tmp/is-eeprom.bin
      cmp /tmp/is.bin /tmp/flash.bin; cmp /tmp/is-eeprom.bin /tmp/eeprom.bin`,
      180_000,
    )
    assert.match(output, /Bootloader Version: 0x20/)
    assert.match(output, /Manufacturer Code: 0x1e/)
    assert.match(output, /Family Code: 0x94/)
    const was = await Promise.all([guest.get('/tmp/was.bin'), guest.get('/tmp/was-eeprom.bin')])
    assert(equal(was[0], (before[0] ?? flash).slice(0, 0x3000)), 'dfu-programmer read something else')
    assert(equal(was[1], before[1] ?? eeprom), 'so is the EEPROM')
    assert(equal(twin.memory('flash').slice(0, 0x3000), flash), 'the flash is not what was written')
    assert(equal(twin.memory('flash').slice(0x3000), (before[0] ?? flash).slice(0x3000)), 'nor is the loader')
    assert(equal(twin.memory('eeprom'), eeprom), 'the EEPROM is not what was written')
  },
}

const started: LabCase = {
  name: 'dfu-programmer, dfu:atmega16u2: starts its firmware, which the kernel finds to be a serial port',
  twins: [{ id: 'dfu:atmega16u2' }],
  async run({ guest, twins: [twin] }) {
    assert(twin)
    await guest.do('dfu-programmer atmega16u2 reset')
    await guest.do(
      'for ((i = 0; i < 50; i++)); do grep -qs 2341 /sys/bus/usb/devices/*/idVendor && exit 0; sleep 0.2; done; exit 1',
    )
    await guest.do('for ((i = 0; i < 50; i++)); do test -c /dev/ttyACM0 && exit 0; sleep 0.2; done; exit 1')
  },
}

const locked: LabCase = {
  name: "dfu-programmer, dfu:atmega32u4: Atmel's own refuses until it was erased, and is written whole",
  twins: [{ id: 'dfu:atmega32u4', dials: { locked: true } }],
  async run({ guest, twins: [twin], random }) {
    assert(twin)
    const [flash, eeprom, before] = [random(0x7000), random(1024), twin.memory('flash').slice()]
    await guest.put('/tmp/flash.bin', flash)
    await guest.put('/tmp/eeprom.bin', eeprom)
    const refused = await guest.run('dfu-programmer atmega32u4 dump > /tmp/was.bin')
    assert.notEqual(refused.code, 0)
    assert.match(refused.output, /read protected/)
    await guest.run(`${hexOf('flash')}; dfu-programmer atmega32u4 flash --suppress-validation /tmp/flash.hex`)
    assert(equal(twin.memory('flash'), before), 'the flash was changed')
    await guest.do(
      `set -e
      ${hexOf('eeprom')}
      dfu-programmer atmega32u4 erase
      dfu-programmer atmega32u4 flash /tmp/flash.hex
      dfu-programmer atmega32u4 flash-eeprom /tmp/eeprom.hex
      dfu-programmer atmega32u4 dump > /tmp/is.bin; cmp /tmp/is.bin /tmp/flash.bin`,
      180_000,
    )
    assert(equal(twin.memory('flash'), flash), 'the flash is not what was written')
    assert(equal(twin.memory('eeprom'), eeprom), 'the EEPROM is not what was written')
  },
}

const large: LabCase = {
  name: 'dfu-programmer, dfu:at90usb1286: writes and reads beyond 64 KiB',
  twins: [{ id: 'dfu:at90usb1286' }],
  async run({ guest, twins: [twin], random }) {
    assert(twin)
    const flash = random(0x1_e000)
    await guest.put('/tmp/flash.bin', flash)
    await guest.do(
      `set -e
      ${hexOf('flash')}
      dfu-programmer at90usb1286 erase
      dfu-programmer at90usb1286 flash /tmp/flash.hex
      dfu-programmer at90usb1286 dump > /tmp/is.bin; cmp /tmp/is.bin /tmp/flash.bin`,
      240_000,
    )
    assert(equal(twin.memory('flash').slice(0, 0x1_e000), flash), 'the flash is not what was written')
  },
}

const avrdude: LabCase = {
  name: 'avrdude, dfu:atmega32u4: writes flash and EEPROM as FLIP does',
  twins: [{ id: 'dfu:atmega32u4' }],
  async run({ guest, twins: [twin], random }) {
    assert(twin)
    const [flash, eeprom] = [random(2048), random(16)]
    await guest.put('/tmp/flash.bin', flash)
    await guest.put('/tmp/eeprom.bin', eeprom)
    await guest.do(
      'avrdude -q -q -c flip1 -p m32u4 -e -U flash:w:/tmp/flash.bin:r -U eeprom:w:/tmp/eeprom.bin:r',
      120_000,
    )
    assert(equal(twin.memory('flash').slice(0, 2048), flash), 'the flash is not what was written')
    assert(isBlank(twin.memory('flash').slice(2048)), 'the rest was not erased')
    assert(equal(twin.memory('eeprom').slice(0, 16), eeprom), 'the EEPROM is not what was written')
  },
}

export default [whole, started, locked, large, avrdude]
