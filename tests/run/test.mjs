/**
 * `npm test`: build, format, lint, types, unit and browser tests, stories in Chromium. Runs all of it even
 * after a failure, and ends with `N passed, N failed`.
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { installChromium, installMissing, installPackages, tool } from './machine.mjs'

installPackages()
installChromium()
// What `src/firmware/reference-tools.test.ts` holds our formats against.
installMissing({
  binutils: '/usr/bin/objcopy',
  srecord: '/usr/bin/srec_cat',
  'dfu-util': '/usr/bin/dfu-suffix',
  'android-sdk-libsparse-utils': '/usr/bin/img2simg',
  gzip: '/usr/bin/gzip',
  tar: '/usr/bin/tar',
  zip: '/usr/bin/zip',
})

const reports = mkdtempSync(join(tmpdir(), 'reflasher-'))
let passed = 0
let failed = 0
const failures = []

function check(name, packageName, args) {
  count(name, tool(packageName, args) === 0 ? [1, 0] : [0, 1])
}

function count(name, [good, bad]) {
  console.log(`— ${name}: ${good} passed, ${bad} failed\n`)
  passed += good
  failed += bad
  if (bad) failures.push(name)
}

/** A test runner's counts from its JSON report; no readable report is one failure. */
function suite(name, packageName, args, read, env) {
  const report = join(reports, `${name}.json`)
  const code = tool(packageName, args(report), { env: { ...process.env, ...env(report) } })
  let counts = [0, 1]
  try {
    counts = read(JSON.parse(readFileSync(report, 'utf8')))
  } catch (error) {
    console.error(`${name} left no readable report: ${error.message}`)
  }
  if (code !== 0 && counts[1] === 0) counts[1] = 1
  count(name, counts)
}

check('build', 'vite', ['build', '--logLevel', 'warn'])
check('format', 'prettier', ['--check', '--log-level', 'warn', '.'])
check('lint', 'eslint', ['.'])
check('types', 'svelte-check', ['--tsconfig', 'tsconfig.json', '--threshold', 'error', '--output', 'human'])
suite(
  'unit and browser tests',
  'vitest',
  (report) => ['run', '--reporter=default', '--reporter=json', `--outputFile.json=${report}`],
  (json) => [json.numPassedTests, json.numFailedTests + json.numFailedTestSuites],
  () => ({}),
)
suite(
  'stories',
  '@playwright/test',
  () => ['test', '--reporter=list,json'],
  ({ stats }) => [stats.expected, stats.unexpected + stats.flaky],
  (report) => ({ PLAYWRIGHT_JSON_OUTPUT_FILE: report }),
)

rmSync(reports, { recursive: true })
if (failures.length) console.log(`Failed: ${failures.join(', ')}`)
console.log(`${passed} passed, ${failed} failed`)
process.exit(failed ? 1 : 0)
