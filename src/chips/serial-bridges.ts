/** USB-serial bridges by their ids, which say nothing about what is behind them. Source: the bridges' data sheets. */
import type { SeenSerial } from '#core/programmer.ts'

export interface SerialBridge {
  readonly vendorId: number
  readonly productIds: readonly number[]
  readonly chip: string
}

export const serialBridges: readonly SerialBridge[] = [
  { vendorId: 0x1a86, productIds: [0x7523, 0x5523], chip: 'CH340' },
  { vendorId: 0x1a86, productIds: [0x55d4, 0x55d3], chip: 'CH9102' },
  { vendorId: 0x0403, productIds: [0x6001], chip: 'FT232R' },
  { vendorId: 0x0403, productIds: [0x6015], chip: 'FT231X' },
  { vendorId: 0x10c4, productIds: [0xea60], chip: 'CP210x' },
  { vendorId: 0x067b, productIds: [0x2303], chip: 'PL2303' },
]

export const findSerialBridge = ({
  vendorId,
  productId,
}: Pick<SeenSerial, 'vendorId' | 'productId'>): SerialBridge | undefined =>
  productId === undefined
    ? undefined
    : serialBridges.find((one) => one.vendorId === vendorId && one.productIds.includes(productId))
