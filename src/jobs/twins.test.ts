/** The whole job through the real drivers and the real transport, on the twins of the practice bench. */
import 'fake-indexeddb/auto'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import type { PracticeBench, Plugged } from '#bench/bench.ts'
import { practiceImages } from '#bench/practice-images.ts'
import type { Dials } from '#bench/twin.ts'
import { formatIntelHex } from '#firmware/intel-hex.ts'
import type { Fact, KnownFirmware } from '#core/programmer.ts'
import { avrPartByName } from '#chips/avr-parts.ts'
import type { Devices, Attached } from '#transport/devices.ts'
import { parse } from '#worker/client.ts'
import { arduinoIspImage, loaderImage } from '../../protocols/stk500/images.ts'
import { verifyCertificate } from './certificate.ts'
import { wantedFromBackup, wantedFromFile } from './choose.ts'
import { candidates } from './identify.ts'
import { proofFor, tellsApart } from './prove.ts'
import { Job, type JobServices, type Wanted } from './job.ts'
import { consents, TestHouse, wantedImage } from './test-job.ts'

vi.setConfig({ testTimeout: 60_000 }) // a whole Uno byte by byte, twice, on a busy machine

let house: TestHouse
let services: JobServices
let bench: PracticeBench
let devices: Devices
beforeEach(async () => {
  house = await TestHouse.open()
  ;({ services, bench, devices } = house)
})
afterEach(() => house[Symbol.asyncDispose]())

const theOne = () => house.theOne()

const practice = async (chip: string, version: string): Promise<Wanted> =>
  wantedImage(
    (await practiceImages('usbasp')).find((one) => one.chip === chip && one.version === version),
    chip,
  )

/** Connected and backed up. */
async function backedUp(id: string, dials?: Dials): Promise<{ job: Job; plugged: Plugged }> {
  const plugged = await bench.plug(id, dials)
  const job = new Job(services)
  await job.connect(await theOne())
  expect(job.view.error).toBeUndefined()
  await job.backUp()
  expect(job.view.error).toBeUndefined()
  return { job, plugged }
}

function arduinoIsp(): Uint8Array {
  const part = avrPartByName('ATmega328P')
  if (!part) throw new Error('no ATmega328P')
  return arduinoIspImage(part)
}

