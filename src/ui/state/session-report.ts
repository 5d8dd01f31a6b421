/** The session's log as a file, the only way in which it leaves the page: the user saves it. */
import type { FlashError } from '#core/errors.ts'
import { saveFile } from '#host/download.ts'
import { browserName } from '#host/platform.ts'
import { causes } from './session-log.ts'

export function logText(lines: readonly string[], error: FlashError): string {
  return [`Reflasher ${__BUILD__}`, browserName(), ...lines, 'shown:', ...causes(error), ''].join('\n')
}

export function saveLog(lines: readonly string[], error: FlashError): void {
  const time = new Date().toISOString().slice(0, 16).replace(/[T:]/g, '-')
  saveFile(`reflasher-log-${time}.txt`, new Blob([logText(lines, error)], { type: 'text/plain' }))
}
