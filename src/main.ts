import { readFileSync } from 'node:fs'
import { type ParseArgsConfig, parseArgs } from 'node:util'
import type { CheckOptions } from './commands/check.ts'
import type { ExplainOptions } from './commands/explain.ts'
import type { CopyOptions } from './commands/checkpoints.ts'
import { STORE_FORMS, storePlace } from './checkpoint/place.ts'
import { durationMs } from './config/units.ts'

const USAGE = `breakwater: an HTTP resilience sidecar

  breakwater run [--config FILE]   serve (FILE: proxy.yaml when not given)
  breakwater check FILE [--strict] [--json] [--allow WARNING]…
                                   list every fault of a configuration file, or else what it will be sorry for
  breakwater explain [METHOD] PATH [--config FILE] [--upstream NAME] [--input NAME=VALUE]… [--json]
                                   what would be done with a request, and which line says so
  breakwater schema                print the configuration's JSON Schema, for editors
  breakwater demo                  watch it at work, about a minute, nothing else needed
  breakwater checkpoints copy --from STORE --to STORE [--ca FILE] [--servername NAME] [--ttl 24h]
                                   copy checkpoints and jobs; what the target has already stays as it is.
                                   STORE: file:<folder>, redis://host:6379/0, rediss://…, redis+sentinel://…/master/0,
                                   redis+cluster://…; as '\${NAME}' it is taken from the environment
  breakwater --version

exit codes: 0 done, 1 could not start, failed, or (check --strict) warnings, 2 faulty configuration or command line
`

const write = (text: string) => void process.stdout.write(text)
const complain = (text: string) => void process.stderr.write(text)

class UsageError extends Error {}

process.exitCode = await main(process.argv.slice(2))

/** Loads the code of that command alone: most of the time to start is reading code. */
async function main(argv: string[]): Promise<number> {
  const [command, ...rest] = argv
  try {
    if (command === 'run') {
      const { run } = await import('./commands/run.ts')
      return await run(configOption(rest), version(), process.env, complain)
    }
    if (command === 'check') {
      const { check } = await import('./commands/check.ts')
      return check(checkOptions(rest), process.env, write)
    }
    if (command === 'explain') {
      const { explain } = await import('./commands/explain.ts')
      return explain(explainOptions(rest), process.env, write, complain)
    }
    if (command === 'schema' && rest.length === 0) {
      const { schema } = await import('./commands/schema.ts')
      return schema(write)
    }
    if (command === 'demo' && rest.length === 0) {
      const { demo } = await import('./commands/demo.ts')
      return await demo(write, process.stdout.isTTY)
    }
    if (command === 'checkpoints') {
      const { copyCheckpoints } = await import('./commands/checkpoints.ts')
      return await copyCheckpoints(copyOptions(rest), readText, write, complain)
    }
    if (command === '--version') return print(`${version()}\n`)
    if (command === '--help' || command === 'help') return print(USAGE)
  } catch (error) {
    if (!(error instanceof UsageError)) throw error
    complain(`${error.message}\n\n`)
  }
  complain(USAGE)
  return 2
}

function print(text: string): number {
  write(text)
  return 0
}

function configOption(args: string[]): string {
  return parsed({ args, options: { config: { type: 'string', default: 'proxy.yaml' } } }).values.config
}

function parsed<const C extends ParseArgsConfig>(config: C) {
  try {
    return parseArgs(config)
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error))
  }
}

function copyOptions([verb, ...args]: string[]): CopyOptions {
  if (verb !== 'copy') throw new UsageError('checkpoints knows copy alone')
  const { values } = parsed({
    args,
    options: {
      from: { type: 'string' },
      to: { type: 'string' },
      ca: { type: 'string', default: '' },
      servername: { type: 'string', default: '' },
      ttl: { type: 'string', default: '24h' },
    },
  })
  const from = place('--from', values.from)
  const to = place('--to', values.to)
  const ttlMs = durationMs(values.ttl)
  if (ttlMs === undefined) throw new UsageError('--ttl: expected a duration such as 24h')
  return { from, to, caFile: values.ca, servername: values.servername, ttlMs }
}

/** Not shown when it is wrong: there may be a password in it. */
function place(option: string, text: string | undefined) {
  const given = text === undefined ? undefined : storePlace(fromEnvironment(text))
  if (given === undefined) throw new UsageError(`${option}: expected ${STORE_FORMS}`)
  return given
}

/** A command line can be read by every user of the machine; the environment cannot. */
function fromEnvironment(text: string): string {
  return process.env[/^\$\{(\w+)\}$/.exec(text)?.[1] ?? ''] ?? text
}

function readText(path: string): string {
  return readFileSync(path, 'utf8')
}

function explainOptions(args: string[]): ExplainOptions {
  const { values, positionals } = parsed({
    args,
    options: {
      config: { type: 'string', default: 'proxy.yaml' },
      upstream: { type: 'string' },
      input: { type: 'string', multiple: true },
      json: { type: 'boolean', default: false },
    },
    allowPositionals: true,
  })
  const [first, second, ...others] = positionals
  if (first === undefined || others.length > 0) throw new UsageError('explain takes a method and a path')
  const [method, path] = second === undefined ? ['GET', first] : [first.toUpperCase(), second]
  const pairs = (values.input ?? []).map((pair) => /^(\w+)=(.*)$/s.exec(pair)?.slice(1) ?? [])
  if (pairs.some(({ length }) => length === 0)) throw new UsageError('--input: expected NAME=VALUE')
  const question = { upstream: values.upstream, method, path, inputs: Object.fromEntries(pairs) }
  return { file: values.config, json: values.json, question }
}

function checkOptions(args: string[]): CheckOptions {
  const { values, positionals } = parsed({
    args,
    options: {
      strict: { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
      allow: { type: 'string', multiple: true },
    },
    allowPositionals: true,
  })
  const [file, ...others] = positionals
  if (file === undefined || others.length > 0) throw new UsageError('check takes one file')
  return { file, strict: values.strict, json: values.json, allowed: values.allow ?? [] }
}

function version(): string {
  const manifest: { version: string } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'))
  return manifest.version
}
