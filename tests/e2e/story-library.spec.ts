/**
 * The library of backups: what was read once is found again, looked into, saved, carried to another browser
 * and given back, byte for byte; and nothing damaged gets in.
 */
import { expect } from '@playwright/test'
import { strToU8, zipSync } from 'fflate'
import MemoryMap from 'nrf-intel-hex'
import shelf from '../../protocols/usbasp/twin.ts'
import type { MemoryId } from '../../src/core/programmer.ts'
import { archive, archiveFiles, readArchive, wholeHash, type Described, type Manifest } from './archive.ts'
import { hashesOf, readCertificate } from './certificate.ts'
import { sha256 } from './firmware.ts'
import { test, Story } from './story.ts'
import { en, like } from './words.ts'

/** What a board of the practice bench holds before anybody touches it. */
const held = (id: MemoryId): Uint8Array => shelf.atmega328p.make().memory(id).slice()

const changed = (bytes: Uint8Array, ...changes: (readonly [at: number, xor: number])[]): Uint8Array =>
  bytes.map((byte, i) => changes.reduce((all, [at, xor]) => (at === i ? all ^ xor : all), byte))

/** A backup of such a board, with another program in it. */
const board = (name: string, memories: Readonly<Record<string, Uint8Array>> = {}): Described => ({
  name,
  memories: {
    ...{ flash: changed(held('flash'), [0x200, 0x55]), eeprom: held('eeprom'), fuses: held('fuses') },
    ...{ lock: held('lock'), calibration: held('calibration'), ...memories },
  },
})

const listed = ({ page }: Story) =>
  page.getByRole('region', { name: en.library_backups, exact: true }).getByRole('listitem')

async function importArchive(story: Story, bytes: Uint8Array): Promise<void> {
  const [chooser] = await Promise.all([
    story.page.waitForEvent('filechooser'),
    story.button(en.library_import).click(),
  ])
  await chooser.setFiles({ name: 'backups.zip', mimeType: 'application/zip', buffer: Buffer.from(bytes) })
}

async function openLibrary({ page, heading }: Story): Promise<void> {
  await page.goto('./#/library')
  await expect(heading(en.library_title)).toBeVisible()
}

/** The view of a memory's bytes. */
const bytesOf = ({ page }: Story, memory: string, name: string) =>
  page.getByRole('grid', { name: like(en.hex_view, { name: `${memory}, ${name}` }) })

