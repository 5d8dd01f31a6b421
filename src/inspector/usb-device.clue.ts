/** As what a firmware appears on USB: by its device descriptors. Document: USB 2.0, 9.6.1. */
import { descriptorEvidence, type Clue } from './clue.ts'

/** A dump may hold several; more are no device's. */
const mostDevices = 4

const usbDevice: Clue = ({ usbDescriptors }) => {
  const devices = new Map(usbDescriptors.map((one) => [one.usbId, one]))
  if (devices.size > mostDevices) return []
  return [...devices.values()].map((one) => ({
    code: 'usb-device',
    // Eighteen bytes with nine rules; a table of numbers may look like that.
    confidence: 'likely',
    values: { id: one.usbId, version: one.version },
    evidence: [descriptorEvidence(one)],
  }))
}
export default usbDevice
