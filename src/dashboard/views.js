/** The views of the page: shows the one that the hash names, and draws only that one. */

import { causeTable } from './causes.js'
import { configView } from './config-view.js'
import { element, mark, say } from './element.js'
import { explainView } from './explain-view.js'
import { limitWords } from './format.js'
import { healthView } from './health-view.js'
import { incidentView, missingIncident, versionOf } from './incident-view.js'
import { jobList } from './job-list.js'
import { setFilter } from './kept-filter.js'
import { place } from './place.js'
import { requestList } from './request-list.js'
import { missingRequest, requestView } from './request-view.js'
import { routeOf } from './router.js'
import { runbookView } from './runbook-view.js'
import { simulateView } from './simulate-view.js'
import { jobRows, nowOf } from './state.js'
import { timeline } from './timeline.js'
import { upstreamLines } from './upstream-lines.js'
import { incidentLine, upstreamView } from './upstream-view.js'

/** @import { ConfigView, IncidentView, RequestView } from './shapes.ts' */
/** @import { State } from './state.js' */

/** @typedef {{ readonly force: (upstream: string) => Promise<void>, readonly copy: (text: string) => Promise<void>, readonly load: import('./job-list.js').Checkpoints['load'], readonly clear: import('./job-list.js').Checkpoints['clear'] }} Actions */
/** Reads one thing that a permalink names. @typedef {{ readonly request: (id: string) => Promise<RequestView>, readonly incident: (id: string) => Promise<IncidentView>, readonly config: () => Promise<ConfigView>, readonly said: () => string, readonly explain: (path: string) => Promise<string>, readonly simulate: import('./simulate-view.js').Simulate, readonly runbook: () => Promise<string>, readonly nowMs: () => number }} Lookups */

