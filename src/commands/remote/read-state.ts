/** What a sidecar is like now, as the page's state. */

import type { Api } from '../../dashboard/api.js'
import { fold, freshState, noteHealth, type State } from '../../dashboard/state.js'

/** Everything by which the page says what is wrong. */
export async function readState(api: Api, signal: AbortSignal): Promise<State> {
  const state = freshState()
  for await (const event of api.events(signal)) {
    fold(state, event)
    break // the first one is the history
  }
  await refresh(api, state, signal)
  return state
}

/** Reads what no event carries. */
export async function refresh(api: Api, state: State, signal: AbortSignal): Promise<void> {
  const get = (path: string) => api.get(path, signal)
  const [{ upstreams }, { failures }, { incidents }, health, config] = await Promise.all([
    get('v1/upstreams'),
    get('v1/failures'),
    get('v1/incidents'),
    get('v1/health'),
    get('v1/config'),
  ])
  Object.assign(state, { upstreams, failures, incidents, config })
  noteHealth(state, health)
}
