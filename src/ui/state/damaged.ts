/** What is left of a damaged record, as a file. */
import { saveFile } from '#host/download.ts'
import type { Damage, Damaged } from '#store/damage.ts'

export async function saveDamaged(damage: Damage, one: Damaged): Promise<void> {
  const { exportDamaged } = await import('#store/archive.ts')
  const { record, memories } = await damage.read(one)
  saveFile(`reflasher-damaged-${one.id.slice(0, 8)}.zip`, await exportDamaged(record, memories))
}
