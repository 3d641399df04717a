import fc from 'fast-check'
import { expect, test } from 'vitest'
import { type Placed, UnorderedList } from '../src/unordered-list.ts'

test('unordered list: has the same members as a Set after the same additions and deletions', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.boolean(), fc.nat(9))), (steps) => {
      const things = Array.from({ length: 10 }, (_, name) => ({ name, place: -1 }))
      const list = new UnorderedList<Placed & { readonly name: number }>()
      const set = new Set<Placed>()
      for (const [isAdded, i] of steps) {
        const thing = things[i]
        if (thing === undefined || (isAdded && set.has(thing))) continue
        if (isAdded) {
          list.add(thing)
          set.add(thing)
        } else {
          list.delete(thing)
          set.delete(thing)
        }
      }
      expect(list.size).toBe(set.size)
      expect(new Set(list.now())).toEqual(set)
    }),
  )
})
