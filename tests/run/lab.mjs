/**
 * `npm run lab [-- --only TEXT] [--json FILE] [--trace FILE] [--record] [--keep] [--list]`: unmodified tools and Chromium against our
 * twins, through a real Linux kernel. Installs what it needs and ends with `N passed, N failed`.
 */
import { readdirSync, writeFileSync } from 'node:fs'
import { createInterface } from 'node:readline/promises'
import { parseArgs } from 'node:util'
import { installChromium, installMissing, installPackages, tool, typescript } from './machine.mjs'

const { values } = parseArgs({
  options: {
    only: { type: 'string' },
    json: { type: 'string' },
    trace: { type: 'string' },
    record: { type: 'boolean' },
    keep: { type: 'boolean' },
    list: { type: 'boolean' },
  },
})

const needed = {
  'qemu-system-x86': '/usr/bin/qemu-system-x86_64',
  kmod: '/sbin/modprobe',
  'busybox-static': '/bin/busybox',
  cpio: '/usr/bin/cpio',
  socat: '/usr/bin/socat',
  udev: '/lib/systemd/systemd-udevd',
  avrdude: '/usr/bin/avrdude',
  procps: '/usr/bin/pgrep',
  xvfb: '/usr/bin/Xvfb',
  xdotool: '/usr/bin/xdotool',
}

installPackages()
const server = await typescript()
let failed = 1
try {
  const { runLab } = await server.ssrLoadModule('/tests/lab/lab.ts')
  const files = readdirSync('tests/lab').filter((file) => file.endsWith('.case.ts'))
  const all = []
  for (const file of files) all.push(...(await server.ssrLoadModule(`/tests/lab/${file}`)).default)
  const cases = all.filter(({ name }) => name.toLowerCase().includes((values.only ?? '').toLowerCase()))
  if (values.list) console.log(cases.map(({ name }) => name).join('\n'))
  if (cases.length === 0) throw new Error(`no case has "${values.only}" in its name; --list names them`)
  if (values.list) process.exit(0)

  installMissing(needed)
  installChromium()
  if (tool('vite', ['build', '--logLevel', 'error'], { env: { ...process.env, NODE_ENV: 'production' } }))
    throw new Error('the site could not be built')

  const startedAt = performance.now()
  const results = await runLab({
    ...{ cases, trace: values.trace, records: values.record, log: console.log },
    keep: values.keep ? shell : undefined,
  })
  const seconds = (performance.now() - startedAt) / 1000
  console.log(`\nIt took ${(seconds / 60).toFixed(1)} minutes. By twin, what each case moved over the wire:`)
  for (const { twin, name, transfers, bytes } of results
    .filter(({ passed }) => passed)
    .sort((a, b) => a.twin.localeCompare(b.twin)))
    console.log(`${twin.padEnd(30)} ${`${transfers} transfers, ${bytes} bytes`.padEnd(34)} ${name}`)
  if (values.json) writeFileSync(values.json, JSON.stringify(results, null, 2) + '\n')
  failed = results.filter(({ passed }) => !passed).length
  console.log(`${results.length - failed} passed, ${failed} failed`)
} catch (error) {
  console.error(error instanceof Error ? error.message : error)
  console.log('0 passed, 1 failed')
} finally {
  await server.close()
}
process.exit(failed ? 1 : 0)

/** Lines from here run in the guest, until an empty one. */
async function shell(guest) {
  const terminal = createInterface({ input: process.stdin, output: process.stdout, prompt: 'guest# ' })
  terminal.prompt()
  for await (const line of terminal) {
    if (!line) break
    try {
      console.log((await guest.run(line, 600_000)).output)
    } catch (error) {
      console.log(error.message)
    }
    terminal.prompt()
  }
  terminal.close()
}
