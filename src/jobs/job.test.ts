import 'fake-indexeddb/auto'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { blank, hex } from '#core/bytes.ts'
import { FlashError } from '#core/errors.ts'
import type { Rescue } from '#core/programmer.ts'
import { resultOf, verifyCertificate } from './certificate.ts'
import { wantedFromBackup } from './choose.ts'
import { Job, type JobServices, type JobView, type Surroundings } from './job.ts'
import { slowerHz } from './slower.ts'
import { image, TestHouse, usedChip, wanted } from './test-job.ts'
import { code, TestChip, TestProgrammer } from './test-patient.ts'

let house: TestHouse
let services: JobServices
let surroundings: Surroundings
beforeEach(async () => {
  house = await TestHouse.open()
  ;({ services, surroundings } = house)
})
afterEach(() => house[Symbol.asyncDispose]())

const planned: TestHouse['planned'] = (...given) => house.planned(...given)

describe('the whole job', () => {
  test('goes from connect to a signed certificate, one obvious thing at a time', async () => {
    const programmer = new TestProgrammer(usedChip())
    const job = new Job(services)
    const nexts = [job.view.next]
    await job.connect(programmer)
    nexts.push(job.view.next)
    await job.backUp()
    nexts.push(job.view.next)
    await job.choose(wanted())
    nexts.push(job.view.next)
    expect(job.view.plan?.consequences).toEqual([])
    await job.write([])
    nexts.push(job.view.next)
    await job.prove()
    nexts.push(job.view.next)
    expect(nexts).toEqual(['connect', 'back-up', 'choose', 'write', 'prove', 'nothing'])
    expect(job.view.error).toBeUndefined()
    expect(job.view.done).toEqual(['connect', 'back-up', 'choose', 'check', 'plan', 'write', 'prove'])
    expect(programmer.chip.at('flash').subarray(0, 100)).toEqual(image)
    expect(programmer.chip.at('eeprom').subarray(0, 12)).toEqual(code(12, 33))

    const stored = await services.certificates.get(job.view.certificateId ?? '')
    const { certificate, signature } = await verifyCertificate(stored?.json ?? '')
    expect(signature).toBe('valid')
    expect(certificate).toMatchObject({
      build: '1.2.3+abcdef0',
      patient: { kind: 'test:chip', chip: 'TestChip' },
      before: { backupId: job.view.backup?.id, sha256: job.view.backup?.sha256 },
      source: { name: 'new.hex', sha256: 'ab'.repeat(32) },
      written: { erase: 'chip', verifiedBytes: 545 },
      proof: { kind: 'read-again', memories: ['flash', 'lock'] },
    })
    expect(certificate.steps.map(({ name, error }) => [name, error])).toEqual(
      ['connect', 'back-up', 'check', 'write', 'prove'].map((name) => [name, undefined]),
    )
    expect(certificate.after.memories.find(({ id }) => id === 'flash')?.sha256).toBe(
      job.view.outcome?.hashes.find(({ memory }) => memory === 'flash')?.after,
    )
    await job.close()
    expect(programmer.disposed).toBe(1)
  })

  test('never writes before the backup is in the store', async () => {
    const programmer = new TestProgrammer(usedChip())
    const job = new Job(services)
    await job.connect(programmer)
    await job.write([])
    expect(job.view.error?.code).toBe('bug')
    expect(programmer.operations.some((operation) => /program|erase/.test(operation))).toBe(false)
  })

  test('tells its progress by step, operation and memory, and it only rises', async () => {
    const job = await planned(new TestProgrammer(usedChip()))
    await job.write([])
    for (const step of ['back-up', 'write'] as const) {
      const events = house.views.flatMap(({ running }) =>
        running?.step === step && running.event ? [running.event] : [],
      )
      const fractions = events.map(({ fraction }) => fraction)
      expect(fractions).toEqual([...fractions].sort((a, b) => a - b))
      expect(fractions.at(-1)).toBe(1)
    }
    const paths = new Set(house.views.map(({ running }) => running?.event?.path.join('/')))
    for (const path of [
      'connect/reach',
      'back-up/read/flash',
      'back-up/confirm/eeprom',
      'write/program/flash',
      'write/verify/lock',
    ])
      expect(paths).toContain(path)
  })

  test('gives snapshots that never change afterwards', async () => {
    const job = new Job(services)
    await job.connect(new TestProgrammer(usedChip()))
    const before = job.view
    const copy = { ...before }
    await job.backUp()
    expect(before).toEqual(copy)
    expect(job.view).not.toBe(before)
  })

  test('does one thing at a time: a second click is not a second write', async () => {
    const programmer = new TestProgrammer(usedChip())
    const job = await planned(programmer)
    await Promise.all([job.write([]), job.write([])])
    expect(programmer.operations.filter((operation) => operation === 'erase')).toHaveLength(1)
  })

  test('of firmware that is there already reads back and says so', async () => {
    const programmer = new TestProgrammer(usedChip())
    const job = await planned(programmer, wanted({ flash: [{ address: 0, bytes: code(200) }] }))
    expect(job.view.checks?.find(({ code }) => code === 'nothing-to-do')?.result).toBe('warning')
    expect(job.view.plan?.consequences).toEqual([])
    await job.write([])
    expect(job.view.outcome?.programmedBytes).toBe(0)
    expect(programmer.operations.some((operation) => /program|erase/.test(operation))).toBe(false)
  })

  test('can end without a proof, and the certificate says so', async () => {
    const job = await planned(new TestProgrammer(usedChip()))
    await job.write([])
    await job.finishUnproven()
    const [stored] = await services.certificates.list()
    const { proof } = (await verifyCertificate(stored?.json ?? '')).certificate
    expect(proof).toEqual({ kind: 'none', expected: 'new.hex', found: '', facts: [] })
  })

  test('can end with a proof that contradicts, and the certificate keeps what was found instead', async () => {
    const programmer = new TestProgrammer(usedChip())
    const job = await planned(programmer)
    await job.write([])
    programmer.chip.at('flash').set([0x42], 40)
    await job.prove()
    expect(job.view.error?.code).toBe('verify-mismatch')
    await job.finishUnproven()
    const certificate = await house.certificateOf(job)
    expect(certificate.proof).toMatchObject({
      ...{ kind: 'none', why: 'verify-mismatch' },
      ...{ expected: `flash 0x0028: ${hex(image[40] ?? 0)}`, found: 'flash 0x0028: 0x42' },
    })
    expect(resultOf(certificate)).toEqual({ code: 'contradicted', isProven: false, why: 'verify-mismatch' })
  })

  test('can end with a proof that was broken off, which contradicts nothing', async () => {
    const programmer = new TestProgrammer(usedChip())
    const job = await planned(programmer)
    await job.write([])
    programmer.before = () => {
      throw new FlashError('stalled', { during: 'reading' })
    }
    await job.prove()
    await job.finishUnproven()
    const certificate = await house.certificateOf(job)
    expect(certificate.proof).toMatchObject({ kind: 'none', why: 'stalled', found: '' })
    expect(resultOf(certificate)).toEqual({ code: 'failed', isProven: false, why: 'stalled' })
  })
})

