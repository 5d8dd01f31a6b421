import 'fake-indexeddb/auto'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { blank } from '#core/bytes.ts'
import type { MemoryId } from '#core/programmer.ts'
import { wantedFromBackup } from './choose.ts'
import { Job, type JobServices } from './job.ts'
import { image, TestHouse, usedChip, wanted } from './test-job.ts'
import { code, TestProgrammer } from './test-patient.ts'

let house: TestHouse
let services: JobServices
beforeEach(async () => {
  house = await TestHouse.open()
  services = house.services
})
afterEach(() => house[Symbol.asyncDispose]())

/** As JSON has it. */
const plain = (value: unknown): unknown => JSON.parse(JSON.stringify(value))

describe('another unit of the same chip', () => {
  const withByte = (id: MemoryId, at: number, value: number) => {
    const chip = usedChip()
    chip.at(id)[at] = value
    return chip
  }

  test.each([
    ['a program of its own', withByte('flash', 150, 0x01)],
    ['its own EEPROM', withByte('eeprom', 3, 0x01)],
    ['other fuses', withByte('fuses', 0, 0xff)],
    ['another calibration', withByte('calibration', 0, 0x9b)],
  ])('with %s is not written over when it is plugged in instead', async (_, chip) => {
    const { job, chip: half } = await house.interrupted()
    const before = chip.snapshot()
    await job.resumeAfterReplug(new TestProgrammer(chip))
    expect(job.view).toMatchObject({ halfWritten: true, error: { code: 'target-changed' } })
    expect(chip.memories).toEqual(before)
    await job.resumeAfterReplug(new TestProgrammer(half))
    expect(job.view).toMatchObject({ halfWritten: false, next: 'prove' })
  })

  test('nor after a reload', async () => {
    const { chip: half } = await house.interrupted()
    const job = await house.reopened()
    const chip = withByte('eeprom', 3, 0x01)
    const before = chip.snapshot()
    await job.resumeAfterReplug(new TestProgrammer(chip))
    expect(job.view).toMatchObject({ halfWritten: true, error: { code: 'target-changed' } })
    expect(chip.memories).toEqual(before)
    await job.resumeAfterReplug(new TestProgrammer(half))
    expect(job.view).toMatchObject({ halfWritten: false, next: 'prove' })
  })

  test('is not taken for practice, nor practice for it', async () => {
    await house.interrupted()
    await expect(Job.reopen({ ...services, practice: true }, await house.entry())).rejects.toThrow()
  })
})

test('an interrupted write is certified with all that it wrote, not only its rest', async () => {
  const whole = await house.planned(new TestProgrammer(usedChip()))
  await whole.write([])
  const { job, chip } = await house.interrupted('program lock 0x0')
  await job.resumeAfterReplug(new TestProgrammer(chip))
  const { erase, programmedBytes } = job.view.outcome ?? {}
  expect({ erase, programmedBytes }).toEqual({
    erase: 'chip',
    programmedBytes: whole.view.outcome?.programmedBytes,
  })
  expect(job.view.outcome?.hashes).toEqual(whole.view.outcome?.hashes)
})

test.each(['goes on', 'is reopened'])(
  'an interrupted write that %s is certified with the checks that it began with, not with those of its rest',
  async (how) => {
    const { job: first, chip } = await house.interrupted('program lock 0x0')
    const job = how === 'goes on' ? first : await house.reopened()
    const { checks } = first.view
    await job.resumeAfterReplug(new TestProgrammer(chip))
    await job.prove()
    const certificate = await house.certificateOf(job)
    expect(certificate.checks).toEqual(plain(checks))
    const lock = ({ memories }: Pick<typeof certificate.before, 'memories'>) =>
      memories.find(({ id }) => id === 'lock')
    expect([lock(certificate.before)?.bytes, lock(certificate.after)?.bytes]).toEqual(['cf', 'cf'])
    expect(certificate.after.memories.find(({ id }) => id === 'flash')).not.toHaveProperty('bytes')
    const writes = certificate.steps.filter(({ name }) => name === 'write')
    expect(writes.map(({ error }) => error)).toEqual([
      how === 'goes on' ? 'device-gone' : 'page-left',
      undefined,
    ])
    const [nothingToDo] = certificate.checks.filter(({ code }) => code === 'nothing-to-do')
    expect(nothingToDo?.result).toBe('passed')
  },
)

