/** Each program was assembled with GNU as; what it leaves in r0 to r7 follows from the manual, not from the twin. */
import { describe, expect, test } from 'vitest'
import { fromHex } from '#core/bytes.ts'
import { ArmBus, ChipClock, ram } from './twin-arm-bus.ts'
import { ArmBreakpoint, ArmCore, ArmFault } from './twin-arm-core.ts'
import { step } from './twin-thumb.ts'

const ramAt = 0x2000_0000
const left = 0xdead_beef

/** Runs it to its BKPT. Registers that it does not touch hold `left`. */
function run(code: string): { core: ArmCore; memory: Uint8Array } {
  const memory = new Uint8Array(0x2000)
  memory.set(fromHex(code))
  const core = new ArmCore(new ArmBus(new ChipClock(), [ram(ramAt, memory)]))
  core.r.fill(left, 0, 13)
  core.msp = ramAt + 0x1800
  core.pc = ramAt
  for (let i = 0; i < 100; i++)
    try {
      step(core)
    } catch (error) {
      if (error instanceof ArmBreakpoint) return { core, memory }
      throw error
    }
  throw new Error('it did not come to its end')
}

const registers = ({ core }: { core: ArmCore }) => [...core.r.subarray(0, 8)]
/** `NZCV` as far as they are set. */
const flags = ({ core }: { core: ArmCore }) =>
  (['n', 'z', 'c', 'v'] as const).map((flag) => (core[flag] ? flag.toUpperCase() : '-')).join('')

/** r0, r1, …: undefined is untouched. */
const programs: readonly (readonly [string, string, readonly (number | undefined)[]])[] = [
  // movs r0,#7; adds r0,#5; subs r0,#13
  ['add and subtract', '07 20 05 30 0d 38 00be', [0xffff_ffff]],
  // movs r0,#1; lsls r0,#31; lsrs r1,r0,#3; asrs r2,r0,#31; movs r3,#8; rors r1,r3
  ['shift', '0120 c007 c108 c217 0823 d941 00be', [0x8000_0000, 0x0010_0000, 0xffff_ffff, 8]],
  // r0 = -1; adds r2,r0,1 (carry); adcs r3 = 1+1+1; sbcs r1 = 1-(-1)-1
  ['carry', '0020 0138 0121 4218 0b46 4b41 8141 00be', [0xffff_ffff, 1, 0, 3]],
  // 6, 3: muls r1; bics r0,r1; mvns r2,r1
  ['multiply and logic', '0620 0321 4143 8843 ca43 0142 00be', [4, 18, 0xffff_ffed]],
  // adr, ldr =818283f4; rev, rev16, revsh, sxtb, uxth
  [
    'reverse and extend',
    '03a0 0168 0aba 4bba ccba 4db2 8eb2 00be f4838281',
    [ramAt + 0x10, 0x8182_83f4, 0xf483_8281, 0x8281_f483, 0xffff_f483, 0xffff_fff4, 0x83f4],
  ],
  // 5 + 4 + 3 + 2 + 1
  ['a loop', '0520 0021 0918 0138 fcd1 00be', [0, 15]],
  // strb 81,[3]; strh 81,[6]; ldr [0]; ldrsb [3]; ldrsh, ldrh [6]
  [
    'bytes and half-words in memory',
    '0548 8121 c170 c180 8160 0268 0323 c456 0623 c55e c688 00be 00010020',
    [ramAt + 0x100, 0x81, 0x8100_0000, 6, 0xffff_ff81, 0x81, 0x81],
  ],
  // push {r0-r2,lr}; mov r4,sp; pop {r5-r7}; add sp,#4; mov r3,sp
  [
    'push and pop',
    '0120 0221 0322 07b5 6c46 e0bc 01b0 6b46 00be',
    [1, 2, 3, ramAt + 0x1800, ramAt + 0x17f0, 1, 2, 3],
  ],
  // stmia r0!,{r1,r2}; subs r0,#8; ldmia r0!,{r3,r4}
  [
    'store and load multiple',
    '0348 0121 0222 06c0 0838 18c8 00be 0000 00010020',
    [ramAt + 0x108, 1, 2, 1, 2],
  ],
  // bl 1f; adds r0,#1; bkpt; 1: adds r0,#16; bx lr
  ['call and return', '0020 00f0 02f8 0130 00be 1030 7047', [17]],
  // cmp 3,3; ittet eq: movs r1,#1; adds r1,#4; (movne r1,#9); movs r2,#2
  ['an IT block', '0320 0328 05bf 0121 0431 0921 0222 00be', [3, 5, 2]],
  // cmp 3,4; ite hs; (movhs r1,#1); movlo r1,#2; cbz (not); adds r1,#16; cbnz
  ['its other half, CBZ and CBNZ', '0320 0428 2cbf 0121 0221 00b1 1031 00b9 2031 00be', [3, 18]],
  // movw/movt abcd1234; ubfx, sbfx #8,#8; bfi r3,r0,#4,#8; bfc r0,#0,#16
  [
    'bit fields',
    '41f23420 caf6cd30 c0f30721 40f30722 4ff00003 60f30b13 6ff30f00 00be',
    [0xabcd_0000, 0x12, 0x12, 0x340],
  ],
  // mov ff00ff00; mvn 0; orn r1,#ab00ab00; eor r0,#00ab00ab; rsb #0; teq
  [
    'modified immediates',
    '4ff0ff20 6ff00001 61f0ab22 80f0ab13 c1f10004 90ea000f 00be',
    [0xff00_ff00, 0xffff_ffff, 0xffff_ffff, 0xffab_ffab, 1],
  ],
  // 80000000: adds.w lsr #1; adds.w (carry); adc.w #0; orrs.w ror #4
  [
    'shifted registers',
    '4ff00040 10eb5001 10eb0002 42f10003 53ea3014 00be',
    [0x8000_0000, 0xc000_0000, 0, 1, 0x0800_0001],
  ],
  // strb.w 11,[r0],#1; strb.w 22,[r0],#1; strh.w 4433,[r0,#2]!; ldr.w [-4]; ldr.w [-4]!; ldrh.w lsl #1; ldrsb.w
  [
    'pre- and post-indexed addresses',
    'dff83000 4ff01101 00f8011b 4ff02201 00f8011b 44f23341 20f8021f 50f8042c 50f8043d 4ff00204 30f81450 90f90160 00be 0000 00010020',
    [ramAt + 0x100, 0x4433, 0x2211, 0x2211, 2, 0x4433, 0x22],
  ],
  // strd [r0,#8]!; ldrd [r0],#-8; ldr.w [r0,#12]; stmdb.w r0!; adds r0,#8; ldmdb.w r0,{r6,r7}
  [
    'dual and decrementing',
    '0748 0121 0222 e0e90212 70e80234 d0f80c50 20e90600 0830 10e9c000 00be 0000 00010020',
    [ramAt + 0x100, 1, 2, 1, 2, 2, 1, 2],
  ],
  // tbb [pc,r0] with 2, 2, 4; movs r1,#1 / movs r1,#3
  ['TBB', '0220 dfe800f0 0202 0400 0121 00be 0321 00be', [2, 3]],
  ['TBH', '0120 dfe810f0 0200 0400 0121 00be 0321 00be', [1, 3]],
  // -100 by 7: sdiv, udiv, mls (remainder), udiv by 0
  [
    'division',
    '6ff06300 0721 90fbf1f2 b0fbf1f3 02fb1104 0025 b0fbf5f6 00be',
    [0xffff_ff9c, 7, 0xffff_fff2, 0x2492_4916, 0xffff_fffe, 0, 0],
  ],
  // -1 by 2: umull, smull, mla 2*2-1, clz
  [
    'long products',
    '6ff00000 4ff00201 a0fb0123 80fb0145 01fb0106 b1fa81f7 91faa1f8 00be',
    [0xffff_ffff, 2, 0xffff_fffe, 1, 0xffff_fffe, 0xffff_ffff, 3, 30],
  ],
  // cmp 5,6; blt.w; b.w; dsb; isb; dmb; nop; nop.w; movs r1,#7
  [
    'wide branches, barriers and hints',
    '0520 0628 c0f20180 00be 00f001b8 00be bff34f8f bff36f8f bff35f8f 00bf aff30080 0721 00be',
    [5, 7],
  ],
  // msr psp,=20001000; msr control,#2; mov r2,sp; mrs r3,msp; cpsid i; mrs r4,primask; mrs r5,control
  [
    'two stack pointers, and special registers',
    '0849 81f30988 0220 80f31488 bff36f8f 6a46 eff30883 72b6 eff31084 eff31485 00be 0000 00100020',
    [2, ramAt + 0x1000, ramAt + 0x1000, ramAt + 0x1800, 1, 2],
  ],
  // ldrex; strex (done); strex (refused); ldr
  [
    'exclusive access',
    '0448 50e8001f 0922 40e80023 40e80014 0568 00be 00010020',
    [ramAt + 0x100, 0, 9, 0, 1, 9],
  ],
  // str =44332211 to 20000101; ldr; ldrh from 20000103
  [
    'unaligned access',
    '0248 0349 0160 0268 4388 00be 01010020 11223344',
    [ramAt + 0x101, 0x4433_2211, 0x4433_2211, 0x4433],
  ],
  // 300: ssat #8, usat #8; uxtb.w ror #8; lsl.w; asrs.w #2
  [
    'saturation, wide shifts and extensions',
    '4ff49670 00f30701 80f30802 5ffa90f3 00fa03f4 5feaa005 00be',
    [300, 127, 255, 1, 600, 75],
  ],
]

