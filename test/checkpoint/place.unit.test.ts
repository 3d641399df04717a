import { expect, test } from 'vitest'
import { placeName, storePlace } from '../../src/checkpoint/place.ts'

const redis = (rest: object) => ({
  kind: 'redis',
  target: {
    mode: 'single',
    master: '',
    tls: false,
    username: undefined,
    password: undefined,
    sentinelPassword: undefined,
    db: 0,
    nodes: [{ host: 'localhost', port: 6379 }],
    ...rest,
  },
})

test.each([
  ['memory:', { kind: 'memory' }, 'memory:'],
  ['file:./data', { kind: 'file', folder: './data' }, 'file:./data'],
  ['redis://localhost', redis({}), 'redis://localhost:6379/0'],
  [
    'rediss://me:p%40ss%3A@[::1]:7000/5',
    redis({ tls: true, username: 'me', password: 'p@ss:', db: 5, nodes: [{ host: '::1', port: 7000 }] }),
    'rediss://[::1]:7000/5',
  ],
  [
    'redis+sentinel://:pw@a,b:26380/main/2?sentinel_password=s%20w',
    redis({
      mode: 'sentinel',
      password: 'pw',
      master: 'main',
      db: 2,
      sentinelPassword: 's w',
      nodes: [
        { host: 'a', port: 26_379 },
        { host: 'b', port: 26_380 },
      ],
    }),
    'redis+sentinel://a:26379,b:26380/main/2',
  ],
  [
    'rediss+cluster://u:p@a:1,b:2',
    redis({
      mode: 'cluster',
      tls: true,
      username: 'u',
      password: 'p',
      nodes: [
        { host: 'a', port: 1 },
        { host: 'b', port: 2 },
      ],
    }),
    'rediss+cluster://a:1,b:2',
  ],
])('store place: %s is parsed, and shown without its secrets', (text, place, name) => {
  expect(storePlace(text)).toEqual(place)
  expect(placeName(storePlace(text) ?? { kind: 'memory' })).toBe(name)
})

test.each([
  '',
  'file:',
  'redis:localhost',
  'redis://',
  'redis://a,b',
  'redis://a/x',
  'redis://a:999999',
  'redis://u:%zz@a',
  'redis+sentinel://a',
  'redis+cluster://a/1',
  'redis+proxy://a',
  'http://a',
])('store place: %s is refused', (text) => {
  expect(storePlace(text)).toBeUndefined()
})
