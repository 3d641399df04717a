/** What somebody does from the page: force a breaker, clear a checkpoint, reload, copy. Each shows its outcome. */

import { ApiError } from './api.js'
import { askForce, confirmed } from './dialogs.js'
import { say } from './element.js'
import { nowOf } from './state.js'

/** @import { Api } from './api.js' */
/** @import { CheckpointView } from './shapes.ts' */
/** @import { State } from './state.js' */

/** Key of the name of whoever forces breakers, in sessionStorage. */
const NAME = 'breakwater.name'
const OUTCOME_MS = 60_000

/**
 * @param {Api} api @param {State} state @param {HTMLElement} place where outcomes are shown
 * @param {{ readonly refresh: (section: 'upstreams' | 'config') => Promise<void>, readonly begin: () => void, readonly changed: () => void, readonly timeout: () => AbortSignal, readonly later: (act: () => void, ms: number) => () => void }} on
 */
export function actionsOf(api, state, place, on) {
  /** @param {string} method @param {string} path @param {unknown} [body] */
  const send = (method, path, body) => api.call(method, path, body, on.timeout())

  /** @type {(() => void) | undefined} */
  let keep
  /** Shows an outcome above the page for `OUTCOME_MS`. @param {string} words */
  function show(words) {
    keep?.()
    say(place, words)
    keep = on.later(() => say(place, ''), OUTCOME_MS)
  }

  /** Runs an action and shows its outcome. @param {string} done the text after success. @param {() => Promise<unknown>} doIt */
  async function act(done, doIt) {
    on.begin()
    try {
      await doIt()
      show(done)
      return true
    } catch (error) {
      const isAnswer = error instanceof ApiError
      show(isAnswer ? `Not done: ${error.message}` : 'No answer. It is not known whether the change was made.')
      return false
    } finally {
      on.changed()
    }
  }
  return {
    /** @param {string} name of the upstream. */
    force: async (name) => {
      const upstream = state.upstreams.find((one) => one.name === name)
      const who = sessionStorage.getItem(NAME) ?? ''
      const order = upstream === undefined ? undefined : await askForce(upstream, who, nowOf(state))
      if (order === undefined) return
      if (order.by !== undefined) sessionStorage.setItem(NAME, order.by)
      const end = order.for === undefined ? '' : ` for ${order.for}`
      await act(`${name}: breaker set to ${order.mode}${end}`, async () => {
        await send('PUT', `v1/upstreams/${encodeURIComponent(name)}/breaker`, order)
        await on.refresh('upstreams')
      })
    },
    /** @param {string} job @param {string} stage @returns {Promise<CheckpointView | undefined>} undefined when the checkpoint does not exist any more. */
    load: async (job, stage) => {
      try {
        const path = `v1/checkpoints/${encodeURIComponent(job)}?stage=${encodeURIComponent(stage)}`
        return await api.get(path, on.timeout())
      } catch (error) {
        if (error instanceof ApiError && error.status === 404) return undefined
        throw error
      }
    },
    /** @param {string} job */
    clear: async (job) => {
      const consequence = 'This deletes all its stages. The job would start again from the beginning.'
      if (!(await confirmed(`Clear the checkpoint of ${job}?`, consequence, 'Clear it'))) return false
      return act(`Checkpoint of ${job} cleared`, async () => {
        await send('DELETE', `v1/checkpoints/${encodeURIComponent(job)}`)
        state.progress.delete(job)
      })
    },
    reload: async () => {
      const consequence =
        'The sidecar reads the file again and puts it in force as a whole. A file with a fault changes nothing.'
      if (!(await confirmed('Reload the configuration?', consequence, 'Reload'))) return
      await act('Configuration reloaded', () => send('POST', 'v1/config/reload'))
      await on.refresh('config')
    },
    /** @param {string} text */
    copy: async (text) => {
      try {
        await navigator.clipboard.writeText(text)
        show('Copied')
      } catch {
        show('The browser does not let the page copy: select the text and copy it.')
      }
    },
  }
}
