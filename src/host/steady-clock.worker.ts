/** The other side of `steady-clock.ts`: says each number again after its time. */
onmessage = ({ data: { id, ms } }: MessageEvent<{ id: number; ms: number }>) => {
  setTimeout(() => {
    postMessage(id)
  }, ms)
}
