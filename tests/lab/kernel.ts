/**
 * Debian's kernel as the lab boots it: downloaded and unpacked, never installed, kept outside the project; and
 * a first file system with busybox, the modules and `guest/init`.
 */
import { execFileSync } from 'node:child_process'
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { homedir } from 'node:os'
import { basename, join } from 'node:path'

const modules =
  'virtio_pci 9pnet_virtio 9p overlay virtio_net vhci-hcd cdc-acm ch341 cp210x ftdi_sio usbhid hid-generic usbmon virtio_rng'

export const cache = join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'reflasher-lab')

const output = (command: string, args: readonly string[], cwd?: string): string =>
  execFileSync(command, args, {
    ...{ encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] },
    env: { ...process.env, PATH: `${process.env['PATH'] ?? ''}:/usr/sbin:/sbin` }, // depmod, modprobe
    ...(cwd && { cwd }),
  })

export interface Kernel {
  readonly image: string
  readonly firstFiles: string
}

/** `work`: a folder of this lab alone, for the first files. */
export function kernel(work: string): Kernel {
  const root = unpacked()
  const [version] = readdirSync(join(root, 'lib/modules'))
  if (!version) throw new Error(`${root} has no modules`)
  const firstFiles = join(work, 'first-files')
  buildFirstFiles(root, version, firstFiles)
  return { image: join(root, 'boot', `vmlinuz-${version}`), firstFiles }
}

/** What `linux-image-amd64` stands for today; where apt has no lists, the newest that is kept from before. */
function unpacked(): string {
  mkdirSync(cache, { recursive: true })
  const kept = readdirSync(cache)
    .filter((name) => /^linux-image-[^/]*\d-\w+$/.test(name))
    .sort((a, b) => a.localeCompare(b, 'en', { numeric: true }))
  const name = newest() ?? kept.at(-1)
  if (name === undefined)
    throw new Error('linux-image-amd64 is not known to apt, and no kernel is kept from before')
  const root = join(cache, name)
  if (!existsSync(root)) download(name, root)
  return root
}

function newest(): string | undefined {
  try {
    const [, name] =
      /Depends: (linux-image-\S+)/.exec(output('apt-cache', ['depends', 'linux-image-amd64'])) ?? []
    return name
  } catch {
    return undefined // it has no lists, or there is no apt
  }
}

function download(name: string, root: string): void {
  const work = mkdtempSync(join(cache, 'new-'))
  try {
    output('apt-get', ['download', name], work)
    const [archive] = readdirSync(work)
    if (archive === undefined) throw new Error(`apt-get downloaded no ${name}`)
    output('dpkg', ['-x', archive, '.'], work)
    rmSync(join(work, archive))
    const [version = ''] = readdirSync(join(work, 'lib/modules'))
    output('depmod', ['-b', work, version])
    if (!existsSync(root)) renameSync(work, root) // another lab may have been faster
  } finally {
    rmSync(work, { recursive: true, force: true })
  }
}

/** Each time anew: `guest/init` may have changed, and it takes no time. */
function buildFirstFiles(root: string, version: string, target: string): void {
  const folder = `${target}.d`
  for (const name of ['bin', 'lib']) mkdirSync(join(folder, name), { recursive: true })
  cpSync('/bin/busybox', join(folder, 'bin/busybox'))
  cpSync(join(import.meta.dirname, 'guest/init'), join(folder, 'init'))
  const files = modules
    .split(' ')
    .flatMap((module) =>
      output('modprobe', ['-S', version, '-d', root, '--show-depends', module]).split('\n'),
    )
    .flatMap((line) => /^insmod (\S+)/.exec(line)?.[1] ?? [])
  const unique = [...new Set(files)]
  for (const file of unique) cpSync(file, join(folder, 'lib', basename(file)))
  writeFileSync(join(folder, 'modules'), unique.map((file) => `${basename(file)}\n`).join(''))
  output(
    'sh',
    ['-c', `chmod 755 init bin/busybox && find . | cpio --quiet -o -H newc -R 0:0 > ${target}`],
    folder,
  )
}
