import { join } from 'node:path'
import { expect, test } from 'vitest'
import { COMMANDS } from '../../src/commands/cli/commands.ts'
import { orderOf } from '../../src/commands/remote/breaker.ts'
import { commandLine } from '../support/captured.ts'

test.each([
  ['statsu', 'unknown command statsu, did you mean status?'],
  ['validate', 'unknown command validate, did you mean check?'],
  ['xyzzyx', 'unknown command xyzzyx\n'],
  ['--vresion', 'unknown option --vresion'],
])('cli: an unknown command says what was meant: %s', async (word, says) => {
  const { code, stdout, stderr } = await commandLine([word])
  expect([code, stdout]).toEqual([2, ''])
  expect(stderr).toContain(says)
  expect(stderr.split('\n').length).toBeLessThan(4)
})

test('cli: an unknown option says what was meant, with the usage of the command', async () => {
  const { code, stderr } = await commandLine(['status', '--jsno'])
  expect(code).toBe(2)
  expect(stderr).toMatch(/^breakwater status: unknown option --jsno, did you mean --json\?\n\n {2}breakwater status /)
})

test('cli: an option by its first letter says what was meant', async () => {
  expect((await commandLine(['explain', '-H', 'a: b', '/x'])).stderr).toContain(
    'unknown option -H, did you mean --header?',
  )
})

test('explain: a request may stand in one argument, as a match and the log have it', async () => {
  const config = join(import.meta.dirname, '../../proxy.yaml')
  const apart = await commandLine(['explain', 'POST', '/audio-transcriber/jobs', '--config', config])
  expect(apart.stdout).toContain('POST /jobs to audio-transcriber')
  const inOne = await commandLine(['explain', 'post /audio-transcriber/jobs', '--config', config])
  expect(inOne).toEqual(apart)
})

test('cli: without a command it prints all of them to stderr; help, -h and --help print them to stdout', async () => {
  const bare = await commandLine([])
  expect([bare.code, bare.stdout]).toEqual([2, ''])
  for (const args of [['help'], ['-h'], ['--help'], ['help', '-h']]) {
    const { code, stdout } = await commandLine(args)
    expect([args, code, stdout]).toEqual([args, 0, bare.stderr])
  }
  for (const name of COMMANDS.keys()) expect(bare.stderr).toMatch(new RegExp(`\n  ${name} `))
})

test('cli: help of each command has its usage and examples, each of which is a command line of it', async () => {
  for (const [name, entry] of COMMANDS) {
    const { code, stdout } = await commandLine(['help', name])
    expect([name, code]).toEqual([name, 0])
    expect(stdout).toContain(`  breakwater ${name}`)
    expect(await commandLine([name, '-h'])).toMatchObject({ code: 0, stdout })
    const { options } = await entry.load()
    for (const [line] of entry.examples) {
      expect(line).toContain(`breakwater ${name}`)
      const own = line.slice(line.indexOf(`breakwater ${name}`)).split(/ [|>&]/)[0] ?? ''
      for (const [, option = ''] of own.matchAll(/ --([\w-]+)/g))
        expect(options.map((one) => one.name)).toContain(option)
    }
  }
})

test('cli: the usage of each command names each of its options, and no other', async () => {
  for (const [name, entry] of COMMANDS) {
    const { usage, options } = await entry.load()
    const named = new Set([...usage.matchAll(/--([\w-]+)/g)].map(([, option]) => option))
    expect([name, [...named].sort()]).toEqual([
      name,
      options
        .map((one) => one.name)
        .filter((one) => one !== 'number')
        .sort(),
    ])
  }
})

test.each([
  ['check', ['a.yaml', 'b.yaml'], 'a.yaml: cannot be read'],
  ['run', ['a.yaml', 'b.yaml'], 'expected one file'],
  ['run', ['a.yaml', '--config', 'b.yaml'], 'expected one file'],
  ['breaker', ['web', 'opne'], 'did you mean open?'],
  ['breaker', ['web', 'auto', '--for', '3m'], 'auto has no end'],
  ['breaker', ['web', 'open', '--for', 'long'], '--for: expected a duration'],
  ['breaker', ['web', 'open', '--until', 'noon'], '--until: expected a time'],
  ['breaker', [], 'expected an upstream'],
  ['status', ['--url', 'here'], '--url: expected one such as'],
  ['status', ['--token-env', 'NOWHERE'], 'NOWHERE is not set'],
  ['completion', ['csh'], 'expected bash, zsh or fish'],
])('cli: %s %j is faulty: %s', async (name, args, says) => {
  const { code, stdout, stderr } = await commandLine([name, ...args])
  expect(code).toBe(2)
  expect(stdout + stderr).toContain(says)
})

test('breaker: what belongs to a mode is refused without one', async () => {
  const { code, stderr } = await commandLine(['breaker', 'web', '--for', '5m'])
  expect([code, stderr]).toEqual([2, expect.stringContaining('--for belongs to a mode to set: expected open, closed,')])
})

test('breaker: the mode ends after 30m unless an end is given; the name is $USER', () => {
  expect(orderOf('open', {}, { USER: 'ada' })).toEqual({ mode: 'forced-open', for: '30m', by: 'ada' })
  expect(orderOf('closed', { for: 'never', by: 'bob' }, {})).toEqual({ mode: 'forced-closed', by: 'bob' })
  expect(orderOf('observe', { until: '2026-01-01T06:00:00+01:00', route: 'none' }, {})).toEqual({
    mode: 'observe',
    until: '2026-01-01T05:00:00.000Z',
    route: null,
  })
  expect(orderOf('auto', {}, {})).toEqual({ mode: 'auto' })
})

test('check: several files, one of them stdin; the worst decides the exit code', async () => {
  const sound = 'upstreams: { web: { url: "http://web" } }'
  const { code, stdout } = await commandLine(['check', '-', 'proxy.yaml'], { input: () => sound })
  expect(code).toBe(0)
  expect(stdout).toMatch(/stdin: ok, 1 upstream, [\s\S]*proxy\.yaml: ok, 3 upstreams/)
  const faulty = await commandLine(['check', '--json', '-', 'proxy.yaml'], { input: () => 'upstreams: {}' })
  expect(faulty.code).toBe(2)
  expect(JSON.parse(faulty.stdout)).toMatchObject([
    { file: 'stdin', ok: false },
    { file: 'proxy.yaml', ok: true },
  ])
  expect((await commandLine(['check'])).stdout).toContain('proxy.yaml: ok')
})
