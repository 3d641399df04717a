/** `check`, the log and the control API show the line of a fault. Where a secret's key was misspelt, they showed the secret. */

import { expect, test } from 'vitest'
import { formatFaults } from '../../src/config/file/faults.ts'
import { loadConfig } from '../../src/config/load.ts'

const SECRET = 'k3pt-0ut-0f-l0gs'

/** Everything that is said about a faulty file. */
function told(lines: string): string {
  const loaded = loadConfig(lines.replaceAll('SECRET', SECRET), 'proxy.yaml', {})
  if (loaded.ok) throw new Error('no fault')
  return formatFaults(loaded.faults)
}

const UPSTREAMS = 'upstreams: { web: { url: http://web:1 } }'

test.each([
  ['a key', `control: { tokn: SECRET }\n${UPSTREAMS}`],
  ['a key in a block', `control:\n  tokn: "SECRET"\n${UPSTREAMS}`],
  ['a key above its block', `contrl: { token: [SECRET] }\n${UPSTREAMS}`],
  ['a key of a header field', 'upstreams: { web: { url: http://web:1, header: { authorization: Bearer SECRET } } }'],
  [
    'a key within one of several forms',
    'upstreams: { web: { url: http://web:1, headers: { x: { set: { y: SECRET } } } } }',
  ],
  ['a key beside another fault', `control: { listen: nowhere, tokn: SECRET }\n${UPSTREAMS}`],
  ['no key, but it stands twice', `control: { token: a, token: SECRET }\n${UPSTREAMS}`],
  ['no key, but the brackets', `control: { tokn: SECRET ]\n${UPSTREAMS}`],
  ['no key, and a tag begins the secret', `control: { token: !SECRET x }\n${UPSTREAMS}`],
  ['no key, and an alias begins the secret', `control: { token: *SECRET }\n${UPSTREAMS}`],
])('faults: with %s misspelt, the line has stars instead of the secret', (_, text) => {
  const faults = told(text)
  expect(faults).toContain('**')
  expect(faults).not.toContain(SECRET)
})
