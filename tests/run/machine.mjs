/**
 * What every command of this project does first: install what is missing. npm packages always; Debian
 * packages when root, else a sentence that says what to install. Nothing is downloaded by other means.
 */
import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync, statSync } from 'node:fs'
import { resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

export const root = fileURLToPath(new URL('../../', import.meta.url))
/** Where the user stands; npm, too, begins at the root. */
const stood = process.env.INIT_CWD ?? process.cwd()
process.chdir(root)

/** A path that the user gave. */
export const given = (path) => path && resolve(stood, path)

/** Runs a command in the foreground; gives its exit code. */
export function run(command, args, options = {}) {
  const { status, error } = spawnSync(command, args, { stdio: 'inherit', ...options })
  if (error) console.error(`${command}: ${error.message}`)
  return status ?? 1
}

/** Runs one of the installed npm tools. */
export const tool = (name, args, options) => run(process.execPath, [binOf(name), ...args], options)

function binOf(name) {
  const folder = `node_modules/${name}`
  const { bin } = JSON.parse(readFileSync(`${folder}/package.json`, 'utf8'))
  const file =
    typeof bin === 'string' ? bin : (bin[name] ?? bin[name.split('/').at(-1)] ?? Object.values(bin)[0])
  return `${folder}/${file}`
}

export function installPackages() {
  const stamp = 'node_modules/.package-lock.json'
  const fresh = existsSync(stamp) && statSync(stamp).mtimeMs >= statSync('package-lock.json').mtimeMs
  if (!fresh && run('npm', ['ci', '--no-fund', '--no-audit'])) stop('npm could not install the packages.')
}

/** Path of Chromium; installs Debian's when root. */
export function installChromium() {
  const places = [process.env.CHROMIUM, '/usr/bin/chromium', '/usr/bin/google-chrome'].filter(Boolean)
  const found = () => places.find((path) => existsSync(path))
  if (!found()) installDebian(['chromium', 'fonts-dejavu-core'])
  const path = found()
  if (!path)
    stop('Chromium is missing. Install it (Debian: apt-get install chromium) or set CHROMIUM to its path.')
  process.env.CHROMIUM = path
  return path
}

/** By package the file that shows that it is there. */
export function installMissing(needed) {
  const missing = Object.entries(needed).flatMap(([name, file]) => (existsSync(file) ? [] : [name]))
  if (missing.length) installDebian(missing)
}

function installDebian(packages) {
  if (process.getuid?.() !== 0 || !existsSync('/usr/bin/apt-get'))
    stop(`Please install: ${packages.join(' ')}`)
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' }
  const install = () =>
    run('apt-get', ['install', '-y', '-qq', '--no-install-recommends', ...packages], { env })
  if (run('apt-get', ['update', '-qq'], { env }) || install())
    stop(`apt-get could not install ${packages.join(' ')}`)
}

/** Loads modules as the tests do: TypeScript, `import.meta.glob`, names with #. To be closed. */
export async function typescript(build = 'lab') {
  const { createServer } = await import('vite')
  const { assemblyScript } = await import('../../assemblyscript.js')
  return createServer({
    root,
    configFile: false,
    appType: 'custom',
    logLevel: 'warn',
    oxc: { target: 'es2022' }, // Node 20 has no `using`
    define: { __BUILD__: JSON.stringify(build) },
    optimizeDeps: { noDiscovery: true },
    plugins: [assemblyScript()],
    server: { middlewareMode: true, hmr: false, ws: false, watch: null },
  })
}

function stop(sentence) {
  console.error(sentence)
  process.exit(1)
}
