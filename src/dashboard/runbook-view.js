/** A section of the runbook, as the sidecar has it: what to do about a trouble. */

import { element } from './element.js'

/** @param {string} markdown of docs/runbook.md. @param {string} anchor of a section. @returns {HTMLElement} */
export function runbookView(markdown, anchor) {
  const sections = markdown.split(/^## /m).slice(1)
  const found = sections.find((section) => anchorOf(titleOf(section)) === anchor)
  if (found === undefined) return element('p', { class: 'trouble' }, `The runbook has no section ${anchor}.`)
  const paragraphs = found
    .slice(titleOf(found).length)
    .trim()
    .split(/\n\s*\n/)
  return element(
    'section',
    { class: 'card runbook-section' },
    element('h2', { id: 'view-title', tabindex: '-1' }, titleOf(found)),
    ...paragraphs.map((text) => element('p', {}, ...spansOf(text))),
  )
}

/** @param {string} section */
const titleOf = (section) => section.slice(0, section.indexOf('\n'))

/** As GitHub makes it. @param {string} title */
const anchorOf = (title) =>
  title
    .trim()
    .toLowerCase()
    .replaceAll(' ', '-')
    .replaceAll(/[^\w-]/g, '')

/** Code in backticks, links without their address, and text. @param {string} text */
const spansOf = (text) =>
  text
    .replaceAll(/\s+/g, ' ')
    .replaceAll(/\[([^\]]+)\]\([^)]*\)/g, '$1')
    .split('`')
    .map((part, i) => (i % 2 === 1 ? element('code', {}, part) : part))