describe('consent', () => {
  test('is needed for every consequence, else nothing is written', async () => {
    surroundings.battery = () => Promise.resolve({ charging: false, level: 0.05 })
    const programmer = new TestProgrammer(usedChip())
    const before = programmer.chip.snapshot()
    const job = await planned(programmer)
    expect(job.view.plan?.consequences.map(({ id }) => id)).toEqual(['warning-overridden'])
    await job.write([])
    expect(job.view.error?.code).toBe('bug')
    expect(programmer.chip.memories).toEqual(before)
    await job.write(['warning-overridden'])
    expect(job.view.error).toBeUndefined()
    expect(job.view.done).toContain('write')
  })

  test('to one image is none to the next', async () => {
    surroundings.battery = () => Promise.resolve(undefined)
    const programmer = new TestProgrammer(usedChip())
    const job = await planned(programmer)
    programmer.before = (_, operation) => {
      if (operation === 'erase') throw new FlashError('timeout', { during: 'erasing', timeoutMs: 1 })
    }
    await job.write(['warning-overridden', 'something-else'])
    expect(job.view.error?.code).toBe('timeout')
    await job.choose(wanted({ flash: [{ address: 0, bytes: code(50, 3) }] }))
    await job.write([])
    expect(job.view.error?.code).toBe('bug')
  })

  test('is asked for what became of this computer since the plan, before anything is written', async () => {
    const programmer = new TestProgrammer(usedChip())
    const job = await planned(programmer)
    expect(job.view.plan?.consequences).toEqual([])
    surroundings.battery = () => Promise.resolve({ charging: false, level: 0.05 })
    await job.write([])
    expect(job.view).toMatchObject({ next: 'write', error: undefined, halfWritten: false })
    expect(job.view.plan?.consequences).toMatchObject([{ code: 'warning-overridden' }])
    expect(programmer.operations.some((operation) => /program|erase/.test(operation))).toBe(false)

    surroundings.storageRoom = () => Promise.resolve(1 << 20) // the journal needs more
    const ids = job.view.plan?.consequences.map(({ id }) => id) ?? []
    await job.write(ids)
    expect(job.view.next).toBe('write')
    expect(job.view.plan?.consequences).toMatchObject([{ values: { checks: 'host-battery, storage-room' } }])
    await job.write(ids)
    expect(job.view).toMatchObject({ next: 'prove', error: undefined })
  })

  test('is asked at once while the plan is read, and no longer once the computer is plugged in', async () => {
    const job = await planned(new TestProgrammer(usedChip()))
    surroundings.battery = () => Promise.resolve({ charging: false, level: 0.05 })
    await job.lookAround()
    expect(job.view.plan?.consequences).toMatchObject([{ code: 'warning-overridden' }])
    surroundings.battery = () => Promise.resolve({ charging: true, level: 0.05 })
    await job.lookAround()
    expect(job.view.plan?.consequences).toEqual([])
    await job.write([])
    expect(job.view).toMatchObject({ next: 'prove', error: undefined })
  })

  test('a refused check leaves only the choice of something else', async () => {
    const chip = usedChip()
    chip.checks = [{ code: 'size-fits', result: 'refused', values: {} }]
    const job = await planned(new TestProgrammer(chip))
    expect(job.view).toMatchObject({ next: 'choose-again', plan: undefined, step: 'check' })
    chip.checks = []
    await job.choose(wanted())
    expect(job.view.next).toBe('write')
  })
})

