/** The worker's switch; what it does is in `work.ts`, what it hears and says in `messages.ts`. */
import { FlashError, toFlashError, toPlainError } from '#core/errors.ts'
import type { Reply, Request } from './messages.ts'
import { parse, sha256 } from './work.ts'

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
    const gives = await work(request, controller.signal)
    const buffers = typeof gives === 'string' ? [] : gives.image.segments.map(({ bytes }) => bytes.buffer)
    answer({ id, gives }, [...new Set(buffers)] as ArrayBuffer[])
  } catch (error) {
    answer({ id, error: toPlainError(toFlashError(error, request.call)) })
  } finally {
    running.delete(id)
  }
}

function work(request: Exclude<Request, { call: 'cancel' }>, signal: AbortSignal) {
  switch (request.call) {
    case 'parse':
      return parse(request.takes.file, request.takes.name, request.takes.options, signal)
    case 'sha256':
      return sha256(request.takes.source, signal)
  }
}

function answer(reply: Reply, transfer: Transferable[] = []): void {
  self.postMessage(reply, { transfer })
}
