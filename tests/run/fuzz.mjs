/**
 * `npm run fuzz [-- --inputs 10000000] [--minutes 20] [--seed N] [--from N]`: changed files in all formats for all
 * parsers, on all processors, and ends with `N passed, N failed`. What reading them came to is kept in tests/fuzz/corpus,
 * what breaks a promise in test-results/fuzz.
 */
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, statSync, writeFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { parseArgs } from 'node:util'
import { installPackages, typescript } from './machine.mjs'

const { values } = parseArgs({
  options: {
    inputs: { type: 'string', default: '10000000' },
    minutes: { type: 'string', default: '20' },
    seed: { type: 'string', default: String(Date.now() % 2 ** 31) },
    from: { type: 'string', default: '0' },
  },
})
const [inputs, minutes, seed, from] = [values.inputs, values.minutes, values.seed, values.from].map(Number)
/** No five hundred inputs take that long. */
const hangMs = 120_000
const heapMiB = 512

if (process.send) await share()
else await all()

async function share() {
  const server = await typescript()
  const { fuzz } = await server.ssrLoadModule('/tests/fuzz/fuzz.ts')
  const { corpus } = await server.ssrLoadModule('/tests/fuzz/corpus.ts')
  const kept = corpus() // before anything new is kept: all begin with the same
  process.once('message', async (share) => {
    await fuzz(share, kept, (news) => process.send(news))
    await server.close()
    process.disconnect()
  })
  process.send({ ready: true })
}

async function all() {
  installPackages()
  console.log(`seed ${seed}`)
  const until = Date.now() + minutes * 60_000
  const step = availableParallelism()
  const children = Array.from({ length: step }, () =>
    fork('tests/run/fuzz.mjs', [], {
      execArgv: [`--max-old-space-size=${heapMiB}`],
      serialization: 'advanced',
    }),
  )
  await Promise.all(children.map((child) => once(child, 'message'))) // ready
  const results = children.map(() => ({ done: 0, failed: 0 }))
  const sum = (what) => results.reduce((total, one) => total + one[what], 0)
  const saying = setInterval(() => console.log(`${sum('done')} inputs`), 60_000)
  const share = (i) => ({ seed, from: from + i, to: from + inputs, step })
  await Promise.all(children.map((child, i) => run(child, share(i), until, results[i])))
  clearInterval(saying)
  const [done, failed] = [sum('done'), sum('failed')]
  if (done < inputs && failed === 0) console.log(`stopped after ${minutes} minutes`)
  console.log(`${done - failed} passed, ${failed} failed`)
  process.exit(failed ? 1 : 0)
}

/** Counts into `result`. */
function run(child, share, until, result) {
  return new Promise((resolve) => {
    let [next, heardAt] = [share.from, Date.now()]
    const watch = setInterval(() => {
      if (Date.now() > until) child.kill()
      else if (Date.now() - heardAt > hangMs) {
        fail(
          `an input from ${next} on does not end: npm run fuzz -- --seed ${share.seed} --from ${next} --inputs 1000`,
        )
        child.kill('SIGKILL')
      }
    }, 1000)
    const fail = (what) => {
      result.failed++
      console.error(what)
    }
    child.on('message', (news) => {
      heardAt = Date.now()
      if (news.kept) keep(news.kept)
      else if (news.broken) fail(`input ${news.input}, in ${save(news)}: ${news.broken}`)
      else [result.done, next] = [result.done + news.done, news.next]
    })
    child.on('exit', (code) => {
      clearInterval(watch)
      if (code) fail(`it ended with ${code}, at input ${next} or soon after`)
      resolve()
    })
    child.send(share)
  })
}

function keep({ outcome, bytes }) {
  const file = `tests/fuzz/corpus/${outcome}.bin`
  const size = statSync(file, { throwIfNoEntry: false })?.size ?? Infinity
  if (bytes.length < size) writeFileSync(file, bytes)
}

function save({ input, bytes }) {
  const folder = 'test-results/fuzz'
  mkdirSync(folder, { recursive: true })
  const file = `${folder}/${seed}-${input}.bin`
  writeFileSync(file, bytes)
  return file
}
