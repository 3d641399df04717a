/** The last day over all upstreams: when breakers were open, when requests failed, incidents, reloads and forced breakers. */

import { element, keyed, mark, say } from './element.js'
import { hourAndMinute, many, moment, seconds } from './format.js'
import { hashOf } from './router.js'
import { nowOf } from './state.js'

/** @import { HistoryColumns, HistoryMark, HistoryView, IncidentView } from './shapes.ts' */
/** @import { State } from './state.js' */

/** Lanes that are drawn; the rest is counted. */
const MAX_LANES = 12
/** Incidents that are listed below. */
const MAX_INCIDENTS = 6
const TICKS = new Set(['00:00', '06:00', '12:00', '18:00'])
const QUARTER_MS = 900_000
/** Share of the axis at its rims that has no tick. */
const MARGIN = 0.02
/** Share of failures, in percent, above which a step is marked. */
const MAX_FAILED = 10

/** `from` and `to` in ms. @typedef {{ readonly kind: string, readonly from: number, readonly to: number, readonly says: string }} Piece */
/** @typedef {{ readonly name: string, readonly label: string, readonly pieces: readonly Piece[], readonly summary: string }} Lane */

/** What a mark of the history is called. @type {Readonly<Record<HistoryMark['kind'], string>>} */
const MARKS = {
  started: 'started',
  stopped: 'stopped',
  reloaded: 'configuration reloaded',
  refused: 'configuration refused',
  breaker_mode: 'breaker set to',
}

/** @param {{ readonly lanes: HTMLElement, readonly none: HTMLElement, readonly missing: HTMLElement, readonly axis: HTMLElement, readonly more: HTMLElement, readonly legend: HTMLElement, readonly incidents: HTMLElement }} places @param {(incident: IncidentView) => Node} line */
export function timeline({ lanes, none, missing, axis, more, legend, incidents }, line) {
  return {
    /** @param {State} state */
    update: (state) => {
      const { history } = state
      const now = nowOf(state)
      if (history === undefined) return
      const [from, to] = [Date.parse(history.from), Date.parse(history.to)]
      const all = lanesOf(history, state.incidents, from)
      none.hidden = all.length > 0 || history.missing !== null
      missing.hidden = history.missing === null
      say(missing, `Only the last minutes are known here: ${history.missing ?? ''}.`)
      more.hidden = all.length <= MAX_LANES
      say(more, `And ${many(all.length - MAX_LANES, 'other lane')}.`)
      keyed(
        lanes,
        all.slice(0, MAX_LANES).map((lane) => ({ lane, from, to })),
        ({ lane }) => lane.label,
        lanePart,
      )
      legend.hidden = all.length === 0
      const ticks = ticksOf(from, to).map((at) => ({ at, share: (at - from) / (to - from) }))
      keyed(axis, ticks, ({ at }) => String(at), axisPart)
      const recentOnes = state.incidents.filter(
        ({ started_at, ended_at }) => Date.parse(ended_at ?? now ?? started_at) >= from,
      )
      keyed(
        incidents,
        recentOnes.slice(0, MAX_INCIDENTS),
        ({ id, state: standing }) => `${id} ${standing}`,
        (incident) => ({ root: element('li', {}, line(incident)), update: () => {} }),
      )
    },
  }
}

/** The hours 0, 6, 12 and 18 of the browser's zone, those at the rim left out. @param {number} from @param {number} to */
function ticksOf(from, to) {
  const margin = (to - from) * MARGIN
  /** @type {number[]} */
  const ticks = []
  // Zones differ from UTC by whole quarters of an hour.
  for (let at = Math.ceil((from + margin) / QUARTER_MS) * QUARTER_MS; at < to - margin; at += QUARTER_MS)
    if (TICKS.has(hourAndMinute(at))) ticks.push(at)
  return ticks
}

function axisPart() {
  const root = element('span')
  return {
    root,
    /** @param {{ readonly at: number, readonly share: number }} tick */
    update: ({ at, share }) => {
      say(root, hourAndMinute(at))
      root.style.left = `${(share * 100).toFixed(2)}%`
    },
  }
}

