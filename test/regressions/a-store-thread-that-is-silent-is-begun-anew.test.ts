import { expect, test } from 'vitest'
import { openFileStore } from '../../src/checkpoint/file/store.ts'
import { StoreDown, type StoreNews } from '../../src/checkpoint/store.ts'
import { type Clock, systemClock } from '../../src/clock.ts'
import { ALWAYS, checkpoint, SETTINGS } from '../checkpoint/store-contract.ts'
import { temporaryFolder } from '../support/folder.ts'

/** A clock whose timers the test fires, before a message from another thread can be read. */
function clockByHand() {
  const timers = new Map<object, { readonly delayMs: number; readonly fire: () => void }>()
  const clock: Clock = {
    ...systemClock,
    after: (delayMs, fire) => {
      const timer = {}
      timers.set(timer, { delayMs, fire })
      return timer
    },
    cancel: (timer) => void timers.delete(timer),
  }
  const find = (delayMs: number) => [...timers].find(([, timer]) => timer.delayMs === delayMs)
  const fire = (delayMs: number) => {
    const [timer, { fire: act }] = find(delayMs) ?? [{}, { fire: () => expect.fail(`no timer of ${delayMs} ms`) }]
    timers.delete(timer)
    act()
  }
  /** Waits until a timer of `delayMs` is set. */
  const set = async (delayMs: number) => {
    while (find(delayMs) === undefined) await new Promise((resolve) => setImmediate(resolve))
  }
  return { clock, fire, set }
}

test('store: a thread that answers nothing for 11 s is ended, and a new one takes over', async (t) => {
  const { clock, fire, set } = clockByHand()
  const news: StoreNews[] = []
  const store = await openFileStore(temporaryFolder(t), SETTINGS, clock, (one) => news.push(one))
  t.onTestFinished(() => store.close())
  await store.save('before', checkpoint('s', ['a']), ALWAYS)
  const underWay = [store.load('before', undefined), store.stages('before')].map((call) =>
    call.catch((error: unknown) => error),
  )
  fire(10_000)
  fire(1_000)
  for (const outcome of await Promise.all(underWay)) expect(outcome).toBeInstanceOf(StoreDown)
  await expect(store.load('before', undefined)).rejects.toThrow('did not answer for 10 s')
  expect(news).toMatchObject([{ kind: 'fault', error: { message: expect.stringContaining('did not answer') } }])
  await set(1_000)
  fire(1_000)
  const again = async (): Promise<unknown> => {
    try {
      return await store.load('before', undefined)
    } catch {
      await new Promise((resolve) => setImmediate(resolve))
      return again()
    }
  }
  expect(await again()).toMatchObject({ checkpoint: { item_ids: ['a'] } })
})
