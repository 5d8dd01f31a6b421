/**
 * Who made a chip that says it is a medium-density STM32F103: ids of its ROM table, its debug port and the revision of its
 * core. All have the same flash controller, so this labels and warns, and chooses nothing. Where reading does not tell two
 * makers apart both are named: only writing would (bits of RCC_AHBENR that stick).
 *
 * Sources: Black Magic Probe, `jep106.h`, `stm32f1.c` and `ch32f1.c`; blaatschaap.be, "Identifying 32F103 clones"; ST, RM0008
 * (its own ids).
 */
import { hex } from '#core/bytes.ts'
import type { Context } from '#core/context.ts'
import { isFlashError } from '#core/errors.ts'
import type { Notice } from '#core/programmer.ts'
import { readMaker, type Maker, type Met } from './arm-family.ts'
import type { Closer } from './stm32-chip.ts'

/** Its device id. */
export const mediumDensity = 0x410

/** Cortex-M3 r1p1, and the debug port that came with it, by SWD and by JTAG. */
const own = { cpuid: 0x411f_c231, idcodes: [0x1ba0_1477, 0x3ba0_0477] } as const

/** As sold under most of these names: what is behind is good in some and not in others, whatever they say. */
const sureKib = 64

const gigaDevice = 'GD32F103 (GigaDevice)'
const fromArm = 'APM32F103, CKS32F103, CS32F103 or CH32F103'
const underU = 'HK32F103 or CS32F103'
/** A copied id, as in a CKS32F103 or MH2103 that is sold as ST's. */
const disguised = 'STM32F103 clone (CKS32F103, MH2103, AIR32F103 or another)'

export async function lookAtMaker(
  met: Met,
  idcode: number,
  kib: number,
  ctx: Context,
): Promise<Closer | undefined> {
  if ((idcode & 0xfff) !== mediumDensity) return undefined
  const maker = await makerIfAny(met, ctx)
  const name = nameOf(met, maker)
  const facts = [
    { name: 'manufacturer', value: name ?? 'STMicroelectronics', source: howWeKnow(met, maker) },
  ] as const
  if (name === undefined) return { facts, notices: [] }
  const isEmpty = kib === 0 || kib === 0xffff
  const size: Notice = {
    ...{ code: 'clone-size', level: isEmpty || kib > sureKib ? 'warning' : 'info' },
    values: {
      why: isEmpty ? 'empty' : kib > sureKib ? 'more' : 'less',
      kib: String(kib),
      sure: String(sureKib),
    },
  }
  return {
    facts,
    notices: [
      { code: 'f103-clone', level: 'info', values: { name } },
      ...(name === gigaDevice && !isEmpty ? [] : [size]),
    ],
    ...(isEmpty && { assumedKib: sureKib }),
    ...(name !== gigaDevice && { sureKib }),
  }
}

/** Undefined: ST's, as far as that can be told. */
function nameOf({ cpuid, memory }: Met, maker: Maker | undefined): string | undefined {
  const is = (bank: number, id: number) => maker?.bank === bank && maker.id === id
  const isOwnPort = own.idcodes.some((one) => one === memory.idcode)
  if (is(7, 0x51)) return gigaDevice
  if (is(4, 0x3b)) return fromArm
  if (maker?.id === 0x55) return underU // 'U', without a bank of its own
  return is(0, 0x20) && cpuid === own.cpuid && isOwnPort ? undefined : disguised
}

async function makerIfAny(met: Met, ctx: Context): Promise<Maker | undefined> {
  try {
    return await readMaker(met, ctx)
  } catch (error) {
    if (!isFlashError(error, 'device-refused')) throw error
    return undefined // it has no such table
  }
}

function howWeKnow({ cpuid = 0, memory }: Met, maker: Maker | undefined): string {
  const table = maker ? `JEP106 ${String(maker.bank)}:${hex(maker.id, 2)}` : 'no ROM table'
  const revision = `r${String((cpuid >>> 20) & 0xf)}p${String(cpuid & 0xf)}`
  return `${table}, Cortex-M3 ${revision}, debug port ${hex(memory.idcode, 8)}`
}
