/** The worker's switch; what it does is in `work.ts`, what it hears and says in `messages.ts`. */
import { FlashError, toFlashError, toPlainError } from '#core/errors.ts'
import type { Begun, Reply, Request } from './messages.ts'
import { compare, parse, write } from './work.ts'

const running = new Map<number, AbortController>()

self.addEventListener('message', ({ data }: MessageEvent<Request>) => {
  const { id } = data
  if (data.call === 'cancel') return running.get(id)?.abort(new FlashError('cancelled', {}))
  const controller = new AbortController()
  running.set(id, controller)
  void navigator.locks.request(data.life, async () => {
    self.postMessage({ begun: id } satisfies Begun)
    await serve(data, controller.signal)
    running.delete(id)
  })
})

async function serve(request: Exclude<Request, { call: 'cancel' }>, signal: AbortSignal): Promise<void> {
  const { id } = request
  try {
    if (request.call === 'write') {
      const result = write(request.format, request.image)
      return answer({ id, result }, [result.buffer])
    }
    if (request.call === 'compare')
      return answer({ id, result: await compare(request.first, request.second) })
    const { file, name, options } = request
    const result = await parse(file, name, options, signal)
    const buffers = result.image.segments.map(({ bytes }) => bytes.buffer)
    answer({ id, result }, [...new Set(buffers)] as ArrayBuffer[])
  } catch (error) {
    answer({ id, error: toPlainError(toFlashError(error, request.call)) })
  }
}

function answer(reply: Reply, transfer: Transferable[] = []): void {
  self.postMessage(reply, { transfer })
}