test('a backup is renamed, noted, found, looked into and saved, byte for byte', async ({ page, story }) => {
  await story.openBench()
  await story.plugIn(en.practice_usbasp_board)
  await story.backUp()
  await story.step(en.step_back_up).click()
  await story.link(en.backup_open).click()

  await page.getByLabel(en.entry_rename, { exact: true }).fill('Drill controller')
  await page.getByLabel(en.entry_note).fill('Mill & Sons, serial 77; spindle does not stop')
  await page.getByLabel(en.entry_note).blur()
  await story.reads(en.entry_saved)
  await page.reload() // it is kept, not only shown
  await expect(story.heading('Drill controller')).toBeVisible()
  await expect(page.getByLabel(en.entry_note)).toHaveValue('Mill & Sons, serial 77; spindle does not stop')

  const flash = held('flash')
  const at = Buffer.from(flash).indexOf('practice program')
  const address = `0x${at.toString(16).padStart(4, '0')}`
  const view = bytesOf(story, en.memory_flash, 'Drill controller')
  await page.getByLabel(en.hex_search).fill('practice program')
  await page.getByLabel(en.hex_search).press('Enter')
  await story.reads(like(en.hex_found_at, { address }))
  await expect(view.getByRole('gridcell', { selected: true })).toHaveText(
    [...Buffer.from('practice program')].map((byte) => byte.toString(16)),
  )
  await page.getByLabel(en.hex_search).fill('de ad be ef')
  await page.getByLabel(en.hex_search).press('Enter')
  await story.reads(en.hex_not_found)
  await page.getByLabel(en.hex_address).fill('0x2000')
  await page.getByLabel(en.hex_address).press('Enter')
  await story.reads(like(en.hex_at, { address: '0x2000', hex: (flash[0x2000] ?? 0).toString(16) }))
  await page.getByLabel(en.hex_address).fill('0x8000')
  await page.getByLabel(en.hex_address).press('Enter')
  await story.reads(like(en.hex_address_wrong, { from: '0x0000', to: '0x7fff' }))
  await story.button(en.entry_verify).click()
  await story.reads(like(en.entry_verified))

  for (const [memory, id] of [
    [en.memory_flash, 'flash'],
    [en.memory_eeprom, 'eeprom'],
  ] as const) {
    await story.button(new RegExp(`^${memory}`)).click()
    const raw = await story.saved(story.button(en.entry_export_bin))
    expect(raw.name).toMatch(new RegExp(`-ATmega328P-${id}\\.bin$`))
    expect(Buffer.from(raw.bytes).equals(held(id))).toBe(true)
    const text = await story.saved(story.button(en.entry_export_hex))
    expect(text.name).toMatch(new RegExp(`-ATmega328P-${id}\\.hex$`))
    const map = MemoryMap.fromHex(Buffer.from(text.bytes).toString())
    expect(
      Buffer.from(map.slicePad(0, held(id).length + 16, 0)).equals(
        Buffer.concat([held(id), Buffer.alloc(16)]),
      ),
    ).toBe(true)
  }

  await openLibrary(story)
  const entry = story.link('Drill controller')
  for (const words of ['drill 328', 'SPINDLE', 'usbasp']) {
    await page.getByLabel(en.library_search).fill(words)
    await expect(entry).toBeVisible()
  }
  await page.getByLabel(en.library_search).fill('lathe')
  await story.reads(en.library_none_found)
  await expect(entry).toBeHidden()
})

test('all backups go into one archive and come back in an empty browser; what is deleted can be undone', async ({
  browser,
  story,
}) => {
  await story.openBench()
  await story.plugIn(en.practice_usbasp_pair)
  await story.backUp()
  await openLibrary(story)
  const lathe = board('Lathe')
  await importArchive(story, archive(lathe))
  await story.reads(like(en.library_imported))
  await expect(listed(story)).toHaveCount(2)
  const { name, bytes } = await story.saved(story.button(en.library_export_all))
  expect(name).toMatch(/^reflasher-backups-\d{4}-\d\d-\d\d\.zip$/)

  const usbasp = 'USBasp practice image 1.03, ATmega8'
  const { files, manifest } = readArchive(bytes)
  expect(manifest.backups.map((backup) => backup.name)).toEqual([usbasp, 'Lathe'])
  const contents = manifest.backups.map(({ memories }) =>
    Object.fromEntries(memories.map(({ id, file }) => [id, files[file]])),
  )
  const patient = shelf.pair.make()
  expect(contents[0]).toMatchObject({
    flash: patient.memory('flash'),
    eeprom: patient.memory('eeprom'),
    calibration: patient.memory('calibration'),
  })
  expect(contents[1]).toEqual(lathe.memories)

  const context = await browser.newContext()
  const other = new Story(await context.newPage())
  await openLibrary(other)
  await other.reads(en.library_empty)
  await importArchive(other, bytes)
  await other.reads(like(en.library_imported, { shown: '2' }))
  await expect(listed(other)).toHaveCount(2)
  await importArchive(other, bytes)
  await other.reads(en.library_imported_known)
  await expect(listed(other)).toHaveCount(2)

  await other.button(like(en.library_delete, { name: usbasp })).click()
  await other.reads(like(en.library_deleted, { name: usbasp }))
  await expect(listed(other)).toHaveCount(1)
  await other.button(en.library_undo).click()
  await other.reads(like(en.library_undone, { name: usbasp }))
  await expect(listed(other)).toHaveCount(2)
  await other.link(usbasp).click()
  await other.reads(en.library_source_imported)
  const flash = await other.saved(other.button(en.entry_export_bin))
  expect(Buffer.from(flash.bytes).equals(patient.memory('flash'))).toBe(true)
  await other.button(en.entry_delete).click() // from its own page as well
  await expect(listed(other)).toHaveCount(1)
  await other.page.reload()
  await expect(other.link('Lathe')).toBeVisible()
  await expect(listed(other)).toHaveCount(1)
  await context.close()
})