describe('a chip that cannot be read', () => {
  test('is asked about before anything else, and written after the acknowledgement', async () => {
    const programmer = new TestProgrammer(usedChip({ lock: Uint8Array.of(0xc0) }))
    const job = new Job(services)
    await job.connect(programmer)
    await job.backUp()
    expect(job.view.next).toBe('acknowledge')
    expect(job.view.unacknowledged.map(({ memory }) => memory)).toEqual(['flash', 'eeprom'])
    expect(job.view.backup?.memories.map(({ id }) => id)).toEqual(['fuses', 'lock', 'calibration'])
    await job.backUp({ acknowledged: job.view.unacknowledged })
    expect(job.view.next).toBe('choose')
    expect(await services.backups.list()).toHaveLength(1)
    await job.choose(wanted())
    const consents = job.view.plan?.consequences ?? []
    expect(consents.filter(({ typed }) => typed).map(({ id }) => id)).toEqual([
      'no-backup:flash',
      'no-backup:eeprom',
    ])
    await job.write(consents.map(({ id }) => id))
    expect(job.view.error).toBeUndefined()
    await job.prove()
    expect(job.view.proof?.kind).toBe('read-again')
    expect(programmer.chip.at('flash').subarray(0, 100)).toEqual(image)
  })

  test('is not written when only the plan was consented to', async () => {
    const programmer = new TestProgrammer(usedChip({ lock: Uint8Array.of(0xc0) }))
    const job = await planned(programmer)
    await job.write(job.view.plan?.consequences.map(({ id }) => id) ?? [])
    expect(job.view.error?.code).toBe('bug')
    expect(programmer.operations).not.toContain('erase')
  })

  test('through a boot loader needs no acknowledgement for what it cannot touch', async () => {
    const job = new Job(services)
    await job.connect(new TestProgrammer(usedChip(), { byLoader: true }))
    await job.backUp()
    expect(job.view.next).toBe('choose')
  })
})

