/** Jobs with their stages and the time they have left; a row opens to its checkpoints, which can be cleared. */

import { element, keyed, mark, say } from './element.js'
import { many, NONE, seconds, timeOfDay } from './format.js'

/** @import { CheckpointView, Job } from './shapes.ts' */
/** @import { JobRow } from './state.js' */

const STEP = 25
/** Items of a checkpoint that are written out. */
const MOST_ITEMS = 100

/** `clear` asks first, and tells whether it was done. @typedef {{ readonly load: (job: string, stage: string) => Promise<CheckpointView | undefined>, readonly clear: (job: string) => Promise<boolean> }} Checkpoints */

/**
 * @param {{ readonly list: Element, readonly more: HTMLButtonElement, readonly none: HTMLElement, readonly filter: HTMLInputElement, readonly tally: HTMLElement }} places
 * @param {Checkpoints} checkpoints
 */
export function jobList({ list, more, none, filter, tally }, checkpoints) {
  let shown = STEP
  /** @type {readonly JobRow[]} */
  let all = []
  more.addEventListener('click', () => {
    shown += STEP
    show()
  })
  filter.addEventListener('input', () => {
    shown = STEP
    show()
  })

  function show() {
    const wanted = filter.value.trim()
    const rows = wanted === '' ? all : all.filter(({ id }) => id.includes(wanted))
    none.hidden = rows.length > 0
    more.hidden = rows.length <= shown
    say(none, all.length === 0 ? 'No job is registered, and there is no checkpoint.' : 'No job has that in its id.')
    say(more, `Show ${Math.min(STEP, rows.length - shown)} more`)
    say(
      tally,
      rows.length === 0 ? '' : `${Math.min(shown, rows.length)} of ${many(rows.length, 'job')}, nearest deadline first`,
    )
    keyed(list, rows.slice(0, shown), ({ id }) => id, jobRow(checkpoints))
  }
  return {
    /** @param {readonly JobRow[]} rows */
    update: (rows) => {
      all = rows
      show()
    },
  }
}

/** @param {Checkpoints} checkpoints @returns {(row: JobRow) => import('./element.js').Part<JobRow>} */
const jobRow = (checkpoints) => (first) => {
  const left = element('span', { class: 'left' })
  const stages = element('span', { class: 'stages' })
  const inside = element('div', { class: 'inside' })
  const name = element('span', { class: 'name' }, element('code', {}, first.id), inputsOf(first))
  const row = element('details', { 'data-job': first.id }, element('summary', {}, name, left, stages), inside)
  let latest = first
  row.addEventListener('toggle', () => {
    if (row.open) void look(latest, inside, checkpoints)
  })
  return {
    root: element('li', {}, row),
    update: (now) => {
      latest = now
      say(left, leftOf(now))
      mark(left, 'data-left', now.leftS === 0 ? 'none' : now.leftS !== null && now.leftS < 60 ? 'little' : 'enough')
      keyed(stages, now.stages, ([stage]) => stage, stageBar)
    },
  }
}

/** @param {JobRow} row */
const inputsOf = ({ job }) =>
  element(
    'span',
    { class: 'inputs' },
    Object.entries(job?.inputs ?? {})
      .map(([name, value]) => `${name} ${value}`)
      .join(', '),
  )

/** @param {JobRow} row */
function leftOf({ job, leftS }) {
  if (job === undefined) return 'not registered'
  if (leftS === null) return 'no deadline'
  return leftS === 0 ? 'deadline passed' : `${seconds(leftS)} left`
}

function stageBar() {
  const bar = element('progress')
  const told = element('span', { class: 'value' })
  const name = element('span', { class: 'stage' })
  return {
    root: element('span', {}, name, bar, told),
    /** @param {JobRow['stages'][number]} stage */
    update: ([stage, { completed_items, total_items }]) => {
      say(name, stage)
      mark(bar, 'aria-label', stage)
      mark(bar, 'max', String(Math.max(1, total_items)))
      mark(bar, 'value', String(completed_items))
      say(told, `${completed_items} of ${total_items}`)
    },
  }
}

/** @param {JobRow} row @param {Element} inside @param {Checkpoints} checkpoints */
async function look({ id, job, stages }, inside, { load, clear }) {
  const found = await Promise.all(stages.map(([stage]) => load(id, stage)))
  show(found.filter((record) => record !== undefined))

  /** @param {readonly CheckpointView[]} records */
  function show(records) {
    const clearAll = async () => {
      if (await clear(id)) show([])
    }
    inside.replaceChildren(
      ...(job === undefined ? [] : [element('p', {}, startOf(job))]),
      ...records.map(recordView),
      records.length === 0
        ? element('p', {}, 'No checkpoint.')
        : element('button', { type: 'button', class: 'danger', onclick: () => void clearAll() }, 'Clear checkpoint…'),
    )
  }
}

/** @param {Job} job */
function startOf({ started_at, timeouts }) {
  const told = Object.entries(timeouts).map(([name, s]) => `${name} ${seconds(s)}`)
  return `Started ${timeOfDay(started_at)}; timeouts: ${told.join(', ') || NONE}`
}

/** @param {CheckpointView} record */
function recordView({ stage, item_ids, metadata, timestamp, revision, expires_at }) {
  const told = item_ids.slice(0, MOST_ITEMS).join(' ')
  const more = item_ids.length - MOST_ITEMS
  return element(
    'section',
    { class: 'record' },
    element('h3', {}, stage),
    element(
      'p',
      {},
      `Saved ${timeOfDay(timestamp)}, revision ${revision}, expires ${expires_at.slice(0, 16).replace('T', ' ')} UTC`,
    ),
    element(
      'p',
      { class: 'items' },
      item_ids.length === 0 ? 'No item ids.' : element('code', {}, told),
      more > 0 ? ` and ${more} more` : '',
    ),
    ...(Object.keys(metadata).length === 0 ? [] : [element('pre', {}, JSON.stringify(metadata, undefined, 2))]),
  )
}
