/** Prints docs/metrics.md from the table in the code: `npm run docs`. A test compares the two. */

import { commonLabels, labelRows } from '../src/control/metrics/label-values.ts'
import { METRICS } from '../src/control/metrics/metric-table.ts'

export function metricsPage(): string {
  const rows = Object.values(METRICS)
    .toSorted((a, b) => (a.name < b.name ? -1 : 1))
    .map(({ name, type, labelNames, help }) => `| \`${name}\` | ${type} | ${labelNames.join(', ')} | ${help} |`)
  return `# Metrics

Printed from \`src/control/metrics/metric-table.ts\` by \`npm run docs\`.

\`GET /metrics\` on the control listener, and on \`control.metricsListen\` when that is set: Prometheus text, or OpenMetrics with
exemplars (\`request_id\`, as in the log) for whoever accepts it. Durations are histograms from 1 ms to 10 min. Label values are
names from the configuration and members of closed sets, so that no traffic adds series: \`route\` is \`*\` for requests that
match none and for an upstream's own breaker, \`reason\` is \`none\` for a response that was relayed whole.

The process's own metrics (\`breakwater_process_*\`: CPU, memory, file descriptors; \`breakwater_nodejs_*\`: event-loop lag,
garbage collection, heap) are those of prom-client.

| metric | type | labels | |
|---|---|---|---|
${rows.join('\n')}

## Values of the labels

These labels mean the same everywhere:

| label | value |
|---|---|
${commonLabels()
  .map(([label, meaning]) => `| ${label} | ${meaning} |`)
  .join('\n')}

| metric | label | values |
|---|---|---|
${labelRows()
  .toSorted((a, b) => (a.metric < b.metric ? -1 : 1))
  .map(
    ({ metric, label, values }) =>
      `| \`${metric}\` | ${label} | ${values.replaceAll('errors.md', '[errors](errors.md)')} |`,
  )
  .join('\n')}
`
}

if (import.meta.main) process.stdout.write(metricsPage())