describe('a bad contact', () => {
  /** One that flickers at this speed and faster. */
  function flickering(fromHz: number): TestProgrammer {
    const programmer = new TestProgrammer(usedChip())
    programmer.before = (_, operation) => {
      if (operation === 'connect')
        programmer.flicker = (programmer.speedHz ?? Infinity) >= fromHz ? 50 : undefined
    }
    return programmer
  }

  const at = { memory: 'flash', address: 0, expected: 0, found: 1, count: 1 }
  const mismatch = new FlashError('backup-mismatch', at)

  test('while backing up is tried again slower, step by step, and the job stays at that speed', async () => {
    const programmer = flickering(50_000)
    const job = new Job(services)
    await job.connect(programmer)
    await job.backUp()
    expect(job.view.error?.code).toBe('backup-mismatch')
    expect(slowerHz(job.view)).toBe(100_000)
    await job.retrySlower()
    expect(job.view.error?.code).toBe('backup-mismatch')
    await job.retrySlower()
    expect(job.view).toMatchObject({ error: undefined, next: 'choose', patient: { speedHz: 10_000 } })
    await job.choose(wanted())
    await job.write([])
    await job.prove()
    expect(programmer.speedHz).toBe(10_000)
    expect(slowerHz({ ...job.view, error: mismatch })).toBeUndefined() // there is none below
    const stored = await services.certificates.get(job.view.certificateId ?? '')
    expect((await verifyCertificate(stored?.json ?? '')).certificate.way.speedHz).toBe(10_000)
  })

  test('while reading back is tried again slower, and what is in the chip already counts', async () => {
    const programmer = new TestProgrammer(usedChip())
    const job = await planned(programmer)
    programmer.before = (_, operation) => {
      if (operation === 'erase') programmer.flicker = 50
      if (operation === 'connect') programmer.flicker = undefined
    }
    await job.write([])
    expect(job.view).toMatchObject({
      halfWritten: true,
      error: { code: 'verify-mismatch', detail: { likely: 'bad-contact' } },
    })
    programmer.operations.length = 0
    await job.retrySlower()
    expect(job.view).toMatchObject({ error: undefined, next: 'prove' })
    expect(programmer.speedHz).toBe(100_000)
    expect(programmer.operations).not.toContain('erase')
  })

  test('while what was half-written is looked at again is tried slower too', async () => {
    const { chip } = await house.interrupted()
    const job = await house.reopened()
    const programmer = new TestProgrammer(chip)
    programmer.before = (_, operation) => {
      if (operation === 'connect') programmer.flicker = programmer.speedHz === undefined ? 450 : undefined
    }
    await job.resumeAfterReplug(programmer)
    expect(job.view).toMatchObject({ halfWritten: true, error: { code: 'target-changed' } })
    expect(slowerHz(job.view)).toBe(100_000)
    await job.retrySlower()
    expect(job.view).toMatchObject({ error: undefined, next: 'prove' })
  })

  test('is not what other errors look like, nor what a worn cell does', async () => {
    const { programmer, patient } = (await planned(new TestProgrammer(usedChip()))).view
    const view = { programmer, patient } as JobView
    const slower = (error: FlashError) => slowerHz({ ...view, error })
    expect(slower(new FlashError('target-changed', { expected: 'a', found: 'b' }))).toBeUndefined()
    expect(slower(new FlashError('timeout', { during: 'reading', timeoutMs: 1 }))).toBeUndefined()
    expect(slower(new FlashError('verify-mismatch', { ...at, likely: 'stuck-bit' }))).toBeUndefined()
    expect(slower(new FlashError('verify-mismatch', { ...at, likely: 'bad-contact' }))).toBe(100_000)
    expect(slower(new FlashError('verify-mismatch', { ...at, likely: 'not-written' }))).toBe(100_000)
  })
})

describe('bringing a programmer back', () => {
  const rescue: Rescue = {
    ...{ sheet: 'usbasp', family: 'usbasp', name: 'USBasp', by: 'isp' },
    ...{ chips: ['TestChip', 'Other'], homes: [] },
  }
  const codes = (job: Job) => job.view.patient?.notices.map(({ code }) => code)

  test('says whether the chip behind the second one is one that it has', async () => {
    const job = new Job({ ...services, rescue })
    await job.connect(new TestProgrammer(usedChip()))
    expect(job.view.rescue).toBe(rescue)
    expect(codes(job)).toEqual(['rescue-chip'])
    await job.backUp()
    expect(codes(job)).toEqual(['rescue-chip'])
    const other = new Job({ ...services, rescue: { ...rescue, chips: ['Other', 'Another'] } })
    await other.connect(new TestProgrammer(usedChip()))
    expect(other.view.patient?.notices).toMatchObject([
      { code: 'rescue-other-chip', level: 'warning', values: { chip: 'TestChip', chips: 'Other, Another' } },
    ])
  })

  test('never takes the second one itself for the patient', async () => {
    const job = new Job({ ...services, rescue })
    await job.connect(new TestProgrammer(usedChip(), { byLoader: true }), { way: 0 })
    expect(job.view).toMatchObject({ error: { code: 'wrong-device' }, patient: undefined, rescue })
  })

  test('is still what the job is for after a reload', async () => {
    const { chip } = await house.interrupted(undefined, new Job({ ...services, rescue }))
    const reopened = await house.reopened()
    expect(reopened.view.rescue).toEqual(rescue)
    await reopened.resumeAfterReplug(new TestProgrammer(chip))
    expect(reopened.view).toMatchObject({ next: 'prove', error: undefined })
    expect(codes(reopened)).toEqual(['rescue-chip'])
  })
})

