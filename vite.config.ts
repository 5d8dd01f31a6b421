/** One configuration for the site, the unit tests (Node) and the browser tests (Debian's Chromium). */
import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { paraglideVitePlugin } from '@inlang/paraglide-js'
import { svelte } from '@sveltejs/vite-plugin-svelte'
import { playwright } from '@vitest/browser-playwright'
import { VitePWA } from 'vite-plugin-pwa'
import type { Plugin } from 'vite'
import { defineConfig } from 'vitest/config'
import { assemblyScript } from './assemblyscript.js'
import { contentSecurityPolicy } from './content-security-policy.ts'
import manifest from './package.json' with { type: 'json' }
import { prerender } from './prerender.ts'

/** All paths are from here, wherever it is started from. */
const root = import.meta.dirname
const executablePath = process.env['CHROMIUM'] ?? '/usr/bin/chromium'

/** `0.1.0+1a2b3c4`: goes into certificates, so it must name the commit; a dirty tree says so. */
function build(): string {
  const git = (...args: string[]) =>
    execFileSync('git', args, { cwd: root, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim()
  try {
    return `${manifest.version}+${git('rev-parse', '--short=7', 'HEAD')}${git('status', '--porcelain') && '.dirty'}`
  } catch {
    return manifest.version // built from an archive without git
  }
}

/** The first page waits for no other file: its style is in it too, and the files of the app come behind it. */
function byItself(): Plugin {
  let style = ''
  return {
    name: 'by-itself',
    apply: 'build',
    generateBundle: {
      handler(_, bundle) {
        const entry = Object.values(bundle).find((file) => file.type === 'chunk' && file.isEntry)
        const files = (entry?.type === 'chunk' && entry.viteMetadata?.importedCss) || []
        style = Array.from(files, (name) => {
          const file = bundle[name]
          return file?.type === 'asset' ? file.source.toString().trim() : ''
        }).join('')
      },
    },
    transformIndexHtml: {
      order: 'post',
      handler(html) {
        const files = /\s*<(script type="module"[^>]*><\/script|link rel="stylesheet"[^>]*)>/g
        const moved = html.match(files)?.join('') ?? ''
        return html
          .replace(files, '')
          .replace('</head>', () => `<style>${style}</style></head>`)
          .replace('</body>', () => `${moved}\n  </body>`)
      },
    },
  }
}

export default defineConfig({
  root,
  base: './',
  define: { __BUILD__: JSON.stringify(build()) },
  plugins: [
    paraglideVitePlugin({
      project: join(root, 'src/ui/text/project.inlang'),
      outdir: join(root, 'src/ui/text/generated'),
      strategy: ['baseLocale'], // src/ui/state/locale.ts finds the language
      isServer: 'true', // so that it looks at no address and no cookie
      outputStructure: 'message-modules', // in the dev server too, so that both write the same folder
      emitReadme: false,
    }),
    svelte(),
    assemblyScript(),
    prerender(),
    byItself(),
    contentSecurityPolicy(),
    VitePWA({
      registerType: 'prompt',
      injectRegister: false,
      manifest: {
        name: 'Reflasher',
        short_name: 'Reflasher',
        description: 'Update, back up and rescue hardware programmers',
        display: 'standalone',
        start_url: './',
        background_color: '#f5f3ee',
        theme_color: '#f5f3ee',
        icons: [
          { src: 'icon.svg', sizes: 'any', type: 'image/svg+xml' },
          { src: 'icon-192.png', sizes: '192x192', type: 'image/png' },
          { src: 'icon-512.png', sizes: '512x512', type: 'image/png' },
          { src: 'icon-maskable.svg', sizes: 'any', type: 'image/svg+xml', purpose: 'maskable' },
        ],
      },
      includeManifestIcons: false, // the browser keeps those of an installed app itself
      workbox: {
        globPatterns: ['**/*.{html,js,css,svg}'],
        ignoreURLParametersMatching: [/.*/],
        skipWaiting: false, // src/host/offline-copy.ts asks for it, between jobs
        clientsClaim: true, // the first visit works offline at once
        importScripts: ['./sw-ignore-vary.js'],
        inlineWorkboxRuntime: true,
        sourcemap: false,
        babelPresetEnvTargets: ['chrome >= 120'],
      },
    }),
  ],
  build: {
    target: 'chrome120',
    modulePreload: {
      polyfill: false, // every browser with WebUSB has it
      // A list of the scripts behind each script makes the first load 1.5 kB longer, and no page ready earlier.
      resolveDependencies: (_, files) => files.filter((file) => file.endsWith('.css')),
    },
    sourcemap: true,
    rolldownOptions: {
      output: {
        // usbasp-driver-<hash>.js instead of driver-<hash>.js; the first load names most of them, so their hashes are short
        chunkFileNames: (chunk) => {
          const folder = /protocols\/([^/]+)\//.exec(chunk.facadeModuleId ?? '')?.[1]
          return `assets/${folder ? `${folder}-` : ''}[name]-[hash:7].js`
        },
        assetFileNames: 'assets/[name]-[hash:7][extname]',
      },
    },
  },
  worker: { format: 'es', plugins: () => [assemblyScript()] },
  test: {
    maxWorkers: 2, // by itself it leaves a second core to nobody
    projects: [
      {
        extends: true,
        test: {
          name: 'unit',
          environment: 'node',
          testTimeout: 30_000, // against a test that hangs; on a busy machine a first import alone takes five seconds
          include: [
            '{src,protocols}/**/*.test.ts',
            'tests/*.test.ts',
            'tests/{contract,fuzz,witness,lab}/**/*.test.ts',
          ],
        },
      },
      {
        extends: true,
        test: {
          name: 'browser',
          include: ['tests/browser/**/*.test.ts'],
          browser: {
            enabled: true,
            headless: true,
            screenshotFailures: false,
            provider: playwright({ launchOptions: { executablePath } }),
            instances: [{ browser: 'chromium' }],
          },
        },
      },
    ],
  },
})
