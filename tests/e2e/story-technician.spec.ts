/**
 * The technician in the field: everything that can go wrong in a customer's basement goes wrong, and each
 * time the page says what happened, what is safe and what to do, and the job goes on.
 */
import { expect } from '@playwright/test'
import { hashesOf, readCertificate } from './certificate.ts'
import { test, type Story } from './story.ts'
import { en, like } from './words.ts'

const blink = 'Blink 2 practice image for ATmega328P'

/** From the shelf to the plan of another program. */
async function plan(story: Story, device: string, ...faults: string[]): Promise<void> {
  await story.plugIn(device, ...faults)
  await story.backUp()
  await story.take(blink)
  await story.consent()
}

async function certificateOf(story: Story) {
  const { bytes } = await story.saved(story.button(en.prove_save))
  return readCertificate(bytes)
}

for (const [name, device, transfer] of [
  ['a USBasp', en.practice_usbasp_board, 400],
  ['an Uno', en.practice_uno, 30],
] as const)
  test(`${name} is unplugged while it writes, and the job goes on to its certificate`, async ({ story }) => {
    await story.openBench()
    await plan(story, device)
    await story.breakTransfer(en.fault_unplug, transfer)
    await story.write()

    await story.told({
      happened: en.error_gone_writing,
      safe: `${en.safe_half} ${en.safe_backup}`,
      now: en.now_continue,
    })
    await expect(story.step(en.step_write)).toContainText(en.step_state_failed)
    await story.button(en.practice_replug).click()
    await story.button(en.job_continue).click()
    await story.proveByReading()
    await expect(story.step(en.step_prove)).toContainText(en.result_prove_read)

    const certificate = await certificateOf(story)
    const stopped = certificate.steps.filter(({ error }) => error !== undefined)
    expect(stopped).toMatchObject([{ name: 'write', error: 'device-gone' }])
    expect(certificate.proof.kind).toBe('read-again')
    const { before, after } = hashesOf(certificate, 'flash')
    expect(after).not.toBe(before)
    await story.openCertificate()
    await story.reads(like(en.cert_step_error, { why: en.error_word_device_gone }))
    await expect(story.main).toContainText(en.check_nothing_passed)
    await story.reads(like(en.cert_proof_hash))
    await expect(story.main).not.toContainText(certificate.proof.found)
  })

test('what was unplugged while it was read back is called written and not proven', async ({ story }) => {
  await story.openBench(1)
  await plan(story, en.practice_uno)
  await story.write()
  await story.reads(like(en.operation_verify, { memory: en.memory_flash }))
  await story.button(en.practice_unplug).click()
  await story.told({
    happened: en.error_gone_reading_back,
    safe: `${en.safe_all_written} ${en.safe_backup}`,
    now: en.now_continue,
  })
  await expect(story.step(en.step_connect)).toContainText(en.result_connect_out)
  await story.button(en.practice_replug).click()
  await story.button(en.job_continue).click()
  await story.proveByReading()
})

test('what the device holds already is not written but read back, and called so', async ({ story }) => {
  await story.openBench()
  await plan(story, en.practice_usbasp_board)
  await story.write()
  await story.proveByReading()
  await story.finish()
  await story.button(en.device_start).click()
  await story.backUp()
  await story.button(like(en.offer_take_this, { title: blink })).click()
  await expect(story.heading(en.plan_there)).toBeVisible()
  await expect(story.button(en.plan_write)).toBeHidden()
  await story.consent()
  await story.press(story.button(en.plan_there_read))
  await story.proveByReading()
  await expect(story.step(en.step_plan)).toContainText(en.result_plan_nothing)
  await story.step(en.step_write).click()
  await story.sees(story.heading(en.write_done_nothing))
})

test('a broken update of a programmer takes one click more than one that goes well: eight', async ({
  page,
  story,
}) => {
  await story.countPresses({ handsToo: false })
  await story.openBench()
  await story.plugIn(en.practice_usbasp_pair)
  await story.backUp()
  await story.take('USBasp 1.10 practice image for ATmega8')
  await story.breakTransfer(en.fault_unplug, 120)
  await story.write()
  await expect(story.heading(en.error_gone_writing)).toBeVisible()
  await story.button(en.practice_replug).click()
  await story.button(en.job_continue).click()
  await expect(story.heading(en.prove_by_itself)).toBeVisible()
  await page.getByRole('region', { name: en.practice_panel }).getByText(en.practice_by_itself).click()
  await story.button(en.prove_ask).click()
  await expect(story.heading(like(en.prove_runs))).toBeVisible()
  await story.openCertificate()
  expect(await story.presses()).toBeLessThanOrEqual(8)
  await story.reads(en.cert_signature_valid)
})

