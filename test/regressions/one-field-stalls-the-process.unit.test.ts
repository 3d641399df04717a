import { expect, test } from 'vitest'
import { elementsOf } from '../../src/http1/chars.ts'
import { type Address, rewritten } from '../../src/proxy/fields/rewrite.ts'

/** A reader that begins anew at each character needs minutes for this many. */
const MANY = 400_000
const BLANKS = ' '.repeat(MANY)

const address: Address = {
  origins: [new URL('http://web:8000')],
  basePath: '',
  toldHost: '',
  self: '',
  prefix: '/web',
}

test('a list with a long run of blanks within an element is read in one pass', () => {
  expect(elementsOf(`A${BLANKS}B , ${BLANKS}C${BLANKS}`)).toEqual([`a${BLANKS}b`, 'c'])
})

test.each([
  ['set-cookie', `a=b;x${BLANKS}y`],
  ['set-cookie', `a=b;Path=x${BLANKS}y`],
  ['set-cookie', `a=b${';'.repeat(MANY)}`],
  ['link', '<'.repeat(MANY)],
  ['refresh', `0; url=a${BLANKS}x`],
  ['refresh', `0; url="a${BLANKS}"x`],
])('a %s that is long and has no URL is read in one pass, and stays as it is', (name, value) => {
  expect(rewritten(name, value, { names: new Set(), pointers: [], inspectBytes: 0 }, address) === value).toBe(true)
})
