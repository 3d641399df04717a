import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { text } from 'node:stream/consumers'
import { setImmediate as turn } from 'node:timers/promises'
import { test } from 'vitest'
import { LineWriter } from '../../../src/control/log/lines.ts'

/** A stream on which the test ends each write, with or without an error. */
function scriptedOut() {
  const writes: string[] = []
  const ends: ((error?: Error) => void)[] = []
  const write = (chunk: string, written: (error?: Error) => void) => {
    writes.push(chunk)
    ends.push(written)
  }
  return { writes, end: (error?: Error) => ends.shift()?.(error), write, on: () => {} }
}

const failure = (code: string) => Object.assign(new Error(code), { code })

/** A line of 1 MiB: eight of them reach the limit of the buffer. */
const HUGE_LINE = `${'x'.repeat(2 ** 20 - 1)}\n`

test('stdout: lines of one turn of the event loop, or of the time of one write, are written together', async () => {
  const out = scriptedOut()
  const lines = new LineWriter(out, () => assert.fail('nothing was lost'))
  for (const line of ['a\n', 'b\n']) lines.write(line)
  assert.deepEqual(out.writes, [])
  await turn()
  assert.deepEqual(out.writes, ['a\nb\n'])
  for (const line of ['c\n', 'd\n']) {
    lines.write(line)
    await turn()
  }
  assert.deepEqual(out.writes, ['a\nb\n'])
  out.end()
  assert.deepEqual(out.writes, ['a\nb\n', 'c\nd\n'])
  out.end()
  await turn()
  assert.deepEqual(out.writes, ['a\nb\n', 'c\nd\n'])
})

test('stdout: flush writes at once', async () => {
  const out = scriptedOut()
  const lines = new LineWriter(out, () => assert.fail('nothing was lost'))
  lines.write('a\n')
  lines.flush()
  lines.write('b\n')
  lines.flush()
  lines.flush()
  assert.deepEqual(out.writes, ['a\n', 'b\n'])
  lines.write('c\n')
  out.end()
  await turn()
  assert.deepEqual(out.writes, ['a\n', 'b\n'], 'one is still under way')
  out.end()
  assert.deepEqual(out.writes, ['a\n', 'b\n', 'c\n'])
})

test('stdout: while the reader stalls, lines over 8 MiB are lost; their number is reported later', async () => {
  const out = scriptedOut()
  const lost: number[] = []
  const lines = new LineWriter(out, (count) => {
    lost.push(count)
    lines.write(`lost ${count}\n`)
  })
  lines.write('first\n')
  await turn()
  for (let n = 0; n < 11; n += 1) lines.write(HUGE_LINE)
  assert.deepEqual(lost, [])
  out.end()
  assert.deepEqual(lost, [3])
  await turn()
  out.end()
  await turn()
  out.end()
  assert.deepEqual(lost, [3])
  assert.deepEqual(
    out.writes.map((chunk) => chunk.length),
    ['first\n'.length, 8 * 2 ** 20, 'lost 3\n'.length],
  )
})

test('stdout: after ENOSPC the next line is written again, and the number of lost lines is reported', async () => {
  const out = scriptedOut()
  const lost: number[] = []
  const lines = new LineWriter(out, (count) => lost.push(count))
  lines.write('a\n')
  await turn()
  lines.write('b\n')
  lines.write('c\n')
  out.end(failure('ENOSPC'))
  out.end(failure('ENOSPC'))
  lines.write('d\n')
  await turn()
  assert.deepEqual(lost, [])
  out.end()
  assert.deepEqual(out.writes, ['a\n', 'b\nc\n', 'd\n'])
  assert.deepEqual(lost, [3])
})

test('stdout: after EPIPE nothing more is written', async () => {
  const out = scriptedOut()
  const lines = new LineWriter(out, () => assert.fail('nobody is there to be told'))
  lines.write('a\n')
  await turn()
  out.end(failure('EPIPE'))
  lines.write('b\n')
  await turn()
  assert.deepEqual(out.writes, ['a\n'])
})

/** Starts a process that logs to its stdout, a pipe, and exchanges messages with the test. */
function logging(script: string) {
  const log = new URL('../../../src/control/log/log.ts', import.meta.url)
  const clock = new URL('../../../src/clock.ts', import.meta.url)
  const preamble = `
    import { once } from 'node:events'
    import { createLog } from '${log}'
    import { systemClock } from '${clock}'
    const log = createLog({ level: 'info', access: true, service: 'test' }, systemClock)
    const write = (n) => log.record({ kind: 'listening', name: String(n), address: '${'x'.repeat(200)}' })
  `
  const child = spawn(process.execPath, ['--input-type=module', '--eval', preamble + script], {
    stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
  })
  assert.ok(child.stdout)
  return { child, stdout: child.stdout, exited: once(child, 'exit') }
}

const namesOf = (output: string) => {
  assert.ok(output.endsWith('\n'))
  return output
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line).name)
}

const upTo = (count: number) => Array.from({ length: count }, (_, n) => String(n))

test('stdout: a process that ends by itself has written all of 5,000 lines', async () => {
  const { stdout, exited } = logging('for (let n = 0; n < 5_000; n += 1) write(n); process.disconnect()')
  assert.deepEqual(namesOf(await text(stdout)), upTo(5_000))
  assert.deepEqual(await exited, [0, null])
})

test('stdout: process.exit right after the first lines loses none', async () => {
  const { stdout, exited } = logging('for (let n = 0; n < 100; n += 1) write(n); process.exit(3)')
  assert.deepEqual(namesOf(await text(stdout)), upTo(100))
  assert.deepEqual(await exited, [3, null])
})

test('stdout: an exception that ends the process keeps the lines before it', async () => {
  const { stdout } = logging(`
    process.on('uncaughtException', () => process.exit(1))
    for (let n = 0; n < 100; n += 1) write(n)
    throw new Error('the end')
  `)
  assert.deepEqual(namesOf(await text(stdout)), upTo(100))
})

test('stdout: a reader that goes away does not end the process', async () => {
  const { child, stdout, exited } = logging(`
    await once(process, 'message')
    write(0)
    await new Promise(setImmediate)
    write(1)
    await new Promise(setImmediate)
    process.send('alive', () => process.disconnect())
  `)
  stdout.destroy()
  await once(stdout, 'close')
  const message = once(child, 'message')
  child.send('go')
  assert.deepEqual((await message)[0], 'alive')
  assert.deepEqual(await exited, [0, null])
})

test('stdout: a stalled reader does not delay the process, and later reads the number of lost lines', async () => {
  const LINES = 50_000 // some 15 MB
  const { child, stdout, exited } = logging(`
    for (let n = 0; n < ${LINES}; n += 1) {
      write(n)
      if (n % 1_000 === 0) await new Promise(setImmediate)
    }
    process.send('turning', () => process.disconnect())
  `)
  assert.equal((await once(child, 'message'))[0], 'turning')
  const lines = (await text(stdout))
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line))
  const notice = lines.at(-1)
  assert.equal(notice.msg, 'log lines lost')
  assert.equal(notice.level, 'warn')
  assert.ok(notice.lines > 0)
  assert.equal(lines.length - 1 + notice.lines, LINES)
  assert.deepEqual(await exited, [0, null])
})