describe('a USBasp behind another one', () => {
  test('is recognised, updated, plugged in by itself and proven by its own version', async () => {
    const { job, plugged } = await backedUp('usbasp:pair')
    expect(job.view.firmware).toMatchObject({ family: 'usbasp', version: '1.03' })
    expect(job.view.patient?.notices.map(({ code }) => code)).toEqual(['programmer-recognised'])
    await job.choose(await practice('ATmega8', '1.10'))
    expect(job.view.checks?.filter(({ result }) => result === 'refused')).toEqual([])
    expect(job.view.rule.outside).toBe('blank')
    await job.write(consents(job))
    expect(job.view.error).toBeUndefined()
    expect(job.view.proofWanted).toBe('plug-in-by-itself')

    expect(await plugged.plugInByItself()).toBe(true)
    await job.refer(' Order 7, mill ')
    await job.prove(await theOne())
    expect(job.view.error).toBeUndefined()
    expect(job.view.proof).toMatchObject({ kind: 'running-version' })
    expect(job.view.proof?.found).toContain('1.10')
    const stored = await services.certificates.get(job.view.certificateId ?? '')
    const { certificate, signature } = await verifyCertificate(stored?.json ?? '')
    expect(signature).toBe('valid')
    expect(certificate.before.firmware?.version).toBe('1.03')
    expect(certificate.after.firmware?.version).toBe('1.10')
    expect(certificate.proof).toMatchObject({ kind: 'running-version', distinct: 'yes' })
    expect(certificate.reference).toBe('Order 7, mill')
    expect(certificate.patient).toMatchObject({ model: 'USBasp', chip: 'ATmega8' })
  })

  test.each([
    ['said the same version before: that it runs, not that it is new', {}, 'no'],
    ['was locked: nobody knows what it would have said', { locked: true }, 'unknown'],
  ])('proves by its version no more than it can, where it %s', async (_, dials, distinct) => {
    const { job, plugged } = await backedUp('usbasp:pair', dials)
    await job.backUp({ acknowledged: job.view.unacknowledged })
    await job.choose(await practice('ATmega8', '1.03'))
    await job.write(consents(job))
    await plugged.plugInByItself()
    await job.prove(await theOne())
    expect(job.view.proof).toMatchObject({ kind: 'running-version', distinct })
    const stored = await services.certificates.get(job.view.certificateId ?? '')
    const { certificate } = await verifyCertificate(stored?.json ?? '')
    expect(certificate.proof).toMatchObject({ kind: 'running-version', distinct })
  })

  test('that still says its old version is not proven, and another reading proves what is in it', async () => {
    const { job, plugged } = await backedUp('usbasp:pair', { liesAboutVersion: true })
    await job.choose(await practice('ATmega8', '1.10'))
    await job.write(consents(job))
    await plugged.plugInByItself()
    await job.prove(await theOne())
    expect(job.view).toMatchObject({ proof: undefined, next: 'prove', certificateId: undefined })
    const saying = (version: string) => expect.stringContaining(version) as string
    expect(job.view.error).toMatchObject({
      code: 'not-proven',
      detail: { expected: saying('1.10'), found: saying('1.03') },
    })

    await plugged.replug()
    await job.prove()
    await job.resumeAfterReplug(await theOne())
    expect(job.view).toMatchObject({ error: undefined, proof: { kind: 'read-again' } })
  })

  test('whose abilities are not those of the image is not proven, and both are said', async () => {
    const { job, plugged } = await backedUp('usbasp:pair')
    const { firmware, ...wanted } = await practice('ATmega8', '1.10')
    expect(firmware?.appears?.says).toContainEqual({ name: 'capabilities', value: 'HID UART' })
    const says = [...(firmware?.appears?.says ?? []), { name: 'capabilities', value: 'SPI flash' } as const]
    await job.choose({ ...wanted, firmware: firmware && { ...firmware, appears: { link: 'usb', says } } })
    await job.write(consents(job))
    await plugged.plugInByItself()
    await job.prove(await theOne())
    expect(job.view.error).toMatchObject({
      code: 'not-proven',
      detail: {
        expected: expect.stringContaining('SPI flash') as string,
        found: 'USBasp 1.10 TPI, HID UART',
      },
    })
  })

  test('is not proven by the programmer that wrote it, nor by a third one that was there all along', async () => {
    const { job } = await backedUp('usbasp:pair', { version: '1.10' })
    const tool = await theOne()
    await job.choose(await practice('ATmega8', '1.10'))
    await job.write(consents(job))
    await bench.plug('usbasp:atmega8', { version: '1.10' })
    const present = await devices.list()
    for (const [attached, why] of present.map((one) => [one, one.key === tool.key ? 'tool' : 'was-there'])) {
      await job.prove(
        attached as Attached,
        present.map(({ key }) => key),
      )
      expect(job.view).toMatchObject({
        error: { code: 'not-proven', detail: { why } },
        certificateId: undefined,
      })
    }
    await job.prove() // the programmer was not let go
    expect(job.view.proof?.kind).toBe('read-again')
  })

  test.each<[string, boolean, string]>([
    ['that still says its old version is certified with what it says', true, '1.03'],
    ['is certified without the version of another one, which says nothing of it', false, ''],
  ])('%s, when that is the end', async (_, isAsked, found) => {
    const { job, plugged } = await backedUp('usbasp:pair', { liesAboutVersion: true })
    await job.choose(await practice('ATmega8', '1.10'))
    await job.write(consents(job))
    if (isAsked) await plugged.plugInByItself()
    await job.prove(await theOne())
    expect(job.view.error?.code).toBe('not-proven')
    await job.finishUnproven()
    const stored = await services.certificates.get(job.view.certificateId ?? '')
    const { proof } = (await verifyCertificate(stored?.json ?? '')).certificate
    expect(proof).toMatchObject({ kind: 'none', why: 'not-proven' })
    if (isAsked) expect(proof.found).toContain(found)
    else expect(proof.found).toBe('')
  })

  test('that cannot be told from the programmer, which is gone, is not proven', async () => {
    const { job, plugged } = await backedUp('usbasp:pair', { version: '1.10' })
    await job.choose(await practice('ATmega8', '1.10'))
    await job.write(consents(job))
    await plugged.unplug()
    await plugged.replug()
    await job.prove(await theOne())
    expect(job.view.error).toMatchObject({ code: 'not-proven', detail: { why: 'like-the-tool' } })
  })

  test('holds the firmware of before when only its EEPROM was written, and the certificate says so', async () => {
    const { job } = await backedUp('usbasp:pair')
    const file = new Blob([formatIntelHex([{ address: 0, bytes: Uint8Array.of(0x12, 0x34) }])])
    await job.choose(
      await wantedFromFile({ kind: 'file', file, name: 'settings.eep', memory: 'eeprom' }, parse),
    )
    await job.write(consents(job))
    await job.prove()
    const { id, json } = (await services.certificates.get(job.view.certificateId ?? '')) ?? {}
    expect(id).toBe(job.view.certificateId)
    const { certificate } = await verifyCertificate(json ?? '')
    expect(certificate.after.firmware?.version).toBe('1.03')
  })

  test('gets firmware for another chip refused', async () => {
    const { job } = await backedUp('usbasp:pair')
    const [other] = (await practiceImages('usbasp')).filter(({ chip }) => chip !== 'ATmega8')
    await job.choose(await practice(other?.chip ?? '', other?.version ?? ''))
    expect(job.view).toMatchObject({ next: 'choose-again', plan: undefined })
    expect(job.view.checks?.find(({ code }) => code === 'chip-matches')?.result).toBe('refused')
  })

  test('is restored from its backup to the last byte, fuses included', async () => {
    const { job, plugged } = await backedUp('usbasp:pair')
    const before = (['flash', 'eeprom', 'fuses', 'lock'] as const).map((id) => plugged.memory(id).slice())
    await job.choose(await practice('ATmega8', '1.10'))
    await job.write(consents(job))
    expect(plugged.memory('flash')).not.toEqual(before[0])
    const { backup } = job.view
    if (!backup) throw new Error('no backup')

    await job.connect(await theOne())
    await job.backUp()
    await job.choose(wantedFromBackup(backup))
    const sameDevice = job.view.checks?.find(({ code }) => code === 'same-device')
    expect(sameDevice).toMatchObject({ result: 'warning', values: { why: 'unsure' } }) // no serial number
    await job.write(consents(job))
    expect(job.view.error).toBeUndefined()
    expect((['flash', 'eeprom', 'fuses', 'lock'] as const).map((id) => plugged.memory(id))).toEqual(before)
  })

  test('unplugged in the middle of the write is finished after the replug', async () => {
    const { job, plugged } = await backedUp('usbasp:pair')
    const eeprom = plugged.memory('eeprom').slice()
    const wanted = await practice('ATmega8', '1.10')
    await job.choose(wanted)
    plugged.faults = { unplugAt: 120 }
    await job.write(consents(job))
    expect(job.view).toMatchObject({ error: { code: 'device-gone' }, halfWritten: true, next: 'replug' })
    plugged.faults = {}
    await plugged.replug()
    await job.resumeAfterReplug(await theOne())
    expect(job.view).toMatchObject({ error: undefined, halfWritten: false, next: 'prove' })
    expect(plugged.memory('eeprom')).toEqual(eeprom)
    await plugged.plugInByItself()
    await job.prove(await theOne())
    expect(job.view.proof?.kind).toBe('running-version')
  })
})

