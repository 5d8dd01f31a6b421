/**
 * The three debug ports of an RP2040 at its SWD wires: two cores and the rescue port, told apart by TARGETSEL
 * (RP2040 data sheet, 2.3.4; ADIv5.2, B4.3). There is no nRESET here, and what is behind the cores' ports is given.
 */
import type { AccessPort } from './twin-mem-ap.ts'
import { SharedWires, SwdPort } from './twin-swd.ts'

export interface Rp2040SwdOptions {
  /** Of core 0 and core 1, seen from each. */
  readonly cores: readonly [AccessPort['bus'], AccessPort['bus']]
  /** The rescue port's CDBGPWRUPREQ: the chip restarts, and its boot ROM waits instead of running the flash. */
  readonly onRescue: () => void
}

const dpidr = 0x0bc1_2477
const targetId = 0x0100_2927
/** AHB-AP of a Cortex-M0+, and its ROM table. */
const ap = { idr: 0x0477_0031, base: 0xe00f_f003 }

export function rp2040Wires({ cores, onRescue }: Rp2040SwdOptions): SharedWires {
  const ports = cores.map(
    (bus, i) => new SwdPort({ dpidr, targetSelect: targetId + i * 0x1000_0000, aps: [{ ...ap, bus }] }),
  )
  const rescue = new SwdPort({
    dpidr,
    targetSelect: 0xf100_2927,
    aps: [],
    onPowerRequest: (isOn) => {
      if (isOn) onRescue()
    },
  })
  return new SharedWires([...ports, rescue])
}
