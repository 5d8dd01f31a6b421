/**
 * `npm run twins -- --list`: the twins. `npm run twins -- serve ID… [--port 3240] [--fault KIND=N] [--trace FILE]`: shows
 * them to any Linux with vhci-hcd (`usbip attach -r HOST -b 1-1`). `… serve ID --line PORT [--baud 115200] [--fault KIND=N]`: a serial
 * twin's line as a TCP socket; `socat PTY,link=/tmp/tty,rawer TCP:127.0.0.1:PORT` makes a pty of it.
 */
import { parseArgs } from 'node:util'
import { installPackages, typescript } from './machine.mjs'

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    list: { type: 'boolean' },
    port: { type: 'string', default: '3240' },
    fault: { type: 'string', multiple: true, default: [] },
    trace: { type: 'string' },
    line: { type: 'string' },
    baud: { type: 'string', default: '115200' },
  },
})
const [command, ...ids] = positionals
const faultKinds = ['unplug', 'stall', 'short', 'hang']

installPackages()
const server = await typescript()
if (values.list) {
  const { shelf } = await server.ssrLoadModule('/src/bench/bench.ts')
  for (const { id, name, dials } of await shelf())
    console.log(`${id.padEnd(32)} ${name}  [${dials.join(' ')}]`)
  await server.close()
  process.exit(0)
}
if (command !== 'serve' || ids.length === 0) {
  console.error(
    'Usage: npm run twins -- --list | serve ID… [--port N] [--fault unplug|stall|short|hang=N] [--trace FILE]',
  )
  process.exit(2)
}
try {
  const { serve, serveLine } = await server.ssrLoadModule('/tests/lab/serve.ts')
  const options = { ids, faults: faultsOf(values.fault), trace: values.trace }
  if (values.line) await serveLine({ ...options, port: Number(values.line) }, Number(values.baud))
  else await serve({ ...options, port: Number(values.port) })
  console.log('ready')
} catch (error) {
  console.error(error instanceof Error ? error.message : error)
  process.exit(1)
}

function faultsOf(given) {
  const faults = {}
  for (const one of given) {
    const [kind, at] = one.split('=')
    if (!faultKinds.includes(kind) || !(Number(at) > 0))
      throw new Error(`--fault ${one}: KIND=N, KIND one of ${faultKinds}`)
    faults[`${kind}At`] = Number(at)
  }
  return faults
}