describe('another kind of device after a replug', () => {
  const replugged = async (id: string): Promise<Job> => {
    const plugged = await bench.plug('usbasp:pair')
    const attached = await theOne()
    const [candidate] = candidates(attached.seen)
    const job = new Job(services)
    await job.connect(attached, { family: candidate?.identity.id })
    await plugged.unplug()
    await bench.plug(id)
    await job.resumeAfterReplug(await theOne())
    return job
  }

  test('is opened by its own driver, and said to be no ISP programmer', async () => {
    const { view } = await replugged('stk500:uno')
    expect(view.error?.detail).toEqual({ expected: 'Programmer (ISP)', found: 'Arduino Uno' })
    expect(view.error?.code).toBe('wrong-device')
  })

  test('that is an ISP programmer too is taken', async () => {
    const { view } = await replugged('stk500:arduino-isp-atmega8')
    expect(view).toMatchObject({ error: undefined, programmer: { model: 'Arduino Uno' } })
  })
})

describe('an ATmega328P that becomes an Arduino', () => {
  /** Written by ISP; what is plugged in then is chosen for the proof. */
  async function written(address: number, bytes: Uint8Array, board: string): Promise<Job> {
    await bench.clear()
    const { job } = await backedUp('usbasp:atmega328p')
    const file = new Blob([formatIntelHex([{ address, bytes }])])
    await job.choose(await wantedFromFile({ kind: 'file', file, name: 'image.hex' }, parse))
    await job.write(consents(job))
    expect(job.view.error).toBeUndefined()
    await bench.plug(board)
    await job.prove((await devices.list()).find(({ link }) => link === 'serial'))
    return job
  }
  const optiboot = (version: [number, number]) => loaderImage({ bytes: 512, version })

  test('is proven by the version of its boot loader', async () => {
    const { view } = await written(0x7e00, optiboot([4, 4]), 'stk500:uno')
    expect(view.error).toBeUndefined()
    expect(view.proof).toMatchObject({
      kind: 'running-version',
      expected: 'Optiboot 4.4',
      found: 'Optiboot 4.4',
    })
  })

  test('is not proven by a boot loader of another version', async () => {
    const { view } = await written(0x7e00, optiboot([8, 3]), 'stk500:uno')
    expect(view.error?.detail).toEqual({ expected: 'Optiboot 8.3', found: 'Optiboot 4.4' })
  })

  test('is proven as ArduinoISP only by a board that runs ArduinoISP', async () => {
    const { view } = await written(0, arduinoIsp(), 'stk500:uno')
    expect(view.error).toMatchObject({
      code: 'not-proven',
      detail: { expected: 'ArduinoISP', found: 'Optiboot 4.4' },
    })
    const { view: other } = await written(0, arduinoIsp(), 'stk500:arduino-isp-atmega8')
    expect(other.proof).toMatchObject({ kind: 'running-version', found: 'ArduinoISP 1.18' })
  })

  test('with a sketch that answers nobody is read again, whatever its loader would say', async () => {
    const { job } = await backedUp('stk500:uno')
    expect(job.view.firmware).toMatchObject({ name: expect.stringContaining('with Optiboot') as string })
    expect(proofFor(job.view.firmware)).toBe('read-again')
  })
})

