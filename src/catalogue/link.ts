/**
 * The firmware link, `#/flash?size=…&sha256=…&url=…`: which firmware, for which device, from where. Size and
 * hash are always there, so a source need not be trusted; a link may also carry a small image inside itself
 * or name no source at all (then the file is dropped by hand). Everything in a link is hostile until it
 * has passed this file; what it writes is what it reads.
 */
import * as z from 'zod/mini'
import { FlashError } from '#core/errors.ts'
import { mostFileBytes } from '#firmware/file-format.ts'

/** What has to be said of a file; all other formats are recognised by their content. */
export type LinkFormat = 'intel-hex' | 'binary'

export interface FirmwareLink {
  /** The protocol folder's id, e.g. `usbasp`. */
  readonly device?: string | undefined
  readonly patient?: 'itself' | 'target' | undefined
  readonly chip?: string | undefined
  readonly name?: string | undefined
  readonly version?: string | undefined
  readonly format?: LinkFormat | undefined
  /** Where a raw binary goes. */
  readonly base?: number | undefined
  /** Of the file, in bytes. */
  readonly size: number
  /** Of the file, hex, lower case. */
  readonly sha256: string
  /** Tried in order; with `inline` there are none. */
  readonly urls: readonly string[]
  /** The file itself: deflate-raw, then base64url (RFC 4648, 5) without padding. */
  readonly inline?: string | undefined
}

/** What `bad-link` says beside the field. */
export type BadLinkReason =
  | 'not-a-firmware-link'
  | 'unknown-field'
  | 'given-twice'
  | 'bad-encoding' // percent signs that are none, or no UTF-8
  | 'missing'
  | 'empty'
  | 'too-long'
  | 'too-large'
  | 'hidden-characters' // control characters, or such that turn the direction of text
  | 'not-allowed' // a value that this field cannot have
  | 'unknown-device'
  | 'not-a-number'
  | 'not-a-hash'
  | 'not-a-url'
  | 'not-https'
  | 'credentials' // a user name or password in a URL
  | 'too-many'
  | 'two-sources'
  | 'needs-raw-binary'
  | 'bad-compression'

export const mostInlineBytes = 16 << 10
const mostLinkCharacters = 32 << 10
const prefix = '#/flash?'

/** Canonical order. Only `url` may be given more than once. */
const fields = [
  'device',
  'patient',
  'chip',
  'name',
  'version',
  'format',
  'base',
  'size',
  'sha256',
  'url',
  'inline',
] as const

const say = (reason: BadLinkReason): BadLinkReason => reason

/** Only the folders' names are of interest; nothing of them is loaded. */
const devices = Object.keys(import.meta.glob('../../protocols/*/firmware.ts')).map(
  (path) => path.split('/').at(-2) ?? '',
)
const device = z.string().check(
  z.regex(/^[a-z0-9][a-z0-9-]{0,39}$/, { error: say('not-allowed'), abort: true }),
  z.refine((id) => devices.includes(id), say('unknown-device')),
)
const chip = z.string().check(z.regex(/^[A-Za-z0-9][\w ./-]{0,39}$/, say('not-allowed')))
const visible = (most: number) =>
  z.string().check(
    z.refine((text) => text.trim() !== '', { error: say('empty'), abort: true }),
    z.refine((text) => text.length <= most, { error: say('too-long'), abort: true }),
    z.refine((text) => !/[\p{C}\p{Zl}\p{Zp}]/u.test(text), { error: say('hidden-characters'), abort: true }),
    z.refine((text) => text === text.trim(), say('not-allowed')),
  )
const number = (shape: RegExp, most: number) =>
  z.pipe(
    z.pipe(
      z.string(say('missing')).check(z.regex(shape, { error: say('not-a-number'), abort: true })),
      z.transform(Number),
    ),
    z.number().check(z.lte(most, say('too-large'))),
  )
const url = z.pipe(
  visible(2000).check(
    z.check(({ value, issues }) => {
      const message = urlFault(value)
      if (message) issues.push({ code: 'custom', message, input: value })
    }),
  ),
  z.transform((text) => new URL(text).href),
)

const schema = z.object({
  device: z.optional(device),
  patient: z.optional(z.enum(['itself', 'target'], say('not-allowed'))),
  chip: z.optional(chip),
  name: z.optional(visible(120)),
  version: z.optional(visible(60)),
  format: z.optional(z.enum(['intel-hex', 'binary'] satisfies LinkFormat[], say('not-allowed'))),
  base: z.optional(number(/^(0x[0-9a-f]{1,8}|0|[1-9]\d{0,9})$/i, 0xffff_ffff)),
  size: number(/^[1-9]\d{0,11}$/, mostFileBytes),
  sha256: z.string(say('missing')).check(z.regex(/^[0-9a-f]{64}$/i, say('not-a-hash')), z.toLowerCase()),
  url: z.array(url).check(z.maxLength(8, say('too-many'))),
  inline: z.optional(
    z
      .string()
      .check(
        z.maxLength(Math.ceil((mostInlineBytes + 64) / 3) * 4, { error: say('too-long'), abort: true }),
        z.regex(/^[\w-]+$/, say('not-allowed')),
      ),
  ),
})