test('a damaged archive is refused by the name of what is damaged, and nothing of it gets in', async ({
  story,
}) => {
  const small = (name: string): Described => ({
    name,
    memories: { flash: new Uint8Array(1024).fill(name.length), eeprom: new Uint8Array(64) },
  })
  const both = [small('Mill'), small('Router')] as const
  const files = (change?: (manifest: Manifest) => void) => archiveFiles(both, change)
  const whole = zipSync(files())
  const second = (change: (backup: Manifest['backups'][number]) => void) => (manifest: Manifest) => {
    const [, backup] = manifest.backups
    if (backup) change(backup)
  }
  const without = (name: string) =>
    Object.fromEntries(Object.entries(files()).filter(([file]) => file !== name))
  const damaged: readonly [name: string, why: string, bytes: Uint8Array][] = [
    ['2/flash.bin', en.corrupt_hash, zipSync({ ...files(), '2/flash.bin': new Uint8Array(1024) })],
    ['2/flash.bin', en.corrupt_size, zipSync({ ...files(), '2/flash.bin': new Uint8Array(1023) })],
    ['2/flash.bin', en.corrupt_size, zipSync({ ...files(), '2/flash.bin': new Uint8Array(1 << 24) })],
    ['2/eeprom.bin', en.corrupt_missing, zipSync(without('2/eeprom.bin'))],
    ['manifest.json', en.corrupt_missing, zipSync(without('manifest.json'))],
    ['more.exe', en.corrupt_unlisted, zipSync({ ...files(), 'more.exe': new Uint8Array(9) })],
    ['../flash.bin', en.corrupt_path, zipSync({ ...files(), '../flash.bin': new Uint8Array(9) })],
    ['manifest.json', en.corrupt_not_json, zipSync({ ...files(), 'manifest.json': strToU8('{') })],
    [
      'manifest.json backups.1.memories.0.length',
      en.corrupt_schema,
      zipSync(files(second(({ memories: [flash] }) => flash && (flash.length = -1)))),
    ],
    [
      'Router',
      en.corrupt_twice,
      zipSync(files(({ backups: [first, other] }) => first && other && (other.id = first.id))),
    ],
    [
      'Router',
      en.corrupt_hash,
      zipSync(files(second((backup) => (backup.sha256 = wholeHash(backup.memories.slice(1)))))),
    ],
  ]
  await openLibrary(story)
  await importArchive(story, archive(small('Kept')))
  await expect(listed(story)).toHaveCount(1)

  const refused = async (happened: RegExp, bytes: Uint8Array) => {
    await importArchive(story, bytes)
    await story.told({ happened, safe: en.safe_import, now: en.error_corrupt_now })
    await expect(listed(story)).toHaveCount(1)
  }
  for (const [name, why, bytes] of damaged)
    await test.step(`${name}: ${why}`, () => refused(like(en.error_corrupt, { name, why }), bytes))
  for (const bytes of [strToU8('no ZIP at all'), whole.subarray(0, -40), new Uint8Array()])
    await test.step(`${String(bytes.length)} bytes that are no ZIP file`, () =>
      refused(like(en.error_corrupt_archive, { why: en.corrupt_not_zip }), bytes))

  await story.page.reload() // nor is anything there that the list did not show
  await expect(story.link('Kept')).toBeVisible()
  await expect(listed(story)).toHaveCount(1)
  await importArchive(story, whole)
  await story.reads(like(en.library_imported, { shown: '2' }))
  await expect(listed(story)).toHaveCount(3)
  await expect(story.main.getByRole('alert')).toBeHidden()
})

