/**
 * Which application an Espressif chip starts: `otadata` has two choices, each in a sector of its own, and the later one
 * that is sound counts. Documents: ESP-IDF, "Over The Air Updates", `bootloader_common.c`, `bootloader_utility.c` and
 * `otatool.py`.
 */
import type { Range } from '#core/programmer.ts'
import { Crc } from '#kernels/crc.ts'
import { crcModel } from '#kernels/crc-models.ts'

export interface Partition extends Range {
  readonly label: string
  readonly type: number
  readonly subtype: number
}

export const PartitionType = { App: 0, Data: 1 } as const
const App = { Factory: 0, Slot: 0x10, Test: 0x20 } as const
const otadataSubtype = 0
const sectorBytes = 0x1000
const choiceBytes = 32
const erased = 0xffff_ffff
/** Tried once and not confirmed, which the next start takes for failed; found bad; failed. */
const refusedStates: readonly number[] = [1, 3, 4]

/** The partitions in the order in which the boot loader looks for an application; it starts the first that is sound. */
export function startOrder(flash: Uint8Array, partitions: readonly Partition[]): Partition[] {
  const apps = partitions.filter(({ type }) => type === PartitionType.App)
  const slots = apps.filter(({ subtype }) => (subtype & 0xf0) === App.Slot).length
  const otadata = partitions.find(
    ({ type, subtype }) => type === PartitionType.Data && subtype === otadataSubtype,
  )
  const latest = otadata && slots > 0 ? latestChoice(flash, otadata) : undefined
  const chosen = latest === undefined ? -1 : ((latest - 1) >>> 0) % slots
  const all = Array.from({ length: slots }, (_, slot) => App.Slot + slot)
  const order = [...all.slice(0, chosen + 1).toReversed(), App.Factory, ...all.slice(chosen + 1), App.Test]
  return order.flatMap((wanted) => apps.find(({ subtype }) => subtype === wanted) ?? [])
}

function latestChoice(flash: Uint8Array, { address }: Partition): number | undefined {
  const sound = [address, address + sectorBytes].flatMap((at) => {
    const choice = flash.subarray(at, at + choiceBytes)
    if (choice.length < choiceBytes) return []
    const view = new DataView(choice.buffer, choice.byteOffset, choice.byteLength)
    const word = (offset: number) => view.getUint32(offset, true)
    const sequence = word(0)
    const isSound =
      sequence !== erased && !refusedStates.includes(word(24)) && word(28) === crcOf(choice.subarray(0, 4))
    return isSound ? [sequence] : []
  })
  return sound.length > 0 ? Math.max(...sound) : undefined
}

/** Espressif's ROM is asked to begin with all ones, and inverts what it is given. */
const crcOf = (bytes: Uint8Array): number =>
  new Crc({ ...crcModel('CRC-32/ISO-HDLC'), init: 0 }).update(bytes).done()
