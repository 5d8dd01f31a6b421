/** Calls `run` when what was changed until now has been drawn; in a hidden tab or in Node, which draw nothing, never. */
export function onceDrawn(run: () => void): void {
  if (typeof requestAnimationFrame === 'undefined') return
  requestAnimationFrame(() => {
    const { port1, port2 } = new MessageChannel()
    port1.onmessage = run // a task behind the frame
    port2.postMessage(undefined)
  })
}
