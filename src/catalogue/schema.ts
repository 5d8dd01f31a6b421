/**
 * The shape of `protocols/<name>/catalogue.json`: firmware images that are known by hash. The hash decides,
 * not the address it came from, so every file may have several. Checked when the catalogue is read.
 */
import * as z from 'zod/mini'

const sha256 = z.string().check(z.regex(/^[0-9a-f]{64}$/))
/** Pinned: an address whose content cannot change without its text changing. */
const pinnedUrl = z
  .string()
  .check(z.regex(/^https:\/\/raw\.githubusercontent\.com\/[^/]+\/[^/]+\/[0-9a-f]{40}\/\S+$/))
const bytes = z.int().check(z.positive())

/** One file as it is published; all addresses serve the same bytes. */
const publishedFile = z.object({
  sizeBytes: bytes,
  sha256,
  urls: z.array(pinnedUrl).check(z.minLength(1)),
})

/** Why an image is not simply offered; `ui/text/checks.ts` says it. */
const reasons = [
  'clone-image',
  'experimental',
  'loader-too',
  'no-release-notes',
  'one-person',
  'pre-release',
  'slow-programming',
  'superseded',
  'unknown-author',
  'vendor-string',
] as const
export type ImageReason = (typeof reasons)[number]

const knownImage = z.extend(publishedFile, {
  name: z.string(),
  version: z.string(),
  /** What the firmware says of itself on USB, e.g. `1.04`; absent: it is not on USB. */
  bcdDevice: z.optional(z.string().check(z.regex(/^\d+\.\d\d$/))),
  /** The chip it was built for, and others that it runs on unchanged. */
  chip: z.string(),
  alsoFor: z.optional(z.array(z.string())),
  /** The same image in files with other line ends. */
  others: z.optional(z.array(publishedFile)),
  /** Of the data bytes alone, ascending, gaps left out; and their number. */
  imageSha256: sha256,
  imageBytes: bytes,
  /** Of its first byte; absent: 0. */
  address: z.optional(z.int().check(z.nonnegative())),
  /** It replaces a boot loader in the same flash, which only another way than that loader can do. */
  withLoader: z.optional(z.literal(true)),
  licence: z.string(),
  /** `no`: it is here to be recognised, not to be installed. */
  offer: z.enum(['yes', 'caution', 'no']),
  /** Why not simply yes. */
  reason: z.optional(z.enum(reasons)),
  /** Known problems, with their source. */
  notes: z.optional(z.array(z.string())),
})

export const catalogueFile = z.array(knownImage)
export type KnownImage = z.infer<typeof knownImage>
