/**
 * A static host for the built site that can do what a real one does and `vite preview` cannot: vanish, send
 * an unkind `Vary`, and publish the next release.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { extname, join } from 'node:path'

const dist = join(import.meta.dirname, '../../dist')
const types: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript',
  '.css': 'text/css',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
  '.webmanifest': 'application/manifest+json',
}

/** Every file of the site that a page may ask for, as a path from the site's root. */
export const siteFiles: readonly string[] = readdirSync(dist, { recursive: true, encoding: 'utf8' }).filter(
  (file) => extname(file) in types,
)

export class StaticHost {
  readonly url: string
  readonly #server: Server
  #release = 1

  private constructor(server: Server, url: string) {
    this.#server = server
    this.url = url
  }

  static async start(): Promise<StaticHost> {
    const server = createServer()
    await new Promise<void>((resolve) => server.listen(0, 'localhost', resolve))
    const { port } = server.address() as AddressInfo
    const host = new StaticHost(server, `http://localhost:${String(port)}/`)
    server.on('request', ({ url = '/' }, response) => {
      const file = new URL(url, 'http://host').pathname.replace(/\/$/, '/index.html').slice(1)
      if (!siteFiles.includes(file)) return response.writeHead(404).end()
      const headers = {
        'content-type': types[extname(file)],
        'cache-control': 'no-cache',
        vary: 'Origin, Accept',
      }
      return response.writeHead(200, headers).end(host.#read(file))
    })
    return host
  }

  /** From now on the page says `data-release="2"`, and the worker keeps that page. */
  publishNext(): void {
    this.#release++
  }

  /** Gone, open connections included. */
  async stop(): Promise<void> {
    this.#server.closeAllConnections()
    await new Promise((resolve) => this.#server.close(resolve))
  }

  #read(file: string): string | Buffer {
    const content = readFileSync(join(dist, file))
    const release = String(this.#release)
    if (file === 'index.html') return content.toString().replace('<html', `<html data-release="${release}"`)
    if (file === 'sw.js') return content.toString().replace(/(index\.html",revision:")[^"]*/, `$1${release}`)
    return content
  }
}
