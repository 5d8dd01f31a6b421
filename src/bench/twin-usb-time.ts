/** What a transfer takes on a USB wire that nobody else uses (USB 2.0, 5.5 to 5.8; USB 3.0, 4.4). */
import type { UsbTwin } from './twin.ts'

type Speed = UsbTwin['speed']

/** Milliseconds of a frame and packets that fit into one; a low-speed device is asked once a frame. */
const frames: Readonly<Record<Speed, { readonly ms: number; readonly packets: number }>> = {
  low: { ms: 1, packets: 1 },
  full: { ms: 1, packets: 19 },
  high: { ms: 0.125, packets: 13 },
  super: { ms: 0.125, packets: 100 },
}

export const packetsOf = (length: number, packetSize: number, least = 1): number =>
  Math.max(least, Math.ceil(length / packetSize))

/** Bulk and control: as many packets in a frame as fit, and who asks next asks in the next frame. */
export const wireMs = (speed: Speed, packets: number): number =>
  Math.ceil(packets / frames[speed].packets) * frames[speed].ms

/** Interrupt: a frame carries one packet. */
export const reportMs = (speed: Speed, packets: number): number => packets * frames[speed].ms
