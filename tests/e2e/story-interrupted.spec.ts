/** A tab that was closed in the middle of a job: what the next visit says of it, and what can be taken along. */
import { expect } from '@playwright/test'
import { strFromU8, unzipSync } from 'fflate'
import { parseIntelHex } from '#firmware/intel-hex.ts'
import { readArchive } from './archive.ts'
import { axe, objections } from './axe.ts'
import { test, type Story } from './story.ts'
import { en, like } from './words.ts'

/** Up to the plan, with all consents. */
async function planBlink(story: Story): Promise<void> {
  await story.openBench()
  await story.plugIn(en.practice_uno)
  await story.backUp()
  await story.take('Blink 2 practice image for ATmega328P')
  await story.consent()
}

async function planUpdate(story: Story, speed: 1 | 25 = 25): Promise<void> {
  await story.openBench(speed)
  await story.plugIn(en.practice_usbasp_pair)
  await story.backUp()
  await story.take('USBasp 1.10 practice image for ATmega8')
  await story.consent()
}

test('a choice that nothing was written of yet is still there at the next visit, and goes on', async ({
  page,
  story,
}) => {
  await page.addInitScript({ content: axe })
  await planBlink(story)
  await story.openBench()
  await story.sees(story.heading(like(en.interrupted_chosen)))
  expect(await objections(page, {})).toEqual([])
  await story.press(story.button(en.interrupted_continue))
  await story.reads(like(en.job_waits_for))
  expect(await objections(page, {})).toEqual([])
  await story.press(story.button(en.practice_uno))
  await story.reads(en.job_is_back)
  await story.press(story.button(en.job_continue))
  await story.planned()
  await story.consent()
  await story.write()
  await story.sees(story.heading(en.prove_title))

  await story.openBench()
  await story.sees(story.heading(like(en.interrupted_written)))
  await story.press(story.button(en.interrupted_forget))
  await expect(story.button(en.interrupted_forget)).toBeHidden()
})

test('an interrupted write is told at the next visit, and all that is kept of it can be saved', async ({
  page,
  story,
}) => {
  await page.addInitScript({ content: axe })
  await planBlink(story)
  await story.breakTransfer(en.fault_unplug, 30)
  await story.write()
  await story.told({
    happened: en.error_gone_writing,
    safe: `${en.safe_half} ${en.safe_backup}`,
    now: en.now_continue,
  })

  await story.openBench()
  await story.sees(story.heading(like(en.interrupted)))
  expect(await objections(page, {})).toEqual([])
  const { name, bytes } = await story.saved(story.button(en.interrupted_save))
  expect(name).toMatch(/^reflasher-interrupted-.*\.zip$/)
  const { files, manifest } = readArchive(bytes)
  expect(manifest.backups).toHaveLength(1)
  expect(Object.keys(files)).toContain('write/interrupted.json')
  expect(parseIntelHex(files['write/flash.hex'] ?? new Uint8Array()).segments).not.toEqual([])
})

test('the backup of an interrupted write cannot be deleted before the write is forgotten', async ({
  page,
  story,
}) => {
  await page.addInitScript({ content: axe })
  await planBlink(story)
  await story.breakTransfer(en.fault_unplug, 30)
  await story.write()
  await story.sees(story.heading(like(en.error_gone_writing)))

  await story.openBench()
  const refused = { happened: en.error_needed, safe: en.safe_not_deleted, now: en.error_needed_now }
  await story.link(en.interrupted_backup).click()
  await story.button(en.entry_delete).click()
  await story.told(refused)
  await story.link(`← ${en.library_all}`).click()
  await story.button(like(en.library_delete)).click()
  await story.told(refused)
  expect(await objections(page, {})).toEqual([])

  await story.link(en.nav_bench).click()
  await story.button(en.interrupted_forget).click()
  await story.button(en.interrupted_forget_sure).click()
  await expect(story.button(en.interrupted_forget)).toBeHidden()
  await story.link(en.nav_library).click()
  await story.button(like(en.library_delete)).click()
  await story.reads(like(en.library_deleted))
})

