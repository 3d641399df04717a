import { readFileSync } from 'node:fs'
import type { Command, Surroundings } from './commands/command.ts'
import { UsageError } from './commands/usage-error.ts'

/** Commands by name, in the order of the help. Only one is loaded: most of the time to start is loading code. */
const COMMANDS: Readonly<Record<string, () => Promise<Command>>> = {
  run: async () => (await import('./commands/run.ts')).runCommand,
  check: async () => (await import('./commands/check.ts')).checkCommand,
  explain: async () => (await import('./commands/explain.ts')).explainCommand,
  schema: async () => (await import('./commands/schema.ts')).schemaCommand,
  demo: async () => (await import('./commands/demo.ts')).demoCommand,
  simulate: async () => (await import('./commands/simulate.ts')).simulateCommand,
  learn: async () => (await import('./commands/learn.ts')).learnCommand,
  top: async () => (await import('./commands/top.ts')).topCommand,
  incidents: async () => (await import('./commands/remote/incidents.ts')).incidentsCommand,
  checkpoints: async () => (await import('./commands/checkpoints/command.ts')).checkpointsCommand,
}

const write = (text: string) => void process.stdout.write(text)
const complain = (text: string) => void process.stderr.write(text)

async function main([name = '', ...args]: string[]): Promise<number> {
  const version = versionOf()
  const load = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined
  if (name === '--version' && !args.includes('--help')) return print(`${version}\n`)
  if (name === '--help' || name === 'help') return print(await wholeUsage())
  if (load === undefined) {
    const usage = await wholeUsage()
    return args.includes('--help') ? print(usage) : refuse(usage)
  }
  const command = await load()
  if (args.includes('--help')) return print(command.usage)
  try {
    return await command.run(args, surroundings(version))
  } catch (error) {
    if (!(error instanceof UsageError)) throw error
    return refuse(`breakwater ${name}: ${error.message}\n\n${command.usage}`)
  }
}

function print(text: string): number {
  write(text)
  return 0
}

function refuse(text: string): number {
  complain(text)
  return 2
}

async function wholeUsage(): Promise<string> {
  const commands = await Promise.all(Object.values(COMMANDS).map((load) => load()))
  return `breakwater: an HTTP resilience sidecar

${commands.map(({ usage }) => usage).join('')}  breakwater --version

exit codes: 0 done, 1 could not start, failed, or (check --strict) warnings, 2 faulty configuration or command line
`
}

const surroundings = (version: string): Surroundings => ({
  env: process.env,
  version,
  write,
  complain,
  hasScreen: process.stdout.isTTY,
  terminal: {
    write,
    isTerminal: () => process.stdout.isTTY && process.stdin.isTTY && process.env.TERM !== 'dumb',
    isColoured: () => process.stdout.hasColors(),
    size: () => ({ columns: process.stdout.columns ?? Infinity, rows: process.stdout.rows ?? Infinity }),
    onResize: (draw) => process.stdout.on('resize', draw),
    onKey: (pressed) => process.stdin.setRawMode(true).on('data', (key) => pressed(key.toString())),
    release: () => process.stdin.setRawMode(false).pause(),
  },
})

function versionOf(): string {
  const manifest: { version: string } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'))
  return manifest.version
}

process.exitCode = await main(process.argv.slice(2))
