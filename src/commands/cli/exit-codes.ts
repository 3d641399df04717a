/** Exit codes of all commands. */

export const EXIT = { done: 0, bad: 1, faulty: 2, unanswered: 3 } as const

export const EXIT_CODES: readonly (readonly [code: number, what: string])[] = [
  [EXIT.done, 'done, and nothing is wrong (warnings are printed)'],
  [
    EXIT.bad,
    'it could not be done or did not start; status, health: something is broken; with --strict: there are warnings',
  ],
  [EXIT.faulty, 'the command line or the configuration is faulty'],
  [EXIT.unanswered, 'the sidecar that was asked gave no answer, or refused it (token)'],
]
