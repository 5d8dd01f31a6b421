/**
 * Firmware links: whoever opens one gets the very file that it means, or a clear word why not. What lies at
 * the other end of the address is played by the story.
 */
import { expect, type Page, type Route } from '@playwright/test'
import { zipSync } from 'fflate'
import { encode } from 'uqr'
import { blank } from '../../src/core/bytes.ts'
import { groupedHash } from '../../src/ui/text/format.ts'
import { hashesOf, readCertificate } from './certificate.ts'
import { hexFile, practiceBytes, sha256 } from './firmware.ts'
import { test as base, type Story } from './story.ts'
import { en, like } from './words.ts'

const image = practiceBytes('USBasp 1.10 practice image for ATmega8')
const file = Buffer.from(hexFile(image))
/** Of the same length, and another program. */
const otherFile = Buffer.from(hexFile(image.map((byte, i) => (i === 200 ? byte ^ 1 : byte))))
const source = 'https://firmware.example/usbasp.hex'
const name = 'USBasp for the workshop'

/** A link to the file; a field that is given as undefined is left out. */
function linkTo(changes: Readonly<Record<string, string | undefined>> = {}): string {
  const fields: Record<string, string | undefined> = {
    ...{
      device: 'usbasp',
      chip: 'ATmega8',
      name: encodeURIComponent(name),
      version: '1.10',
      format: 'intel-hex',
    },
    ...{ size: String(file.length), sha256: sha256(file), url: source },
    ...changes,
  }
  const pairs = Object.entries(fields).flatMap(([field, value]) =>
    value === undefined ? [] : [`${field}=${value}`],
  )
  return `./#/flash?${pairs.join('&')}`
}

/** `asked`: what was asked of other computers. */
const test = base.extend<{ asked: string[] }>({
  asked: async ({ page, baseURL }, use) => {
    const asked: string[] = []
    page.on('request', (request) => {
      const { origin } = new URL(request.url())
      if (origin !== baseURL) asked.push(request.url())
    })
    await use(asked)
  },
})

/** The file's own server: one that lets every page read it. */
const serve = (page: Page, body: Buffer): Promise<unknown> =>
  page.route(source, (route) => route.fulfill({ body, headers: { 'access-control-allow-origin': '*' } }))

/** A device gets no file by itself: after the backup one still has to be chosen. */
async function nothingIsChosen(story: Story): Promise<void> {
  await expect(story.main.getByText(en.link_ready)).toBeHidden()
  await expect(story.heading(en.pending_title)).toBeHidden()
  await story.practise()
  await story.plugIn(en.practice_usbasp_pair)
  await story.backUp()
  await expect(story.button(en.plan_write)).toBeHidden()
}

test('a link with the right hash is written, and the certificate names it as the source', async ({
  page,
  story,
  asked,
}) => {
  await serve(page, file)
  await page.goto(linkTo())
  await expect(story.heading(like(en.link_offers, { name }))).toBeVisible()
  await story.reads(groupedHash(sha256(file)))
  expect(asked).toEqual([]) // not before somebody says so

  await story.button(en.link_take).click()
  await story.reads(en.link_ready)
  expect(asked).toEqual([source])
  await story.practise()
  await story.plugIn(en.practice_usbasp_pair)
  await story.button(en.backup_start).click()
  await story.planned() // it was chosen by itself
  await story.write()
  await story.button(en.practice_by_itself).click()
  await story.button(en.prove_ask).click()
  await expect(story.heading(like(en.prove_runs))).toBeVisible()

  const { bytes } = await story.saved(story.button(en.prove_save))
  const certificate = await readCertificate(bytes)
  expect(certificate.source).toEqual({
    ...{ kind: 'link', name: `${name}.hex`, version: '1.10', chip: 'ATmega8' },
    ...{ device: 'usbasp', url: source },
    ...{ sizeBytes: file.length, sha256: sha256(file), promisedSha256: sha256(file) },
  })
  expect(certificate.checks).toContainEqual({
    code: 'image-matches-hash',
    result: 'passed',
    values: { hash: sha256(file) },
  })
  const flash = blank(8192)
  flash.set(image)
  expect(hashesOf(certificate, 'flash').after).toBe(sha256(flash))
})

