/** A breaker that stays open for long and rejects at once, for tests of what it does rather than of how soon it is over. */
export const LONG_OPEN = { openFor: '60s', openForMax: '10m', patience: '0ms' }