describe('programs', () => {
  test.each(programs)('%s', (_, code, expected) => {
    const found = registers(run(code))
    expect(found).toEqual(found.map((_, i) => expected[i] ?? left))
  })
})

describe('flags', () => {
  test.each([
    // movs r0,#0
    ['0020', '-Z--'],
    // movs r0,#1; lsls r0,r0,#31; adds r0,r0,r0
    ['0120 c007 0018', '-ZCV'],
    // movs r0,#1; cmp r0,#2
    ['0120 0228', 'N---'],
    // movs r0,#2; cmp r0,#1
    ['0220 0128', '--C-'],
    // movs r0,#1; lsls r0,#31; subs r0,#1
    ['0120 c007 0138', '--CV'],
    // movs r0,#3; lsrs r0,r0,#1
    ['0320 4008', '--C-'],
  ])('%s gives %s', (code, expected) => {
    expect(flags(run(`${code} 00be`))).toBe(expected)
  })
})

describe('what cannot run', () => {
  test.each([
    ['UDF', '00de', 'undefined'],
    ['UDF.W', 'f0f700a0', 'undefined'],
    ['a coprocessor', '00ee100a', 'undefined'],
    ['SVC', '00df', 'call'],
    ['BLX to Arm code', '0020 8047', 'invalid-state'],
    ['a load from nowhere', '4ff04040 0068', 'bus'],
    ['code where no code is', '4ff0c043 1b46 9f46', 'bus'],
    ['LDRD from an odd address', '0120 d0e90012', 'unaligned'],
  ])('%s', (_, code, kind) => {
    let found: unknown
    try {
      run(code)
    } catch (error) {
      found = error
    }
    expect(found).toBeInstanceOf(ArmFault)
    expect((found as ArmFault).kind).toBe(kind)
  })
})
