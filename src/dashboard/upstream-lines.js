/** One line an upstream, worst first: its state, since when, rate, failures, latency and the last five minutes. */

import { element, keyed, mark, say } from './element.js'
import { ago, count, errorPercent, lately, length, many, NONE, recent, share } from './format.js'
import { hashOf } from './router.js'
import { standingsOf } from './situation.js'
import { sparkline } from './sparkline.js'
import { nowOf } from './state.js'

/** @import { Standing } from './situation.js' */
/** @import { State } from './state.js' */

/** Number of upstreams above which there is a filter. */
const MANY = 12

/** What a state is called, and how it looks. @type {Readonly<Record<Standing['kind'], readonly [word: string, look: string]>>} */
const BADGES = {
  down: ['down', 'bad'],
  broken: ['broken in part', 'bad'],
  failing: ['failing', 'bad'],
  limited: ['limited (429)', 'warn'],
  overload: ['overloaded', 'warn'],
  unreachable: ['unreachable', 'warn'],
  slow: ['slow', 'warn'],
  forced: ['forced', 'warn'],
  well: ['well', 'well'],
  quiet: ['not called since', 'calm'],
  idle: ['not called', 'calm'],
}

/** @param {Standing} standing */
export function badgeOf({ kind, forced }) {
  const [word, look] = BADGES[kind]
  const modes = [...new Set(forced.map(({ mode }) => mode))]
  const mode = modes[0] === 'observe' ? 'observed only' : (modes[0]?.replace('-', ' ') ?? '')
  if (kind === 'forced') return { words: modes.length === 1 ? mode : 'forced', look }
  return { words: modes.length === 0 ? word : `${word}, ${modes.length === 1 ? mode : 'forced'}`, look }
}

/** @param {{ readonly list: HTMLElement, readonly filter: HTMLInputElement, readonly box: HTMLElement, readonly tally: HTMLElement }} places @param {State} state */
export function upstreamLines({ list, filter, box, tally }, state) {
  filter.addEventListener('input', update)
  function update() {
    const standings = standingsOf(state)
    const wanted = filter.value.trim().toLowerCase()
    const shown = standings.filter(({ upstream }) => upstream.name.includes(wanted))
    box.hidden = standings.length <= MANY
    say(tally, `${shown.length} of ${many(standings.length, 'upstream')}, worst first`)
    keyed(
      list,
      shown,
      ({ upstream }) => upstream.name,
      () => lineOf(state),
    )
  }
  return { update }
}

/** @param {State} state */
function lineOf(state) {
  const badge = element('span', { class: 'badge' })
  const name = element('span', { class: 'name' })
  const [since, rate, failed, latency] = ['since', 'rate', 'failed', 'p99'].map((id) => element('span', { class: id }))
  const spark = sparkline()
  const link = element('a', {}, badge, name, since ?? '', rate ?? '', failed ?? '', latency ?? '', spark.root)
  const root = element('li', {}, link)
  return {
    root,
    /** @param {Standing} standing */
    update: (standing) => {
      const { upstream, since: at } = standing
      const { words, look } = badgeOf(standing)
      const now = nowOf(state)
      mark(root, 'data-upstream', upstream.name)
      mark(link, 'href', hashOf('upstreams', upstream.name))
      mark(badge, 'data-look', look)
      say(badge, words)
      say(name, upstream.name)
      const minute = lately(state.samples, upstream.name, 60)
      const per = minute.requests / Math.max(1, Math.min(60, state.samples.length))
      if (since) say(since, at === undefined ? '' : passedSince(at, now))
      if (rate) say(rate, `${count(per)}/s`)
      if (failed) {
        say(failed, failedWords(minute))
        mark(failed, 'data-some', String(minute.failed > 0))
      }
      if (latency) say(latency, length(upstream.latency_ms.p99))
      spark.update(state.samples, upstream.name)
    },
  }
}

/** @param {string} at @param {string | undefined} now */
const passedSince = (at, now) =>
  now === undefined ? recent(at, now) : `for ${ago(Math.max(0, (Date.parse(now) - Date.parse(at)) / 1000))}`

/** Failures and refusals are two things. @param {{ readonly requests: number, readonly failed: number, readonly refused: number }} minute */
function failedWords({ requests, failed, refused }) {
  if (requests === 0) return NONE
  const tried = share(errorPercent({ requests, failed: failed - refused }))
  return refused === 0 ? tried : `${tried} + ${share(errorPercent({ requests, failed: refused }))} refused`
}
