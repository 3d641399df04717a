/** Load generator where wrk is not installed. Arguments: url, connections, seconds. Prints one line of JSON, a Volley. */

import autocannon from 'autocannon'

const [url = '', connections, seconds] = process.argv.slice(2)
const result = await autocannon({ url, connections: Number(connections), duration: Number(seconds) })
const volley = {
  requests: result.requests.total,
  refused: result.non2xx,
  failed: result.errors,
  seconds: result.duration,
  p50Ms: result.latency.p50,
  p99Ms: result.latency.p99,
}
process.stdout.write(`${JSON.stringify(volley)}\n`)
