/**
 * AVR chips as data: what serial programming (ISP) and the boot loaders need to know of each. Sizes in
 * bytes, times in milliseconds. Source: data sheets, "Memory Programming"; `avrdude.conf` for times.
 */

export interface AvrPart {
  /** As the data sheet spells it; chips that only differ in power carry one entry, e.g. `ATmega8`. */
  readonly name: string
  readonly signature: readonly [number, number, number]
  readonly flash: { readonly bytes: number; readonly pageBytes: number; readonly ms: number }
  readonly eeprom: {
    readonly bytes: number
    readonly pageBytes: number
    readonly ms: number
    /** Page write instructions C1/C2 exist; else bytes only (C0). */
    readonly paged: boolean
  }
  readonly chipEraseMs: number
  readonly fuseMs: number
  /** Poll RDY/BSY (F0) exists. */
  readonly readyPoll: boolean
  /** Bytes that the calibration instruction reads. */
  readonly calibrationBytes: number
  /** Boot section sizes in bytes by BOOTSZ 11, 10, 01, 00; absent: no boot section. */
  readonly bootBytes?: readonly [number, number, number, number]
  /** Factory values; `extended` absent: the chip has no extended fuse. */
  readonly fuses: { readonly low: number; readonly high: number; readonly extended?: number }
  /** Name of the fuse layout in `avr-fuses.ts`. */
  readonly fuseLayout: string
  /** Lock bits that exist. */
  readonly lockMask: number
  /** Length of one interrupt vector in bytes, and how many there are (reset included). */
  readonly vectors: { readonly bytes: 2 | 4; readonly count: number }
  /** STK500 device code (AVR061), for SET_DEVICE. */
  readonly stk500?: number
}
