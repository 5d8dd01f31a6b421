/**
 * DAPLink by the information block in its vector table: which part it is, for which interface chip, which version.
 * Document: DAPLink, `source/daplink/daplink.h`; chips: `daplink_addr.h` of each.
 */
import { hex } from '#core/bytes.ts'
import { evidence, type Clue, type Statement } from './clue.ts'

const keys: Readonly<Record<number, string>> = { 0x9b93_9d93: 'boot loader', 0x9b93_9e8f: 'interface' }

const interfaceChips: Readonly<Record<number, string>> = {
  0x9796_9900: 'K20DX',
  0x9796_9901: 'KL26Z',
  0x9796_9902: 'LPC11U35',
  0x9796_9903: 'SAM3U2C',
  0x9796_9904: 'MAX32620',
  0x9796_9905: 'LPC4322',
  0x9796_9906: 'MAX32625',
  0x9796_9907: 'MAX32550',
  0x9796_9908: 'STM32F103xB',
  0x9796_9909: 'K26F',
  0x9796_990a: 'K22F',
  0x9796_990b: 'KL27Z',
  0x9796_990c: 'LPC54606',
  0x9796_990d: 'STM32F723IE',
  0x9796_9921: 'M48SSIDAE',
  0x2e12_7069: 'PSoC5',
  0x4c50_4355: 'LPC55xx',
  0x6e05_2820: 'nRF52820',
}

const daplink: Clue = ({ segments }) =>
  segments.slice(0, 16).flatMap(({ address, bytes }): Statement[] => {
    if (bytes.length < 0x30) return []
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    const [key, chip, version] = [0x20, 0x24, 0x28].map((at) => view.getUint32(at, true)) as [
      number,
      number,
      number,
    ]
    const part = keys[key]
    if (part === undefined) return []
    return [
      {
        code: 'firmware',
        confidence: 'certain',
        values: {
          name: `DAPLink ${part}, ${interfaceChips[chip] ?? hex(chip, 8)}`,
          version: version < 10_000 ? String(version).padStart(4, '0') : '',
        },
        evidence: [
          evidence(
            'header',
            { bytes: `${hex(key, 8)} ${hex(chip, 8)} ${hex(version, 8)}` },
            address + 0x20,
            12,
          ),
        ],
        architecture: 'cortex-m',
      },
    ]
  })
export default daplink
