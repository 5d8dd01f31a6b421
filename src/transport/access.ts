/**
 * What the browser throws, translated once: `DOMException` → `FlashError`, by the step it happened in,
 * because one name means different things (`NotFoundError`: nothing chosen, or unplugged). After Chrome's
 * `usb_device.cc`, `serial_port.cc` and `hid_device.cc`; the specifications name the same errors.
 */
import { FlashError, toFlashError, type DeviceApi } from '#core/errors.ts'

/** No person closes a chooser this fast: the browser never showed one. */
const quickestPersonMs = 50

/** Of a chooser; `undefined`: the user chose nothing, which is not an error. */
export function fromChooser(error: unknown, api: DeviceApi, tookMs: number): FlashError | undefined {
  if (!(error instanceof DOMException)) return toFlashError(error, 'asking for a device')
  if (error.name === 'NotFoundError') return fromEmptyChooser(api, tookMs, error)
  if (error.name === 'SecurityError' && /policy/i.test(error.message))
    return new FlashError('blocked-by-policy', { api }, { cause: error })
  if (error.name === 'SecurityError' && /user gesture/i.test(error.message))
    return new FlashError('click-needed', { api }, { cause: error }) // the click was seconds ago
  return toFlashError(error, 'asking for a device')
}

/** Nothing was chosen, or could be. */
export const fromEmptyChooser = (api: DeviceApi, tookMs: number, cause?: unknown): FlashError | undefined =>
  tookMs < quickestPersonMs ? new FlashError('blocked-by-policy', { api }, { cause }) : undefined

/** Of opening, configuring and claiming. */
export function fromOpening(
  error: unknown,
  api: DeviceApi,
  ids: { readonly vendorId: number | undefined; readonly productId: number | undefined },
): FlashError {
  const during = api === 'serial' ? 'opening the port' : 'opening the device'
  if (!(error instanceof DOMException)) return toFlashError(error, during)
  switch (error.name) {
    case 'NotAllowedError': // of a HID device: no rights or in use, the browser does not tell which
    case 'SecurityError': {
      const { vendorId, productId } = ids
      const known = vendorId === undefined || productId === undefined ? {} : { vendorId, productId }
      return new FlashError('permission-denied', { api, ...known }, { cause: error })
    }
    case 'NetworkError': // of a serial port: no rights or in use, the browser does not tell which
    case 'InvalidStateError':
      return new FlashError('device-busy', { api }, { cause: error })
    case 'NotFoundError':
      return isDisconnected(error)
        ? goneError(during, error)
        : new FlashError('device-refused', { during, status: error.message }, { cause: error })
    default:
      return toFlashError(error, during)
  }
}

/** Of a transfer on an open device; of an alternate setting no more is told than that it could not be set. */
export function fromTransfer(error: unknown, during: string): FlashError {
  if (!(error instanceof DOMException)) return toFlashError(error, during)
  if (error.message.includes('set device interface'))
    return new FlashError('stalled', { during }, { cause: error })
  return isDisconnected(error)
    ? goneError(during, error)
    : new FlashError('transfer-failed', { during }, { cause: error })
}

export const goneError = (during: string, cause?: unknown): FlashError<'device-gone'> =>
  new FlashError('device-gone', { during }, { cause })

/** `NotFoundError` has other reasons too (no such interface, no such endpoint). */
const isDisconnected = (error: DOMException): boolean =>
  error.name === 'NotFoundError' && error.message.includes('disconnected')