describe('after the tab was closed in the middle of a write', () => {
  test('the journal has what is needed to finish', async () => {
    const before = usedChip().memories
    const { chip } = await house.interrupted()
    const job = await house.reopened()
    expect(job.view).toMatchObject({ step: 'write', next: 'replug', halfWritten: true })
    await job.resumeAfterReplug(new TestProgrammer(chip))
    expect(job.view).toMatchObject({ error: undefined, next: 'prove', halfWritten: false })
    expect(chip.at('flash').subarray(0, 100)).toEqual(image)
    expect(chip.at('eeprom')).toEqual(before.get('eeprom'))
    expect(chip.at('lock')).toEqual(before.get('lock'))
    await job.prove()
    expect(job.view.certificateId).toBeDefined()
    expect(await services.backups.journal.list()).toEqual([])
  })

  test('and the backup deleted, it says so instead of guessing', async () => {
    await house.interrupted()
    const entry = await house.entry()
    house.held.clear()
    await house.db.delete('backups', entry.backupId)
    await expect(Job.reopen(services, entry)).rejects.toMatchObject({ code: 'backup-corrupt' })
  })

  test('and another backup stands where its own was, it says so', async () => {
    await house.interrupted()
    const entry = await house.entry()
    house.held.clear()
    const other = (await house.planned(new TestProgrammer(usedChip({ eeprom: code(12, 50) })))).view.backup
    if (!other) throw new Error('nothing was left behind')
    const [stored] = (await services.backups.list()).filter(({ id }) => id === other.id)
    if (!stored) throw new Error('not stored')
    await house.db.put('backups', { ...stored, id: entry.backupId })
    for (const { id, bytes } of other.memories)
      await house.db.put('memories', { backupId: entry.backupId, id, bytes })
    await expect(Job.reopen(services, entry)).rejects.toMatchObject({ code: 'backup-corrupt' })
    Reflect.deleteProperty(entry, 'backupSha256') // as older ones are, which cannot tell
    await expect(Job.reopen(services, entry)).resolves.toBeDefined()
  })

  test('and the backup rotted while the device was fetched, it says so and writes nothing', async () => {
    const { chip } = await house.interrupted()
    const job = await house.reopened()
    const entry = await house.entry()
    await house.db.put('memories', { backupId: entry.backupId, id: 'flash', bytes: blank(512) })
    const before = chip.snapshot()
    await job.resumeAfterReplug(new TestProgrammer(chip))
    expect(job.view).toMatchObject({ halfWritten: true, error: { code: 'backup-corrupt' } })
    expect(chip.memories).toEqual(before)
  })
})

test.each(['chosen', 'writing', 'written'])(
  'what was %s at a slow clock goes on at it after a reload, which reads right nowhere else',
  async (stage) => {
    const chip = usedChip()
    const flickering = (unplugAt = '') => {
      const programmer = new TestProgrammer(chip)
      programmer.before = (_, operation) => {
        if (operation === 'connect') programmer.flicker = programmer.speedHz === 10_000 ? undefined : 450
        if (operation === unplugAt) programmer.unplug()
      }
      return programmer
    }
    const first = new Job(services)
    await first.connect(flickering(stage === 'writing' ? 'program flash 0x60' : undefined), {
      speedHz: 10_000,
    })
    await first.backUp()
    await first.choose(wanted())
    if (stage !== 'chosen') await first.write([])
    expect((await house.entry()).stage).toBe(stage)
    const job = await house.reopened()
    const programmer = flickering()
    await job.resumeAfterReplug(programmer)
    expect(job.view).toMatchObject({ error: undefined, programmer: { speedHz: 10_000 } })
    expect(programmer.speedHz).toBe(10_000)
    expect(await services.backups.list()).toHaveLength(1)
    if (stage === 'chosen') await job.write([])
    await job.prove()
    expect((await house.certificateOf(job)).way.speedHz).toBe(10_000)
  },
)

