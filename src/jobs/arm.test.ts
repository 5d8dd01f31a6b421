/** Whole jobs on chips at the debug wires of a probe, where one says less of itself before its protection is lifted. */
import 'fake-indexeddb/auto'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { practiceProgram } from '#chips/cortex-m-program.ts'
import { isBlank } from '#core/bytes.ts'
import { Job } from './job.ts'
import { consents, TestHouse, wanted } from './test-job.ts'

vi.setConfig({ testTimeout: 60_000 })

let house: TestHouse
beforeEach(async () => {
  house = await TestHouse.open()
})
afterEach(() => house[Symbol.asyncDispose]())

test('a closed nRF52, whose size nobody knows, is opened with a typed consent, written and read back', async () => {
  const plugged = await house.bench.plug('cmsis-dap:nrf52820', { locked: true })
  const job = new Job(house.services)
  await job.connect(await house.theOne())
  await job.backUp()
  expect(job.view).toMatchObject({ next: 'acknowledge', unacknowledged: [{ memory: 'flash' }] })
  await job.backUp({ acknowledged: job.view.unacknowledged })
  const bytes = practiceProgram(0, 9000, 2)
  await job.choose(wanted({ flash: [{ address: 0, bytes }] }))
  expect(job.view.plan).toMatchObject({ erase: 'chip' })
  await job.write(consents(job))
  expect(job.view.error).toBeUndefined()
  expect(plugged.memory('flash').slice(0, bytes.length)).toEqual(bytes)
  expect(isBlank(plugged.memory('flash').subarray(bytes.length))).toBe(true)
})
