/**
 * What runs in an STM32F1's or F0's RAM: a job is a page, erased, and so many halfwords programmed there, as fast as the
 * controller takes them. Source: ST, PM0075 ("Main Flash memory erase", "programming").
 */
import type { FedJob, FedPlaces } from './fed-routine.ts'

/**
 * r0 and r1 slots, r3 the controller. A slot: [0] source, [4] page, [8] how many halfwords, [12] state; 1 is ready, 0
 * done, else the status register with its error.
 *
 *     next: ldr r4, [r0, #12]; cmp r4, #1; bhi end; bne next
 *           movs r4, #2; str r4, [r3, #16]; ldr r5, [r0, #4]; str r5, [r3, #20]; movs r4, #0x42; str r4, [r3, #16]
 *           bl wait; movs r4, #1; str r4, [r3, #16]; ldr r6, [r0]; ldr r7, [r0, #8]
 *     more: subs r7, #1; bmi done
 *           ldrh r4, [r6]; strh r4, [r5]; adds r6, #2; adds r5, #2; bl wait; b more
 *     done: movs r4, #0; str r4, [r0, #12]; movs r4, r0; movs r0, r1; movs r1, r4; b next
 *     wait: ldr r4, [r3, #12]; lsrs r2, r4, #1; bcs wait
 *           movs r2, #0x14; tst r4, r2; bne fail; bx lr
 *     fail: str r4, [r0, #12]
 *     end:  bkpt; bkpt
 */
const code = Uint8Array.from([
  ...[0xc4, 0x68, 0x01, 0x2c, 0x23, 0xd8, 0xfb, 0xd1, 0x02, 0x24, 0x1c, 0x61],
  ...[0x45, 0x68, 0x5d, 0x61, 0x42, 0x24, 0x1c, 0x61, 0x00, 0xf0, 0x13, 0xf8],
  ...[0x01, 0x24, 0x1c, 0x61, 0x06, 0x68, 0x87, 0x68, 0x01, 0x3f, 0x06, 0xd4],
  ...[0x34, 0x88, 0x2c, 0x80, 0x02, 0x36, 0x02, 0x35, 0x00, 0xf0, 0x07, 0xf8],
  ...[0xf6, 0xe7, 0x00, 0x24, 0xc4, 0x60, 0x04, 0x00, 0x08, 0x00, 0x21, 0x00],
  ...[0xe0, 0xe7, 0xdc, 0x68, 0x62, 0x08, 0xfc, 0xd2, 0x14, 0x22, 0x14, 0x42],
  ...[0x00, 0xd1, 0x70, 0x47, 0xc4, 0x60, 0x00, 0xbe, 0x00, 0xbe, 0x00, 0xbe],
])

const ram = 0x2000_0000
/** Data sheets give 40 ms at most for an erase, 70 µs for a halfword. */
const eraseMs = 1000
const halfwordMs = 1

/** Of chips whose pages are so large. The smallest have 4 KiB of RAM. */
export const fpecPlaces = (pageBytes: number, controller: number): FedPlaces => ({
  ...{ code, at: ram, slotsAt: ram + 0x100, mostBytes: pageBytes },
  registers: [0, controller],
})

/** `bytes`: whole halfwords; what follows them in the page stays blank. */
export const fpecJob = (page: number, bytes: Uint8Array): FedJob => ({
  ...{ bytes, words: [page, bytes.length / 2] },
  timeoutMs: eraseMs + (bytes.length / 2) * halfwordMs,
})
