import { expect, test } from 'vitest'
import { Devices } from '#transport/devices.ts'
import { PracticeBench, shelf } from './bench.ts'
import { VirtualClock } from './virtual-clock.ts'

const quick = () => {
  const clock = new VirtualClock()
  const bench = new PracticeBench({ clock })
  return { bench, devices: new Devices(bench, clock) }
}

test('every variant on the shelf has a name of its own and can be plugged in', async () => {
  const entries = await shelf()
  expect(new Set(entries.map(({ name }) => name)).size).toBe(entries.length)
  for (const { id } of entries) {
    const { bench, devices } = quick()
    const plugged = await bench.plug(id)
    expect(await devices.list()).toHaveLength(1)
    await plugged.unplug()
    expect(await devices.list()).toHaveLength(0)
    await plugged.replug()
    expect(await devices.list()).toHaveLength(1)
    await bench.clear()
    expect(await devices.list()).toHaveLength(0)
  }
})

test('a patient with a plug appears by itself in place of its programmer, and goes back', async () => {
  const { bench, devices } = quick()
  const versions = async () =>
    (await devices.list()).map(({ seen }) => (seen.link === 'usb' ? seen.deviceVersion.join('.') : ''))
  const plugged = await bench.plug('usbasp:pair')
  expect(await versions()).toEqual(['1.0.4'])
  expect(await plugged.plugInByItself()).toBe(true)
  expect(await versions()).toEqual(['1.0.3'])
  await plugged.replug()
  expect(await versions()).toEqual(['1.0.4'])
})

test('a bare chip does not appear by itself', async () => {
  const { bench, devices } = quick()
  const plugged = await bench.plug('usbasp:atmega8')
  expect(await plugged.plugInByItself()).toBe(false)
  expect(await devices.list()).toEqual([])
})

test('what is not on the shelf is a bug', async () => {
  await expect(quick().bench.plug('nothing:here')).rejects.toMatchObject({ code: 'bug' })
})
