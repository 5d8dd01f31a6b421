/** The worker's switch; what it does is in `work.ts`, what it hears and says in `messages.ts`. */
import { FlashError, toFlashError, toPlainError } from '#core/errors.ts'
import type { Reply, Request } from './messages.ts'
import { compare, parse, write } from './work.ts'

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
    if (request.call === 'write') {
      const result = write(request.format, request.image)
      return answer({ id, result }, [result.buffer])
    }
    if (request.call === 'compare')
      return answer({ id, result: await compare(request.first, request.second) })
    const { file, name, options } = request
    const result = await parse(file, name, options, controller.signal)
    const buffers = result.image.segments.map(({ bytes }) => bytes.buffer)
    answer({ id, result }, [...new Set(buffers)] as ArrayBuffer[])
  } catch (error) {
    answer({ id, error: toPlainError(toFlashError(error, request.call)) })
  } finally {
    running.delete(id)
  }
}

function answer(reply: Reply, transfer: Transferable[] = []): void {
  self.postMessage(reply, { transfer })
}
