/** One line an upstream, worst first: its state, since when, rate, failures, latency and the last five minutes. */

import { badgeOf, failedWords, passedSince } from './badges.js'
import { element, keyed, mark, say } from './element.js'
import { count, lately, length, many } from './format.js'
import { keepFilter } from './kept-filter.js'
import { hashOf } from './router.js'
import { standingsOf } from './situation.js'
import { sparkline } from './sparkline.js'
import { nowOf } from './state.js'

/** @import { Standing } from './situation.js' */
/** @import { State } from './state.js' */

/** Number of upstreams above which there is a filter. */
const MANY = 12

/** @param {{ readonly list: HTMLElement, readonly filter: HTMLInputElement, readonly box: HTMLElement, readonly tally: HTMLElement }} places @param {State} state */
export function upstreamLines({ list, filter, box, tally }, state) {
  keepFilter(filter)
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
  const [share, percentile] = [element('span'), element('span')]
  // The heads of the columns are for the eye, and for wide windows.
  failed?.append(element('span', { class: 'unit' }, 'failed '), share)
  latency?.append(element('span', { class: 'unit' }, 'p99 '), percentile)
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
        say(share, failedWords(minute))
        mark(failed, 'data-some', String(minute.failed > 0))
      }
      say(percentile, length(upstream.latency_ms.p99))
      spark.update(state.samples, upstream.name)
    },
  }
}