describe('an unplug', () => {
  test('while nothing runs asks for the device again, and the job goes on', async () => {
    const programmer = new TestProgrammer(usedChip())
    const job = await planned(programmer)
    programmer.unplug()
    expect(job.view.next).toBe('replug')
    await job.resumeAfterReplug(new TestProgrammer(programmer.chip))
    expect(job.view.next).toBe('write')
    await job.write([])
    expect(job.view.error).toBeUndefined()
  })

  test('is on the certificate as what ended the write, and coming back as connecting', async () => {
    const programmer = new TestProgrammer(usedChip())
    const job = await planned(programmer)
    programmer.before = (_, operation) => {
      if (operation === 'erase') programmer.unplug()
    }
    await job.write([])
    await job.resumeAfterReplug(new TestProgrammer(programmer.chip))
    await job.prove()
    const stored = await services.certificates.get(job.view.certificateId ?? '')
    const { certificate } = await verifyCertificate(stored?.json ?? '')
    expect(certificate.steps.slice(3).map(({ name, error }) => [name, error])).toEqual([
      ['write', 'device-gone'],
      ['connect', undefined],
      ['write', undefined],
      ['prove', undefined],
    ])
  })

  test('while backing up begins the backup again', async () => {
    const programmer = new TestProgrammer(usedChip())
    const job = new Job(services)
    await job.connect(programmer)
    programmer.before = (count) => {
      if (count === 8) programmer.unplug()
    }
    await job.backUp()
    expect(job.view).toMatchObject({ next: 'replug', halfWritten: false, error: { code: 'device-gone' } })
    expect(await services.backups.list()).toEqual([])
    await job.resumeAfterReplug(new TestProgrammer(programmer.chip))
    expect(job.view.next).toBe('choose')
    expect(await services.backups.list()).toHaveLength(1)
  })

  test('that the browser tells later than the broken transfer is told as what it was', async () => {
    const programmer = new TestProgrammer(usedChip())
    const job = new Job(services)
    await job.connect(programmer)
    programmer.before = (count) => {
      if (count === 8) throw new FlashError('transfer-failed', { during: 'reading' })
    }
    await job.backUp()
    expect(job.view).toMatchObject({ next: 'retry', error: { code: 'transfer-failed' } })
    programmer.unplug()
    expect(job.view).toMatchObject({ next: 'replug', error: { code: 'device-gone' } })
  })

  test('at any moment of the write is finished after a replug, from what is in the chip', async () => {
    const whole = new TestProgrammer(usedChip())
    await (await planned(whole)).write([])
    const expected = whole.chip.snapshot()
    const begin = whole.operations.indexOf('erase') - 8
    expect(begin).toBeGreaterThan(0)

    for (let unplugAt = begin; unplugAt <= whole.operations.length - 1; unplugAt += 3) {
      if (whole.operations[unplugAt - 1] === 'release') continue
      const programmer = new TestProgrammer(usedChip())
      const job = await planned(programmer)
      programmer.before = (count) => {
        if (count === unplugAt) programmer.unplug()
      }
      await job.write([])
      const erased = programmer.operations.slice(0, -1).includes('erase')
      expect(job.view, String(unplugAt)).toMatchObject({ next: 'replug', error: { code: 'device-gone' } })
      if (erased) expect(job.view.halfWritten, String(unplugAt)).toBe(true)
      expect((await house.entry()).stage).toBe(job.view.halfWritten ? 'writing' : 'chosen')

      await job.resumeAfterReplug(new TestProgrammer(programmer.chip))
      expect(job.view, String(unplugAt)).toMatchObject({
        next: 'prove',
        halfWritten: false,
        error: undefined,
      })
      expect(programmer.chip.memories, String(unplugAt)).toEqual(expected)
      expect((await house.entry()).stage).toBe('written')
    }
  })

  test('and a program that has counted in its EEPROM meanwhile loses neither count', async () => {
    const programmer = new TestProgrammer(usedChip())
    const job = await planned(programmer)
    programmer.before = (_, operation) => {
      if (operation.startsWith('program eeprom')) programmer.unplug()
    }
    await job.write([])
    expect(job.view.halfWritten).toBe(true)
    programmer.chip.at('eeprom').set([0x10], 20)
    await job.resumeAfterReplug(new TestProgrammer(programmer.chip))
    expect(job.view).toMatchObject({ next: 'prove', halfWritten: false, error: undefined })
    expect(programmer.chip.at('eeprom')).toEqual(usedChip().at('eeprom'))
    const saved = await Promise.all((await services.backups.list()).map(({ id }) => services.backups.get(id)))
    const counts = saved.map((backup) => backup?.memories.find(({ id }) => id === 'eeprom')?.bytes[20])
    expect(counts.sort()).toEqual([0x10, usedChip().at('eeprom')[20]].sort())
  })

  test('and another chip plugged in instead is not written to', async () => {
    const programmer = new TestProgrammer(usedChip())
    const job = await planned(programmer)
    programmer.before = (_, operation) => {
      if (operation === 'program flash 0x60') programmer.unplug()
    }
    await job.write([])
    const other = new TestProgrammer(new TestChip())
    other.chip.kind = 'test:other'
    const before = other.chip.snapshot()
    await job.resumeAfterReplug(other)
    expect(job.view).toMatchObject({ halfWritten: true, error: { code: 'target-changed' }, next: 'retry' })
    expect(other.chip.memories).toEqual(before)
    await job.resumeAfterReplug(new TestProgrammer(programmer.chip))
    expect(job.view.next).toBe('prove')
  })
})

