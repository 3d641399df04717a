/** A page with plots of simulations, in one file that loads nothing. */

import { escaped, type Frame, lineChart, roundUp, stackedChart } from './chart.ts'
import { OUTCOMES } from './outcomes.ts'
import { OUTCOME_TITLES, type Report, type Run, rowsOf } from './report.ts'

export function page(report: Report): string {
  const { source, seed, belief, assumptions, remarks, runs } = report
  const upstreams = runs[0]?.figures.upstreams.map(({ name }) => name) ?? []
  const verdict = (belief?.says ?? []).map((text) => `<li>${escaped(text)}</li>`).join('')
  const sections = [
    ...(belief === undefined ? [] : [`<h2>How far it can be believed</h2><ul>${verdict}</ul>`]),
    figures(report),
    outcomes(runs),
    ...upstreams.flatMap((name) => [calls(name, runs), breakers(name, runs)]),
    `<h2>Taken for granted</h2><ul>${[...assumptions, ...remarks].map((text) => `<li>${escaped(text)}</li>`).join('')}</ul>`,
  ]
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>breakwater simulate: ${escaped(source)}</title><style>${STYLE}</style></head>
<body><h1>${escaped(source)}</h1><p class="quiet">breakwater simulate, seed ${seed}</p>
${sections.join('\n')}
</body></html>
`
}

function figures(report: Report): string {
  const [head = [], ...rows] = rowsOf(report)
  const cells = (tag: string, row: readonly string[]) =>
    row.map((cell, i) => {
      const indent = i === 0 ? (/^ */.exec(cell)?.[0].length ?? 0) : 0
      const style = indent > 0 ? ` style="padding-left:${indent / 2 + 0.5}em"` : ''
      return `<${tag}${style}>${escaped(cell)}</${tag}>`
    })
  const body = rows.map((row) => `<tr>${cells('td', row).join('')}</tr>`).join('')
  return `<div class="wide"><table><thead><tr>${cells('th', head).join('')}</tr></thead><tbody>${body}</tbody></table></div>`
}

/** One chart per run, at the same scale. */
function outcomes(runs: readonly Run[]): string {
  const totals = runs.flatMap(({ figures: { outcomesOverTime } }) =>
    outcomesOverTime.served.map((_, i) =>
      OUTCOMES.reduce((sum, outcome) => sum + (outcomesOverTime[outcome][i] ?? 0), 0),
    ),
  )
  const frame = frameOf(runs, totals)
  const perSecond = perSecondIn(frame)
  const charts = runs.map(({ name, figures: { outcomesOverTime } }) => {
    const series = OUTCOMES.map((outcome) => ({ paint: outcome, values: perSecond(outcomesOverTime[outcome]) }))
    const chart = stackedChart(`Requests that ended, a second, by outcome, ${name}`, series, frame)
    return `<figure><figcaption>${escaped(name)}</figcaption>${chart}</figure>`
  })
  const legend = OUTCOMES.map((outcome) => `<span class="${outcome}">${OUTCOME_TITLES[outcome]}</span>`)
  return `<h2>Requests that ended, a second, by what they came to</h2><p class="legend">${legend.join('')}</p>${charts.join('')}`
}

function calls(upstream: string, runs: readonly Run[]): string {
  const of = (run: Run) => run.figures.upstreams.find(({ name }) => name === upstream)?.callsOverTime ?? []
  return `<h2>Calls a second to ${escaped(upstream)}</h2>${compared(`Calls a second to ${upstream}`, runs, of, true)}`
}

/** Left out when none opened. */
function breakers(upstream: string, runs: readonly Run[]): string {
  const of = (run: Run) => run.figures.upstreams.find(({ name }) => name === upstream)?.openOverTime ?? []
  if (!runs.some((run) => of(run).some((open) => open > 0))) return ''
  return `<h2>Open breakers of ${escaped(upstream)}</h2>${compared(`Open breakers of ${upstream}`, runs, of, false)}`
}

function compared(label: string, runs: readonly Run[], of: (run: Run) => readonly number[], isRate: boolean): string {
  const frame = frameOf(runs, runs.flatMap(of), isRate)
  const shown = isRate ? perSecondIn(frame) : (values: readonly number[]) => values
  const paintOf = (i: number) => `run${runs.length - i}`
  const series = runs.map((run, i) => ({ paint: paintOf(i), values: shown(of(run)) }))
  const legend = runs.map(({ name }, i) => `<span class="${paintOf(i)}">${escaped(name)}</span>`)
  return `<p class="legend">${legend.join('')}</p><figure>${lineChart(label, series, frame)}</figure>`
}

function frameOf(runs: readonly Run[], counts: readonly number[], isRate = true): Frame {
  const sliceMs = runs[0]?.figures.sliceMs ?? 1_000
  const slices = Math.max(1, ...runs.map(({ figures }) => figures.outcomesOverTime.served.length))
  const most = counts.reduce((max, count) => Math.max(max, count), 0)
  return { sliceMs, slices, top: roundUp(isRate ? (most * 1_000) / sliceMs : most) }
}

const perSecondIn =
  ({ sliceMs }: Frame) =>
  (counts: readonly number[]) =>
    counts.map((count) => (count * 1_000) / sliceMs)

const STYLE = `
:root{color-scheme:light dark;--ink:#1c1e21;--quiet:#667;--grid:#dde;--paper:#fff;
--served:#7fb8a4;--upstreamError:#e8a33d;--refused:#8a6fc0;--timedOut:#d1495b;--broken:#7d2e3b;--left:#9aa3ad;
--run1:#c2410c;--run2:#2563a8;--run3:#8a93a0}
@media(prefers-color-scheme:dark){:root{--ink:#e6e8eb;--quiet:#9aa3ad;--grid:#33383f;--paper:#16181c;
--served:#4f8f7b;--upstreamError:#d9962f;--refused:#9d85d6;--timedOut:#e2606f;--broken:#b0485a;--left:#79828c;
--run1:#fb8a4c;--run2:#6aa5e8;--run3:#78818d}}
body{font:15px/1.45 system-ui,sans-serif;color:var(--ink);background:var(--paper);max-width:60rem;margin:2rem auto;padding:0 1rem}
h1{font-size:1.3rem;margin:0;overflow-wrap:anywhere}h2{font-size:1rem;margin:2rem 0 .3rem}
.quiet,figcaption{color:var(--quiet);margin:.2rem 0}figure{margin:.4rem 0 1rem}svg{width:100%;height:auto;display:block}
.wide{overflow-x:auto}table{border-collapse:collapse;font-variant-numeric:tabular-nums;margin-top:1rem}
th,td{text-align:right;padding:.15rem .5rem;border-bottom:1px solid var(--grid);white-space:nowrap}
th:first-child,td:first-child{text-align:left}
.legend span{margin-right:1.2em;white-space:nowrap}.legend span:before{content:"";display:inline-block;width:.8em;height:.8em;
margin-right:.4em;border-radius:2px;background:var(--paint)}
.grid{stroke:var(--grid)}.tick{fill:var(--quiet);font-size:11px}
.area{fill:var(--paint)}.line{fill:none;stroke:var(--paint);stroke-width:1.6}
${[...OUTCOMES, 'run1', 'run2', 'run3'].map((name) => `.${name}{--paint:var(--${name})}`).join('')}
`
