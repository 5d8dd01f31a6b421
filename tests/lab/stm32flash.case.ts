/**
 * stm32flash, as Debian ships it, on the kernel's own tty with even parity: the boot loader in an STM32's ROM behind
 * three kinds of bridges, with both ways to erase, and its read protection.
 */
import assert from 'node:assert/strict'
import { equal, isBlank } from '#core/bytes.ts'
import type { LabCase } from './lab-case.ts'

const stm32flash = 'stm32flash -b 115200'
const tty = '/dev/ttyUSB0'

/** What it may read and write is all that there is: it takes every chip for the largest with its id. */
const chips = [
  { id: 'stm32-uart:stm32f030', driver: 'cp210x', name: 'STM32F03xx4/6', flash: 16_384 },
  { id: 'stm32-uart:stm32f103', driver: 'ch341', name: 'STM32F10xxx Medium-density', flash: 65_536 },
  { id: 'stm32-uart:stm32f410', driver: 'ftdi_sio', name: 'STM32F410xx', flash: 131_072 },
].map(({ id, driver, name, flash }): LabCase => ({
  name: `stm32flash, ${id} (${driver}): all of its flash`,
  twins: [{ id }],
  timeoutMs: 900_000,
  onDemand: flash > 16_384,
  async run({ guest, twins: [twin], random }) {
    assert(twin)
    const program = random(flash)
    await guest.put('/tmp/flash.bin', program)
    const said = await guest.do(`stty -F ${tty} >/dev/null; ${stm32flash} ${tty}`)
    assert(said.includes(name), said)
    const range = `-S 0x08000000:${String(flash)}`
    await guest.do(`${stm32flash} ${range} -o ${tty}`, 60_000)
    assert(isBlank(twin.memory('flash')), 'the flash is not erased')
    await guest.do(`${stm32flash} ${range} -w /tmp/flash.bin -v ${tty}`, 800_000)
    assert(equal(twin.memory('flash'), program), 'the flash is not what was written')
    const some = Math.min(flash, 16_384)
    await guest.do(
      `rm -f /tmp/read.bin
      ${stm32flash} -S 0x08000000:${String(some)} -r /tmp/read.bin ${tty} && head -c ${String(some)} /tmp/flash.bin | cmp - /tmp/read.bin`,
      120_000,
    )
  },
}))

const protection: LabCase = {
  name: 'stm32flash, stm32-uart:stm32f103: protects the flash, lifts that again, which erases it, and starts it',
  twins: [{ id: 'stm32-uart:stm32f103' }],
  async run({ guest, twins: [twin] }) {
    assert(twin)
    const before = twin.memory('flash').slice()
    await guest.do(`${stm32flash} -j ${tty}`)
    assert(equal(twin.memory('flash'), before), 'protecting has changed the flash')
    const read = `rm -f /tmp/read.bin; ${stm32flash} -S 0x08000000:1024 -r /tmp/read.bin ${tty}`
    assert.notEqual((await guest.run(read)).code, 0, 'it reads what is protected')
    await guest.do(`${stm32flash} -k ${tty}`)
    assert(isBlank(twin.memory('flash')), 'lifting it has not erased the flash')
    await guest.do(read)
    await guest.do(`${stm32flash} -g 0x08000000 ${tty}`)
    assert.notEqual((await guest.run(`${stm32flash} ${tty}`)).code, 0, 'its program answers as a boot loader')
  },
}

export default [...chips, protection]
