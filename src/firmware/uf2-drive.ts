/**
 * The drive that a UF2 boot loader shows instead of being asked: what its INFO_UF2.TXT says of the board, and which UF2
 * it takes. Sources: microsoft/uf2, README.md ("Board-ID"); what Pico and Pico 2 show in BOOTSEL mode.
 */

/** Its file's name, in any case. */
export const infoFile = 'INFO_UF2.TXT'
/** More is none. */
export const mostInfoBytes = 4096

export interface DriveInfo {
  /** `Raspberry Pi RP2`. */
  readonly model: string
  /** `RPI-RP2`. */
  readonly boardId: string
  /** Chips as UF2's families have them; undefined: nobody knows what it takes. */
  readonly chips: readonly string[] | undefined
}

const boards: readonly (readonly [RegExp, readonly string[]])[] = [
  [/^RPI-RP2$/, ['RP2040']],
  [/^RP2350$/, ['RP2350-ARM-S', 'RP2350-ARM-NS', 'RP2350-RISCV']],
  [/^SAMD21/, ['SAMD21']],
  [/^SAMD51/, ['SAMD51']],
  [/^nRF52840/i, ['NRF52840']],
]

/** Undefined: it is another text. */
export function parseDriveInfo(text: string): DriveInfo | undefined {
  const valueOf = (name: string) => new RegExp(`^${name}:[ \\t]*(\\S[^\\r\\n]*?)\\s*$`, 'm').exec(text)?.[1]
  const boardId = valueOf('Board-ID')
  if (boardId === undefined) return undefined
  const chips = boards.find(([pattern]) => pattern.test(boardId))?.[1]
  return { model: valueOf('Model') ?? boardId, boardId, chips }
}

/** Undefined: whether it is for this board, nobody can tell. */
export const isForDrive = (chip: string | undefined, { chips }: DriveInfo): boolean | undefined =>
  chip === undefined || !chips ? undefined : chips.includes(chip)
