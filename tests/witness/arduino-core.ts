/**
 * Finds the boot loader images of Debian's package arduino-core-avr: installed, or fetched once into a cache
 * outside the tree. They are witnesses only and never become part of this repository.
 */
import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'

const packageName = 'arduino-core-avr'
const folder = 'usr/share/arduino/hardware/arduino/avr/bootloaders'
const cache = join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'reflasher', packageName)

/** The bytes of e.g. `optiboot/optiboot_atmega8.hex`; throws a sentence that says what to install. */
export function bootLoaderFile(path: string): Uint8Array {
  return readFileSync(join(bootLoaders(), path))
}

function bootLoaders(): string {
  for (const root of ['/', cache]) if (existsSync(join(root, folder))) return join(root, folder)
  try {
    fetchPackage()
  } catch (cause) {
    throw new Error(
      `The witness tests need Debian's package ${packageName}: "sudo apt-get install ${packageName}", or on ` +
        `another system unpack the package so that ${join(cache, folder)} exists.`,
      { cause },
    )
  }
  return join(cache, folder)
}

/** Needs apt and dpkg, but no root, unless apt has no package lists yet. */
function fetchPackage(): void {
  mkdirSync(cache, { recursive: true })
  const run = (command: string, ...args: string[]) =>
    execFileSync(command, args, { cwd: cache, stdio: 'pipe', timeout: 120_000 })
  try {
    run('apt-get', 'download', packageName)
  } catch {
    run('apt-get', 'update', '-qq') // a new machine knows no packages
    run('apt-get', 'download', packageName)
  }
  const file = readdirSync(cache).find((name) => name.endsWith('.deb'))
  if (file === undefined) throw new Error('apt-get download left no file')
  run('dpkg', '-x', file, '.')
}