describe('after the tab was closed before the first change', () => {
  test('the choice is still there, and the job goes on with its plan', async () => {
    const programmer = new TestProgrammer(usedChip())
    const first = await house.planned(programmer)
    const job = await house.reopened()
    expect(job.view).toMatchObject({ id: first.view.id, step: 'check', next: 'replug', halfWritten: false })
    expect(job.view.wanted).toEqual(wanted())
    expect(job.view.backup?.id).toBe(first.view.backup?.id)
    await job.resumeAfterReplug(new TestProgrammer(programmer.chip))
    expect(job.view).toMatchObject({ error: undefined, next: 'write' })
    expect(await services.backups.list()).toHaveLength(1)
    await job.write([])
    await job.prove()
    expect(programmer.chip.at('flash').subarray(0, 100)).toEqual(image)
    expect((await house.certificateOf(job)).steps.map(({ name }) => name)).toEqual([
      'connect',
      'back-up',
      'connect',
      'check',
      'write',
      'prove',
    ])
    expect(await services.backups.journal.list()).toEqual([])
  })

  test('what it consented to is asked again', async () => {
    house.surroundings.battery = () => Promise.resolve(undefined)
    const { chip } = await house.interrupted('read flash 0x0')
    expect((await house.entry()).stage).toBe('chosen')
    const job = await house.reopened()
    await job.resumeAfterReplug(new TestProgrammer(chip))
    await job.write([])
    expect(job.view.error?.code).toBe('bug')
  })

  test('and something else was written into it meanwhile, that is backed up before the plan', async () => {
    const programmer = new TestProgrammer(usedChip())
    await house.planned(programmer)
    const job = await house.reopened()
    programmer.chip.at('flash').set(code(30, 5), 400)
    await job.resumeAfterReplug(new TestProgrammer(programmer.chip))
    expect(job.view).toMatchObject({ error: undefined, next: 'write' })
    expect(job.view.backup?.memories.find(({ id }) => id === 'flash')?.bytes.subarray(400, 430)).toEqual(
      code(30, 5),
    )
    expect(await services.backups.list()).toHaveLength(2)
    await job.write([])
    expect(job.view).toMatchObject({ error: undefined, next: 'prove' })
  })

  test('and a locked chip takes its place, what cannot be saved of that is asked about', async () => {
    await house.planned(new TestProgrammer(usedChip()))
    const job = await house.reopened()
    const locked = new TestProgrammer(usedChip({ lock: Uint8Array.of(0xc0) }))
    await job.resumeAfterReplug(locked)
    expect(job.view).toMatchObject({ error: undefined, next: 'acknowledge', plan: undefined })
    await job.backUp({ acknowledged: job.view.unacknowledged })
    await job.choose(wanted())
    expect(job.view.next).toBe('write')
    expect(locked.operations).not.toContain('erase')
  })

  test('another kind of chip is not taken for it', async () => {
    await house.planned(new TestProgrammer(usedChip()))
    const job = await house.reopened()
    const other = new TestProgrammer(usedChip())
    other.chip.kind = 'test:other'
    await job.resumeAfterReplug(other)
    expect(job.view).toMatchObject({ error: { code: 'target-changed' }, halfWritten: false })
  })

  test('a choice that is given up is not offered again, and one of two pages goes on with it', async () => {
    const job = await house.planned(new TestProgrammer(usedChip()))
    await expect(Job.reopen(services, await house.entry())).rejects.toMatchObject({ code: 'device-busy' })
    await job.close()
    expect(await services.backups.journal.list()).toEqual([])
    expect(house.held.size).toBe(0)
  })

  test('a choice that cannot be taken out of the journal can be gone on with by another page', async () => {
    const job = await house.planned(new TestProgrammer(usedChip()))
    house.db.close()
    await job.close()
    expect(house.held.size).toBe(0)
  })

  test('a choice that cannot be stored is none', async () => {
    const job = await house.planned(new TestProgrammer(usedChip()))
    house.db.close()
    await job.choose(wanted({ flash: [{ address: 0, bytes: code(50, 3) }] }))
    expect(job.view).toMatchObject({ error: { code: 'storage-failed' }, plan: undefined, next: 'retry' })
  })
})