test('a download that takes too long for somebody is stopped, and can be begun again', async ({
  page,
  story,
}) => {
  await page.route(source, () => undefined) // the server never answers
  await page.goto(linkTo())
  await story.button(en.link_take).click()
  await story.button(en.job_stop).click()
  await expect(story.button(en.link_take)).toBeFocused()
  await expect(story.main.getByRole('alert')).toBeHidden()
  await page.unroute(source)
  await serve(page, file)
  await page.keyboard.press('Enter')
  await story.reads(en.link_ready)
})

test('another file than the link means is refused, and nothing is offered', async ({ page, story }) => {
  await serve(page, otherFile)
  await page.goto(linkTo())
  await story.button(en.link_take).click()
  await story.told({ happened: en.error_hash, safe: en.safe_file, now: en.error_hash_now })
  await expect(story.main.getByRole('alert')).toContainText(sha256(file))
  await expect(story.main.getByRole('alert')).toContainText(sha256(otherFile))
  await nothingIsChosen(story)
})

for (const [how, body] of [
  ['longer', Buffer.concat([file, Buffer.from('\n')])],
  ['shorter', file.subarray(0, -20)],
] as const)
  test(`a file that is ${how} than the link says is refused`, async ({ page, story }) => {
    await serve(page, body)
    await page.goto(linkTo())
    await story.button(en.link_take).click()
    const expected = file.length.toLocaleString('en-GB')
    await story.told({
      happened: like(en.error_size, { expected }),
      safe: en.safe_file,
      now: en.error_size_now,
    })
    await expect(story.main.getByText(en.link_ready)).toBeHidden()
  })

test('hostile links are refused each in its own words, nothing is fetched, and a good one still works', async ({
  page,
  story,
  asked,
}) => {
  const hostile: readonly [string, string, Readonly<Record<string, string | undefined>>][] = [
    ['url', en.link_fault_not_https, { url: 'javascript:alert(1)' }],
    ['url', en.link_fault_not_https, { url: 'data:text/plain,:00000001ff' }],
    ['url', en.link_fault_not_https, { url: 'http://firmware.example/usbasp.hex' }],
    ['url', en.link_fault_credentials, { url: 'https://github.com@firmware.example/usbasp.hex' }],
    ['url', en.link_fault_not_a_url, { url: 'firmware.example/usbasp.hex' }],
    ['size', en.link_fault_too_large, { size: '999999999999' }],
    ['size', en.link_fault_not_a_number, { size: '-1' }],
    ['size', en.link_fault_missing, { size: undefined }],
    ['sha256', en.link_fault_missing, { sha256: undefined }],
    ['sha256', en.link_fault_not_a_hash, { sha256: 'c0ffee' }],
    ['name', en.link_fault_bad_encoding, { name: '%E0%A4%A' }],
    ['name', en.link_fault_hidden_characters, { name: encodeURIComponent('usbasp\u202exeh.exe') }],
    ['device', en.link_fault_unknown_device, { device: 'toaster' }],
    ['device', en.link_fault_not_allowed, { device: '../../etc' }],
    ['inline', en.link_fault_two_sources, { inline: 'AAAA' }],
    ['inline', en.link_fault_bad_compression, { url: undefined, size: '64', inline: 'AAAA' }],
    ['onload', en.link_fault_unknown_field, { onload: 'alert(1)' }],
  ]
  const dialogs: string[] = []
  page.on('dialog', (dialog) => {
    dialogs.push(dialog.message())
    void dialog.dismiss()
  })
  for (const [field, why, changes] of hostile)
    await test.step(JSON.stringify(changes), async () => {
      await page.goto(linkTo(changes))
      const take = story.button(en.link_take)
      const alert = story.main.getByRole('alert')
      await expect(take.or(alert)).toBeVisible()
      if (await take.isVisible()) await take.click() // what is inside is looked at when it is wanted
      await story.told({
        happened: like(en.error_link, { field, why }),
        safe: en.safe_no_file,
        now: en.error_link_now_file,
      })
    })
  expect(asked).toEqual([])
  expect(dialogs).toEqual([])

  await serve(page, file)
  await page.goto(linkTo())
  await expect(story.main.getByRole('alert')).toBeHidden()
  await story.button(en.link_take).click()
  await story.reads(en.link_ready)

  // What one link brought is not what the next one means.
  await page.goto(linkTo({ url: 'javascript:alert(1)' }))
  await story.told({ happened: like(en.error_link), safe: en.safe_no_file, now: en.error_link_now_not })
  await page.goto('./#/')
  await expect(story.heading(en.bench_title)).toBeVisible()
  await expect(story.heading(en.pending_title)).toBeHidden()
})