/** HTTPS, or plain HTTP on this computer for those who develop firmware. */
function urlFault(text: string): BadLinkReason | undefined {
  if (!URL.canParse(text)) return 'not-a-url'
  const { protocol, hostname, username, password } = new URL(text)
  const isHere = ['localhost', '127.0.0.1', '[::1]'].includes(hostname)
  if (protocol !== 'https:' && !(protocol === 'http:' && isHere)) return 'not-https'
  return username || password ? 'credentials' : undefined
}

const bad = (field: string, why: BadLinkReason) =>
  new FlashError('bad-link', { field: /^[a-z0-9]{1,20}$/.test(field) ? field : 'link', why })

/** Takes `location.hash`. @throws `bad-link` only. */
export function parseFirmwareLink(hash: string): FirmwareLink {
  if (!hash.startsWith(prefix)) throw bad('link', 'not-a-firmware-link')
  if (hash.length > mostLinkCharacters) throw bad('link', 'too-long')
  const given = new Map<string, string[]>()
  for (const pair of hash.slice(prefix.length).split('&')) {
    const split = pair.indexOf('=')
    const field = split < 0 ? pair : pair.slice(0, split)
    if (!(fields as readonly string[]).includes(field)) throw bad(field, 'unknown-field')
    const values = given.get(field) ?? []
    if (values.length > 0 && field !== 'url') throw bad(field, 'given-twice')
    given.set(field, [...values, split < 0 ? '' : decoded(field, pair.slice(split + 1))])
  }
  const raw = Object.fromEntries(
    [...given].map(([field, values]) => [field, field === 'url' ? values : values[0]]),
  )
  const { success, data, error } = z.safeParse(schema, { url: [], ...raw })
  if (!success) throw bad(String(error.issues[0]?.path[0]), error.issues[0]?.message as BadLinkReason)

  const { url: urls, ...rest } = data
  if (rest.base !== undefined && rest.format !== 'binary') throw bad('base', 'needs-raw-binary')
  if (rest.inline !== undefined && urls.length > 0) throw bad('inline', 'two-sources')
  if (rest.inline !== undefined && rest.size > mostInlineBytes) throw bad('size', 'too-large')
  return { ...rest, urls }
}

/** `+` stands for itself. */
function decoded(field: string, text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    throw bad(field, 'bad-encoding') // a URIError says nothing more
  }
}

/** `#/flash?…`, in canonical order. @throws `bad-link` for what could not be read back. */
export function formatFirmwareLink(link: FirmwareLink): string {
  const { urls, base, size, ...rest } = link
  const values: Record<(typeof fields)[number], readonly (string | undefined)[]> = {
    device: [rest.device],
    patient: [rest.patient],
    chip: [rest.chip],
    name: [rest.name],
    version: [rest.version],
    format: [rest.format],
    base: [base === undefined ? undefined : `0x${base.toString(16)}`],
    size: [String(size)],
    sha256: [rest.sha256],
    url: urls,
    inline: [rest.inline],
  }
  const pairs = fields.flatMap((field) =>
    values[field].filter((value) => value !== undefined).map((value) => `${field}=${encoded(field, value)}`),
  )
  const hash = prefix + pairs.join('&')
  parseFirmwareLink(hash)
  return hash
}

/** Characters that a fragment may hold as they are stay readable. */
function encoded(field: string, text: string): string {
  if (!text.isWellFormed()) throw bad(field, 'bad-encoding')
  return encodeURIComponent(text).replace(/%(3A|2F|40|2C|3F|3D)/g, decodeURIComponent)
}

/** How to read the link's file: what `parse` of the worker's client takes. */
export function fileOf(link: FirmwareLink): { name: string; base?: number } {
  const fromUrl = link.urls[0] && lastPart(link.urls[0])
  const name = link.name ?? fromUrl ?? 'firmware'
  const ending = link.format && { 'intel-hex': '.hex', binary: '.bin' }[link.format]
  return {
    name: ending === undefined || name.endsWith(ending) ? name : name + ending,
    ...(link.base === undefined ? {} : { base: link.base }),
  }
}

function lastPart(url: string): string | undefined {
  const last = new URL(url).pathname.split('/').at(-1)
  return last === '' ? undefined : last
}