describe('after the tab was closed before the proof', () => {
  test('it is proven and certified with the whole job', async () => {
    const programmer = new TestProgrammer(usedChip())
    const first = await house.planned(programmer)
    await first.write([])
    const job = await house.reopened()
    expect(job.view).toMatchObject({ step: 'prove', next: 'replug', halfWritten: false })
    programmer.operations.length = 0
    await job.resumeAfterReplug(new TestProgrammer(programmer.chip))
    expect(job.view).toMatchObject({ error: undefined, next: 'nothing', proof: { kind: 'read-again' } })
    const certificate = await house.certificateOf(job)
    expect(certificate.steps.map(({ name }) => name)).toEqual([
      'connect',
      'back-up',
      'check',
      'write',
      'connect',
      'prove',
    ])
    expect(certificate.written).toMatchObject({ erase: 'chip', verifiedBytes: 545 })
    expect(await services.backups.journal.list()).toEqual([])
  })

  test('whose it is was typed already, and is on the certificate', async () => {
    const programmer = new TestProgrammer(usedChip())
    const first = await house.planned(programmer)
    await first.write([])
    await Promise.all(['O', 'Or', 'Order 7'].map((typed) => first.refer(typed)))
    const job = await house.reopened()
    expect(job.view.reference).toBe('Order 7')
    await job.resumeAfterReplug(new TestProgrammer(programmer.chip))
    expect((await house.certificateOf(job)).reference).toBe('Order 7')
  })

  test('what was typed during a proof that failed does not keep the rest from being stored', async () => {
    const programmer = new TestProgrammer(usedChip())
    const first = await house.planned(programmer)
    await first.write([])
    programmer.before = () => void first.refer('Order')
    programmer.chip.kind = 'test:other'
    await first.prove()
    expect(first.view.error?.code).toBe('target-changed')
    await first.refer('Order 7')
    expect((await house.entry()).reference).toBe('Order 7')
  })

  test('what is typed at the last moment does not bring the job back', async () => {
    const job = await house.planned(new TestProgrammer(usedChip()))
    await job.write([])
    const typing = job.refer('Order 7')
    const proving = job.prove()
    const more = job.refer('Order 7, mill')
    await Promise.all([typing, proving, more])
    expect(job.view.next).toBe('nothing')
    expect((await house.certificateOf(job)).reference).toBe('Order 7, mill')
    expect(await services.backups.journal.list()).toEqual([])
  })

  test('a job that another one took the place of stays to be proven', async () => {
    const job = await house.planned(new TestProgrammer(usedChip()))
    await job.write([])
    await job.close()
    expect((await house.entry()).stage).toBe('written')
  })
})

test.each(['goes on', 'is reopened'])(
  'a restore that %s after it was broken off is certified with all that it wrote, not only its rest',
  async (how) => {
    const { job: first, chip } = await house.interrupted()
    const { backup } = first.view
    if (!backup) throw new Error('no backup')
    const second = new TestProgrammer(chip)
    await first.resumeAfterReplug(second, wantedFromBackup(backup))
    const { plan } = first.view
    second.before = (_, operation) => {
      if (operation === 'read lock 0x0' && second.operations.includes('erase')) second.unplug() // only to be read back
    }
    await first.write(plan?.consequences.map(({ id }) => id) ?? [])
    expect(first.view.error?.code).toBe('device-gone')
    const job = how === 'goes on' ? first : await house.reopened()
    await job.resumeAfterReplug(new TestProgrammer(chip))
    expect(job.view).toMatchObject({ error: undefined, next: 'prove' })
    expect(job.view.outcome).toMatchObject({ erase: 'chip', programmedBytes: plan?.programBytes })
  },
)

test('a restore that is interrupted in its turn, over what the first write had left, goes on too', async () => {
  const byLoader = { byLoader: true }
  const former = usedChip().memories
  const loader = new TestProgrammer(usedChip(), byLoader)
  const { chip, job: first } = await house.interrupted('program flash 0x0', undefined, loader)
  const { backup } = first.view
  if (!backup) throw new Error('no backup')
  const again = await house.reopened()
  const second = new TestProgrammer(chip, byLoader)
  await again.resumeAfterReplug(second, wantedFromBackup(backup))
  second.before = (_, operation) => {
    if (operation.startsWith('program flash')) second.unplug()
  }
  await again.write(again.view.plan?.consequences.map(({ id }) => id) ?? [])
  expect(again.view).toMatchObject({ halfWritten: true, error: { code: 'device-gone' } })
  const job = await house.reopened()
  await job.resumeAfterReplug(new TestProgrammer(chip, byLoader))
  expect(job.view).toMatchObject({ error: undefined, next: 'prove' })
  expect(chip.memories).toEqual(former)
})