for (const [why, answer] of [
  ['the computer is offline', (route: Route) => route.abort('internetdisconnected')],
  ['its server lets no other page read it', serveFor('https://elsewhere.example')],
  ['it is no longer there', (route: Route) => route.fulfill({ status: 404, body: 'gone' })],
] as const)
  test(`${why}: the user brings the file, and it is checked against the same hash`, async ({
    page,
    story,
  }) => {
    await page.route(source, answer)
    await page.goto(linkTo())
    await story.button(en.link_take).click()
    await story.told({
      happened: like(en.error_download, { host: 'firmware.example' }),
      safe: en.safe_no_file,
      now: en.error_download_now_drop,
    })
    await expect(story.link(source)).toHaveAttribute('href', source)
    await bringsItself(story)
  })

test('so it is with a published version, and a wrong file does not end it', async ({ page, story }) => {
  await page.route(/^https:/, (route) => route.abort('internetdisconnected'))
  await story.openBench()
  await story.plugIn(en.practice_usbasp_pair)
  await story.backUp()
  await story.main.getByText(like(en.choose_published_all)).click()
  await story.button(like(en.offer_take_this, { title: 'USBasp 1.10 (dioannidis)' })).click()
  await story.told({
    happened: like(en.error_download),
    safe: en.safe_no_file,
    now: en.error_download_now_drop,
  })
  await story.bring('usbasp.hex', file, en.link_drop)
  await story.told({ happened: like(en.error_size), safe: en.safe_file, now: en.error_size_now })
  await expect(page.getByLabel(en.link_drop)).toBeVisible()
  await story.bring('usbasp.hex', file)
  await story.planned() // a file of one's own was not promised by anybody
  await expect(page.getByLabel(en.link_drop)).toBeHidden()
})

test('a link without a source asks for the file at once', async ({ page, story, asked }) => {
  await page.goto(linkTo({ url: undefined }))
  await story.reads(en.link_no_source)
  await bringsItself(story)
  expect(asked).toEqual([])
})

test('a link to an archive asks which firmware in it is meant', async ({ page, story }) => {
  const text = (content: string) => new TextEncoder().encode(content)
  const other = practiceBytes('USBasp 1.10 practice image for ATmega88')
  const archive = Buffer.from(
    zipSync({ 'atmega8.hex': file, 'atmega88.hex': text(hexFile(other)), 'README.md': text('# Which one?') }),
  )
  await serve(page, archive)
  await page.goto(
    linkTo({ format: undefined, size: String(archive.length), sha256: sha256(Uint8Array.from(archive)) }),
  )
  await story.button(en.link_take).click()
  await expect(story.heading(like(en.file_parts_title, { name }))).toBeVisible()
  await expect(story.main.getByRole('alert')).toBeHidden()
  await story.button('atmega8.hex').click()
  await story.reads(en.link_ready)
  await story.practise()
  await story.plugIn(en.practice_usbasp_pair)
  await story.button(en.backup_start).click()
  await story.planned()
})

test('a link made from an archive carries the firmware that was chosen', async ({ page, story }) => {
  const blink = practiceBytes('Blink 2 practice image for ATmega8')
  await page.goto('./#/links')
  const archive = zipSync({ 'a.hex': file, 'blink.hex': new TextEncoder().encode(hexFile(blink)) })
  await story.bring('both.zip', archive, en.image_drop)
  await story.button('blink.hex').click()
  await story.reads(en.makelink_inline)
  await story.link(en.makelink_try).click()
  await story.button(en.link_take).click()
  await story.reads(en.link_ready)
  await expect(story.heading(like(en.file_parts_title))).toBeHidden()
})

/** Wrong ones are refused, and may be followed by the right one. */
async function bringsItself(story: Story): Promise<void> {
  await story.bring('usbasp.hex', otherFile, en.link_drop)
  await story.told({ happened: en.error_hash, safe: en.safe_file, now: en.error_hash_now })
  await story.bring('usbasp.hex', '<!doctype html>', en.link_drop)
  await story.told({ happened: like(en.error_size), safe: en.safe_file, now: en.error_size_now })
  await story.bring('usbasp (1).hex', file, en.link_drop)
  await story.reads(en.link_ready)
  await expect(story.main.getByRole('alert')).toBeHidden()
}