describe('an EEPROM that the target itself writes', () => {
  test('is saved as it is before the erase, and comes back', async () => {
    const programmer = new TestProgrammer(usedChip())
    const job = await planned(programmer)
    const first = job.view.backup
    programmer.chip.at('eeprom')[20] = 7 // an hours counter went on
    await job.write([])
    expect(job.view).toMatchObject({ error: undefined, next: 'prove' })
    expect(programmer.chip.at('eeprom')[20]).toBe(7)
    expect(job.view.backup?.id).not.toBe(first?.id)
    const kept = await services.backups.get(job.view.backup?.id ?? '')
    expect(kept?.memories.find(({ id }) => id === 'eeprom')?.bytes[20]).toBe(7)
    expect(await services.backups.list()).toHaveLength(2)
  })

  test.each([
    ['what was to be left alone', 0xff],
    ['what only an erase and lock bits bring back', 0xfe],
  ])('and with it %s is planned and asked about again before anything is changed', async (_, lock) => {
    const programmer = new TestProgrammer(usedChip({ lock: Uint8Array.of(lock) }))
    const job = new Job(services)
    await job.connect(programmer)
    await job.backUp()
    const { backup } = job.view
    if (!backup) throw new Error('no backup')
    await job.choose(wantedFromBackup(backup))
    expect(job.view.plan).toMatchObject({ erase: 'none', programBytes: 0, consequences: [] })
    programmer.chip.at('eeprom')[2] = 7 // a counter went on
    const before = programmer.chip.snapshot()
    await job.write([])
    expect(job.view).toMatchObject({ next: 'write', error: undefined, halfWritten: false, newEeprom: true })
    expect(job.view.plan?.programBytes).toBeGreaterThan(0)
    expect(job.view.checks?.find(({ code }) => code === 'nothing-to-do')?.result).toBe('passed')
    expect(job.view.plan?.consequences).toEqual([]) // it is this device's own
    expect(programmer.chip.memories).toEqual(before)
    expect((await house.entry()).backupId).toBe(job.view.backup?.id) // which has the count
    await job.write([])
    expect(job.view).toMatchObject({ next: 'prove', error: undefined, newEeprom: false })
    expect(programmer.chip.at('eeprom')).toEqual(backup.memories.find(({ id }) => id === 'eeprom')?.bytes)
  })

  test('and that cannot be read twice alike is not erased', async () => {
    const programmer = new TestProgrammer(usedChip())
    const job = await planned(programmer)
    programmer.before = (count, operation) => {
      if (operation.startsWith('read eeprom')) programmer.chip.at('eeprom').fill(count & 0x7f, 20, 21)
    }
    await job.write([])
    expect(job.view).toMatchObject({ error: { code: 'backup-mismatch' }, halfWritten: false })
    expect(programmer.operations).not.toContain('erase')
  })
})