describe('trouble on the wire', () => {
  test.each([
    ['a transfer that never ends', 'hangAt', 'timeout'],
    ['a stall', 'stallAt', 'stalled'],
  ] as const)('by %s is gone with a retry, without a replug', async (_, fault, code) => {
    const { job, plugged } = await backedUp('usbasp:pair')
    await job.choose(await practice('ATmega8', '1.10'))
    const [first] = await services.backups.list()
    plugged.faults = { [fault]: 235 } // in the read-back
    await job.write(consents(job))
    expect(job.view).toMatchObject({ error: { code }, halfWritten: true, next: 'retry' })
    plugged.faults = {}
    await job.retry()
    expect(job.view).toMatchObject({ error: undefined, halfWritten: false, next: 'prove' })
    expect(job.view.backup?.id).toBe(first?.id)
  })

  test.each(['hangAt', 'stallAt'])('of a moment, %s, holds no write up', async (fault) => {
    const { job, plugged } = await backedUp('usbasp:pair')
    await job.choose(await practice('ATmega8', '1.10'))
    plugged.faults = { [fault]: 120 }
    await job.write(consents(job))
    expect(job.view).toMatchObject({ error: undefined, next: 'prove' })
  })

  test('while backing up begins the backup again', async () => {
    const plugged = await bench.plug('usbasp:pair')
    const job = new Job(services)
    await job.connect(await theOne())
    plugged.faults = { hangAt: 50 }
    await job.backUp()
    expect(job.view).toMatchObject({ error: { code: 'timeout' }, next: 'retry', halfWritten: false })
    plugged.faults = {}
    await job.retry()
    expect(job.view).toMatchObject({ error: undefined, next: 'choose' })
  })
})

describe('a locked patient', () => {
  test('is asked about, erased, written and stays readable', async () => {
    const { job } = await backedUp('usbasp:pair', { locked: true })
    expect(job.view.next).toBe('acknowledge')
    expect(job.view.firmware).toMatchObject({ family: 'usbasp', confidence: 'possible' }) // by its fuses
    await job.backUp({ acknowledged: job.view.unacknowledged })
    await job.choose(await practice('ATmega8', '1.10'))
    expect(job.view.plan?.consequences.some(({ id, typed }) => id === 'no-backup:flash' && typed)).toBe(true)
    await job.write(consents(job))
    expect(job.view.error).toBeUndefined()
    expect(job.view.proofWanted).toBe('plug-in-by-itself')
  })
})

