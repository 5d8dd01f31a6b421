/**
 * Firmware of programmers, adapters and boot loaders by what stands in it: the USB ids of its device descriptor and
 * its own texts. Facts only, from the published images that the catalogue's facts were gathered from and from the
 * projects' sources. A new one is one entry.
 */
export interface KnownMarks {
  readonly name: string
  /** The protocol folder that knows it better. */
  readonly family?: string
  /** One of these in a device descriptor. */
  readonly usb?: readonly string[]
  /** Nobody else has the ids. */
  readonly ownsId?: true
  /** Each of these must be found; the group `version` says the version. */
  readonly texts?: readonly RegExp[]
  /** The descriptor's `bcdDevice` is its version. */
  readonly hasUsbVersion?: true
  /** Said only where nothing else is: others build on it. */
  readonly isGeneral?: true
}

export const knownMarks: readonly KnownMarks[] = [
  // programmers for AVR and SPI
  {
    name: 'USBasp',
    family: 'usbasp',
    usb: ['16c0:05dc', '16c0:092f', '03eb:c7b4'],
    texts: [/^(?:fast)?usbasp/i],
    hasUsbVersion: true,
  },
  { name: 'USBtinyISP', family: 'usbtiny', usb: ['1781:0c9f'], texts: [/^USBtiny/], hasUsbVersion: true },
  { name: 'AVRISP mkII (LUFA)', usb: ['03eb:2104'], texts: [/^AVRISP/], hasUsbVersion: true },
  { name: 'mEDBG', usb: ['03eb:2145'], texts: [/^mEDBG CMSIS-DAP/] },
  { name: 'dw-link', texts: [/^dw-link version (?<version>[\d.]+)/] },
  { name: 'jtag2updi or JTAGICE mkII', texts: [/^JTAGICE mkII/] },
  { name: 'ArduinoISP', family: 'stk500', texts: [/^AVR ISP$/], isGeneral: true },
  { name: 'PICkit 2', usb: ['04d8:0033'], texts: [/^PICkit 2/] },
  { name: 'serprog on STM32', texts: [/serprog-STM32|virtual serprog for flashrom/] },
  { name: 'pico-serprog', texts: [/^pico-serprog/] },
  { name: 'CH341A emulator', usb: ['1a86:5512'], texts: [/^Firmware version: (?<version>[\d.]+)/] },

  // debug probes
  { name: 'DAPLink', usb: ['0d28:0204'], texts: [/DAPLink/] },
  { name: 'BBC micro:bit DAPLink', usb: ['0d28:0204'], texts: [/BBC micro:bit CMSIS-DAP/] },
  { name: 'nanoDAP or iCELink', texts: [/MuseLab/, /CMSIS-DAP|DAPLink/] },
  { name: 'Free-DAP', texts: [/^(?:Combined VCP and|Generic) CMSIS-DAP Adapter/] },
  { name: 'Raspberry Pi Debug Probe', texts: [/^(?:Debug Probe|Debugprobe on Pico) \(CMSIS-DAP\)/] },
  { name: 'picoprobe', texts: [/^Picoprobe/] },
  { name: 'YAPicoprobe', texts: [/^YAPicoprobe CMSIS-DAP/] },
  { name: 'UNO R4 WiFi bridge', texts: [/^UNO WiFi R4 CMSIS-DAP/] },
  { name: 'LPC-Link2 CMSIS-DAP', usb: ['c251:f00a'], texts: [/^LPC-Link2/], hasUsbVersion: true },
  { name: 'MCU-Link CMSIS-DAP', usb: ['c251:f00b'], texts: [/^MCU-LINK/], hasUsbVersion: true },
  { name: 'XV-Link', usb: ['1a86:7021', '1a86:5321'], texts: [/^XV-Link/], hasUsbVersion: true },
  { name: 'CherryDAP', texts: [/^CherryUSB CMSIS-DAP/] },
  { name: 'WCH-Link', texts: [/^WCH-Link/], hasUsbVersion: true },
  { name: 'Nu-Link', texts: [/^Nuvoton$/, /^Nu-Link/] },
  {
    name: 'Black Magic Probe',
    usb: ['1d50:6018', '1d50:6017'],
    texts: [/^Black Magic (?:Probe|GDB Server|Debug)/],
  },
  { name: 'ST-Link V2 or a clone', usb: ['0483:3748'], texts: [/^STM32 STLink/] },
  { name: 'ST-Link V2-1 or a clone', usb: ['0483:374b', '0483:3752'], texts: [/^STM32 STLink/] },
  { name: 'ST-Link V3', texts: [/^STM32 ST-?LINK[-/]V3|^ST-LINK\/V3/i] },
  { name: 'J-Link', texts: [/SEGGER/, /J-Link.* compiled (?<version>\w{3} [ \d]\d \d{4})/] },
  { name: 'DirtyJTAG', usb: ['1209:c0ca'], texts: [/^DirtyJTAG/], hasUsbVersion: true },
  { name: 'OpenULINK', usb: ['c251:2710'], texts: [/^OpenULINK/] },
  { name: 'ANGIE', usb: ['584e:414f'], texts: [/^ANGIE Adapter/] },
  { name: 'Glasgow', usb: ['20b7:9db1'], ownsId: true },
  { name: 'USB-Blaster', texts: [/^USB-Blaster/] },
  { name: 'CMSIS-DAP probe', texts: [/CMSIS-DAP/], isGeneral: true },

  // bridges and adapters
  { name: 'HoodLoader2', texts: [/^HoodLoader2/], hasUsbVersion: true },
  {
    name: 'arduino-usbserial',
    usb: [
      ...['2341:0001', '2341:0010', '2341:003d', '2341:0042', '2341:0043', '2341:0044'],
      ...['2341:0242', '2341:0243', '2a03:0042', '2a03:0043'],
    ],
    texts: [/^Arduino (?:LLC )?\(www\.arduino\.cc\)/],
    hasUsbVersion: true,
  },
  { name: 'candleLight', usb: ['1d50:606f'], texts: [/^candleLight USB to CAN/] },
  { name: 'Candlelight 2.5 (CANable 2)', texts: [/^Candlelight 2\.5/] },
  { name: 'Slcan 2.5 (CANable 2)', texts: [/^Slcan 2\.5/] },
  { name: 'CANable', usb: ['1d50:606f'], texts: [/^canable gs_usb/] },
  { name: 'CANtact', usb: ['1d50:606f'], texts: [/^cantact gs_usb/] },
  { name: 'gs_usb CAN adapter', usb: ['1d50:606f'], isGeneral: true },
  { name: 'fx2lafw', texts: [/^fx2lafw/] },

  // boot loaders
  { name: 'micronucleus', usb: ['16d0:0753'], ownsId: true, hasUsbVersion: true },
  {
    name: 'Trinket boot loader',
    usb: ['1781:0c9f', '2341:0c9f'],
    texts: [/^(?:Trinket|Gemma)$/],
    hasUsbVersion: true,
  },
  {
    name: 'Caterina',
    usb: ['2341:0036', '2341:0037', '2341:0038', '2341:0039', '2341:003c', '2a03:0036', '1b4f:9207'],
    texts: [/^CATERIN|^LUFACDC/],
  },
  {
    name: 'Caterina',
    usb: ['2341:0036', '2341:0037', '2341:0038', '2341:0039', '2341:003c', '2a03:0036', '1b4f:9207'],
    isGeneral: true,
  },
  { name: 'LUFA DFU boot loader', texts: [/^LUFA DFU/] },
  {
    name: 'Atmel DFU boot loader',
    usb: ['03eb:2fef', '03eb:2ff0', '03eb:2ff4', '03eb:2ff7', '03eb:2ffa'],
    isGeneral: true,
  },
  { name: 'ATmegaBOOT', family: 'stk500', texts: [/^ATmegaBOOT/] },
  { name: 'Arduino STK500v2 boot loader', texts: [/^Arduino explorer stk500V2/] },
  { name: 'Arduino SAM-BA boot loader', texts: [/\[Arduino:[A-Z]+\]/] },
  { name: 'UF2 boot loader', texts: [/^UF2 Bootloader v?(?<version>[\w.-]+)/] },
  { name: 'Tomu boot loader', texts: [/^Tomu Bootloader.*? v?(?<version>\d[\w.-]+)/] },
  { name: 'STM32duino boot loader', usb: ['1eaf:0003'], texts: [/^STM32duino bootloader|^LeafLabs/] },
  { name: 'MicroPython', texts: [/^MicroPython v?(?<version>\d[\w.-]+)/] },
]