describe('while something runs', () => {
  test('a choice is not heard, so that what was consented to is what is finished', async () => {
    const programmer = new TestProgrammer(usedChip())
    const job = await planned(programmer)
    const { wanted: chosen, plan } = job.view
    programmer.before = (_, operation) => {
      if (operation !== 'program flash 0x60') return
      void job.choose(wanted({ flash: [{ address: 0, bytes: code(50, 3) }] }))
      void job.planWith({ outside: 'blank' })
      void job.backUp({ acknowledged: [{ memory: 'eeprom', reason: 'read-protected' }] })
      programmer.unplug()
    }
    await job.write([])
    expect(job.view).toMatchObject({ next: 'replug', halfWritten: true })
    expect(job.view.wanted).toBe(chosen)
    expect(job.view.plan).toBe(plan)
    await job.resumeAfterReplug(new TestProgrammer(programmer.chip))
    expect(job.view).toMatchObject({ next: 'prove', wanted: chosen })
    expect(programmer.chip.at('flash').subarray(0, 100)).toEqual(image)
  })

  test('nor after the write, whose proof it would lose', async () => {
    const job = await planned(new TestProgrammer(usedChip()))
    await job.write([])
    await job.choose(wanted({ flash: [{ address: 0, bytes: code(50, 3) }] }))
    await job.prove()
    expect(job.view).toMatchObject({ error: undefined, next: 'nothing' })
  })
})

describe('a stop', () => {
  test('of the write is heard at a page boundary; going on finishes it', async () => {
    const programmer = new TestProgrammer(usedChip())
    const job = await planned(programmer)
    programmer.before = (_, operation) => {
      if (operation === 'program flash 0x60') job.stop()
    }
    await job.write([])
    expect(job.view).toMatchObject({ error: { code: 'cancelled' }, halfWritten: true, next: 'retry' })
    expect(house.views.some(({ running }) => running?.stopping)).toBe(true)
    programmer.before = () => undefined
    await job.retry()
    expect(job.view).toMatchObject({ error: undefined, halfWritten: false, next: 'prove' })
    expect(programmer.chip.at('flash').subarray(0, 100)).toEqual(image)
    expect(programmer.chip.at('eeprom').subarray(0, 12)).toEqual(code(12, 33))
  })

  test('in the middle of the erase waits for its end', async () => {
    const programmer = new TestProgrammer(usedChip())
    const job = await planned(programmer)
    programmer.before = (_, operation) => {
      if (operation === 'erase') job.stop()
    }
    await job.write([])
    expect(job.view.error?.code).toBe('cancelled')
    expect(programmer.chip.at('flash')).toEqual(blank(512))
    expect(job.view.halfWritten).toBe(true)
  })

  test('and a restore of the backup instead brings the old state back', async () => {
    const programmer = new TestProgrammer(usedChip())
    const before = programmer.chip.snapshot()
    const job = await planned(programmer)
    programmer.before = (_, operation) => {
      if (operation === 'program flash 0x60') job.stop()
    }
    await job.write([])
    programmer.before = () => undefined
    const { backup } = job.view
    if (!backup) throw new Error('no backup')
    await job.choose(wantedFromBackup(backup))
    const { plan } = job.view
    expect(plan?.erase).toBe('chip')
    await job.write(plan?.consequences.map(({ id }) => id) ?? [])
    expect(job.view).toMatchObject({ error: undefined, halfWritten: false })
    expect(job.view.outcome).toMatchObject({ erase: 'chip', programmedBytes: plan?.programBytes })
    expect(programmer.chip.memories).toEqual(before)
  })

  test('by closing leaves nothing running and the programmer free', async () => {
    const programmer = new TestProgrammer(usedChip())
    const job = await planned(programmer)
    const writing = job.write([])
    await job.close()
    expect(job.view.running).toBeUndefined()
    expect(programmer.disposed).toBe(1)
    await writing
  })
})

test('a patient that stays dark is proven by reading, with the tool plugged in again', async () => {
  const programmer = new TestProgrammer(usedChip())
  const job = await planned(programmer, {
    ...wanted(),
    firmware: {
      ...{ family: 'usbasp', name: 'USBasp', version: '1.10', confidence: 'certain', evidence: [] },
      appears: { link: 'usb', says: [{ name: 'firmware-version', value: '1.10' }] },
    },
  })
  await job.write(job.view.plan?.consequences.map(({ id }) => id) ?? [])
  expect(job.view).toMatchObject({ next: 'prove', proofWanted: 'plug-in-by-itself' })
  programmer.unplug() // the whole thing was taken apart, and the patient shows nothing
  await job.prove()
  expect(job.view).toMatchObject({ next: 'replug', proofWanted: 'read-again' })
  await job.resumeAfterReplug(new TestProgrammer(programmer.chip))
  expect(job.view).toMatchObject({ next: 'nothing', proof: { kind: 'read-again' } })
})