describe('a bad contact', () => {
  test('is no backup', async () => {
    await bench.plug('usbasp:pair', { flickerBit: 100 * 8 })
    const job = new Job(services)
    await job.connect(await theOne())
    await job.backUp()
    expect(job.view).toMatchObject({
      backup: undefined,
      error: { code: 'backup-mismatch', detail: { memory: 'flash', address: 100, likely: 'bad-contact' } },
    })
  })

  test('that is a stuck bit shows when read back', async () => {
    const { job } = await backedUp('usbasp:pair', { stuckBit: 10 * 8 })
    await job.choose(await practice('ATmega8', '1.10'))
    await job.write(consents(job))
    expect(job.view).toMatchObject({ error: { code: 'verify-mismatch' }, halfWritten: true, next: 'retry' })
  })
})

describe('an Arduino Uno through its boot loader', () => {
  test('keeps its loader, gets only the pages that differ, and is read again', async () => {
    const { job, plugged } = await backedUp('stk500:uno')
    expect(job.view.unacknowledged).toEqual([])
    const loader = plugged.memory('flash').slice(0x7e00)
    const bytes = plugged.memory('flash').slice(0, 600)
    bytes.fill(0x12, 200, 205)
    const file = new Blob([formatIntelHex([{ address: 0, bytes }])])
    await job.choose(await wantedFromFile({ kind: 'file', file, name: 'sketch.hex' }, parse))
    expect(job.view.plan?.programBytes).toBe(128)
    await job.write(consents(job))
    expect(job.view.error).toBeUndefined()
    expect(plugged.memory('flash').subarray(0, 600)).toEqual(bytes)
    expect(plugged.memory('flash').subarray(0x7e00)).toEqual(loader)
    await job.prove()
    expect(job.view).toMatchObject({ error: undefined, proof: { kind: 'read-again' } })
  })

  test('is proven by its own word, not by that of another one of its kind', async () => {
    const { job, plugged } = await backedUp('stk500:uno')
    const own = await theOne()
    await bench.plug('stk500:arduino-isp-atmega8')
    const other = (await devices.list()).find(({ key }) => key !== own.key)
    if (!other) throw new Error('no other board')
    const file = new Blob([formatIntelHex([{ address: 0, bytes: arduinoIsp() }])])
    await job.choose(await wantedFromFile({ kind: 'file', file, name: 'ArduinoISP.hex' }, parse))
    await job.write(consents(job))
    expect(job.view).toMatchObject({ error: undefined, proofWanted: 'plug-in-by-itself' })
    const refused = { proof: undefined, error: { code: 'not-proven', detail: { why: 'another' } } }
    await job.prove(other) // plugged in since, for all that the job knows
    expect(job.view).toMatchObject(refused)
    await plugged.unplug()
    await job.prove(other, [own.key, other.key])
    expect(job.view).toMatchObject(refused)
  })
})

describe('what a firmware says tells it from the one before', () => {
  const says = (...said: [Fact['name'], string][]): KnownFirmware => ({
    ...{ family: 'usbasp', name: 'USBasp', version: '1.10', confidence: 'certain', evidence: [] },
    appears: { link: 'usb', vendorId: 1, productId: 2, says: said.map(([name, value]) => ({ name, value })) },
  })
  const v110 = says(['firmware-version', '1.10'])
  const likely = { confidence: 'possible' } as const
  test.each<[string, KnownFirmware, KnownFirmware | 'blank' | undefined, string]>([
    ['another version', v110, says(['firmware-version', '1.03']), 'yes'],
    ['the same', v110, v110, 'no'],
    ['the same and more', v110, says(['firmware-version', '1.10'], ['capabilities', 'HID UART']), 'no'],
    ['less than all of it', says(['firmware-version', '1.10'], ['product', 'USBasp']), v110, 'unknown'],
    ['the same, to another id', v110, { ...v110, appears: { link: 'usb', vendorId: 3 } }, 'yes'],
    ['nothing that is known', v110, { ...v110, appears: { link: 'usb' } }, 'unknown'],
    ['perhaps the same', v110, { ...v110, ...likely }, 'unknown'],
    ['nobody knows what', v110, undefined, 'unknown'],
    ['nothing: it was blank', v110, 'blank', 'yes'],
  ])('that said %s', (_, expected, before, distinct) => {
    expect(tellsApart(expected, before)).toBe(distinct)
  })
})
