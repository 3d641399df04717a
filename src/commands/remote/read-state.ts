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

export type Section = 'upstreams' | 'failures' | 'incidents' | 'health' | 'config'

export const REFRESH_ALL: readonly Section[] = ['upstreams', 'failures', 'incidents', 'health', 'config']

/** Reads what no event carries. */
export async function refresh(
  api: Api,
  state: State,
  signal: AbortSignal,
  sections: readonly Section[] = REFRESH_ALL,
): Promise<void> {
  const get = (section: Section) => api.get(`v1/${section}`, signal)
  const answers = await Promise.all(sections.map(async (section) => [section, await get(section)] as const))
  for (const [section, answer] of answers) {
    if (section === 'health') noteHealth(state, answer)
    else if (section === 'config') state.config = answer
    else state[section] = answer[section]
  }
}
