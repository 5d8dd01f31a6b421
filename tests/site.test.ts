/** The built site (`npm run build` first): what the first visit loads, and what it may load at all. */
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { expect, test } from 'vitest'
import de from '../src/ui/text/de/bench.json' with { type: 'json' }
import en from '../src/ui/text/en/bench.json' with { type: 'json' }

const dist = join(import.meta.dirname, '..', 'dist')
const read = (path: string) => readFileSync(join(dist, path), 'utf8')

/** What is inside the page itself. */
const inline = (tag: 'script' | 'style') =>
  [...read('index.html').matchAll(new RegExp(`<${tag}>([^]*?)</${tag}>`, 'g'))].map(([, text = '']) => text)

/** The entry script and everything that it imports statically, transitively. */
function firstLoad(): string[] {
  const entries = [...read('index.html').matchAll(/(?:src|href)="\.\/(assets\/[^"]+\.js)"/g)].map(
    ([, path]) => path ?? '',
  )
  const seen = new Set<string>()
  const visit = (path: string) => {
    if (seen.has(path)) return
    seen.add(path)
    for (const [, name] of read(path).matchAll(/(?:import|from)\s*["']\.\/([^"']+\.js)["']/g))
      visit(`assets/${name ?? ''}`)
  }
  entries.forEach(visit)
  return [...seen]
}

test('the first load is at most 30 kB of script, compressed', () => {
  const scripts = firstLoad()
  const bytes = [...scripts.map(read), ...inline('script')]
    .map((code) => gzipSync(code, { level: 9 }).length)
    .reduce((sum, size) => sum + size, 0)
  expect(scripts).not.toEqual([])
  expect(bytes).toBeLessThanOrEqual(30_000)
})

test('no protocol code is in the first load', () => {
  expect(firstLoad().filter((path) => /(driver|twin|packets)-/.test(path))).toEqual([])
})

test('the page loads nothing from anywhere else', () => {
  const outside = [...read('index.html').matchAll(/(?:src|href)="(https?:)?\/\/[^"]*"/g)].map(([all]) => all)
  expect(outside).toEqual([])
})

test('the page runs its own files and the one script in it, and makes no code of anything else', () => {
  const policy = read('index.html').replaceAll('&#39;', "'")
  const hash = (text = '') => createHash('sha256').update(text).digest('base64')
  for (const tag of ['script', 'style'] as const) {
    expect(inline(tag)).toHaveLength(1)
    expect(policy).toContain(`${tag}-src 'self' 'sha256-${hash(inline(tag)[0])}';`)
  }
})

test('the page has the first page in it, in every language, and all of it takes at most 6 kB compressed', () => {
  for (const { bench_title } of [en, de])
    expect(read('index.html')).toMatch(new RegExp(`<template lang=[^]*<h1[^>]*>${bench_title}</h1>`))
  expect(gzipSync(read('index.html'), { level: 9 }).length).toBeLessThanOrEqual(6000)
})
