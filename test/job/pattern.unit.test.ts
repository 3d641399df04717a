import fc from 'fast-check'
import { expect, test } from 'vitest'
import { Pattern } from '../../src/job/pattern.ts'

test.for<[pattern: string, found: string, notFound: string]>([
  ['"status"\\s*:\\s*"(failed|error)"', '{"status" : "error"}', '{"status":"ok"}'],
  ['(?i)FAILED', 'it Failed', 'it fail'],
  ['(?i:a)b', 'Ab', 'AB'],
  ['^a.*z$', 'a12z', 'a\nz'],
  ['(?s)^a.*z$', 'a\nz', 'b\nz'],
  ['(?m)^b$', 'a\nb\nc', 'a\nbb\nc'],
  ['\\Ab\\z', 'b', 'a\nb'],
  ['\\bok\\b', 'not ok now', 'book'],
  ['\\Bok', 'book', 'ok'],
  ['x{2}y{1,3}z{2,}', 'xxyyzz', 'xxyyz'],
  ['a{,2}', 'a{,2}', 'aa'],
  ['[^a-c\\]]+d', 'xd', 'ad'],
  ['\\p{Greek}|\\pN', 'β', 'b'],
  ['\\P{L}', '1', 'é'],
  ['\\x41\\x{1F600}', 'A😀', 'A'],
  ['^.$', '😀', 'ab'],
  ['(?P<word>a)(?<other>b)(?:c)', 'abc', 'acb'],
  ['a+?b??c*?d', 'aad', 'bcd'],
  ['(a*)*b', 'aab', 'aaa'],
  ['1\\.5\\/', '1.5/', '125/'],
])('pattern: %s is in %j, and not in %j', ([pattern, found, notFound]) => {
  const compiled = new Pattern(pattern)
  expect([compiled.isIn(found), compiled.isIn(notFound), compiled.isIn(found)]).toEqual([true, false, true])
})

test.for([
  ['(?=a)', 'look-around is not possible in linear time'],
  ['(?<!a)', 'look-around is not possible in linear time'],
  ['(a)\\1', 'back-references are not possible in linear time'],
  ['(?<n>a)\\k<n>', 'back-references are not possible in linear time'],
  ['(a', 'a ( without its )'],
  ['a)', 'a ) without its ('],
  ['*a', '* has nothing to repeat'],
  ['a**', 'two quantifiers in a row after *'],
  ['a++', 'two quantifiers in a row after +'],
  ['[a', 'a [ without its ], or an empty class'],
  ['[b-a]', '[b-a] is not understood'],
  ['[[:alpha:]]', 'write \\d, \\w or a range for a class in [: :]'],
  ['\\q', '\\q has no meaning'],
  ['\\p{Nope}', '\\p{Nope} names no property of Unicode'],
  ['a{2000}', '{2000} is no count up to 1000'],
  ['a{3,2}', '{3,2} is no count up to 1000'],
  ['(?:a{30}){30}', 'it is too large: fewer or shorter repetitions'],
  ['(?z)a', '(?z is no group'],
  ['('.repeat(60), 'groups are nested more than 50 deep'],
] as const)('pattern: %s is refused: %s', ([pattern, message]) => {
  expect(() => new Pattern(pattern)).toThrow(message)
})

/** Expressions that JavaScript reads in the same way. */
const { pattern: patterns } = fc.letrec<{ pattern: string }>((tie) => ({
  pattern: fc.oneof(
    { depthSize: 'small' },
    fc.constantFrom('a', 'b', '.', '[ab]', '[^b]', '\\w', '\\b', '^', '$', '\\s'),
    fc.tuple(tie('pattern'), tie('pattern')).map(([a, b]) => `${a}${b}`),
    fc.tuple(tie('pattern'), tie('pattern')).map(([a, b]) => `(?:${a}|${b})`),
    fc.tuple(tie('pattern'), fc.constantFrom('*', '+', '?', '{0,2}', '{2}')).map(([a, sign]) => `(?:${a})${sign}`),
  ),
}))

test('pattern: finds what JavaScript finds', () => {
  const texts = fc.string({ unit: fc.constantFrom('a', 'b', ' ', '\n', 'é'), maxLength: 12 })
  fc.assert(
    fc.property(patterns, texts, (pattern, text) => {
      expect(new Pattern(pattern).isIn(text)).toBe(new RegExp(pattern, 'u').test(text))
    }),
    { numRuns: 3_000, seed: 20_261_127 },
  )
})

test('pattern: more states than are remembered give the same answer', () => {
  const pattern = new Pattern('a.{20}c.{20}d')
  let seed = 7
  const random = () => {
    seed = (seed * 1_103_515_245 + 12_345) % 2 ** 31
    return seed / 2 ** 31
  }
  const noise = Array.from({ length: 20_000 }, () => (random() < 0.5 ? 'a' : 'b')).join('')
  const hit = `${'a'.repeat(21)}c${'b'.repeat(20)}d`
  for (let i = 0; i < 3; i += 1) expect([pattern.isIn(noise), pattern.isIn(noise + hit)]).toEqual([false, true])
})
