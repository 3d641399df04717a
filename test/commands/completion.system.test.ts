import { spawnSync } from 'node:child_process'
import { expect, test } from 'vitest'
import { COMMANDS } from '../../src/commands/cli/commands.ts'
import { commandLine } from '../support/captured.ts'

/** What bash offers after these words; the last one is being typed. */
async function offered(...words: string[]): Promise<string[]> {
  const { stdout: script } = await commandLine(['completion', 'bash'])
  const typed = ['breakwater', ...words]
  const asked = `${script}
COMP_WORDS=(${typed.map((word) => `'${word}'`).join(' ')}); COMP_CWORD=${words.length}
_breakwater
printf '%s\\n' "\${COMPREPLY[@]}"`
  const { stdout, stderr, status } = spawnSync('bash', ['-uc', asked], { encoding: 'utf8' })
  expect([status, stderr]).toEqual([0, ''])
  return stdout.split('\n').filter((line) => line !== '')
}

test('completion bash: commands, their options, their words, and files where they are meant', async () => {
  expect(await offered('')).toEqual([...COMMANDS.keys(), 'help', '--help', '--version'])
  expect(await offered('in')).toEqual(['incidents'])
  expect(await offered('help', 'stat')).toEqual(['status'])
  expect(await offered('status', '--')).toEqual(['--url', '--token-env', '--json', '--strict', '--help'])
  expect(await offered('completion', '')).toEqual(['bash', 'zsh', 'fish'])
  expect(await offered('check', 'package.j')).toEqual(['package.json'])
  expect(await offered('explain', '--config', 'package.j')).toEqual(['package.json'])
  expect(await offered('status', '--url', '')).toEqual([])
})

test('completion zsh, fish: each command and each option has its line', async () => {
  const zsh = (await commandLine(['completion', 'zsh'])).stdout
  const fish = (await commandLine(['completion', 'fish'])).stdout
  for (const [name, entry] of COMMANDS) {
    expect(zsh).toContain(`\n    ${name}) _arguments `)
    expect(fish).toContain(`-a ${name} -d `)
    for (const option of (await entry.load()).options) {
      expect(zsh).toMatch(new RegExp(`\n    ${name}\\) .*--${option.name}[='\\[]`))
      expect(fish).toMatch(new RegExp(`from ${name}' -l ${option.name}( |\n)`))
    }
  }
})
