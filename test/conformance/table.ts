/** The table of docs/conformance.md. */

import type { Case, Group } from './case.ts'

export type Judged = { readonly group: Group; readonly one: Case; readonly fault: string | undefined }

/** Results of one contestant, by the name that the table shows. */
export type Results = { readonly name: string; readonly judged: readonly Judged[] }

const BEGIN = '<!-- begin: npm run conformance -- --against all --write -->'
const END = '<!-- end -->'

const share = (judged: readonly Judged[]) =>
  judged.length === 0 ? '' : `${judged.filter(({ fault }) => fault === undefined).length}/${judged.length}`

/** Counts by topic: those of the RFCs for everyone, the sidecar's own rules for the sidecar alone. */
export function tableOf(all: readonly Results[], sidecar: string): string {
  const own = all.find(({ name }) => name === sidecar)
  const topics = [...new Set(all.flatMap(({ judged }) => judged.map(({ group }) => group.topic)))]
  const row = (title: string, isIn: (judged: Judged) => boolean) => [
    title,
    ...all.map(({ judged }) => share(judged.filter((each) => isIn(each) && !each.one.ours))),
    ...(own === undefined ? [] : [share(own.judged.filter((each) => isIn(each) && each.one.ours))]),
  ]
  const rows = [
    ['topic', ...all.map(({ name }) => name), ...(own === undefined ? [] : [`own rules: ${sidecar}`])],
    ...topics.map((topic) => row(topic, ({ group }) => group.topic === topic)),
    row('**all**', () => true),
  ]
  const [head = [], ...body] = rows.map((cells) => `| ${cells.join(' | ')} |`)
  return [head, `|---${'|---:'.repeat((rows[0]?.length ?? 1) - 1)}|`, ...body].join('\n')
}

/** Puts the table between the markers of a page. @throws Error when the page has none. */
export function withTable(page: string, table: string): string {
  const from = page.indexOf(BEGIN)
  const to = page.indexOf(END)
  if (from < 0 || to < from) throw new Error(`the page has no ${BEGIN} … ${END}`)
  return `${page.slice(0, from + BEGIN.length)}\n\n${table}\n\n${page.slice(to)}`
}