async function compareWith({ page }: Story, name: string): Promise<void> {
  const other = page.getByLabel(en.entry_compare)
  const label = await other.getByRole('option', { name }).textContent()
  await other.selectOption({ label: label?.trim() ?? '' })
}

test('two backups are compared: which memories differ, where, and what most likely made it so', async ({
  page,
  story,
}) => {
  const flash = held('flash')
  await openLibrary(story)
  await importArchive(
    story,
    archive(
      board('Before', { flash }),
      board('After a bad contact', { flash: changed(flash, [0x1234, 0x08]) }),
      board('Another program', { flash: changed(flash, [0x40, 0x0f], [0x41, 0xf0], [0x2000, 0x33]) }),
      { ...board('Another chip', { flash }), chip: 'ATmega8', signature: '1e9307' },
    ),
  )
  for (const name of ['Before', 'After a bad contact'])
    await page.getByLabel(like(en.library_compare_pick, { name })).check()
  await story.link(en.library_compare).click()
  await expect(story.heading(en.compare_title)).toBeVisible()
  await expect(story.button(new RegExp(`^${en.memory_flash}`))).toContainText(en.compare_differs)
  await expect(story.button(new RegExp(`^${en.memory_eeprom}`))).toContainText(en.compare_equal)
  await story.reads(en.diff_one_byte)
  await story.reads(en.cause_one_bit)
  await expect(page.getByRole('grid')).toHaveCount(2)
  await expect(page.getByRole('grid').first().getByRole('rowheader')).toContainText(['0x1230'])

  await story.link('Before').click()
  await compareWith(story, 'Another program')
  await story.reads(like(en.diff_in_places, { bytes: '3', places: '2' }))
  await story.reads(like(en.diff_place, { number: '1', count: '2' }))
  await story.button(en.diff_next).click()
  await story.reads(like(en.diff_place, { number: '2', count: '2' }))
  await expect(page.getByRole('grid').first().getByRole('rowheader')).toContainText(['0x2000'])

  await story.link('Before').click()
  await compareWith(story, 'Another chip')
  await story.reads(en.compare_all_equal)
  await story.reads(like(en.compare_other_chip))
})

test('the backup of another chip is refused, that of another device needs a warning and a typed word', async ({
  page,
  story,
}) => {
  const other = board('The other mill', { calibration: changed(held('calibration'), [0, 0x11]) })
  const old = { ...board('The old mill'), chip: 'ATmega8', signature: '1e9307' }
  await openLibrary(story)
  const real = { ...board('A mill in the field'), practice: false }
  await importArchive(story, archive(old, real, other))
  await story.link('The old mill').click()
  await story.button(en.entry_restore).click()
  await story.reads(like(en.pending_backup, { name: 'The old mill' }))
  await story.practise()
  await story.plugIn(en.practice_usbasp_board)
  await story.button(en.backup_start).click()
  await expect(story.heading(like(en.choose_refused))).toBeVisible()
  await story.reads(like(en.check_device_refused, { from: 'ATmega8', to: 'ATmega328P' }))
  await expect(story.button(en.plan_write)).toBeHidden()

  const restoreNow = async (name: string) => {
    await openLibrary(story)
    await story.link(name).click()
    await story.button(en.entry_restore).click()
  }
  await restoreNow('A mill in the field')
  await story.reads(en.check_device_practice)
  await expect(story.button(en.plan_write)).toBeHidden()

  await restoreNow('The other mill')
  await story.planned()
  await story.reads(en.check_device_calibration)
  await story.reads(en.consequence_other_device)
  const word = en.consent_word_update
  const field = page.getByLabel(like(en.consent_type, { word }))
  for (const tick of await page.getByLabel(en.consent_tick).all()) await tick.check()
  await expect(story.button(en.plan_write)).toBeDisabled()
  await field.fill('yes')
  await expect(story.button(en.plan_write)).toBeDisabled()
  await field.fill(word)
  await expect(story.button(en.plan_write)).toBeEnabled()
  await field.fill('')
  await expect(story.button(en.plan_write)).toBeDisabled()
  await story.consent()
  await story.write()
  await story.proveByReading()

  const { bytes } = await story.saved(story.button(en.prove_save))
  const certificate = await readCertificate(bytes)
  expect(certificate.consents).toContain('other-device')
  expect(certificate.source).toMatchObject({ kind: 'backup', name: 'The other mill' })
  expect(hashesOf(certificate, 'flash')).toEqual({
    before: sha256(held('flash')),
    after: sha256(other.memories['flash'] ?? new Uint8Array()),
  })
})

