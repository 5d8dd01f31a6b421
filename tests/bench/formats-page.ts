/** The page that Chromium opens for `formats.bench.ts`: hands the chosen file to the worker and says what it found. */
import type { Row } from './measure.ts'

const input = document.createElement('input')
input.type = 'file'
document.body.append(input)

Object.assign(globalThis, {
  measure: () =>
    new Promise<Row[]>((resolve, reject) => {
      const worker = new Worker(new URL('./formats.worker.ts', import.meta.url), { type: 'module' })
      worker.addEventListener('message', ({ data }: MessageEvent<Row[] | string>) => {
        if (typeof data === 'string') reject(new Error(data))
        else resolve(data)
      })
      worker.addEventListener('error', ({ message }) => {
        reject(new Error(message))
      })
      worker.postMessage(input.files?.[0])
    }),
})
