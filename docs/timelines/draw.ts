/** Draws a time line as SVG: a row for each client, call or state, on one axis; legible on light and on dark ground. */

import { escaped } from '../../src/simulate/report/chart.ts'

/** `wait`: the sidecar waits; `good`, `bad`: what came of it; `state`: neither. */
type Kind = 'good' | 'bad' | 'wait' | 'state'

/** From and to are in the unit of the axis. */
export type Span = { readonly from: number; readonly to: number; readonly kind: Kind; readonly text: string }

export type Row = { readonly label: string; readonly spans: readonly Span[] }

export type Timeline = {
  readonly title: string
  readonly rows: readonly Row[]
  readonly until: number
  readonly unit: string
}

const WIDTH = 800
const LEFT = 150
const RIGHT = 20
const TOP = 40
const ROW = 28
const BAR = 20
/** What a character of the labels takes, about. */
const CHARACTER = 6.7

const STYLE = `
    text { font: 12px ui-monospace, Menlo, Consolas, monospace; fill: #1f2328 }
    .title { font: 600 13px system-ui, sans-serif }
    .axis { stroke: #d0d7de } .tick { fill: #59636e }
    .good { fill: #b7e4c1; stroke: #1a7f37 } .bad { fill: #ffc9c6; stroke: #cf222e }
    .wait { fill: none; stroke: #9a6700; stroke-dasharray: 4 3 } .state { fill: #cfe3ff; stroke: #0969da }
    @media (prefers-color-scheme: dark) {
      text { fill: #e6edf3 } .axis { stroke: #3d444d } .tick { fill: #9198a1 }
      .good { fill: #14401f; stroke: #3fb950 } .bad { fill: #5c1a1b; stroke: #f85149 }
      .wait { stroke: #d29922 } .state { fill: #10305c; stroke: #4493f8 }
    }`

export function draw({ title, rows, until, unit }: Timeline): string {
  const scale = (WIDTH - LEFT - RIGHT) / until
  const x = (at: number) => rounded(LEFT + at * scale)
  const bottom = TOP + rows.length * ROW
  const ticks = Array.from({ length: Math.floor(until / step(until)) + 1 }, (_, i) => i * step(until))
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${bottom + 30}" role="img" aria-label="${escaped(title)}">`,
    `  <style>${STYLE}\n  </style>`,
    `  <text class="title" x="10" y="20">${escaped(title)}</text>`,
    ...ticks.flatMap((at) => [
      `  <path class="axis" d="M${x(at)} ${TOP - 6}V${bottom + 4}"/>`,
      `  <text class="tick" x="${x(at)}" y="${bottom + 20}" text-anchor="middle">${at}${at === 0 ? '' : ` ${unit}`}</text>`,
    ]),
    ...rows.flatMap(({ label, spans }, i) => rowOf(label, spans, TOP + i * ROW, x)),
    '</svg>',
    '',
  ].join('\n')
}

function rowOf(label: string, spans: readonly Span[], y: number, x: (at: number) => number): string[] {
  return [
    `  <text x="10" y="${y + 15}">${escaped(label)}</text>`,
    ...spans.flatMap(({ from, to, kind, text }, i) => {
      const width = Math.max(rounded(x(to) - x(from)), 3)
      const fits = text.length * CHARACTER < width - 4
      const room = (spans[i + 1] === undefined ? WIDTH : x(spans[i + 1]?.from ?? 0)) - x(from) - width
      const at = fits ? rounded(x(from) + width / 2) : rounded(x(from) + width + 4)
      return [
        `  <rect class="${kind}" x="${x(from)}" y="${y}" width="${width}" height="${BAR}" rx="3"><title>${escaped(text)}</title></rect>`,
        // What finds no place has its title, for whoever points at it.
        ...(fits || room > text.length * CHARACTER + 8
          ? [`  <text x="${at}" y="${y + 14}"${fits ? ' text-anchor="middle"' : ''}>${escaped(text)}</text>`]
          : []),
      ]
    }),
  ]
}

/** Between five and ten ticks: 1, 2 or 5 times a power of ten. */
function step(until: number): number {
  const power = 10 ** Math.floor(Math.log10(until / 5))
  return [5, 2, 1].map((times) => times * power).find((size) => until / size >= 5) ?? power
}

const rounded = (value: number) => Math.round(value * 10) / 10
