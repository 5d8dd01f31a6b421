/**
 * The lab's guest: Debian's kernel in QEMU over this computer's own files, cut off from every network but for
 * the twins. It runs scripts and attaches twins; all else is said by those.
 */
import { spawn, type ChildProcess } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer, connect, type AddressInfo, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { kernel } from './kernel.ts'

const address = '10.0.2.15'
/** Where tools of USB/IP find the twins. */
const twins = '10.0.2.100:3240'
const scriptPort = 7000
/** Where the twins come by themselves. */
const attachPort = 3240

/** Of what a script or the console says, the end. */
const mostOutput = 1 << 20
/** The guest ends a script that takes too long; this much later nobody waits for it any more. */
const graceMs = 15_000
/** Of `timeout`: what ran had to be told to end, or had to be killed. */
const outOfTime = [124, 137]

export interface Ran {
  readonly code: number
  readonly output: string
}

export class Guest {
  /** All that its console said: the kernel's last words when something hangs. */
  console = ''
  readonly #qemu: ChildProcess
  readonly #ports: ReadonlyMap<number, number>
  readonly #usbipPort: number
  readonly #ended: Promise<void>
  #attachings = 0

  private constructor(qemu: ChildProcess, ports: ReadonlyMap<number, number>, usbipPort: number) {
    this.#qemu = qemu
    this.#ports = ports
    this.#usbipPort = usbipPort
    for (const stream of [qemu.stdout, qemu.stderr])
      stream?.on('data', (chunk: Buffer) => {
        this.console = (this.console + chunk.toString('latin1')).slice(-mostOutput)
      })
    this.#ended = new Promise((resolve) => qemu.once('close', resolve))
    qemu.once('error', (error) => (this.console += `\nQEMU did not start: ${error.message}`))
  }

  /** `usbipPort`: of this computer. `forwarded`: ports of the guest that `port` gives a port of this computer for. */
  static async boot(usbipPort: number, forwarded: readonly number[], timeoutMs = 240_000): Promise<Guest> {
    const work = mkdtempSync(join(tmpdir(), 'reflasher-guest-'))
    process.once('exit', () => rmSync(work, { recursive: true, force: true }))
    const { image, firstFiles } = kernel(work)
    const inside = [scriptPort, attachPort, ...forwarded]
    const ports = new Map<number, number>()
    for (const port of inside) ports.set(port, await freePort())
    const forwards = inside.map(
      (port) => `hostfwd=tcp:127.0.0.1:${String(ports.get(port))}-${address}:${String(port)}`,
    )
    const net = [
      'user,id=net,restrict=on',
      ...forwards,
      `guestfwd=tcp:${twins}-cmd:socat - TCP:127.0.0.1:${String(usbipPort)}`,
    ]
    const kernelLine = `console=ttyS0 quiet panic=-1 mitigations=off nokaslr lab=${join(import.meta.dirname, 'guest')}`
    // setpriv: it must not outlive this process, however that ends; detached: Ctrl-C is for this process to hear
    const qemu = spawn(
      'setpriv',
      [
        ...['--pdeathsig', 'KILL', 'qemu-system-x86_64'],
        ...['-M', 'q35', '-cpu', 'max', '-accel', 'tcg,thread=multi'],
        ...['-smp', '2', '-m', '4096', '-nographic', '-no-reboot'],
        ...['-kernel', image, '-initrd', firstFiles, '-append', kernelLine],
        ...['-virtfs', 'local,path=/,security_model=none,mount_tag=host,readonly=on,multidevs=remap'],
        ...[
          '-netdev',
          net.join(','),
          '-device',
          'virtio-net-pci,netdev=net,romfile=',
          '-device',
          'virtio-rng-pci',
        ],
      ],
      { detached: true },
    )
    const guest = new Guest(qemu, ports, usbipPort)
    await guest.#ready(timeoutMs)
    return guest
  }

  /** The port of this computer that leads to `port` of the guest. */
  port(port: number): number {
    const here = this.#ports.get(port)
    if (here === undefined) throw new Error(`port ${String(port)} of the guest is not forwarded`)
    return here
  }

