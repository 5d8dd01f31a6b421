/**
 * What a protocol may see of the wire. Types only: a protocol never sees `USBDevice`, `HIDDevice` or `SerialPort`.
 */
import type { Parity, SeenHid, SeenSerial, SeenUsb } from '#core/programmer.ts'

export interface Io {
  /** Default 5000. */
  readonly timeoutMs?: number
}

export interface ControlSetup {
  readonly requestType: 'standard' | 'class' | 'vendor'
  readonly recipient: 'device' | 'interface' | 'endpoint' | 'other'
  readonly request: number
  readonly value: number
  readonly index: number
}

interface Link extends AsyncDisposable {
  /** Aborted with `device-gone` on unplug; every pending and later call then rejects with that error. */
  readonly gone: AbortSignal
}

/**
 * An open, claimed USB device. Commands run one after another, but bulk transfers between others: those begin at once, and
 * those of one endpoint end in their order. Errors: `device-gone`, `timeout`, `stalled`,
 * `transfer-failed`. After a `timeout` the link is spent until `reset()`, because the transfer is still
 * pending in the browser and would swallow the next answer (WebUSB cannot cancel).
 */
export interface UsbLink extends Link {
  readonly seen: SeenUsb
  /** May resolve with fewer bytes than `length`: the driver decides whether that is an answer. */
  controlIn(setup: ControlSetup, length: number, io?: Io): Promise<Uint8Array>
  controlOut(setup: ControlSetup, bytes?: Uint8Array, io?: Io): Promise<void>
  bulkIn(endpoint: number, length: number, io?: Io): Promise<Uint8Array>
  bulkOut(endpoint: number, bytes: Uint8Array, io?: Io): Promise<void>
  /** Claims the interface, if that was not done yet. */
  selectAlternate(interfaceNumber: number, setting: number): Promise<void>
  /** Both sides of an endpoint begin anew after a stall. */
  clearHalt(direction: 'in' | 'out', endpoint: number): Promise<void>
  /** Port reset; makes a spent link usable again. */
  reset(): Promise<void>
}

export interface HidReport {
  /** 0: its reports have none. */
  readonly id: number
  /** Without the id. */
  readonly bytes: Uint8Array
}

/**
 * An open HID device. Errors: `device-gone`, `timeout`, `transfer-failed`. What comes is kept until it is read; a read
 * that was given up takes nothing, so its report is the next one's. After a `timeout` of a report that was to be sent
 * nothing more can be sent, because that one may still go; opening it anew helps.
 */
export interface HidLink extends Link {
  readonly seen: SeenHid
  /** Filled up to its size where the device wants that: the driver's part. */
  sendReport(report: HidReport, io?: Io): Promise<void>
  /** The next one that has come, or comes. */
  readReport(io?: Io): Promise<HidReport>
}

export interface Framing {
  readonly parity?: Parity
}

export interface SerialSignals {
  readonly dtr?: boolean
  readonly rts?: boolean
}

/** An open serial port: 8 data bits, 1 stop bit. Errors: `device-gone`, `timeout` (what came so far stays readable). */
export interface SerialLink extends Link {
  readonly seen: SeenSerial
  readonly baud: number
  readonly parity: Parity
  /** Closes and opens the port at another speed; what was received is dropped. */
  setBaud(baud: number): Promise<void>
  /** Drives DTR and RTS. `asserted` is TTL low. A device may refuse: then false. */
  signals(signals: SerialSignals): Promise<boolean>
  /** Exactly `length` bytes. */
  read(length: number, io?: Io): Promise<Uint8Array>
  write(bytes: Uint8Array, io?: Io): Promise<void>
  /** Drops what was received and not read. */
  flush(): void
}

/** How a driver's `open` gets its serial link: nothing is opened before, because opening resets a board. */
export interface SerialPortHandle {
  readonly seen: SeenSerial
  /** Default: no parity. */
  open(baud: number, framing?: Framing): Promise<SerialLink>
}
