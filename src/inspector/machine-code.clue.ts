/** Whose machine code most of the code looks like; a hint where nothing says it better. */
import { evidence, place, type Architecture, type Clue } from './clue.ts'
import { instructionSets, type InstructionSet } from './machine-code.ts'

/** Of the code this share must look alike. */
const leastShare = 0.75
/** Less code is no more than possible. */
const sureBytes = 4096

const architectures: Readonly<Partial<Record<InstructionSet, Architecture>>> = {
  AVR: 'avr',
  'Arm Thumb': 'cortex-m',
  Xtensa: 'esp',
}

const machineCode: Clue = ({ texture }) => {
  const code = texture.filter(({ kind }) => kind === 'code')
  const all = code.reduce((sum, { length }) => sum + length, 0)
  return instructionSets.flatMap((set) => {
    const own = code.filter((cell) => cell.code === set)
    const bytes = own.reduce((sum, { length }) => sum + length, 0)
    if (bytes === 0 || bytes < leastShare * all) return []
    const architecture = architectures[set]
    return [
      {
        code: 'machine-code',
        confidence: bytes >= sureBytes ? 'likely' : 'possible',
        values: { set },
        evidence: own
          .slice(0, 3)
          .map(({ address, last }) =>
            evidence(
              'instructions',
              { set, from: place(address), to: place(last) },
              address,
              last - address + 1,
            ),
          ),
        ...(architecture && { architecture }),
      },
    ]
  })
}
export default machineCode