test('fuses that lose the chip are each explained and need the word; what then cannot be reached is not called proven', async ({
  page,
  story,
}) => {
  // Low: no crystal but a clock from outside. High: RSTDISBL on.
  const locksOut = board('A board that locks programmers out', { fuses: Uint8Array.of(0xe0, 0x5e, 0xfd) })
  await openLibrary(story)
  await importArchive(story, archive(locksOut))
  await story.link(locksOut.name).click()
  await story.button(en.entry_restore).click()
  await story.practise()
  await story.plugIn(en.practice_usbasp_board)
  await story.button(en.backup_start).click()
  await story.planned()

  for (const gaps of [
    {
      ...{ bit: 'RSTDISBL', name: en.fuse_rstdisbl_name, danger: en.fuse_danger_lost },
      ...{ from: en.fuse_is_off, to: en.fuse_is_on },
    },
    { bit: 'CKSEL', name: en.fuse_cksel_name, to: en.fuse_is_external_clock, danger: en.fuse_danger_clock },
  ])
    await story.reads(like(en.consequence_fuse_danger, gaps))
  await expect(story.main.getByText(en.fuse_danger_lost)).toHaveCount(1) // once, at its consent
  await expect(story.main.getByText(en.fuse_danger_clock)).toHaveCount(1)
  const write = story.button(en.plan_write)
  for (const tick of await page.getByLabel(en.consent_tick).all()) await tick.check()
  await expect(write).toBeDisabled()
  const word = en.consent_word_update
  await page.getByLabel(like(en.consent_type, { word })).fill('UPDAT')
  await expect(write).toBeDisabled()
  await page.getByLabel(like(en.consent_type, { word })).fill(word)
  await story.write()

  await story.button(en.prove_start).click()
  await story.told({
    happened: like(en.error_target_fuses, { fuses: 'CKSEL, RSTDISBL' }),
    safe: en.safe_written,
    now: en.error_target_fuses_now_lost,
  })
  await expect(story.link(en.prove_certificate)).toBeHidden()
  await expect(story.button(en.prove_start)).toBeHidden() // no other try can reach it
  await story.button(en.prove_unproven).click()
  await story.sees(story.heading(en.cert_proof_none))
  const certificate = await readCertificate((await story.saved(story.button(en.prove_save))).bytes)
  expect(certificate.proof.kind).toBe('none')
  for (const bit of ['high.RSTDISBL', 'low.CKSEL'])
    expect(certificate.consents).toContain(`fuse-danger:${bit}`)

  await story.openCertificate()
  await story.reads(like(en.cert_proof_none_why, { why: en.error_word_target_missing }))
  const note = page.getByLabel(en.cert_note, { exact: true })
  await note.fill('Belongs to the mill')
  await note.blur()
  await story.reads(en.cert_note_saved)
  await page.goto('./#/library')
  const listed = page.getByRole('region', { name: en.library_certificates }).getByRole('listitem')
  await expect(listed).toContainText(like(en.result_failed, { why: en.error_word_target_missing }))
  await expect(listed).toContainText(en.library_practice_mark)
  await expect(listed).toContainText('Belongs to the mill')
})
