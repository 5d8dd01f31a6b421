/** What a running job is doing, from the path of its progress event: [step, operation, memory]. */
import type { OperationName } from '#jobs/view.ts'
import { memoryName } from './facts.ts'
import { m } from './generated/messages.js'

const texts: Record<OperationName, (gaps: { memory: string }) => string> = {
  open: m.operation_open,
  reach: m.operation_reach,
  read: m.operation_read,
  confirm: m.operation_confirm,
  store: m.operation_store,
  look: m.operation_look,
  erase: m.operation_erase,
  program: m.operation_program,
  verify: m.operation_verify,
}

export const operationText = ([, operation = '', memory = '']: readonly string[]): string =>
  Object.hasOwn(texts, operation)
    ? texts[operation as OperationName]({ memory: memoryName(memory) })
    : m.wait()
