/**
 * The first page inside index.html, in every language: it is there, and keeps what is pressed, before the
 * app's script has come. `src/early.ts` shows it. In the built page only; the dev server mounts the app.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { svelte } from '@sveltejs/vite-plugin-svelte'
import type { Component } from 'svelte'
import { render } from 'svelte/server'
import { build, runnerImport, type Plugin, type Rolldown } from 'vite'
import inlang from './src/ui/text/project.inlang/settings.json' with { type: 'json' }

type Texts = typeof import('./src/ui/text/en/app.json')

const root = import.meta.dirname
const early = '<script type="module" src="/src/early.ts"></script>'

export function prerender(): Plugin {
  return {
    name: 'prerender',
    apply: 'build',
    transformIndexHtml: {
      order: 'pre',
      async handler(html) {
        const inline = (await pages()) + `<script>${await earlyScript()}</script>`
        return html.replace(early, () => inline)
      },
    },
  }
}

async function earlyScript(): Promise<string> {
  const rolldownOptions = { input: join(root, 'src/early.ts'), output: { format: 'iife' } } as const
  const built = await build({
    root,
    configFile: false,
    logLevel: 'warn',
    build: { target: 'chrome120', write: false, copyPublicDir: false, rolldownOptions },
  })
  return (built as Rolldown.RolldownOutput).output[0].code.trim()
}

async function pages(): Promise<string> {
  const { module } = await runnerImport<{ default: Component }>('/src/App.svelte', {
    root,
    logLevel: 'warn',
    plugins: [svelte({ emitCss: false })],
  })
  return inlang.locales
    .map((lang) => {
      const texts = readFileSync(join(root, `src/ui/text/${lang}/app.json`), 'utf8')
      const { app_failed: failed, app_late: late } = JSON.parse(texts) as Texts
      const body = inBrowser(lang, () => render(module.default).body)
      return `<template lang="${lang}" data-failed="${failed}" data-late="${late}">${body}</template>`
    })
    .join('')
}

/** Runs this where there is as much of a browser as the first page looks at: both ways to devices, and no device. */
function inBrowser<T>(lang: string, run: () => T): T {
  const nothing = () => Promise.resolve([])
  const none = { addEventListener: () => undefined, getDevices: nothing, getPorts: nothing }
  const browser = {
    addEventListener: () => undefined,
    document: { documentElement: { lang } },
    location: { hash: '' },
    navigator: { userAgent: '', usb: none, serial: none },
  }
  const before = Object.keys(browser).map(
    (name) => [name, Object.getOwnPropertyDescriptor(globalThis, name)] as const,
  )
  for (const [name, value] of Object.entries(browser))
    Object.defineProperty(globalThis, name, { value, configurable: true })
  try {
    return run()
  } finally {
    for (const [name, own] of before) {
      Reflect.deleteProperty(globalThis, name)
      if (own) Object.defineProperty(globalThis, name, own)
    }
  }
}