test('other firmware that is interrupted in its turn, over what the first had left, goes on after a reload', async () => {
  const byLoader = { byLoader: true }
  const image = (from: number) => wanted({ flash: [{ address: 0, bytes: code(300, from) }] })
  const unplugAt = (programmer: TestProgrammer, at: string) => {
    programmer.before = (_, operation) => {
      if (operation === at) programmer.unplug()
    }
    return programmer
  }
  const first = new TestProgrammer(usedChip(), byLoader)
  const { chip } = first
  const before = await house.planned(first, image(77))
  unplugAt(first, 'program flash 0xc0')
  await before.write([])
  const second = new TestProgrammer(chip, byLoader)
  await before.resumeAfterReplug(second, image(31))
  unplugAt(second, 'program flash 0x40')
  await before.write(before.view.plan?.consequences.map(({ id }) => id) ?? [])
  expect(before.view).toMatchObject({ halfWritten: true, error: { code: 'device-gone' } })
  const job = await house.reopened()
  await job.resumeAfterReplug(new TestProgrammer(chip, byLoader))
  expect(job.view).toMatchObject({ error: undefined, next: 'prove' })
  expect(chip.at('flash').subarray(0, 300)).toEqual(code(300, 31))
})

describe('other firmware that was chosen over what a write had left', () => {
  const byLoader = { byLoader: true }
  const other = wanted({ flash: [{ address: 0, bytes: code(300, 31) }] })
  const chosen = async () => {
    const first = await house.interrupted(
      'program flash 0x40',
      undefined,
      new TestProgrammer(usedChip(), byLoader),
    )
    await first.job.resumeAfterReplug(new TestProgrammer(first.chip, byLoader), other)
    expect(first.job.view).toMatchObject({ error: undefined, next: 'write', wanted: other })
    return first
  }

  test('is gone on with after a reload, once it is consented to', async () => {
    const { chip } = await chosen()
    const before = chip.snapshot()
    const job = await house.reopened()
    expect(job.view).toMatchObject({ wanted: other, next: 'replug', halfWritten: true, checks: undefined })
    await job.resumeAfterReplug(new TestProgrammer(chip, byLoader))
    expect(job.view).toMatchObject({ error: undefined, next: 'write', wanted: other })
    expect(chip.memories).toEqual(before)
    await job.write(job.view.plan?.consequences.map(({ id }) => id) ?? [])
    expect(job.view).toMatchObject({ error: undefined, next: 'prove' })
    expect(chip.at('flash').subarray(0, 300)).toEqual(code(300, 31))
    await job.prove()
    const writes = (await house.certificateOf(job)).steps.filter(({ name }) => name === 'write')
    expect(writes.map(({ error }) => error)).toEqual(['device-gone', undefined])
  })

  test('is not what the chip is known by: that is what was being written', async () => {
    const { chip } = await chosen()
    const stranger = usedChip()
    stranger.at('flash').set(code(300, 31)) // as if the other firmware had been written
    const job = await house.reopened()
    await job.resumeAfterReplug(new TestProgrammer(stranger, byLoader))
    expect(job.view).toMatchObject({ error: { code: 'target-changed' }, halfWritten: true })
    await job.resumeAfterReplug(new TestProgrammer(chip, byLoader))
    expect(job.view).toMatchObject({ error: undefined, next: 'write' })
  })

  test('is given up again for the first, which then is what a reload goes on with', async () => {
    const { job: first, chip } = await chosen()
    await first.choose(wanted())
    const job = await house.reopened()
    expect(job.view.wanted).toEqual(wanted())
    await job.resumeAfterReplug(new TestProgrammer(chip, byLoader))
    await job.write(job.view.plan?.consequences.map(({ id }) => id) ?? [])
    expect(job.view).toMatchObject({ error: undefined, next: 'prove' })
    expect(chip.at('flash').subarray(0, 100)).toEqual(image)
  })

  test('cannot be chosen where it cannot be stored', async () => {
    const { job, chip } = await house.interrupted()
    const left = chip.snapshot()
    house.db.close()
    await job.resumeAfterReplug(new TestProgrammer(chip), other)
    expect(job.view).toMatchObject({ error: { code: 'storage-failed' }, halfWritten: true, plan: undefined })
    expect(chip.memories).toEqual(left)
  })
})
