/**
 * Accesses as a debug port takes them by JTAG: no acknowledge tells a fault, sticky errors are cleared where they are read,
 * and an abort has an instruction of its own. Source: Arm IHI 0031 (ADIv5.2), B2.2.2 (CTRL/STAT), B3.2 (JTAG-DP).
 */
import type { Access } from './debug-port.ts'

const Dp = { Abort: 0, ControlStatus: 4 } as const
const dapAbort = 1

/** STICKYORUN, STICKYCMP and STICKYERR in CTRL/STAT, which ones clear. */
export const sticky = 0x32
export const stickyOverrun = 2

/** DAPABORT by itself, or an access. */
export type JtagAccess = Access | 'abort'

/** What says behind a row whether anything of it failed. */
export const askStatus: Access = { isAp: false, address: Dp.ControlStatus, read: 1 }

export class JtagRows {
  /** CTRL/STAT as it was written last. */
  #control = 0

  of(row: readonly Access[]): JtagAccess[] {
    const all: JtagAccess[] = []
    for (const access of row) {
      const { isAp, address } = access
      if (isAp || !('write' in access)) {
        all.push(access)
        continue
      }
      for (const write of typeof access.write === 'number' ? [access.write] : access.write) {
        if (address === Dp.ControlStatus) this.#control = write
        if (address !== Dp.Abort) all.push({ isAp, address, write })
        else all.push(...((write & dapAbort) !== 0 ? ['abort' as const] : []), this.clearing(sticky))
      }
    }
    return all
  }

  /** Of these sticky errors. */
  clearing(flags: number): Access & { readonly write: number } {
    return { isAp: false, address: Dp.ControlStatus, write: (this.#control | flags) >>> 0 }
  }
}
