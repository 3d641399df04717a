import { readFileSync } from 'node:fs'
import { cli } from './commands/cli/cli.ts'
import type { Surroundings } from './commands/command.ts'

const write = (text: string) => void process.stdout.write(text)
const complain = (text: string) => void process.stderr.write(text)

const surroundings = (version: string): Surroundings => ({
  env: process.env,
  version,
  write,
  complain,
  input: () => readFileSync(process.stdin.fd, 'utf8'),
  hasScreen: process.stdout.isTTY,
  terminal: {
    write,
    isTerminal: () => process.stdout.isTTY && process.stdin.isTTY && process.env.TERM !== 'dumb',
    isColoured: () => process.stdout.isTTY && process.stdout.hasColors(), // NO_COLOR is in hasColors
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

process.exitCode = await cli(process.argv.slice(2), surroundings(versionOf()))
