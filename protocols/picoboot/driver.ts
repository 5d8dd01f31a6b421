/**
 * Opens an RP2040 or RP2350: in BOOTSEL mode with the way to its flash, in use with what makes it start BOOTSEL mode.
 * Sources: as `packets.ts`; pico-sdk, `pico_stdio_usb/reset_interface.c`.
 */
import type { Context } from '#core/context.ts'
import { FlashError } from '#core/errors.ts'
import type { Driver, Fact, Programmer, Recognition, Restart } from '#core/programmer.ts'
import { isAbortedWithin } from '#core/time.ts'
import type { UsbLink } from '#transport/links.ts'
import { chipOf, chips, raspberryPi } from '#chips/rp2-chips.ts'
import { resetInterfaceOf } from './identity.ts'
import { ResetRequest } from './packets.ts'
import { PicobootPatient, type PicobootDevice } from './patient.ts'
import { goneWithinMs, PicobootSession } from './session.ts'

async function open(link: UsbLink, recognised: Recognition): Promise<Programmer> {
  const { seen } = link
  const common = {
    notices: recognised.notices,
    gone: link.gone,
    [Symbol.asyncDispose]: () => link[Symbol.asyncDispose](),
  }
  const reset = resetInterfaceOf(seen)
  const chip = chipOf(seen.vendorId, seen.productId)
  if (!chip && reset !== undefined)
    return { ...common, facts: recognised.facts, ways: [], restart: restartOf(link, reset) }
  const number = seen.interfaces.find(
    ({ classCode, protocol }) => classCode === 0xff && protocol === 0,
  )?.number
  if (!chip || number === undefined)
    throw new FlashError('wrong-device', { expected: 'PICOBOOT', found: recognised.model })
  const session = new PicobootSession(link, number)
  await session.reset()
  const device: PicobootDevice = { session, chip, serial: chip.hasSerial ? seen.serial : undefined }
  return {
    ...common,
    facts: [...recognised.facts, await romOf(session, chip.name)],
    ways: [
      {
        ...{ to: 'itself', by: 'bootloader', speedsHz: [] },
        connect: (ctx) => PicobootPatient.connect(device, ctx),
      },
    ],
  }
}

/** Where each ROM says which it is. Source: picotool, `main.cpp`, `determine_chip_revision`. */
const romVersionAt = 0x13
const revisions: Readonly<Record<string, Readonly<Record<number, string>>>> = {
  RP2040: { 1: 'B0', 2: 'B1', 3: 'B2' },
  RP2350: { 2: 'A2', 3: 'A3', 4: 'A4' },
}

async function romOf(session: PicobootSession, chip: string): Promise<Fact> {
  const [version = 0] = await session.read(romVersionAt, 1)
  const revision = revisions[chip]?.[version]
  const value = `ROM ${String(version)}${revision === undefined ? '' : ` (${chip} ${revision})`}`
  return { name: 'bootloader', value, source: '0x0000_0013' }
}

/** It goes in the middle of the request, so that this may end in any way. */
const restartOf = (link: UsbLink, index: number): Restart => ({
  link: 'usb',
  as: chips.map(({ productId }) => ({ vendorId: raspberryPi, productId })),
  run: (ctx: Context) =>
    ctx.critical(async ({ clock }) => {
      const trouble = await told(link, index)
      if (await isAbortedWithin(link.gone, goneWithinMs, clock)) return
      throw trouble ?? new FlashError('device-refused', { during: 'starting BOOTSEL', status: 'still there' })
    }),
})

/** Gives what went wrong, which does not matter once it is gone. */
async function told(link: UsbLink, index: number): Promise<FlashError | undefined> {
  const request = { request: ResetRequest.Bootsel, value: 0, index }
  try {
    await link.controlOut({ requestType: 'class', recipient: 'interface', ...request })
    return undefined
  } catch (error) {
    if (error instanceof FlashError && !error.is('bug')) return error
    throw error
  }
}

export default { open } satisfies Driver<UsbLink>