function serveFor(origin: string) {
  return (route: Route) => route.fulfill({ body: file, headers: { 'access-control-allow-origin': origin } })
}

test('from a file to its link and QR code in two clicks; the link carries the file itself', async ({
  page,
  context,
  story,
  asked,
}) => {
  await context.grantPermissions(['clipboard-read', 'clipboard-write'])
  await story.countPresses()
  await page.goto('./#/links')
  const [chooser] = await Promise.all([
    page.waitForEvent('filechooser'),
    page.getByText(en.image_drop, { exact: true }).click(),
  ])
  const small = Buffer.from(hexFile(practiceBytes('Blink 2 practice image for ATmega8')))
  await chooser.setFiles({ name: 'blink.hex', mimeType: 'text/plain', buffer: small })
  await story.button(en.makelink_copy).click()
  expect(await story.presses()).toBe(2)
  await story.reads(en.makelink_copied)
  await story.reads(en.makelink_inline)
  const text = await page.evaluate(() => navigator.clipboard.readText())
  expect(text).toContain('inline=')
  await expectCode(page, text)
  const { bytes } = await story.saved(story.button(en.makelink_qr_save))
  const path = await codePath(page).getAttribute('d')
  expect(Buffer.from(bytes).toString()).toContain(`<path d="${String(path)}"/>`)

  // What was changed on its way is not what its maker put in, and nothing was downloaded that could be again.
  await page.goto('about:blank')
  await page.goto(text.replace(/sha256=\w{8}/, 'sha256=00000000'))
  await story.button(en.link_take).click()
  await story.told({ happened: en.error_hash, safe: en.safe_file, now: en.error_hash_now_inline })
  await expect(story.button(en.link_take)).toBeHidden() // it could only fail again

  // Whoever opens it, online or not, has the file already.
  await page.goto('about:blank')
  await page.goto(text)
  await story.reads(en.link_inline)
  await story.button(en.link_take).click()
  await story.reads(en.link_ready)
  await story.practise()
  await story.plugIn(en.practice_usbasp_pair)
  await story.button(en.backup_start).click()
  await story.planned()
  expect(asked).toEqual([])
})

test('a link made from what a backup holds names the chip of that backup', async ({ page, story }) => {
  await story.openBench()
  await story.plugIn(en.practice_usbasp_board)
  await story.backUp()
  await story.step(en.step_back_up).click()
  await story.link(en.backup_open).click()
  const { name: saved, bytes } = await story.saved(story.button(en.entry_export_bin))
  await page.goto('./#/links')
  await story.bring(saved, bytes, en.image_drop)
  await expect(page.getByLabel(en.makelink_chip, { exact: true })).toHaveValue('ATmega328P')
})

test('a link with an address says so, and is as short as its address', async ({ page, story, asked }) => {
  await page.goto('./#/links')
  await story.bring('usbasp.hex', file, en.image_drop)
  await story.reads(en.makelink_qr_long)
  await page.getByLabel(en.makelink_address).fill(source)
  await story.reads(en.makelink_url)
  await expect(codePath(page)).toBeVisible()
  await serve(page, file)
  expect(asked).toEqual([])
  await story.link(en.makelink_try).click()
  await story.button(en.link_take).click()
  await story.reads(en.link_ready)
  expect(asked).toEqual([source])
})

const codePath = (page: Page) => page.getByRole('img', { name: en.makelink_qr }).locator('path').last()

/** The code on the screen is that of the text. */
async function expectCode(page: Page, text: string): Promise<void> {
  const { data, size } = encode(text, { ecc: 'L', boostEcc: true, border: 4 })
  const drawn = data.map((row) => row.map(() => false))
  const path = (await codePath(page).getAttribute('d')) ?? ''
  for (const [, x, y, width] of path.matchAll(/M(\d+) (\d+)h(\d+)/g))
    drawn[Number(y)]?.fill(true, Number(x), Number(x) + Number(width))
  expect(size).toBeGreaterThan(21)
  expect(drawn).toEqual(data)
}