test('two of a kind that were mixed up prove nothing, until the right one is read', async ({ story }) => {
  await story.openBench()
  await story.plugIn(en.practice_usbasp_pair, en.dial_lies)
  await story.reads(like(en.practice_has, { faults: en.dial_lies }))
  await story.backUp()
  await story.take('USBasp 1.10 practice image for ATmega8')
  await story.write()
  await story.button(en.practice_by_itself).click()
  await story.button(en.prove_ask).click()
  await story.told({
    happened: like(en.error_not_proven, { found: 'fischl 2009-02-28 1.03' }),
    safe: en.safe_written,
    now: en.error_not_proven_now_read,
  })
  await story.reads(like(en.error_not_proven_now_other))
  await expect(story.heading(like(en.prove_runs))).toBeHidden()
  await expect(story.link(en.prove_certificate)).toBeHidden()

  await story.button(en.practice_replug).click()
  await story.button(en.prove_skip).click()
  await story.button(en.job_continue).click()
  await expect(story.heading(en.prove_read_again)).toBeVisible()
  expect((await certificateOf(story)).proof.kind).toBe('read-again')
})

test('a fault that a device cannot have is said beside it, before and after it is plugged in', async ({
  page,
  story,
}) => {
  await story.openBench()
  await story.plugIn(en.practice_uno, en.dial_version, en.dial_locked)
  await story.reads(en.practice_cannot.replace('{faults}', en.dial_locked))
  await story.reads(en.practice_has.replace('{faults}', en.dial_version))
  await page.goto('./#/')
  await page.getByText(en.practice_faults, { exact: true }).click()
  await page.getByLabel(en.dial_locked).check()
  const cannot = page.getByText(en.practice_cannot.replace('{faults}', en.dial_locked), { exact: true })
  await expect(page.getByRole('button', { name: en.practice_uno }).filter({ has: cannot })).toBeVisible()
  await expect(
    page.getByRole('button', { name: en.practice_usbasp_board }).filter({ has: cannot }),
  ).toBeHidden()
})

test('a backup can be stopped at once, and begun again', async ({ story }) => {
  await story.openBench(5)
  await story.plugIn(en.practice_usbasp_board)
  await story.button(en.backup_start).click()
  await story.button(en.job_stop).click()
  await story.told({
    happened: en.error_cancelled,
    safe: en.safe_nothing_written,
    now: en.error_cancelled_now,
  })
  await story.button(en.job_try_again).click()
  await story.backedUp()
})

test('a write stops after the page at hand, says what that means, and goes on', async ({ story }) => {
  await story.openBench(5)
  await plan(story, en.practice_usbasp_board)
  await story.write()
  await story.reads(like(en.operation_program, { memory: en.memory_flash }))
  await story.button(en.write_stop).click()
  await story.told({
    happened: en.error_cancelled,
    safe: `${en.safe_half} ${en.safe_backup}`,
    now: en.error_cancelled_now_half,
  })
  await story.button(en.job_continue).click()
  await story.proveByReading()
  const { steps } = await certificateOf(story)
  expect(steps.map(({ error }) => error)).toContain('cancelled')
})

test('an earlier backup is restored from the library, byte for byte', async ({ page, story }) => {
  await story.openBench()
  await plan(story, en.practice_usbasp_board)
  await story.write()
  await story.proveByReading()
  const first = await certificateOf(story)
  await story.step(en.step_back_up).click()
  await story.link(en.backup_open).click()
  await story.button(en.entry_restore).click()

  // It begins with a backup of its own, and needs no choice.
  await story.button(en.device_start).click()
  await story.button(en.backup_start).click()
  await story.planned()
  await story.consent()
  await story.write()
  await story.proveByReading()
  const second = await certificateOf(story)
  expect(second.source).toMatchObject({ kind: 'backup', backupId: first.before.backupId })
  expect(hashesOf(second, 'flash')).toEqual({
    before: hashesOf(first, 'flash').after,
    after: hashesOf(first, 'flash').before,
  })
  await expect(page.getByRole('alert')).toBeHidden()
})

