import { expect, test } from 'vitest'
import { callerIn } from '../../src/policy/paths/credentials.ts'

const signed = (id: string, signature: string) => [
  'authorization',
  `AWS4-HMAC-SHA256 Credential=${id}/20261128/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=${signature}`,
]

test('callerIn: requests with the same credentials are of one caller', () => {
  expect(callerIn(['accept', '*/*'])).toBe('')
  for (const name of ['Authorization', 'Cookie', 'X-Api-Key', 'apikey', 'Ocp-Apim-Subscription-Key', 'X-Auth-Token']) {
    expect(callerIn([name, 'a', 'accept', '*/*'])).toBe(callerIn(['traceparent', '1', name.toLowerCase(), 'a']))
    expect(callerIn([name, 'a'])).not.toBe(callerIn([name, 'b']))
    expect(callerIn([name, 'a'])).not.toContain('a: ')
  }
})

test('callerIn: a signature that differs in every request is none of the credentials', () => {
  expect(callerIn(signed('AKID', '1f'))).toBe(callerIn(signed('AKID', '2e')))
  expect(callerIn(signed('AKID', '1f'))).not.toBe(callerIn(signed('OTHER', '1f')))
})
