/**
 * A board with an ATmega32U4 as a serial twin that runs its sketch: what it shows itself as is in its flash. Touched at 1200
 * baud it comes back as its boot loader, as does one that holds nothing. Source: ArduinoCore-avr, `CDC.cpp`: the touch
 * counts when DTR is dropped, and is taken back when DTR comes again in time.
 */
import { findUsbDescriptors } from '#core/find.ts'
import type { SerialTwin, SerialWire, TwinPatient } from '#bench/twin.ts'
import type { TwinAvr } from '#bench/twin-avr.ts'
import { Caterina } from './twin-caterina.ts'
import type { UsbIds } from './images.ts'

export interface BoardOptions {
  readonly chip: TwinAvr
  readonly loader: UsbIds
  readonly bootStart: number
  readonly flickerBit?: number | undefined
}

const touchBaud = 1200
/** The watchdog's 120 ms, as they are in a real one. */
const watchdogMs = 128
/** Until the computer has it on its bus again. */
const appearsMs = 300
const usbClasses: readonly number[] = [0x02, 0xef]

export class TwinSketch implements SerialTwin, TwinPatient {
  readonly link = 'serial'
  readonly bridge = 'native'
  readonly #chip: TwinAvr
  readonly #bootStart: number
  readonly #loader: Caterina
  #wire: SerialWire | undefined
  #baud = 0
  #stopReset: (() => void) | undefined

  constructor({ chip, loader, bootStart, flickerBit }: BoardOptions) {
    this.#chip = chip
    this.#bootStart = bootStart
    this.#loader = new Caterina({
      ...{ usb: loader, chip, bootStart, flickerBit },
      leave: () => {
        const isSeen = this.#ids !== undefined
        this.#loader.comesBack(isSeen ? { twin: this, ms: appearsMs } : undefined)
      },
    })
  }

  get usb(): UsbIds {
    return this.#ids ?? this.#loader.usb
  }

  /** In the application's part of the flash. */
  get #ids(): UsbIds | undefined {
    const bytes = this.#chip.flash.subarray(0, this.#bootStart)
    const found = findUsbDescriptors([{ address: 0, bytes }])
    const own = found.find(({ deviceClass }) => usbClasses.includes(deviceClass))
    return own && { vendorId: own.vendorId, productId: own.productId }
  }

  /** Of a sketch that does not show itself a person presses the reset button, which starts the loader, too. */
  powersUpAs(): SerialTwin {
    const { flash } = this.#chip
    const isEmpty = flash[0] === 0xff && flash[1] === 0xff
    return isEmpty || !this.#ids ? this.#loader : this
  }

  plugged(wire: SerialWire): void {
    this.#wire = wire
    this.#chip.power(wire.clock)
    this.#baud = 0
  }

  unplugged(): void {
    this.#stopReset?.()
    this.#stopReset = undefined
    this.#wire = undefined
    this.#chip.losePower()
  }

  set onWork(listener: (ms: number) => void) {
    this.#chip.onWork = listener
  }

  brownOut(): void {
    this.#wire?.detach({ twin: this, ms: appearsMs })
    this.#loader.comesBack({ twin: this, ms: appearsMs })
  }

  lineCoding(baud: number): void {
    this.#baud = baud
  }

  signals(dtr: boolean): void {
    this.#stopReset?.()
    this.#stopReset = undefined
    if (dtr || this.#baud !== touchBaud) return
    this.#stopReset = this.#wire?.clock.after(watchdogMs, () => {
      this.#wire?.detach({ twin: this.#loader, ms: appearsMs })
    })
  }

  /** It has nothing to say. */
  receive(): void {}
}