  /** Runs a script in bash, as root, with what it prints on both outputs. @throws when it does not end in time */
  run(script: string, timeoutMs = 60_000): Promise<Ran> {
    return new Promise((resolve, reject) => {
      const socket = connect(this.port(scriptPort), '127.0.0.1')
      let output = ''
      const seconds = String(Math.ceil(timeoutMs / 1000))
      const late = () => new Error(`after ${seconds} s this still ran in the guest:\n${script}\n${output}`)
      const timer = setTimeout(() => {
        socket.destroy()
        reject(late())
      }, timeoutMs + graceMs)
      socket.setEncoding('utf8')
      socket.on('data', (text: string) => (output = (output + text).slice(-mostOutput)))
      socket.on('error', reject)
      socket.on('close', () => {
        clearTimeout(timer)
        const [ending, code] = /\n\[exit (\d+)\]$/.exec(output) ?? []
        if (ending === undefined) reject(new Error(`the guest broke off:\n${script}\n${output}`))
        else if (outOfTime.includes(Number(code))) reject(late())
        else resolve({ code: Number(code), output: output.slice(0, -ending.length) })
      })
      socket.write(`${seconds} ${Buffer.from(script).toString('base64')}\n`)
    })
  }

  /** As `run`; any exit code but 0 is an error. Gives what was printed. */
  async do(script: string, timeoutMs?: number): Promise<string> {
    const { code, output } = await this.run(script, timeoutMs)
    if (code !== 0) throw new Error(`exit code ${String(code)} of:\n${script}\n${output}`)
    return output
  }

  async put(path: string, bytes: Uint8Array): Promise<void> {
    await this.do(`base64 -d >'${path}' <<'END'\n${Buffer.from(bytes).toString('base64')}\nEND`)
  }

  async get(path: string): Promise<Uint8Array> {
    const text = await this.do(`base64 -w0 '${path}'`)
    if (text.length === mostOutput) throw new Error(`${path} is too long to be carried out of the guest`)
    return Uint8Array.from(Buffer.from(text, 'base64'))
  }

  /**
   * Attaches the twin with bus id 1-`number`, and waits until its device nodes are there. Its connection goes from here into
   * the guest, where nothing on the way gathers what it says: through a command of QEMU's each short packet behind another
   * would wait 40 ms for an acknowledgement.
   */
  async attach(number: number): Promise<void> {
    const mark = String(this.#attachings++)
    bridged(this.#usbipPort, this.port(attachPort)).write(`${String(number)} ${mark}\n`)
    const said = `/run/attached.${mark}`
    await this.do(`for ((i = 0; i < 300; i++)); do [[ -e ${said} ]] && break; sleep 0.1; done
      [[ -e ${said} && ! -s ${said} ]] || { cat ${said}; exit 1; }`)
  }

  /** QEMU is gone, however that came. */
  get hasEnded(): boolean {
    const { pid, exitCode, signalCode } = this.#qemu
    return pid === undefined || exitCode !== null || signalCode !== null
  }

  /** Nothing in it is worth saving. */
  async close(): Promise<void> {
    this.#qemu.kill('SIGKILL')
    await this.#ended
  }

  async #ready(timeoutMs: number): Promise<void> {
    const until = Date.now() + timeoutMs
    for (let isUp = false; !isUp;) {
      if (this.hasEnded || Date.now() > until) {
        await this.close()
        throw new Error(`the guest did not start:\n${this.console.slice(-4000)}`)
      }
      await new Promise((resolve) => setTimeout(resolve, 50))
      isUp = this.console.includes('lab: ready') && (await this.#answers())
    }
  }

  /** Its service begins to listen a moment after it has said so. */
  async #answers(): Promise<boolean> {
    try {
      return (await this.run('true')).code === 0
    } catch {
      return false
    }
  }
}

/** Joins two ports of this computer, and gives the socket at the second. Each side hears the end of the other. */
function bridged(...ports: [number, number]): Socket {
  const [one, other] = ports.map((port) => connect({ port, host: '127.0.0.1', noDelay: true })) as [
    Socket,
    Socket,
  ]
  one.pipe(other).pipe(one)
  one.on('error', () => other.destroy())
  other.on('error', () => one.destroy())
  return other
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', reject).listen(0, '127.0.0.1', () => {
      const { port } = server.address() as AddressInfo
      server.close(() => {
        resolve(port)
      })
    })
  })
}
