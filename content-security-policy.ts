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
    transformIndexHtml: (html) => [
      {
        tag: 'meta',
        attrs: { 'http-equiv': 'Content-Security-Policy', content: policy(html) },
        injectTo: 'head-prepend', // it holds for what comes after it
      },
    ],
  }
}

/** An inline script is named by its hash: `prerender.ts` has one. */
function policy(html: string): string {
  const hashes = [...html.matchAll(/<script>([^]*?)<\/script>/g)].map(
    ([, code = '']) => ` 'sha256-${createHash('sha256').update(code).digest('base64')}'`,
  )
  return Object.entries({ ...directives, 'script-src': directives['script-src'] + hashes.join('') })
    .map(([name, value]) => `${name} ${value}`)
    .join('; ')
}
