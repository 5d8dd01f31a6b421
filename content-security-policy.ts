/**
 * What the page may do at all: run its own files, show its own pictures, download firmware over https.
 * As a <meta>, because a static host sends no headers; in the built page only, because Vite's dev server
 * needs a socket and inline styles. CSP Level 3; Trusted Types, section 4.
 */
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
  const content = Object.entries(directives)
    .map(([name, value]) => `${name} ${value}`)
    .join('; ')
  return {
    name: 'content-security-policy',
    apply: 'build',
    transformIndexHtml: () => [
      {
        tag: 'meta',
        attrs: { 'http-equiv': 'Content-Security-Policy', content },
        injectTo: 'head-prepend', // it holds for what comes after it
      },
    ],
  }
}