test('damaged records are told, what is left of them can be saved, and then they can be deleted', async ({
  page,
  story,
}) => {
  await page.addInitScript({ content: axe })
  await planBlink(story)
  await page.evaluate(
    () =>
      new Promise<void>((resolve) => {
        const opening = indexedDB.open('reflasher')
        opening.onsuccess = () => {
          const all = opening.result.transaction(['journal', 'backups'], 'readwrite')
          all.objectStore('journal').put({ id: 'torn', wanted: {}, patient: { chip: 'ATtiny85' } })
          all
            .objectStore('backups')
            .put({ id: 'torn', name: 'Mill 7', createdAt: '2026-01-31T14:02:00.000Z' })
          all.oncomplete = () => {
            opening.result.close()
            resolve()
          }
        }
      }),
  )
  await story.openBench()
  const torn = story.heading(en.interrupted_damaged)
  await story.sees(torn)
  await story.sees(story.heading(like(en.interrupted_chosen)))
  expect(await objections(page, {})).toEqual([])
  const name = 'ATtiny85'
  const removal = story.button(like(en.damaged_remove_one, { name }))
  await story.reads(like(en.interrupted_damaged_name, { name }))
  const { bytes } = await story.saved(story.button(like(en.damaged_save_one, { name })))
  expect(strFromU8(unzipSync(bytes)['record.json'] ?? new Uint8Array())).toContain(name)
  await story.press(removal)
  await story.press(story.button(en.damaged_keep))
  await story.press(removal)
  await story.press(story.button(en.damaged_remove_sure))
  await expect(torn).toBeHidden()
  await story.sees(story.heading(like(en.interrupted_chosen)))

  await story.link(en.nav_library).click()
  await story.sees(story.heading(en.damaged_title))
  await story.reads(/Mill 7/)
  expect(await objections(page, {})).toEqual([])
  await story.press(story.button(/Delete Mill 7/))
  await story.press(story.button(en.damaged_remove_sure))
  await story.reads(like(en.damaged_removed))
  await expect(story.heading(en.damaged_title)).toBeHidden()
  await story.sees(story.button(like(en.library_delete)))
})

test('the history of jobs is saved as a table and whole', async ({ page, story }) => {
  await planBlink(story)
  await story.write()
  await story.proveByReading()
  await page.evaluate(() => (location.hash = '#/library'))
  const table = Buffer.from((await story.saved(story.button(en.library_history_csv))).bytes).toString()
  expect(table.split('\r\n')[1]).toContain('"ATmega328P"')
  const whole = Buffer.from((await story.saved(story.button(en.library_history_json))).bytes).toString()
  expect((JSON.parse(whole) as { certificates: unknown[] }).certificates).toHaveLength(1)
})

test('a write that was stopped midway is not called a plan of which nothing is written', async ({
  story,
}) => {
  await planUpdate(story, 1)
  await story.reads(en.plan_what)
  await story.write()
  await story.press(story.button(en.write_stop))
  await story.told({ happened: en.error_cancelled, safe: en.safe_half, now: en.error_cancelled_now_half })
  await story.press(story.step(en.step_plan))
  await story.reads(en.plan_begun)
  await story.press(story.step(en.step_choose))
  await story.reads(like(`${en.choose_held} ${en.choose_half}`))
  await story.press(story.button(like(en.job_back_to)))
  await story.press(story.button(en.job_continue))
  await story.sees(story.heading(en.prove_by_itself))
  await story.press(story.step(en.step_plan))
  await story.reads(en.plan_over)
})

test('a write that is continued says what it waits for, and the practice bench can plug it in', async ({
  page,
  story,
}) => {
  await page.addInitScript({ content: axe })
  await planUpdate(story, 1)
  await story.write()
  await story.press(story.button(en.write_stop))
  await story.told({ happened: en.error_cancelled, safe: en.safe_half, now: en.error_cancelled_now_half })
  await page.evaluate(() => (location.hash = '#/'))
  await story.plugIn(en.practice_uno)

  await story.openBench()
  await story.press(story.button(en.interrupted_continue))
  await story.reads(like(en.job_waits_for, { programmer: 'USBasp' }))
  await expect(page.getByText(en.wait)).toHaveCount(0)
  await story.press(story.button(en.job_plugged_in))
  await story.reads(en.job_not_there)
  await story.press(story.step(en.step_plan))
  await story.reads(en.plan_later)
  await page.evaluate(() => (location.hash = '#/'))
  await story.sees(story.heading(like(en.job_open, { name: 'ATmega8' })))
  await story.press(story.link(en.job_open_back))

  await story.press(story.step(en.step_write))
  expect(await objections(page, {})).toEqual([])
  await story.press(story.button(en.practice_usbasp_pair))
  await story.reads(en.job_is_back)
  await story.press(story.button(en.job_continue))
  await story.sees(story.heading(en.prove_by_itself))
})

test('what was unplugged midway is waited for, and its backup can be restored instead', async ({
  page,
  story,
}) => {
  await planUpdate(story)
  await story.breakTransfer(en.fault_unplug, 120)
  await story.write()
  await story.told({ happened: en.error_gone_writing, safe: en.safe_half, now: en.now_restore })
  await story.press(story.button(en.job_plugged_in))
  await story.reads(en.job_not_there)
  await story.press(story.button(en.practice_replug))
  await story.told({ happened: en.error_gone_back, safe: en.safe_half, now: en.error_cancelled_now_half })
  await expect(page.getByText(en.job_not_there)).toHaveCount(0)
  await story.press(story.button(like(en.job_restore)))
  await story.planned()
  await story.reads(en.plan_rest)
  await story.consent()
  await story.write()
  await story.sees(story.heading(en.prove_by_itself))
  await story.press(story.step(en.step_choose))
  await story.reads(/USBasp practice image .*1\.0\d/)
})
