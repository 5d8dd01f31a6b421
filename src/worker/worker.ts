/** The worker's switch; what it does is in `work.ts`, what it hears and says in `messages.ts`. */
import { FlashError, toFlashError, toPlainError } from '#core/errors.ts'
import type { Reply, Request, Results } from './messages.ts'
import { detect, parse } from './work.ts'

const running = new Map<number, AbortController>()

self.addEventListener('message', ({ data }: MessageEvent<Request>) => {
  void serve(data)
})

async function serve(request: Request): Promise<void> {
  const { id } = request
  if (request.call === 'cancel') return running.get(id)?.abort(new FlashError('cancelled', {}))
  const controller = new AbortController()
  running.set(id, controller)
  try {
    const result = await run(request, controller.signal)
    const segments = result && 'image' in result ? result.image.segments : []
    const buffers = segments.map(({ bytes }) => bytes.buffer)
    answer({ id, result }, [...new Set(buffers)] as ArrayBuffer[])
  } catch (error) {
    answer({ id, error: toPlainError(toFlashError(error, request.call)) })
  } finally {
    running.delete(id)
  }
}

function run(
  request: Exclude<Request, { call: 'cancel' }>,
  signal: AbortSignal,
): Promise<Results[keyof Results]> {
  return request.call === 'parse'
    ? parse(request.file, request.name, request.options, signal)
    : detect(request.file, request.name)
}

function answer(reply: Reply, transfer: Transferable[] = []): void {
  self.postMessage(reply, { transfer })
}
