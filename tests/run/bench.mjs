/**
 * `npm run bench [-- NAME…] [--json FILE]`: runs tests/bench/*.bench.ts (all, or those named), prints a table
 * each and writes the figures with what they were measured on.
 */
import { execFileSync } from 'node:child_process'
import { readdirSync, writeFileSync } from 'node:fs'
import { cpus } from 'node:os'
import { parseArgs } from 'node:util'
import { installPackages, typescript } from './machine.mjs'

const { values, positionals } = parseArgs({ options: { json: { type: 'string' } }, allowPositionals: true })

installPackages()
const server = await typescript('bench')

const results = []
try {
  const files = readdirSync('tests/bench').filter((file) => file.endsWith('.bench.ts'))
  const benches = []
  for (const file of files) benches.push((await server.ssrLoadModule(`/tests/bench/${file}`)).default)
  const unknown = positionals.filter((name) => !benches.some((bench) => bench.name === name))
  if (unknown.length)
    throw new Error(
      `There is no bench ${unknown.join(', ')}; there are ${benches.map(({ name }) => name).join(', ')}.`,
    )

  for (const { name, about, run } of benches) {
    if (positionals.length && !positionals.includes(name)) continue
    const rows = await run()
    results.push({ name, about, rows })
    console.log(`\n${name}: ${about}\n${table(rows)}`)
  }
} catch (error) {
  console.error(error)
  process.exitCode = 1
} finally {
  await server.close()
}
if (values.json)
  writeFileSync(values.json, JSON.stringify({ environment: environment(), results }, null, 2) + '\n')

function table(rows) {
  const columns = [...new Set(rows.flatMap((row) => Object.keys(row)))]
  const cells = [columns, ...rows.map((row) => columns.map((column) => shown(row[column])))]
  const widths = columns.map((_, i) => Math.max(...cells.map((line) => line[i].length)))
  const isNumber = columns.map((column) => rows.every((row) => typeof row[column] !== 'string'))
  return cells
    .map((line) =>
      line
        .map((cell, i) => (isNumber[i] ? cell.padStart(widths[i]) : cell.padEnd(widths[i])))
        .join('  ')
        .trimEnd(),
    )
    .join('\n')
}

/** Three figures that count; whole numbers whole. */
function shown(value) {
  if (typeof value !== 'number') return value ?? ''
  if (Number.isInteger(value) || Math.abs(value) >= 100) return String(Math.round(value))
  return value.toPrecision(3)
}

function environment() {
  const git = (...args) =>
    execFileSync('git', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim()
  const commit = () => git('rev-parse', 'HEAD') + (git('status', '--porcelain') && '.dirty')
  return {
    commit: attempt(commit),
    node: process.version,
    platform: `${process.platform} ${process.arch}`,
    processor: `${cpus().length} x ${cpus()[0]?.model ?? 'unknown'}`,
    date: new Date().toISOString(),
  }
}

function attempt(read) {
  try {
    return read()
  } catch {
    return 'unknown' // an archive without git
  }
}
