/** Prints docs/errors.md from the table in the code: `npm run docs`. A test compares the two. */

import { FAULT_CODES, faultOf } from '../src/errors.ts'

export function errorsPage(): string {
  const rows = FAULT_CODES.map((code) => {
    const { status, proxyError, retry, whose, title } = faultOf(code)
    return `| ${code} | ${status} | ${proxyError} | ${retry === 'never' ? '' : retry} | ${whose} | ${title} |`
  })
  return `# What the sidecar answers itself

Printed from \`src/errors.ts\` by \`npm run docs\`.

The answer is \`application/problem+json\` (RFC 9457) with \`Proxy-Status\` (RFC 9209), and with \`Retry-After\` on every 503. The
last word of its \`type\` (\`urn:breakwater:breaker_open\`) is the reason below; the log and the metrics show the same word. An
upstream's own answer is relayed as it is, also when it is the last of several attempts; \`x-breakwater-attempts\` then says how
many there were. After the response head has gone out the sidecar cuts the connection instead, and only the log and the
metrics have the reason.

\`retry\` is the word of \`retry.on\` under which the fault may be repeated. Only a fault of the upstream's counts against its
breaker, its endpoint's latency and its adaptive limit.

| reason | status | Proxy-Status error | retry | whose fault | |
|---|---|---|---|---|---|
${rows.join('\n')}
`
}

if (import.meta.main) process.stdout.write(errorsPage())
