/** What is wrong with a file, where in it, and what to do with it. */
import { hex } from '#core/bytes.ts'
import type { BadFileDetail, BadFileReason } from '#core/errors.ts'
import { count } from './format.ts'
import { m } from './generated/messages.js'

const fileReasons: Record<BadFileReason, (detail: { format: string }) => string> = {
  empty: m.file_empty,
  'too-large': m.file_too_large,
  'not-text': ({ format }) => m.file_not_text({ format }),
  'bad-magic': ({ format }) => m.file_bad_magic({ format }),
  'no-start-code': m.file_no_start_code,
  'bad-digit': m.file_bad_digit,
  'bad-length': m.file_bad_length,
  'bad-checksum': m.file_bad_checksum,
  'bad-hash': m.file_bad_hash,
  'bad-count': m.file_bad_count,
  'missing-block': m.file_missing_block,
  'bad-record-type': m.file_bad_record_type,
  truncated: m.file_truncated,
  'no-end-record': m.file_no_end_record,
  overlap: m.file_overlap,
  'address-overflow': m.file_address_overflow,
  'no-bytes': m.file_no_bytes,
  'no-address': m.file_no_address,
  'unknown-format': ({ format }) => foreign[format]?.() ?? m.file_foreign({ format }),
  'bad-compression': m.file_bad_compression,
  encrypted: m.file_encrypted,
  'bad-structure': m.file_bad_structure,
  'too-deep': m.file_too_deep,
  'no-firmware-inside': m.file_no_firmware_inside,
  'several-parts': m.file_several_parts,
  'no-such-part': m.file_no_such_part,
}

/** Files of other kinds that are often dropped by mistake; the others are named. */
const foreign: Readonly<Record<string, () => string>> = {
  unknown: m.file_unknown_format,
  HTML: m.file_web_page,
  'Git LFS pointer': m.file_pointer,
  text: m.file_plain_text,
}

/** Reasons that suggest the file is of another kind rather than damaged. */
const looksForeign: ReadonlySet<BadFileReason> = new Set([
  'not-text',
  'bad-magic',
  'no-start-code',
  'unknown-format',
])

/** Kinds of files that firmware is in, and that other programs open. */
const packed: ReadonlySet<string> = new Set([
  '7z',
  'RAR',
  'xz',
  'bzip2',
  'LZ4',
  'Zstandard',
  'CAB',
  'ISO 9660',
])

/** What is known by another name is no raw binary, whatever its own name ends with. */
export function afterBadFile({ why, format, found }: BadFileDetail): string[] {
  if (why === 'encrypted' || why === 'too-deep' || (why === 'unknown-format' && packed.has(format)))
    return [m.file_now_unpack()]
  if (format === 'HTML' || format === 'Git LFS pointer') return [m.file_now_download()]
  if (why === 'overlap') return [m.file_now_overlap()]
  if (!looksForeign.has(why)) return [m.now_choose_file()]
  const isKnown = why === 'unknown-format' && found !== undefined && format !== 'text'
  return isKnown ? [m.file_now_known()] : [m.file_now_known(), m.file_now_binary()]
}

/** `A checksum in the file is wrong (line 3, column 11, byte 97, found 0x1f, expected 0x20).` */
export function badFileText(detail: BadFileDetail): string {
  const { why, line, column, firstLine, offset, firstOffset, address, found, expected, parts } = detail
  const reason = fileReasons[why](detail)
  const places = [
    line !== undefined && m.file_place_line({ line: count(line) }),
    column !== undefined && m.file_place_column({ column: count(column) }),
    firstLine !== undefined && m.file_place_first_line({ line: count(firstLine) }),
    offset !== undefined && m.file_place_offset({ offset: count(offset) }),
    firstOffset !== undefined && m.file_place_first_offset({ offset: count(firstOffset) }),
    address !== undefined && m.file_place_address({ address: hex(address, 4) }),
    found !== undefined && found !== detail.format && m.file_place_found({ found }),
    expected !== undefined && m.file_place_expected({ expected }),
    parts !== undefined && m.file_place_parts({ parts: parts.map(({ name }) => name).join(', ') }),
  ].filter((place) => place !== false)
  return places.length ? m.error_file({ reason, place: places.join(', ') }) : m.error_file_plain({ reason })
}
