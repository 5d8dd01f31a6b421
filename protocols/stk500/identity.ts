/**
 * What a serial port's USB ids say about who may speak STK500v1 behind it: an Arduino's boot loader or the
 * ArduinoISP sketch. Which of them it is, only asking can tell. Ids: `boards.txt` of ArduinoCore-avr.
 */
import { serialBridges } from '#chips/serial-bridges.ts'
import { usbId } from '#core/bytes.ts'
import type { Identity, Notice, Recognition, SeenSerial } from '#core/programmer.ts'

type Confidence = Recognition['confidence']

interface Known {
  readonly vendorId: number
  readonly productIds: readonly number[]
  readonly model: string
  readonly confidence: Confidence
  /** Absent: STK500v1. */
  readonly protocol?: string
}

/** Arduino LLC and Arduino SRL shipped the same boards under two vendor ids. */
const arduino = (productIds: readonly number[], model: string, protocol?: string): Known[] =>
  [0x2341, 0x2a03].map((vendorId) => ({
    vendorId,
    productIds,
    model,
    confidence: 'certain',
    ...(protocol === undefined ? {} : { protocol }),
  }))

const known: readonly Known[] = [
  ...arduino([0x0043, 0x0001, 0x0243, 0x006a], 'Arduino Uno'),
  ...arduino([0x0062], 'Arduino Uno Mini'),
  ...arduino([0x0010, 0x0042, 0x0210, 0x0242], 'Arduino Mega 2560', 'STK500v2'),
  ...arduino([0x003f, 0x0044], 'Arduino Mega ADK', 'STK500v2'),
  ...serialBridges.map(({ vendorId, productIds, chip }): Known => ({
    ...{ vendorId, productIds, model: `Arduino (${chip})` },
    confidence: 'possible',
  })),
]

const filters = known.flatMap(({ vendorId, productIds }) =>
  productIds.map((productId) => ({ vendorId, productId })),
)

const genericSerial: Notice = { code: 'generic-serial', level: 'info' }

/** `undefined` for a USB device that is known to be something else: a vendor id of nobody here. */
function recognise({ vendorId, productId }: SeenSerial): Recognition | undefined {
  const rest = { mode: 'application', usable: true, facts: [], notices: [genericSerial] } as const
  if (vendorId === undefined || productId === undefined)
    return { ...rest, model: 'Arduino', confidence: 'possible' }

  const found = known.find((one) => one.vendorId === vendorId && one.productIds.includes(productId))
  if (!found) return undefined
  const { model, confidence, protocol } = found
  return {
    model,
    mode: 'application',
    confidence,
    usable: protocol === undefined,
    facts: [
      { name: 'usb-id', value: usbId(vendorId, productId) },
      // of a bridge nobody knows what is behind it
      ...(confidence === 'possible' ? [] : [{ name: 'protocol', value: protocol ?? 'STK500v1' } as const]),
    ],
    notices: protocol
      ? [{ code: 'other-protocol', level: 'warning', values: { protocol } }]
      : confidence === 'possible'
        ? [genericSerial]
        : [],
  }
}

export default {
  id: 'stk500',
  name: 'Arduino (STK500v1)',
  link: 'serial',
  filters,
  toTarget: ['isp'], // with the sketch ArduinoISP
  marks: ['AVR ISP'], // by the answer to GET_SIGN_ON in its flash a board is known to hold ArduinoISP
  recognise: (seen) => (seen.link === 'serial' ? recognise(seen) : undefined),
  // Of the boot loaders. ArduinoISP: all of these but real firmware.
  proven: {
    identify: ['chrome', 'real-firmware', 'reference-tool', 'recording', 'twin'],
    backup: ['chrome', 'real-firmware', 'reference-tool', 'recording', 'twin'],
    flash: ['chrome', 'real-firmware', 'reference-tool', 'recording', 'twin'],
    verify: ['chrome', 'real-firmware', 'reference-tool', 'recording', 'twin'],
  },
} satisfies Identity