describe('a wrong read-back', () => {
  test('is told with place and cause, and a retry repairs it once the cause is gone', async () => {
    const programmer = new TestProgrammer(usedChip())
    const job = await planned(
      programmer,
      wanted({ flash: [{ address: 0, bytes: Uint8Array.from(image, (byte) => byte | 0x40) }] }),
    )
    programmer.stuck.set(40, 0x40)
    await job.write([])
    expect(job.view).toMatchObject({
      halfWritten: true,
      next: 'retry',
      error: { code: 'verify-mismatch', detail: { address: 40, count: 1, likely: 'stuck-bit' } },
    })
    programmer.stuck.clear()
    await job.retry()
    expect(job.view).toMatchObject({ error: undefined, next: 'prove' })
  })
})

describe('a backup that was read another way', () => {
  /** Of the whole chip, with a program that is to come back. */
  async function old(chip: TestChip) {
    const { backup } = (await planned(new TestProgrammer(chip))).view
    if (!backup) throw new Error('no backup')
    chip.at('flash').set(code(90, 5))
    return backup
  }

  test('is restored as far as this way can write', async () => {
    const chip = usedChip()
    const before = chip.at('flash').slice()
    const backup = await old(chip)
    const job = await planned(new TestProgrammer(chip, { byLoader: true }), wantedFromBackup(backup))
    expect(job.view).toMatchObject({
      next: 'write',
      error: undefined,
      wanted: { source: { sizeBytes: 512 } },
    })
    await job.write(job.view.plan?.consequences.map(({ id }) => id) ?? [])
    await job.prove()
    expect(job.view).toMatchObject({ error: undefined, next: 'nothing' })
    expect(chip.at('flash')).toEqual(before)
  })

  test('is refused when this way can write none of it', async () => {
    const chip = usedChip()
    const fuses = wantedFromBackup(await old(chip), ['fuses'])
    const job = await planned(new TestProgrammer(chip, { byLoader: true }), fuses)
    expect(job.view).toMatchObject({ next: 'choose-again', error: { code: 'write-protected' } })
  })
})

describe('trouble with the house', () => {
  test('a backup that rotted since is refused before the first erase', async () => {
    const programmer = new TestProgrammer(usedChip())
    const job = await planned(programmer)
    const stored = await house.db.get('memories', [job.view.backup?.id ?? '', 'flash'])
    stored?.bytes.fill(0)
    if (stored) await house.db.put('memories', stored)
    await job.write([])
    expect(job.view).toMatchObject({ halfWritten: false, error: { code: 'backup-corrupt' } })
    expect(programmer.operations).not.toContain('erase')
    await job.choose(wanted())
    expect(job.view.checks?.find(({ code }) => code === 'backup-proven')?.result).toBe('refused')
  })

  test('a backup that rotted since is not restored', async () => {
    const old = await planned(new TestProgrammer(usedChip()))
    const job = await planned(new TestProgrammer(usedChip({ eeprom: code(12, 50) })))
    const { backup } = old.view
    if (!backup) throw new Error('no backup')
    const stored = await house.db.get('memories', [backup.id, 'flash'])
    stored?.bytes.fill(0, 300, 301)
    if (stored) await house.db.put('memories', stored)
    await job.choose(wantedFromBackup(backup))
    expect(job.view).toMatchObject({
      plan: undefined,
      next: 'choose-again',
      error: { code: 'backup-corrupt' },
    })
  })

  test('a store that fails during the backup leaves no backup and says so', async () => {
    const job = new Job(services)
    await job.connect(new TestProgrammer(usedChip()))
    house.db.close()
    await job.backUp()
    expect(job.view).toMatchObject({ backup: undefined, next: 'retry', error: { code: 'storage-failed' } })
  })

  test('an image beyond the chip is an error of the choice, with what does not fit', async () => {
    const job = await planned(
      new TestProgrammer(usedChip()),
      wanted({ flash: [{ address: 500, bytes: image }] }),
    )
    expect(job.view).toMatchObject({ next: 'choose-again', error: { code: 'does-not-fit' } })
  })
})

test('a missing target leaves the programmer open for another try', async () => {
  const programmer = new TestProgrammer(usedChip())
  programmer.before = (count) => {
    if (count === 1) throw new FlashError('target-missing', { tried: ['auto'] })
  }
  const job = new Job(services)
  await job.connect(programmer)
  expect(job.view.next).toBe('retry')
  expect(job.view.programmer?.ways).toHaveLength(1)
  await job.retry()
  expect(job.view).toMatchObject({ next: 'back-up', error: undefined })
})
