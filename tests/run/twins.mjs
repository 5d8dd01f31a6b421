/**
 * `npm run twins -- --list`: the twins. `npm run twins -- serve ID… [--port 3240] [--fault KIND=N] [--trace FILE]`: shows
 * them to any Linux with vhci-hcd, at 127.0.0.1 only (`usbip attach -r 127.0.0.1 -b 1-1`). `… serve ID --line PORT
 * [--baud 115200] [--fault KIND=N]`: a serial twin's line as a TCP socket; `socat PTY,link=/tmp/tty,rawer,wait-slave
 * TCP:127.0.0.1:PORT` makes a pty of it, once for each program that opens it.
 */
import { parseArgs } from 'node:util'
import { given, installPackages, typescript } from './machine.mjs'

const usage = `Usage: npm run twins -- --list
       npm run twins -- serve ID… [--port 3240] [--fault KIND=N] [--trace FILE.pcapng]
       npm run twins -- serve ID --line PORT [--baud 115200] [--fault KIND=N]
Only this computer reaches them, at 127.0.0.1. A fault is one of the first twin's Nth transfer (of a line: the Nth write)
since it was attached (or connected to), and strikes once. KIND: unplug (for two seconds), stall, short, hang, late, flip, flip-out.`
const faults = {
  ...{ unplug: 'unplugAt', stall: 'stallAt', short: 'shortAt', hang: 'hangAt', late: 'lateAt' },
  ...{ flip: 'flipAt', 'flip-out': 'flipOutAt' },
}

const asked = understood()
installPackages()
const server = await typescript()
if (asked.list) {
  const { shelf } = await server.ssrLoadModule('/src/bench/bench.ts')
  for (const { id, name, dials } of await shelf())
    console.log(`${id.padEnd(32)} ${name}  [${dials.join(' ')}]`)
  await server.close()
  process.exit(0)
}
try {
  const { serve, serveLine } = await server.ssrLoadModule('/tests/lab/serve.ts')
  const options = { ...asked, log: console.log }
  const { port } = await (asked.baud ? serveLine(options, asked.baud) : serve(options))
  for (const [i, id] of asked.baud ? [] : asked.ids.entries()) console.log(`1-${i + 1} ${id}`)
  console.log(`ready at 127.0.0.1:${port}`)
} catch (error) {
  console.error(error instanceof Error ? error.message : error)
  process.exit(1)
}

function understood() {
  try {
    const { values, positionals } = parseArgs({
      allowPositionals: true,
      options: {
        list: { type: 'boolean' },
        port: { type: 'string' },
        fault: { type: 'string', multiple: true, default: [] },
        trace: { type: 'string' },
        line: { type: 'string' },
        baud: { type: 'string' },
      },
    })
    const { list, port, fault, trace, line, baud } = values
    const [command, ...ids] = positionals
    if (list) return { list }
    if (command !== 'serve' || ids.length === 0) throw new Error('what is to be served?')
    if (line === undefined && baud) throw new Error('--baud is for --line')
    if (line !== undefined && (trace || port)) throw new Error('--trace and --port are not for --line')
    if (line !== undefined && ids.length > 1) throw new Error(`--line is for one twin, not for ${ids.length}`)
    return {
      ids,
      port: number('--port or --line', line ?? port ?? '3240', 0, 65535),
      baud: line === undefined ? undefined : number('--baud', baud ?? '115200', 1, 4_000_000),
      faults: Object.fromEntries(fault.map(faultOf)),
      trace: given(trace),
    }
  } catch (error) {
    console.error(`${error.message}\n${usage}`)
    process.exit(2)
  }
}

function number(name, text, least, most) {
  if (/^\d+$/.test(text) && Number(text) >= least && Number(text) <= most) return Number(text)
  throw new Error(`${name} ${text}: a number from ${least} to ${most}`)
}

function faultOf(text) {
  const [kind, at = ''] = text.split('=')
  if (!Object.hasOwn(faults, kind))
    throw new Error(`--fault ${text}: KIND=N, KIND one of ${Object.keys(faults).join(', ')}`)
  return [faults[kind], number(`--fault ${kind}`, at, 1, Number.MAX_SAFE_INTEGER)]
}
