import { gzipSync } from 'node:zlib'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { JobOutcome } from '../../src/events.ts'
import { compileCondition } from '../../src/job/condition.ts'
import { watchJob } from '../../src/policy/failure-when/report.ts'
import type { JobRule } from '../../src/policy/failure-when/rule.ts'
import { ReplyBase } from '../../src/policy/reply-base.ts'

const LIMIT = 200

/** A response whose body arrives in parts, once it is observed. */
class PartedReply extends ReplyBase {
  readonly #readers: ((chunk: Buffer) => void)[] = []

  constructor(headers: string[]) {
    super()
    this.takeHead({ status: 200, statusText: 'OK', headers })
  }

  deliver(parts: readonly Buffer[]): void {
    for (const part of parts) for (const read of this.#readers) read(part)
    this.close('complete')
  }

  watch(onData: (chunk: Buffer) => void): void {
    this.#readers.push(onData)
  }

  pipe(): void {}
  resume(): void {}
  discard(): void {}
}

const rule = {
  failed: compileCondition([{ json: '/s', in: ['failed'] }, { text: 'Traceback' }]),
  completed: compileCondition({ json: '/s', in: ['done'] }),
  readsText: true,
  readsId: false,
  limitBytes: LIMIT,
}

type Seen = { readonly outcome: JobOutcome; readonly json: unknown }

function seenIn(body: Buffer, cuts: readonly number[], coding: string, by: JobRule = rule): Seen | undefined {
  const reply = new PartedReply(['content-type', 'application/json', 'content-encoding', coding])
  let seen: Seen | undefined
  watchJob(reply, by, (outcome, report) => {
    seen = { outcome, json: report.json()?.value }
  })
  const edges = [0, ...cuts.map((cut) => cut % (body.length + 1)).sort((a, b) => a - b), body.length]
  reply.deliver(edges.slice(1).map((edge, i) => body.subarray(edges[i], edge)))
  return seen
}

const outcomeOf = (...given: Parameters<typeof seenIn>) => seenIn(...given)?.outcome

test('failureWhen: how the body is cut into chunks changes no outcome', () => {
  const reports = fc.record({
    s: fc.constantFrom('failed', 'DONE', 'queued', 7, null),
    note: fc.oneof(fc.string({ unit: 'grapheme' }), fc.constantFrom('Traceback', 'x'.repeat(LIMIT))),
    isPacked: fc.boolean(),
    cuts: fc.array(fc.nat(), { maxLength: 6 }),
  })
  const outcomes = new Set<JobOutcome | undefined>()
  fc.assert(
    fc.property(reports, ({ s, note, isPacked, cuts }) => {
      const text = JSON.stringify({ note, s })
      const body = isPacked ? gzipSync(text) : Buffer.from(text)
      const coding = isPacked ? 'gzip' : 'identity'
      const isLarge = body.length > LIMIT || Buffer.byteLength(text) > LIMIT
      const isFailed = s === 'failed' || text.includes('Traceback')
      const expected = isLarge ? undefined : isFailed ? 'failed' : s === 'DONE' ? 'completed' : undefined
      const outcome = outcomeOf(body, cuts, coding)
      outcomes.add(outcome)
      expect([outcome, outcomeOf(body, [], coding)]).toEqual([expected, expected])
    }),
    { numRuns: 1_000, seed: 20_261_127 },
  )
  expect(outcomes.size).toBe(3)
})

test('failureWhen: a text is not searched in a part of a body that is too large', () => {
  const byText = {
    ...rule,
    failed: compileCondition({ text: 'Traceback' }),
    completed: compileCondition({ status: [200] }),
  }
  expect(outcomeOf(Buffer.from('fine'), [], 'identity', byText)).toBe('completed')
  expect(outcomeOf(Buffer.from('x'.repeat(LIMIT + 1)), [1], 'identity', byText)).toBeUndefined()
})

test('failureWhen: an outcome by status comes without the body, except where the id stands in it', () => {
  const byStatus = { ...rule, failed: compileCondition({ status: [200] }) }
  const body = Buffer.from('{"id":7}')
  expect(seenIn(body, [], 'identity', byStatus)).toEqual({ outcome: 'failed', json: undefined })
  expect(seenIn(body, [], 'identity', { ...byStatus, readsId: true })).toEqual({ outcome: 'failed', json: { id: 7 } })
})
