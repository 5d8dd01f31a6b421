/**
 * What the page may do at all: run its own files, show its own pictures, download firmware over https.
 * As a <meta>, because a static host sends no headers; in the built page only, because Vite's dev server
 * needs a socket and inline styles. CSP Level 3; Trusted Types, section 4.
 */
import { createHash } from 'node:crypto'
import type { Plugin } from 'vite'

const directives = {
  'default-src': "'none'",
  'script-src': "'self'",
  'style-src': "'self'",
  'img-src': "'self' data: blob:",
  'connect-src': "'self' https:",
  'worker-src': "'self'",
  'manifest-src': "'self'",
  'font-src': "'none'",
  'object-src': "'none'",
  'base-uri': "'none'",
  'form-action': "'none'",
  'require-trusted-types-for': "'script'",
  // Svelte's own for its templates; `default` is src/host/trusted-scripts.ts
  'trusted-types': 'svelte-trusted-html default',
}

export function contentSecurityPolicy(): Plugin {
  return {
    name: 'content-security-policy',
    apply: 'build',
    transformIndexHtml: {
      order: 'post', // all that is in the page is in it
      handler: (html) => [
        {
          tag: 'meta',
          attrs: { 'http-equiv': 'Content-Security-Policy', content: policy(html) },
          injectTo: 'head-prepend', // it holds for what comes after it
        },
      ],
    },
  }
}

/** The script and the style that are in the page itself are allowed by their hashes. */
function policy(html: string): string {
  const inline: Readonly<Record<string, string>> = {
    'script-src': hashes(html, /<script>([^]*?)<\/script>/g),
    'style-src': hashes(html, /<style>([^]*?)<\/style>/g),
  }
  return Object.entries(directives)
    .map(([name, value]) => `${name} ${value}${inline[name] ?? ''}`)
    .join('; ')
}

const hashes = (html: string, elements: RegExp): string =>
  Array.from(
    html.matchAll(elements),
    ([, content = '']) => ` 'sha256-${createHash('sha256').update(content).digest('base64')}'`,
  ).join('')
