/**
 * All CRCs up to 32 bits of G. Cook's "Catalogue of parametrised CRC algorithms", by its names. The last column is the
 * CRC of the text 123456789, which the tests hold each row to.
 */

export interface CrcModel {
  readonly name: string
  /** Bits, 3 … 32. */
  readonly width: number
  /** Without the highest term; bit 0 is x^0. */
  readonly poly: number
  readonly init: number
  /** The first bit of a byte is its lowest. */
  readonly isReflected: boolean
  /** The first bit of the result is its lowest. */
  readonly isResultReflected: boolean
  readonly xorOut: number
  readonly check: number
}

/** name, width, poly, init, reflected in and out, xorOut, check; numbers in hex. */
const rows = `
CRC-3/GSM 3 3 0 - - 7 4
CRC-3/ROHC 3 3 7 in out 0 6
CRC-4/G-704 4 3 0 in out 0 7
CRC-4/INTERLAKEN 4 3 f - - f b
CRC-5/EPC-C1G2 5 9 9 - - 0 0
CRC-5/G-704 5 15 0 in out 0 7
CRC-5/USB 5 5 1f in out 1f 19
CRC-6/CDMA2000-A 6 27 3f - - 0 d
CRC-6/CDMA2000-B 6 7 3f - - 0 3b
CRC-6/DARC 6 19 0 in out 0 26
CRC-6/G-704 6 3 0 in out 0 6
CRC-6/GSM 6 2f 0 - - 3f 13
CRC-7/MMC 7 9 0 - - 0 75
CRC-7/ROHC 7 4f 7f in out 0 53
CRC-7/UMTS 7 45 0 - - 0 61
CRC-8/AUTOSAR 8 2f ff - - ff df
CRC-8/BLUETOOTH 8 a7 0 in out 0 26
CRC-8/CDMA2000 8 9b ff - - 0 da
CRC-8/DARC 8 39 0 in out 0 15
CRC-8/DVB-S2 8 d5 0 - - 0 bc
CRC-8/GSM-A 8 1d 0 - - 0 37
CRC-8/GSM-B 8 49 0 - - ff 94
CRC-8/HITAG 8 1d ff - - 0 b4
CRC-8/I-432-1 8 7 0 - - 55 a1
CRC-8/I-CODE 8 1d fd - - 0 7e
CRC-8/LTE 8 9b 0 - - 0 ea
CRC-8/MAXIM-DOW 8 31 0 in out 0 a1
CRC-8/MIFARE-MAD 8 1d c7 - - 0 99
CRC-8/NRSC-5 8 31 ff - - 0 f7
CRC-8/OPENSAFETY 8 2f 0 - - 0 3e
CRC-8/ROHC 8 7 ff in out 0 d0
CRC-8/SAE-J1850 8 1d ff - - ff 4b
CRC-8/SMBUS 8 7 0 - - 0 f4
CRC-8/TECH-3250 8 1d ff in out 0 97
CRC-8/WCDMA 8 9b 0 in out 0 25
CRC-10/ATM 10 233 0 - - 0 199
CRC-10/CDMA2000 10 3d9 3ff - - 0 233
CRC-10/GSM 10 175 0 - - 3ff 12a
CRC-11/FLEXRAY 11 385 1a - - 0 5a3
CRC-11/UMTS 11 307 0 - - 0 61
CRC-12/CDMA2000 12 f13 fff - - 0 d4d
CRC-12/DECT 12 80f 0 - - 0 f5b
CRC-12/GSM 12 d31 0 - - fff b34
CRC-12/UMTS 12 80f 0 - out 0 daf
CRC-13/BBC 13 1cf5 0 - - 0 4fa
CRC-14/DARC 14 805 0 in out 0 82d
CRC-14/GSM 14 202d 0 - - 3fff 30ae
CRC-15/CAN 15 4599 0 - - 0 59e
CRC-15/MPT1327 15 6815 0 - - 1 2566
CRC-16/ARC 16 8005 0 in out 0 bb3d
CRC-16/CDMA2000 16 c867 ffff - - 0 4c06
CRC-16/CMS 16 8005 ffff - - 0 aee7
CRC-16/DDS-110 16 8005 800d - - 0 9ecf
CRC-16/DECT-R 16 589 0 - - 1 7e
CRC-16/DECT-X 16 589 0 - - 0 7f
CRC-16/DNP 16 3d65 0 in out ffff ea82
CRC-16/EN-13757 16 3d65 0 - - ffff c2b7
CRC-16/GENIBUS 16 1021 ffff - - ffff d64e
CRC-16/GSM 16 1021 0 - - ffff ce3c
CRC-16/IBM-3740 16 1021 ffff - - 0 29b1
CRC-16/IBM-SDLC 16 1021 ffff in out ffff 906e
CRC-16/ISO-IEC-14443-3-A 16 1021 c6c6 in out 0 bf05
CRC-16/KERMIT 16 1021 0 in out 0 2189
CRC-16/LJ1200 16 6f63 0 - - 0 bdf4
CRC-16/M17 16 5935 ffff - - 0 772b
CRC-16/MAXIM-DOW 16 8005 0 in out ffff 44c2
CRC-16/MCRF4XX 16 1021 ffff in out 0 6f91
CRC-16/MODBUS 16 8005 ffff in out 0 4b37
CRC-16/NRSC-5 16 80b ffff in out 0 a066
CRC-16/OPENSAFETY-A 16 5935 0 - - 0 5d38
CRC-16/OPENSAFETY-B 16 755b 0 - - 0 20fe
CRC-16/PROFIBUS 16 1dcf ffff - - ffff a819
CRC-16/RIELLO 16 1021 b2aa in out 0 63d0
CRC-16/SPI-FUJITSU 16 1021 1d0f - - 0 e5cc
CRC-16/T10-DIF 16 8bb7 0 - - 0 d0db
CRC-16/TELEDISK 16 a097 0 - - 0 fb3
CRC-16/TMS37157 16 1021 89ec in out 0 26b1
CRC-16/UMTS 16 8005 0 - - 0 fee8
CRC-16/USB 16 8005 ffff in out ffff b4c8
CRC-16/XMODEM 16 1021 0 - - 0 31c3
CRC-17/CAN-FD 17 1685b 0 - - 0 4f03
CRC-21/CAN-FD 21 102899 0 - - 0 ed841
CRC-24/BLE 24 65b 555555 in out 0 c25a56
CRC-24/FLEXRAY-A 24 5d6dcb fedcba - - 0 7979bd
CRC-24/FLEXRAY-B 24 5d6dcb abcdef - - 0 1f23b8
CRC-24/INTERLAKEN 24 328b63 ffffff - - ffffff b4f3e6
CRC-24/LTE-A 24 864cfb 0 - - 0 cde703
CRC-24/LTE-B 24 800063 0 - - 0 23ef52
CRC-24/OPENPGP 24 864cfb b704ce - - 0 21cf02
CRC-24/OS-9 24 800063 ffffff - - ffffff 200fa5
CRC-30/CDMA 30 2030b9c7 3fffffff - - 3fffffff 4c34abf
CRC-31/PHILIPS 31 4c11db7 7fffffff - - 7fffffff ce9e46c
CRC-32/AIXM 32 814141ab 0 - - 0 3010bf7f
CRC-32/AUTOSAR 32 f4acfb13 ffffffff in out ffffffff 1697d06a
CRC-32/BASE91-D 32 a833982b ffffffff in out ffffffff 87315576
CRC-32/BZIP2 32 4c11db7 ffffffff - - ffffffff fc891918
CRC-32/CD-ROM-EDC 32 8001801b 0 in out 0 6ec2edc4
CRC-32/CKSUM 32 4c11db7 0 - - ffffffff 765e7680
CRC-32/ISCSI 32 1edc6f41 ffffffff in out ffffffff e3069283
CRC-32/ISO-HDLC 32 4c11db7 ffffffff in out ffffffff cbf43926
CRC-32/JAMCRC 32 4c11db7 ffffffff in out 0 340bc6d9
CRC-32/MEF 32 741b8cd7 ffffffff in out 0 d2c22f51
CRC-32/MPEG-2 32 4c11db7 ffffffff - - 0 376e6e7
CRC-32/XFER 32 af 0 - - 0 bd0be338
`

export const crcModels: readonly CrcModel[] = rows
  .trim()
  .split('\n')
  .map((row) => {
    const [name = '', width = '', poly = '', init = '', into, out, xorOut = '', check = ''] = row.split(' ')
    const number = (digits: string) => parseInt(digits, 16)
    return {
      name,
      width: Number(width),
      ...{ poly: number(poly), init: number(init), xorOut: number(xorOut), check: number(check) },
      ...{ isReflected: into === 'in', isResultReflected: out === 'out' },
    }
  })

/** @throws when the catalogue has none of that name */
export function crcModel(name: string): CrcModel {
  const model = crcModels.find((one) => one.name === name)
  if (!model) throw new RangeError(`no CRC is called ${name}`)
  return model
}