test('a half-written chip gets its own backup back', async ({ story }) => {
  await story.openBench()
  await plan(story, en.practice_usbasp_board)
  await story.breakTransfer(en.fault_hang, 400)
  await story.write()
  await story.told({ happened: en.error_timeout, safe: en.safe_half, now: en.now_restore })
  await story.step(en.step_back_up).click()
  await story.link(en.backup_open).click()
  await story.button(en.entry_restore).click()
  await story.planned()
  await story.consent()
  await story.write()
  await story.proveByReading()
  const { before, after } = hashesOf(await certificateOf(story), 'flash')
  expect(after).toBe(before)
})

test('a locked chip is told plainly, and nothing is lost without a word to it', async ({ story }) => {
  await story.openBench()
  await story.plugIn(en.practice_usbasp_board, en.dial_locked)
  await story.reads(en.notice_locked)
  await story.reads(like(en.unreadable_read_protected, { memory: en.memory_flash }))
  await story.button(en.backup_start).click()

  const goOn = story.button(en.backup_go_on)
  await expect(goOn).toBeDisabled()
  await story.page.getByLabel(en.backup_acknowledge).check()
  await story.reads(like(en.backup_partial_what, { memories: `${en.memory_flash}, ${en.memory_eeprom}` }))
  await goOn.click()
  await story.backedUp()
  const step = story.step(en.step_back_up)
  await expect(step).toContainText(`${en.memory_flash}, ${en.memory_eeprom}`)
  await expect(step).toContainText(en.step_state_partly)
  await story.take(blink)
  await expect(story.button(en.plan_write)).toBeDisabled()
  await story.reads(like(en.consequence_no_backup, { memory: en.memory_flash }))
  await story.consent()
  await story.write()
  await story.proveByReading()
  const certificate = await certificateOf(story)
  expect(certificate.before.unreadable).toContainEqual({ memory: 'flash', reason: 'read-protected' })
  expect(certificate.consents).toContain('no-backup:flash')
})

test('a bad contact makes no backup, and the chip is not blamed', async ({ story }) => {
  await story.openBench()
  await story.plugIn(en.practice_usbasp_board, en.dial_flicker)
  await story.button(en.backup_start).click()
  await story.told({
    happened: like(en.error_backup, { memory: en.memory_flash, address: '0x0100' }),
    safe: en.safe_nothing_written,
    now: en.error_backup_now_contact,
  })
  await expect(story.main).not.toContainText(like(en.error_verify_now_cell))
  await expect(story.button(en.job_try_again)).toBeVisible()
})

test('without a target the page says where to look', async ({ story }) => {
  await story.openBench()
  await story.plug(en.practice_usbasp_board, en.dial_no_target)
  await story.told({
    happened: en.error_target_missing,
    safe: en.safe_nothing_written,
    now: en.error_target_missing_now_cable,
  })
  await story.reads(like(en.error_target_missing_now_itself))
  await story.main.getByRole('alert').getByRole('link', { name: en.notice_sheet }).click()
  await expect(story.heading(en.rescue_usbasp)).toBeVisible()
})

test('a target at 1 MHz is found at a slower clock and backed up', async ({ story }) => {
  await story.openBench()
  await story.plugIn(en.practice_usbasp_board, en.dial_slow)
  await story.step(en.step_connect).click()
  await story.reads(like(en.notice_slow_sck_used_speed))
  await story.button(like(en.job_back_to)).click()
  await story.backUp()
  await expect(story.step(en.step_back_up)).toContainText(like(en.result_backup))
})

test('an image for another chip is refused with the reason', async ({ story }) => {
  await story.openBench()
  await story.plugIn(en.practice_usbasp_board)
  await story.backUp()
  await story.page.getByText(en.choose_practice_others, { exact: true }).first().click()
  await story.button(like(en.offer_take_this, { title: 'Blink 2 practice image for ATmega168' })).click()
  await expect(story.heading(like(en.choose_refused))).toBeVisible()
  await story.reads(like(en.check_chip_refused, { found: 'ATmega168', expected: 'ATmega328P' }))
  await expect(story.button(en.plan_write)).toBeHidden()
})
