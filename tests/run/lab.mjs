/**
 * `npm run lab [-- --all] [--only TEXT] [--seed N] [--json FILE] [--trace FILE] [--record] [--keep] [--list]`: unmodified tools and
 * Chromium against our twins, through a real Linux kernel. Installs what it needs and ends with `N passed, N failed`.
 */
import { randomInt } from 'node:crypto'
import { readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline/promises'
import { parseArgs } from 'node:util'
import { given, installChromium, installMissing, installPackages, tool, typescript } from './machine.mjs'

const usage = `Usage: npm run lab -- [--all] [--only TEXT] [--seed N] [--json FILE] [--trace FILE.pcapng] [--record] [--keep] [--list]`

const values = understood()

const needed = {
  'qemu-system-x86': '/usr/bin/qemu-system-x86_64',
  kmod: '/sbin/modprobe',
  'busybox-static': '/bin/busybox',
  cpio: '/usr/bin/cpio',
  socat: '/usr/bin/socat',
  udev: '/lib/systemd/systemd-udevd',
  avrdude: '/usr/bin/avrdude',
  'dfu-util': '/usr/bin/dfu-util',
  'dfu-programmer': '/usr/bin/dfu-programmer',
  stm32flash: '/usr/bin/stm32flash',
  openocd: '/usr/bin/openocd',
  'stlink-tools': '/usr/bin/st-flash',
  binutils: '/usr/bin/objcopy',
  procps: '/usr/bin/pgrep',
  xvfb: '/usr/bin/Xvfb',
  xdotool: '/usr/bin/xdotool',
  usbip: '/usr/sbin/usbip',
}

installPackages()
const server = await typescript()
const stopping = new AbortController()
process.once('SIGINT', () => {
  console.log('\nstopping; what was run so far counts. Once more ends it at once.')
  process.once('SIGINT', () => process.exit(130))
  stopping.abort()
})
let failed = 1
/** What the site is built into: of this run alone, as two labs may run at once. */
const site = join(tmpdir(), `reflasher-site-${process.pid}`)
process.once('exit', () => rmSync(site, { recursive: true, force: true }))
try {
  const { runLab } = await server.ssrLoadModule('/tests/lab/lab.ts')
  const files = readdirSync('tests/lab').filter((file) => file.endsWith('.case.ts'))
  const all = []
  for (const file of files) all.push(...(await server.ssrLoadModule(`/tests/lab/${file}`)).default)
  const isNamed = ({ name }) => name.toLowerCase().includes((values.only ?? '').toLowerCase())
  const isAsked = ({ onDemand, recordAs, measuredAs }) =>
    values.all ||
    values.only !== undefined ||
    values.list ||
    (recordAs || measuredAs ? values.record : !onDemand)
  const cases = all.filter((one) => isNamed(one) && isAsked(one))
  if (cases.length === 0) throw new Error(`no case has "${values.only}" in its name; --list names them`)
  if (values.list) {
    console.log(cases.map(({ name }) => name).join('\n'))
    process.exit(0)
  }
  installMissing(needed)
  installChromium()
  const env = { ...process.env, NODE_ENV: 'production' }
  const build = ['build', '--outDir', site, '--emptyOutDir', '--logLevel', 'error']
  if (cases.some(({ opensSite }) => opensSite) && tool('vite', build, { env }))
    throw new Error('the site could not be built')

  const seed = Number(values.seed ?? randomInt(2 ** 32))
  console.log(`random images have the seed ${seed}`)
  const startedAt = performance.now()
  const results = await runLab({
    ...{ cases, seed, site, trace: given(values.trace), records: values.record, log: console.log },
    ...{ keep: values.keep ? shell : undefined, signal: stopping.signal },
  })
  const seconds = (performance.now() - startedAt) / 1000
  console.log(`\nIt took ${(seconds / 60).toFixed(1)} minutes.`)
  const moved = ({ transfers, bytes, ms }) =>
    `${transfers} transfers, ${bytes} bytes${ms === undefined ? '' : `, ${ms} ms on the wire and in the twin`}`
  const wired = results.filter(({ passed, twin }) => passed && twin)
  if (wired.length > 0) console.log("What each case moved over its first twin's wire:")
  for (const result of wired) console.log(`${moved(result).padEnd(34)} ${result.name}`)
  const rows = measured(results)
  if (rows.length > 0)
    console.log('\nThe same job on the same twin (a serial one counts what its bridge made of the line):')
  for (const job of new Set(rows.map(({ job }) => job))) {
    console.log(job)
    for (const row of rows.filter((one) => one.job === job))
      console.log(`  ${row.program.padEnd(10)} ${moved(row)}`)
  }
  if (values.json) writeFileSync(given(values.json), JSON.stringify(results, null, 2) + '\n')
  const passed = results.filter(({ passed }) => passed).length
  failed = cases.length - passed
  const missing = cases.length - results.length
  if (missing > 0) console.log(`${missing} were not run and count as failed`)
  console.log(`${passed} passed, ${failed} failed`)
} catch (error) {
  console.error(error instanceof Error ? error.message : error)
  console.log('0 passed, 1 failed')
} finally {
  await server.close()
}
process.exit(failed ? 1 : 0)

/** A case's name begins with its program's. */
function measured(results) {
  return results
    .filter(({ passed }) => passed)
    .flatMap(({ name, twin, measured }) =>
      measured.map(({ job, ...one }) => ({ program: name.split(',')[0], job: `${twin}: ${job}`, ...one })),
    )
}

function understood() {
  try {
    const { values } = parseArgs({
      options: {
        all: { type: 'boolean' },
        only: { type: 'string' },
        seed: { type: 'string' },
        json: { type: 'string' },
        trace: { type: 'string' },
        record: { type: 'boolean' },
        keep: { type: 'boolean' },
        list: { type: 'boolean' },
        help: { type: 'boolean' },
      },
    })
    const { seed } = values
    if (seed !== undefined && !/^\d{1,10}$/.test(seed)) throw new Error(`--seed ${seed}: a number`)
    if (!values.help) return values
    console.log(usage)
    process.exit(0)
  } catch (error) {
    console.error(`${error.message}\n${usage}`)
    process.exit(2)
  }
}

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
