import { readFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { check } from './commands/check.ts'
import { demo } from './commands/demo.ts'
import { run } from './commands/run.ts'

const USAGE = `breakwater: an HTTP resilience sidecar

  breakwater run [--config FILE]   serve (FILE: proxy.yaml when not given)
  breakwater check FILE            list every fault of a configuration file
  breakwater demo                  watch it at work, about a minute, nothing else needed
  breakwater --version

exit codes: 0 done, 1 could not start or failed, 2 faulty configuration or command line
`

const write = (text: string) => void process.stdout.write(text)
const complain = (text: string) => void process.stderr.write(text)

class UsageError extends Error {}

process.exitCode = await main(process.argv.slice(2))

async function main(argv: string[]): Promise<number> {
  const [command, ...rest] = argv
  try {
    if (command === 'run') return await run(configOption(rest), version(), process.env, complain)
    if (command === 'check') return check(onlyFile(rest), process.env, write)
    if (command === 'demo' && rest.length === 0) return await demo(write, process.stdout.isTTY)
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
  try {
    return parseArgs({ args, options: { config: { type: 'string', default: 'proxy.yaml' } } }).values.config
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error))
  }
}

function onlyFile(args: string[]): string {
  const [file, ...others] = args
  if (file === undefined || others.length > 0 || file.startsWith('-')) throw new UsageError('check takes one file')
  return file
}

function version(): string {
  const manifest: { version: string } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'))
  return manifest.version
}