/** @param {State} state @param {Actions} actions @param {Lookups} look */
// biome-ignore lint/complexity/noExcessiveLinesPerFunction: the parts of the page and the function that updates the shown ones.
export function viewsOf(state, actions, look) {
  let route = routeOf(location.hash)
  const limits = place('shared-limits', HTMLElement)
  const incidentPlace = place('incident-place', HTMLElement)
  const lines = upstreamLines(
    {
      list: place('upstream-lines', HTMLElement),
      filter: place('upstream-filter', HTMLInputElement),
      box: place('upstream-box', HTMLElement),
      tally: place('upstream-tally', HTMLElement),
    },
    state,
  )
  const day = timeline(
    {
      lanes: place('lanes', HTMLElement),
      none: place('no-lanes', HTMLElement),
      missing: place('history-missing', HTMLElement),
      axis: place('day-axis', HTMLElement),
      more: place('more-lanes', HTMLElement),
      legend: place('legend', HTMLElement),
      incidents: place('incidents', HTMLElement),
    },
    (incident) => {
      const line = incidentLine()
      line.update({ incident, now: nowOf(state) })
      return element('div', {}, ...line.root.childNodes)
    },
  )
  const requests = requestList()
  place('requests', HTMLElement).append(requests.root)
  const causes = causeTable(undefined)
  place('failures', HTMLElement).append(causes.root)
  const jobs = jobList(
    {
      list: place('jobs', HTMLElement),
      more: place('more-jobs', HTMLButtonElement),
      none: place('no-jobs', HTMLElement),
      filter: place('job-filter', HTMLInputElement),
      tally: place('job-tally', HTMLElement),
    },
    actions,
  )
  const health = healthView({
    about: place('health-about', HTMLElement),
    checks: place('health-checks', HTMLElement),
    limits: place('health-limits', HTMLElement),
    fleetTitle: place('fleet-title', HTMLElement),
    fleet: place('fleet', HTMLElement),
  })
  const config = configView({
    about: place('config-about', HTMLElement),
    last: place('config-last', HTMLElement),
    text: place('config-text', HTMLElement),
    title: place('diff-title', HTMLElement),
    diff: place('config-diff', HTMLElement),
  })
  const explain = explainView(place('explain', HTMLElement), state, look.explain)
  const simulate = simulateView(place('simulate', HTMLElement), state, look.simulate)
  /** @type {ReturnType<typeof upstreamView> | undefined} */
  let upstream

  /** @type {Readonly<Record<string, () => void>>} */
  const update = {
    now: () => {
      lines.update()
      say(limits, limitWords(state.limits, state.ownShares))
      limits.hidden = state.limits.length + state.ownShares.length === 0
      day.update(state)
    },
    upstreams: () => upstream?.update(),
    requests: () => {
      if (state.read.has('requests')) requests.update(state.requests, nowOf(state), state.leftOut)
      causes.update(state)
    },
    jobs: () => {
      if (state.read.has('jobs')) jobs.update(jobRows(state, look.nowMs()), state.jobsInAll - state.jobs.size)
    },
    incidents: updateIncident,
    health: () => health.update(state),
    config: () => config.update(state),
    explain: explain.update,
    simulate: simulate.update,
  }

  /** Draws an incident anew that goes on, unless somebody is about to follow a link or to copy a text. */
  function updateIncident() {
    const known = state.incidents.find(({ id }) => id === route.id)
    const shown = incidentPlace.firstElementChild
    const held = document.activeElement
    const isRead = incidentPlace.contains(held) && !(held instanceof HTMLHeadingElement)
    if (known === undefined || shown === null || isRead || getSelection()?.isCollapsed === false) return
    const version = versionOf(known)
    if (shown.getAttribute('data-version') === version) return
    const isTitleHeld = incidentPlace.contains(held)
    incidentPlace.replaceChildren(incidentView(known))
    if (isTitleHeld) focusTitle()
  }

  /** @param {HTMLElement} where @param {() => Promise<HTMLElement>} make */
  async function fill(where, make) {
    const meant = route
    where.replaceChildren(element('p', { class: 'none' }, 'Reading…'))
    const made = await make()
    if (meant === route) where.replaceChildren(made)
    focusTitle()
  }

  /** What a permalink names. */
  function open() {
    const { view, id, query } = route
    if (view === 'now') setFilter(query, place('upstream-filter', HTMLInputElement))
    if (view === 'jobs') setFilter(query, place('job-filter', HTMLInputElement))
    if (view === 'requests' && id === '') requests.filterBy(query)
    if (view === 'upstreams') {
      upstream = upstreamView(id, state, (name) => void actions.force(name), look.said)
      upstream.requests.filterBy(query)
      place('upstream-place', HTMLElement).replaceChildren(upstream.root)
    }
    if (view === 'requests' && id !== '')
      void fill(place('request-place', HTMLElement), async () => {
        try {
          const [request, config] = await Promise.all([look.request(id), state.config ?? look.config()])
          return requestView(request, config, (text) => void actions.copy(text))
        } catch (error) {
          return missingRequest(id, error instanceof Error ? error.message : String(error))
        }
      })
    if (view === 'incidents')
      void fill(incidentPlace, async () => {
        try {
          return incidentView(await look.incident(id))
        } catch (error) {
          return missingIncident(id, error instanceof Error ? error.message : String(error))
        }
      })
    if (view === 'runbook')
      void fill(place('runbook-place', HTMLElement), async () => runbookView(await look.runbook(), id))
    if (view === 'explain') explain.show(query)
  }

  /** Moves the focus to the title of a view that was opened by a link, for the keyboard and for who listens. */
  function focusTitle() {
    const title = [...document.querySelectorAll('main h2')].find(
      (one) => one instanceof HTMLElement && one.offsetParent !== null,
    )
    if (title instanceof HTMLElement && title.tabIndex === -1) title.focus({ preventScroll: true })
  }

  /** Shows the view that the hash names. */
  function show() {
    const { view, id } = route
    const shown = view === 'requests' && id === '' ? 'requests-list' : view
    for (const part of document.querySelectorAll('[data-shows]'))
      if (part instanceof HTMLElement) part.hidden = part.dataset.shows !== shown
    for (const link of document.querySelectorAll('nav [data-view]')) {
      const isHere = link.getAttribute('data-view') === view
      if (isHere) mark(link, 'aria-current', 'page')
      else link.removeAttribute('aria-current')
    }
    open()
    update[view]?.()
  }
  return {
    show,
    current: () => route,
    /** After a change of the hash. */
    go: () => {
      route = routeOf(location.hash)
      show()
      window.scrollTo(0, 0)
      focusTitle()
    },
    update: () => update[route.view]?.(),
  }
}
