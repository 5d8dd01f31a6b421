/** Holds the sources against the import table of ARCHITECTURE.md: who may know whom. */
import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'
import { describe, expect, test } from 'vitest'

const root = join(import.meta.dirname, '..')

interface Source {
  readonly path: string
  readonly text: string
  readonly imports: readonly { readonly to: string; readonly typeOnly: boolean }[]
}

const sources: readonly Source[] = ['src', 'protocols']
  .flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' }).map((file) => join(folder, file)),
  )
  .filter((path) => /\.(ts|svelte)$/.test(path) && !path.includes('/generated/') && !path.endsWith('.d.ts'))
  .map((path) => {
    const text = readFileSync(join(root, path), 'utf8')
    return { path, text, imports: importsOf(path, text) }
  })

/** Where each import leads, as a path from the root; packages keep their name. */
function importsOf(path: string, text: string): Source['imports'] {
  const pattern =
    /(?:^|\n)\s*(import|export)\s+(type\s)?[^'"`;]*?from\s+['"]([^'"]+)['"]|import\(\s*['"]([^'"]+)['"]|import\s+['"]([^'"]+)['"]/g
  return [...text.matchAll(pattern)].map(([, , type, from, dynamic, bare]) => {
    const name = from ?? dynamic ?? bare ?? ''
    const to = name.startsWith('#protocols/')
      ? name.slice(1)
      : name.startsWith('#')
        ? `src/${name.slice(1)}`
        : name.startsWith('.')
          ? normalize(join(dirname(path), name))
          : name
    return { to, typeOnly: type !== undefined }
  })
}

const layer = (path: string): string =>
  path.startsWith('protocols/')
    ? path.split('/').slice(0, 2).join('/')
    : path.split('/').slice(0, 2).join('/')

/** Layer → what it may import. A protocol's own rules are below. */
const allowed: Readonly<Record<string, readonly string[]>> = {
  'src/core': [],
  'src/transport': ['src/core'],
  'src/host': ['src/core'],
  'src/chips': ['src/core'],
  'src/kernels': [],
  'src/firmware': ['src/core', 'src/kernels'],
  'src/inspector': ['src/core', 'src/chips', 'src/firmware'],
  'src/worker': ['src/core', 'src/firmware', 'src/inspector', 'src/kernels'],
  'src/store': ['src/core', 'src/firmware'],
  'src/catalogue': ['src/core', 'src/firmware'],
  'src/jobs': [
    'src/core',
    'src/firmware',
    'src/inspector',
    'src/store',
    'src/catalogue',
    'src/worker',
    'src/transport',
  ],
  'src/bench': ['src/core', 'src/chips/avr-parts.ts'],
  'src/ui': [
    'src/core',
    'src/jobs',
    'src/store',
    'src/catalogue',
    'src/firmware',
    'src/inspector',
    'src/worker',
    'src/bench',
    'src/host',
    'src/transport/devices.ts',
    'src/transport/replay.ts',
    'src/transport/report-file.ts',
    'src/chips/avr-fuses.ts',
    'src/chips/avr-parts.ts',
  ],
  'src/App.svelte': ['src/ui', 'src/host'],
  'src/early.ts': ['src/ui', 'src/host'],
  'src/main.ts': ['src/App.svelte', 'src/ui', 'src/host'],
}
const packages: Readonly<Record<string, readonly string[]>> = {
  'src/firmware': ['@zip.js/zip.js', '@noble/hashes', '@noble/ciphers'],
  'src/worker': ['hash-wasm'],
  'src/transport': ['zod'],
  'src/store': ['idb', 'zod', '@zip.js/zip.js'],
  'src/catalogue': ['zod', 'uqr'],
  'src/jobs': ['zod'],
  'protocols/stlink': ['@noble/ciphers'],
  'src/ui': ['svelte', 'workbox-window', 'virtual:pwa-register'],
  'src/App.svelte': ['svelte'],
  'src/main.ts': ['svelte'],
}

/** Tests and what only they use: `x.test.ts`, `test-x.ts`. */
const isTest = (path: string) => /(\.test|\/test-[^/]*)\.ts$/.test(path)
const isSource = (to: string) => to.startsWith('src/') || to.startsWith('protocols/')
const within = (to: string, places: readonly string[]) =>
  places.some((place) => to === place || to.startsWith(`${place}/`))

/** Every import of the sources that `wrong` objects to, as `file → target`. */
const objections = (wrong: (source: Source, to: string, typeOnly: boolean) => boolean) =>
  sources
    .filter(({ path }) => !isTest(path))
    .flatMap((source) =>
      source.imports
        .filter(({ to, typeOnly }) => wrong(source, to, typeOnly))
        .map(({ to }) => `${source.path} → ${to}`),
    )

test('imports of src go down only', () => {
  const wrong = objections(({ path }, to) => {
    if (!path.startsWith('src/')) return false
    const own = layer(path)
    return isSource(to) ? !within(to, [own, ...(allowed[own] ?? [])]) : !within(to, packages[own] ?? [])
  })
  expect(wrong).toEqual([])
})

test('a protocol knows no neighbour, no device of the browser and no screen; a twin not its driver', () => {
  const wrong = objections(({ path }, to, typeOnly) => {
    if (!path.startsWith('protocols/')) return false
    const twin = /\/(twin|practice)[^/]*\.ts$/.test(path)
    if (within(to, [layer(path)])) return twin && to.endsWith('/driver.ts')
    if (within(to, ['src/core', 'src/chips'])) return false
    if (to === 'src/transport/usb-descriptors.ts') return false // asks through a link, as a driver does
    if (to.startsWith('src/transport/')) return !typeOnly
    if (within(to, packages[layer(path)] ?? [])) return false
    return !(twin && /^src\/bench\/twin[^/]*\.ts$/.test(to))
  })
  expect(wrong).toEqual([])
})

describe('each API has one home', () => {
  const uses = (pattern: RegExp, homes: readonly string[]) =>
    sources
      .filter(({ path, text }) => !isTest(path) && !within(path, homes) && pattern.test(text))
      .map(({ path }) => path)

  test('navigator, document and window stay in transport, host and the screens', () => {
    expect(uses(/\bnavigator\.(?!locks)/, ['src/transport', 'src/host'])).toEqual([])
    expect(uses(/\bnavigator\.locks/, ['src/host', 'src/worker'])).toEqual([])
    expect(
      uses(/\b(document|window)\./, [
        'src/transport',
        'src/host',
        'src/ui',
        'src/early.ts',
        'src/main.ts',
        'src/App.svelte',
      ]),
    ).toEqual([])
  })

  test('waiting is done with the clock that is handed in', () => {
    expect(
      uses(/\b(setTimeout|setInterval|Date\.now)\b/, [
        'src/core/time.ts',
        'src/bench/virtual-clock.ts',
        'src/host',
        'src/ui',
        'src/worker',
      ]),
    ).toEqual([])
  })

  test('no text is parsed as HTML and no code as text', () => {
    expect(uses(/\{@html|innerHTML|insertAdjacentHTML|\beval\(|new Function\(/, [])).toEqual([])
  })
})

test('no error is swallowed without a reason', () => {
  const silent = sources
    .filter(({ text }) => /catch\s*(\([^)]*\))?\s*\{\s*\}/.test(text))
    .map(({ path }) => path)
  expect(silent).toEqual([])
})