/** Lanes with something to show: the sidecar's own first, then upstreams, most trouble first. @param {HistoryView} history @param {readonly IncidentView[]} incidents @param {number} from @returns {Lane[]} */
function lanesOf(history, incidents, from) {
  const stepMs = history.step_s * 1000
  const starts = history.at.map((at) => Date.parse(at))
  const end = Date.parse(history.to)
  const names = new Set([...Object.keys(history.upstreams), ...incidents.flatMap(({ upstream }) => upstream ?? [])])
  const spans = incidents
    .filter(({ ended_at }) => ended_at === null || Date.parse(ended_at) >= from)
    .map((one) => ({
      upstream: one.upstream,
      piece: {
        kind: 'incident',
        from: Math.max(from, Date.parse(one.started_at)),
        to: one.ended_at === null ? end : Date.parse(one.ended_at),
        says: one.summary,
      },
    }))
  const marks = history.marks.map((one) => ({
    upstream: one.upstream,
    piece: {
      kind: one.kind === 'breaker_mode' && one.detail === 'auto' ? 'automatic' : one.kind,
      from: Date.parse(one.at),
      to: Date.parse(one.at),
      says: `${moment(one.at)}: ${MARKS[one.kind]}${one.kind === 'breaker_mode' ? ` ${one.detail.replace('-', ' ')}` : ''}`,
    },
  }))
  const piecesOf = (/** @type {string | null} */ name) =>
    [...spans, ...marks].filter(({ upstream }) => upstream === name).map(({ piece }) => piece)
  const own = piecesOf(null)
  const lanes = [...names].flatMap((name) => {
    const columns = history.upstreams[name]
    const pieces = [...(columns === undefined ? [] : runsOf(columns, starts, stepMs)), ...piecesOf(name)]
    return pieces.length === 0 ? [] : [{ name, label: name, pieces, summary: summaryOf(columns, pieces) }]
  })
  const weight = (/** @type {Lane} */ { pieces }) => pieces.reduce((sum, piece) => sum + piece.to - piece.from, 0)
  lanes.sort((a, b) => weight(b) - weight(a))
  return own.length === 0
    ? lanes
    : [{ name: '', label: 'the sidecar', pieces: own, summary: own.map(({ says }) => says).join('; ') }, ...lanes]
}

/** Steps in a row in which the breaker was open, or many requests failed. @param {HistoryColumns} columns @param {readonly number[]} starts @param {number} stepMs @returns {Piece[]} */
function runsOf(columns, starts, stepMs) {
  /** @type {Piece[]} */
  const runs = []
  for (const [i, at] of starts.entries()) {
    const kind = kindAt(columns, i)
    if (kind === undefined) continue
    const last = runs.at(-1)
    if (last?.kind === kind && last.to === at) runs[runs.length - 1] = { ...last, to: at + stepMs }
    else runs.push({ kind, from: at, to: at + stepMs, says: '' })
  }
  return runs
}

/** @param {HistoryColumns} columns @param {number} i */
function kindAt({ open_s, requests, failures, refusals }, i) {
  if ((open_s[i] ?? 0) > 0) return 'open'
  const failed = (failures[i] ?? 0) + (refusals[i] ?? 0)
  return failed > 0 && failed * 100 > MAX_FAILED * (requests[i] ?? 0) ? 'failing' : undefined
}

/** @param {HistoryColumns | undefined} columns @param {readonly Piece[]} pieces */
function summaryOf(columns, pieces) {
  const sum = (/** @type {readonly (number | null)[] | undefined} */ all) =>
    (all ?? []).reduce((/** @type {number} */ total, value) => total + (value ?? 0), 0)
  const [open, failed, refused] = [sum(columns?.open_s), sum(columns?.failures), sum(columns?.refusals)]
  const incidents = pieces.filter(({ kind }) => kind === 'incident').length
  const parts = [
    ...(incidents === 0 ? [] : [many(incidents, 'incident')]),
    ...(open === 0 ? [] : [`open ${seconds(open)}`]),
    ...(failed === 0 ? [] : [`${failed} failed`]),
    ...(refused === 0 ? [] : [`${refused} refused`]),
    ...pieces.filter(({ kind, says }) => kind === 'breaker_mode' && says !== '').map(({ says }) => says),
  ]
  return parts.join(', ')
}

function lanePart() {
  const name = element('a')
  const track = element('div', { class: 'track', role: 'img' })
  const root = element('li', {}, name, track)
  return {
    root,
    /** @param {{ readonly lane: Lane, readonly from: number, readonly to: number }} line */
    update: ({ lane, from, to }) => {
      say(name, lane.label)
      mark(name, 'href', lane.name === '' ? '#/config' : hashOf('upstreams', lane.name))
      mark(track, 'aria-label', `${lane.label}, last 24 hours: ${lane.summary}`)
      mark(track, 'title', lane.summary)
      keyed(
        track,
        lane.pieces.map((piece) => ({ piece, from, to })),
        ({ piece }) => `${piece.kind} ${piece.from}`,
        pieceSpan,
      )
    },
  }
}

function pieceSpan() {
  const root = element('span')
  return {
    root,
    /** @param {{ readonly piece: Piece, readonly from: number, readonly to: number }} place */
    update: ({ piece, from, to }) => {
      const percent = (/** @type {number} */ ms) => `${((ms / (to - from)) * 100).toFixed(2)}%`
      mark(root, 'class', `piece ${piece.kind}`)
      if (piece.says !== '') mark(root, 'title', piece.says)
      root.style.left = percent(piece.from - from)
      root.style.width = percent(piece.to - piece.from)
    },
  }
}
