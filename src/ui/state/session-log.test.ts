import { afterEach, expect, test, vi } from 'vitest'
import { FlashError } from '#core/errors.ts'
import { Job, type JobServices } from '#jobs/job.ts'
import type { JobView } from '#jobs/view.ts'
import { logChanges } from './job-log.ts'
import { SessionLog } from './session-log.ts'
import { logText } from './session-report.ts'

const { view } = new Job({ onChange: () => undefined } as unknown as JobServices)
const told = (log: SessionLog) => log.lines.map((line) => line.replace(/^\S+ /, ''))

afterEach(() => {
  vi.unstubAllGlobals()
})

test('the log tells what was done, to what, and from what an error came', () => {
  const log = new SessionLog()
  const running = { phase: 'free', event: { path: ['connect', 'open'] } } as unknown as JobView['running']
  const connecting = { ...view, running }
  logChanges(log, connecting, view)
  logChanges(log, { ...connecting }, connecting)
  const programmer = { model: 'USBasp', facts: [{ name: 'firmware-version', value: '1.04' }] }
  const opened = { ...connecting, programmer: programmer as unknown as JobView['programmer'] }
  logChanges(log, opened, connecting)
  const cause = new DOMException('A transfer error has occurred.', 'NetworkError')
  const error = new FlashError('transfer-failed', { during: 'reading flash' }, { cause })
  logChanges(log, { ...opened, running: undefined, error, next: 'retry' }, opened)
  expect(told(log)).toEqual([
    'connect open',
    'phase free',
    'programmer USBasp, firmware-version 1.04',
    'FlashError: transfer-failed {"during":"reading flash"}',
    'NetworkError: A transfer error has occurred.',
    'next retry',
  ])
})

test('a long session keeps its end', () => {
  const log = new SessionLog()
  for (let line = 1; line <= 5000; line++) log.add(`line ${line}`)
  expect(log.lines).toHaveLength(2000)
  expect(told(log).at(-1)).toBe('line 5000')
})

test('the saved log names the build, the browser and the error at hand', () => {
  vi.stubGlobal('navigator', { userAgent: 'Chrome 150' })
  const text = logText([], new FlashError('bug', {}, { message: 'it broke' }))
  expect(text).toContain(__BUILD__)
  expect(text).toContain('Chrome 150')
  expect(text.trimEnd().split('\n').at(-1)).toBe('FlashError: it broke')
})
