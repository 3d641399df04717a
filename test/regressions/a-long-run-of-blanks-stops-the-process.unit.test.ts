/**
 * A pattern for the end of a text begins anew at each byte of a run of blanks. A request with 60 KB of them within `Connection`
 * stopped the process for eight seconds, and so did a response with such a Set-Cookie, Link or Refresh. The values here are longer
 * than any head may be: with such a pattern, these tests run into their timeout.
 */

import { expect, test } from 'vitest'
import { elementsOf } from '../../src/http1/chars.ts'
import { rewritten } from '../../src/proxy/fields/rewrite.ts'

const BLANKS = ' '.repeat(300_000)
const REWRITING = { names: new Set<string>(), pointers: [], inspectBytes: 0 }
const ADDRESS = {
  origins: [new URL('http://up.example')],
  basePath: '',
  toldHost: '',
  self: 'http://here.example',
  prefix: '/up',
}

test('fields: elements of a list are found in a time that grows with its length', () => {
  expect(elementsOf(`a${BLANKS}b,\t${BLANKS}C${BLANKS}`)).toEqual([`a${BLANKS}b`, 'c'])
})

test.each([
  ['refresh', `5;url="${BLANKS}x`, `5;url="${BLANKS}x`],
  ['refresh', `5;${BLANKS}url=/a${BLANKS}b`, `5;${BLANKS}url=/up/a${BLANKS}b`],
  ['set-cookie', `a=b${';'.repeat(300_000)}`, `a=b${';'.repeat(300_000)}`],
  ['set-cookie', `a=b;Path=x${BLANKS}y`, `a=b;Path=x${BLANKS}y`],
  ['set-cookie', `a=b; c${BLANKS}d=e${BLANKS}f; Path=/x`, `a=b; c${BLANKS}d=e${BLANKS}f; Path=/up/x`],
  ['link', `</a>, ${'<'.repeat(300_000)}`, `</up/a>, ${'<'.repeat(300_000)}`],
  ['location', `/${BLANKS}${'/'.repeat(1000)}`, `/up/${BLANKS}${'/'.repeat(1000)}`],
])('fields: %s is rewritten in a time that grows with its length', (name, value, expected) => {
  expect(rewritten(name, value, REWRITING, ADDRESS) === expected).toBe(true)
})
