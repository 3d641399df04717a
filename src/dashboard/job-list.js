/** Jobs with their stages and the time left. A row opens to the job's checkpoints and a button that clears them. */

import { element, keyed, mark, say } from './element.js'
import { many, moment } from './format.js'
import { inputsOf, leftOf, lifeOf, NO_JOBS, startOf } from './job-words.js'
import { keepFilter } from './kept-filter.js'

/** @import { CheckpointView } from './shapes.ts' */
/** @import { JobRow } from './state.js' */

const STEP = 25
/** Item ids that are shown of one checkpoint. */
const MAX_ITEMS = 100

/** `clear` asks for confirmation and resolves to whether the checkpoints were cleared. @typedef {{ readonly load: (job: string, stage: string) => Promise<CheckpointView | undefined>, readonly clear: (job: string) => Promise<boolean> }} Checkpoints */

/**
 * @param {{ readonly list: Element, readonly more: HTMLButtonElement, readonly none: HTMLElement, readonly filter: HTMLInputElement, readonly tally: HTMLElement }} places
 * @param {Checkpoints} checkpoints
 */
export function jobList({ list, more, none, filter, tally }, checkpoints) {
  let shown = STEP
  /** @type {readonly JobRow[]} */
  let all = []
  let unread = 0
  more.addEventListener('click', () => {
    shown += STEP
    show()
    if (more.hidden) list.children[shown - STEP]?.querySelector('summary')?.focus()
  })
  keepFilter(filter)
  filter.addEventListener('input', () => {
    shown = STEP
    show()
  })

  function show() {
    const wanted = filter.value.trim()
    const rows = wanted === '' ? all : all.filter(({ id }) => id.includes(wanted))
    none.hidden = rows.length > 0
    more.hidden = rows.length <= shown
    say(none, all.length === 0 ? NO_JOBS : 'No job id matches.')
    say(more, `Show ${Math.min(STEP, rows.length - shown)} more`)
    const older = unread > 0 ? `; ${many(unread, 'older one')} not read` : ''
    const label = `${Math.min(shown, rows.length)} of ${many(rows.length, 'job')}, nearest deadline first`
    say(tally, (rows.length === 0 ? '' : label) + older)
    keyed(list, rows.slice(0, shown), ({ id }) => id, jobRow(checkpoints, filter))
  }
  return {
    /** @param {readonly JobRow[]} rows @param {number} beyond registered jobs beyond `rows`, which are not read. */
    update: (rows, beyond) => {
      all = rows
      unread = beyond
      show()
    },
  }
}

/** @param {Checkpoints} checkpoints @param {HTMLElement} above @returns {(row: JobRow) => import('./element.js').Part<JobRow>} */
const jobRow = (checkpoints, above) => (first) => {
  const left = element('span', { class: 'left' })
  const stages = element('span', { class: 'stages' })
  const inputs = element('span', { class: 'inputs' })
  const name = element('span', { class: 'name' }, element('code', {}, first.id), inputs)
  const summary = element('summary', {}, name, left, stages)
  let latest = first
  let lookedAt = ''
  const inside = jobInside(checkpoints, (isGone) => (isGone ? above : summary).focus())
  const row = element('details', { 'data-job': first.id }, summary, inside.root)
  function look() {
    lookedAt = JSON.stringify(latest.stages)
    void inside.look(latest)
  }
  row.addEventListener('toggle', () => {
    if (row.open) look()
  })
  return {
    root: element('li', {}, row),
    update: (now) => {
      latest = now
      say(inputs, [lifeOf(now), inputsOf(now)].filter((one) => one !== '').join(', '))
      say(left, leftOf(now))
      mark(
        left,
        'data-left',
        now.isOver || now.leftS === 0 ? 'none' : now.leftS !== null && now.leftS < 60 ? 'little' : 'enough',
      )
      keyed(stages, now.stages, ([stage]) => stage, stageBar)
      if (row.open && JSON.stringify(now.stages) !== lookedAt) look()
    },
  }
}

function stageBar() {
  const bar = element('progress')
  const label = element('span', { class: 'value' })
  const name = element('span', { class: 'stage' })
  return {
    root: element('span', {}, name, bar, label),
    /** @param {JobRow['stages'][number]} stage */
    update: ([stage, { completed_items, total_items }]) => {
      say(name, stage)
      mark(bar, 'aria-label', stage)
      mark(bar, 'max', String(Math.max(1, total_items)))
      mark(bar, 'value', String(completed_items))
      say(label, `${completed_items} of ${total_items}`)
    },
  }
}

/**
 * The opened part of a job's row: its checkpoints, and the button that clears them.
 * @param {Checkpoints} checkpoints
 * @param {(isGone: boolean) => void} cleared called after the button, which had the focus, is hidden; `isGone`: the row goes, too.
 */
function jobInside({ load, clear }, cleared) {
  const start = element('p')
  const trouble = element('p', { class: 'trouble' })
  const none = element('p', {}, 'No checkpoint.')
  const records = element('div')
  const button = element('button', { type: 'button', class: 'danger' }, 'Clear checkpoint…')
  /** @type {JobRow | undefined} */
  let job
  button.addEventListener('click', async () => {
    if (job === undefined || !(await clear(job.id))) return
    show([])
    cleared(job.job === undefined)
  })
  for (const part of [start, trouble, none, button]) part.hidden = true

  /** @param {readonly CheckpointView[]} found */
  function show(found) {
    const shown = found.map((record, i) => ({ record, isNewest: i === found.length - 1 }))
    keyed(records, shown, ({ record }) => record.stage, recordPart)
    none.hidden = found.length > 0
    button.hidden = found.length === 0
  }
  return {
    root: element('div', { class: 'inside' }, start, trouble, records, none, button),
    /** @param {JobRow} row */
    look: async (row) => {
      job = row
      start.hidden = row.job === undefined
      say(start, row.job === undefined ? '' : startOf(row.job))
      try {
        const found = await Promise.all(row.stages.map(([stage]) => load(row.id, stage)))
        if (job === row) show(found.filter((record) => record !== undefined))
        say(trouble, '')
      } catch (error) {
        say(trouble, `Not read: ${error instanceof Error ? error.message : String(error)}`)
      }
      trouble.hidden = trouble.textContent === ''
    },
  }
}

/** The newest stage is open at first. @param {{ readonly record: CheckpointView, readonly isNewest: boolean }} shown */
function recordPart({ record: { stage }, isNewest }) {
  const about = element('p')
  const items = element('p', { class: 'items' })
  const pre = element('pre')
  let revision = 0
  return {
    root: element('details', { class: 'record', open: isNewest }, element('summary', {}, stage), about, items, pre),
    /** @param {{ readonly record: CheckpointView }} shown */
    update: ({ record }) => {
      if (record.revision === revision) return
      revision = record.revision
      const { item_ids, metadata, timestamp, expires_at } = record
      const more = item_ids.length - MAX_ITEMS
      say(about, `Saved ${moment(timestamp)}, revision ${revision}, expires ${moment(expires_at)}`)
      items.replaceChildren(
        ...item_ids.slice(0, MAX_ITEMS).flatMap((id) => [element('code', {}, id), ' ']),
        item_ids.length === 0 ? 'No item ids.' : more > 0 ? `and ${more} more` : '',
      )
      pre.hidden = Object.keys(metadata).length === 0
      say(pre, JSON.stringify(metadata, undefined, 2))
    },
  }
}
