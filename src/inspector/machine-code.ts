/**
 * Whose machine code bytes look like: how often instructions occur that every program has, such as those that
 * begin and end functions, and that hardly occur by chance. Encodings: Armv6-M and Armv7 Architecture Reference
 * Manuals, AVR Instruction Set Manual, MIPS32 volume II, RISC-V volume I, Xtensa ISA Reference Manual.
 */

/** As people call them. */
export const instructionSets = ['AVR', 'Arm Thumb', 'Arm', 'RISC-V', 'Xtensa', 'MIPS'] as const
export type InstructionSet = (typeof instructionSets)[number]

export interface InstructionCounts {
  /** Halfwords that were looked at. */
  readonly halfwords: number
  readonly counts: Readonly<Record<InstructionSet, number>>
}

/**
 * Of all halfwords (of `Arm` and `MIPS` all words) this share. AVR, Thumb and Arm were measured on published firmware,
 * RISC-V on one, OpenSBI, which has thrice as many; Xtensa and MIPS are estimates. Chance gives a quarter at most, and
 * programs for x86, PowerPC, SPARC, PA-RISC and S/390 stay below.
 */
const least: Readonly<Record<InstructionSet, number>> = {
  AVR: 0.03,
  'Arm Thumb': 0.045,
  Arm: 0.6,
  'RISC-V': 0.01,
  Xtensa: 0.01,
  MIPS: 0.03,
}
/** Fewer say nothing, whatever their share. */
const fewest = 5

export interface InstructionCounter extends InstructionCounts {
  look(bytes: Uint8Array): void
}

export function countInstructions(): InstructionCounter {
  let halfwords = 0
  const counts: Record<InstructionSet, number> = {
    ...{ AVR: 0, 'Arm Thumb': 0, Arm: 0, 'RISC-V': 0, Xtensa: 0, MIPS: 0 },
  }
  return {
    get halfwords() {
      return halfwords
    },
    counts,
    look(bytes) {
      const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
      let next = bytes.length >= 2 ? view.getUint16(0, true) : 0
      for (let at = 0; at + 4 <= bytes.length; at += 2) {
        const half = next
        next = view.getUint16(at + 2, true)
        halfwords++
        if (isAvr(half)) counts.AVR++
        if (isThumb(half, next)) counts['Arm Thumb']++
        if (isRiscV(half)) counts['RISC-V']++
        if (isXtensa(half, next)) counts.Xtensa++
        if (at % 4 !== 0) continue
        if (next >> 12 === 0xe) counts.Arm++
        if (isMips(next, half) || isMips(swapped(half), swapped(next))) counts.MIPS++
      }
    },
  }
}

/** The one that occurs most above what it needs; undefined: none does. */
export function likeliestCode({ halfwords, counts }: InstructionCounts): InstructionSet | undefined {
  const share = (set: InstructionSet) => {
    const places = set === 'Arm' || set === 'MIPS' ? halfwords / 2 : halfwords
    return counts[set] < fewest ? 0 : counts[set] / places / least[set]
  }
  const [likeliest] = instructionSets.toSorted((a, b) => share(b) - share(a)) as [InstructionSet]
  return share(likeliest) >= 1 ? likeliest : undefined
}

/** RET, RETI, CALL, JMP, PUSH, POP. */
const isAvr = (half: number): boolean =>
  half === 0x9508 || half === 0x9518 || (half & 0xfe0c) === 0x940c || (half & 0xfc0f) === 0x900f

/** PUSH {…, LR}, POP {…, PC}, BX LR, BL. */
const isThumb = (half: number, next: number): boolean =>
  (half & 0xf700) === 0xb500 || half === 0x4770 || ((half & 0xf800) === 0xf000 && (next & 0xd000) === 0xd000)

/** C.JR ra; C.ADDI and C.ADDI16SP of sp. */
const isRiscV = (half: number): boolean =>
  half === 0x8082 || half === 0x1141 || half === 0x1101 || (half & 0xef83) === 0x6101

/** ENTRY a1, RETW.N, RET.N; the first has three bytes. */
const isXtensa = (half: number, next: number): boolean =>
  half === 0xf01d || half === 0xf00d || ((half & 0x0fff) === 0x0136 && (next & 0xff) <= 1)

/** ADDIU sp, LW ra, SW ra, JR ra. */
const isMips = (high: number, low: number): boolean =>
  high === 0x27bd || high === 0x8fbf || high === 0xafbf || (high === 0x03e0 && low === 0x0008)

const swapped = (half: number): number => ((half & 0xff) << 8) | (half >> 8)
