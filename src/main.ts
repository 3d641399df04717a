import { readFileSync } from 'node:fs'
import { type ParseArgsConfig, parseArgs } from 'node:util'
import { STORE_FORMS, storePlace } from './checkpoint/place.ts'
import type { CheckOptions } from './commands/check.ts'
import type { CopyOptions } from './commands/checkpoints.ts'
import type { DemoOptions } from './commands/demo.ts'
import type { ExplainOptions } from './commands/explain.ts'
import type { SimulateOptions } from './commands/simulate.ts'
import type { Terminal, TopOptions } from './commands/top.ts'
import { systemClock } from './clock.ts'
import { durationMs } from './config/kinds/units.ts'
import { USAGE, usageOf } from './usage.ts'

const write = (text: string) => void process.stdout.write(text)
const complain = (text: string) => void process.stderr.write(text)

const terminal: Terminal = {
  write,
  isTerminal: () => process.stdout.isTTY && process.stdin.isTTY && process.env.TERM !== 'dumb',
  isColoured: () => process.stdout.hasColors(),
  size: () => ({ columns: process.stdout.columns ?? Infinity, rows: process.stdout.rows ?? Infinity }),
  onResize: (draw) => process.stdout.on('resize', draw),
  onKey: (pressed) => process.stdin.setRawMode(true).on('data', (key) => pressed(key.toString())),
  release: () => process.stdin.setRawMode(false).pause(),
}

class UsageError extends Error {}

process.exitCode = await main(process.argv.slice(2))

/** Loads the code of that command alone: most of the time to start is reading code. */
async function main(argv: string[]): Promise<number> {
  const [command, ...rest] = argv
  try {
    if (rest.includes('--help')) return print(usageOf(command))
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
    if (command === 'demo') {
      const { demo } = await import('./commands/demo.ts')
      return await demo(demoOptions(rest), process.env, write, process.stdout.isTTY)
    }
    if (command === 'simulate') {
      const { simulate } = await import('./commands/simulate.ts')
      return await simulate(simulateOptions(rest), process.env, write, complain)
    }
    if (command === 'top') {
      const { top } = await import('./commands/top.ts')
      return await top(topOptions(rest), terminal, systemClock, complain)
    }
    if (command === 'checkpoints') {
      const { copyCheckpoints } = await import('./commands/checkpoints.ts')
      return await copyCheckpoints(copyOptions(rest), readText, write, complain)
    }
    if (command === '--version') return print(`${version()}\n`)
    if (command === '--help' || command === 'help') return print(USAGE)
  } catch (error) {
    if (!(error instanceof UsageError)) throw error
    complain(`breakwater ${command}: ${error.message}\n\n`)
  }
  complain(usageOf(command))
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

function demoOptions(args: string[]): DemoOptions {
  const { values } = parsed({ args, options: { config: { type: 'string' }, log: { type: 'string' } } })
  return { config: values.config, log: values.log }
}

function simulateOptions(args: string[]): SimulateOptions {
  const { values } = parsed({
    args,
    options: {
      config: { type: 'string' },
      against: { type: 'string' },
      log: { type: 'string' },
      scenario: { type: 'string' },
      unseen: { type: 'string', default: 'nearest' },
      late: { type: 'string', default: 'never' },
      patience: { type: 'string', default: 'forever' },
      seed: { type: 'string', default: '1' },
      json: { type: 'boolean', default: false },
      html: { type: 'string' },
    },
  })
  const { config, against, log, scenario, html, json } = values
  if (config === undefined) throw new UsageError('--config: expected a file')
  const source = log === undefined ? (scenario === undefined ? undefined : { scenario }) : { log }
  if (source === undefined || (log !== undefined && scenario !== undefined))
    throw new UsageError('simulate takes either --log or --scenario')
  const unseen = (['nearest', 'ok', 'fail'] as const).find((word) => word === values.unseen)
  if (unseen === undefined) throw new UsageError('--unseen: expected nearest, ok or fail')
  if (!/^\d{1,9}$/.test(values.seed)) throw new UsageError('--seed: expected a whole number')
  const assumptions = {
    unseen,
    lateMs: lengthOr('--late', values.late, 'never'),
    patienceMs: lengthOr('--patience', values.patience, 'forever'),
  }
  return { config, against, source, html, json, seed: Number(values.seed), assumptions }
}

/** In ms; Infinity for the word that stands for no end. */
function lengthOr(option: string, said: string, endless: string): number {
  const ms = said === endless ? Number.POSITIVE_INFINITY : durationMs(said)
  if (ms === undefined) throw new UsageError(`${option}: expected ${endless} or a duration such as 30s`)
  return ms
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
  const given = text === undefined ? undefined : storePlace(fromEnvironment(option, text))
  if (given === undefined) throw new UsageError(`${option}: expected ${STORE_FORMS}`)
  return given
}

/** A command line can be read by every user of the machine; the environment cannot. */
function fromEnvironment(option: string, text: string): string {
  const [, name] = /^\$\{(\w+)\}$/.exec(text) ?? []
  return name === undefined ? text : variable(option, name)
}

function variable(option: string, name: string): string {
  const value = process.env[name]
  if (value === undefined) throw new UsageError(`${option}: ${name} is not set`)
  return value
}

function readText(path: string): string {
  return readFileSync(path, 'utf8')
}

function topOptions(args: string[]): TopOptions {
  const { values } = parsed({
    args,
    options: {
      url: { type: 'string', default: 'http://127.0.0.1:8081' },
      'token-env': { type: 'string' },
      once: { type: 'boolean', default: false },
    },
  })
  const name = values['token-env']
  const token = name === undefined ? '' : variable('--token-env', name)
  if (!URL.canParse(values.url)) throw new UsageError('--url: expected one such as http://127.0.0.1:8081')
  return { url: values.url, token, once: values.once }
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
