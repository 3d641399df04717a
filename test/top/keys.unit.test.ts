import { expect, test } from 'vitest'
import { bottomLine, FRESH, meantBy, press, type View } from '../../src/top/keys.ts'

const NAMES = ['web', 'api', 'other']
const ENTER = '\r'
const ESCAPE = '\x1b'
const DOWN = '\x1b[B'
const UP = '\x1b[A'

/** Presses keys one after the other. @returns the view, and what was to be done. */
function pressed(keys: readonly string[], start: View = FRESH) {
  const acts: unknown[] = []
  const view = keys.reduce((now, key) => {
    const { view: next, act } = press(now, key, NAMES)
    if (act !== undefined) acts.push(act)
    return next
  }, start)
  return { view, acts }
}

test('top keys: arrows choose within the list, Enter looks into the chosen one, Esc leaves it', () => {
  expect(meantBy(FRESH, NAMES)).toBe('web')
  expect(meantBy(pressed([DOWN, DOWN, DOWN, UP]).view, NAMES)).toBe('api')
  const inside = pressed([DOWN, ENTER]).view
  expect(inside.inside).toBe('api')
  expect(pressed([ESCAPE], inside).view).toMatchObject({ inside: undefined, chosen: 'api' })
})

test('top keys: / filters letter by letter, q is a letter there; Enter keeps the filter, Esc drops it', () => {
  expect(pressed(['/', 'q', 'x', '\x7f']).view).toMatchObject({ filter: 'q', prompt: { asks: 'filter' } })
  expect(pressed(['/', 'w', ENTER]).view).toMatchObject({ filter: 'w', prompt: undefined })
  expect(pressed(['/', 'w', ENTER, ESCAPE]).view.filter).toBe('')
  expect(pressed(['/', 'w', ESCAPE]).view).toMatchObject({ filter: '', prompt: undefined })
})

test('top keys: f forces with an end and a reason, or releases at once; Esc gives it up', () => {
  expect(pressed(['f', 'o', ENTER, 'b', 'ad', ENTER]).acts).toEqual([
    { force: 'web', order: { mode: 'forced-open', for: '30m', reason: 'bad' } },
  ])
  const endless = ['f', 'c', '\x7f', '\x7f', '\x7f', ENTER, ENTER]
  expect(pressed(endless).acts).toEqual([{ force: 'web', order: { mode: 'forced-closed' } }])
  expect(pressed([DOWN, 'f', 'a']).acts).toEqual([{ force: 'api', order: { mode: 'auto' } }])
  expect(pressed(['f', 'o', ESCAPE, 'x'])).toMatchObject({ acts: [], view: { prompt: undefined } })
  expect(bottomLine(pressed(['f', 'o']).view)).toBe('web forced open for (30m, 2h, never): 30m_')
})

test('top keys: q and Ctrl-C end it, Ctrl-C also while something is asked', () => {
  expect(pressed(['q']).acts).toEqual([{ quit: true }])
  expect(pressed(['/', '\x03']).acts).toEqual([{ quit: true }])
})
