/** Tells a webhook of incidents: one call after the other, in the background, again where it fails. */

import type { Clock, Timer } from '../../clock.ts'
import type { IncidentView } from '../../dashboard/shapes.ts'
import type { Emit, IncidentPhase } from '../../events.ts'
import { lengthText } from '../../incidents/words.ts'
import { retryAfterMs } from '../../policy/retry/backoff.ts'

export type WebhookSettings = {
  /** Secret: it may hold a token. '' for none. */
  readonly url: string
  readonly on: readonly IncidentPhase[]
  /** Timeout of one call in ms. */
  readonly timeout: number
}

/** Messages that wait. The oldest are dropped for newer ones. */
const MAX_WAITING = 100
/** Calls for one message: about ten minutes with the waits between them. */
const MAX_CALLS = 10
/** Waits between calls in ms: from `first`, doubling, up to `most`. */
const AGAIN_MS = { first: 1_000, most: 120_000 }
/** Statuses after which the same call may succeed. */
const MAY_SUCCEED = new Set([408, 425, 429])

export class Webhook {
  readonly #service: string
  readonly #clock: Clock
  readonly #emit: Emit
  #settings: WebhookSettings
  readonly #waiting: string[] = []
  #calls = 0
  #isCalling = false
  #again: Timer | undefined
  #underWay: AbortController | undefined
  #isClosed = false

  constructor(settings: WebhookSettings, service: string, clock: Clock, emit: Emit) {
    this.#settings = settings
    this.#service = service
    this.#clock = clock
    this.#emit = emit
  }

  /** Uses these settings from the next call on. Without an address nothing waits any longer. */
  set(settings: WebhookSettings): void {
    this.#settings = settings
    if (settings.url === '') this.#dropAll()
  }

  tell(phase: IncidentPhase, incident: IncidentView): void {
    const { url, on } = this.#settings
    if (url === '' || !on.includes(phase) || this.#isClosed) return
    if (this.#waiting.length >= MAX_WAITING) {
      this.#waiting.shift()
      this.#calls = 0
      this.#emit({ kind: 'notification', outcome: 'dropped', error: undefined })
    }
    this.#waiting.push(messageOf(this.#service, phase, incident))
    void this.#call()
  }

  close(): void {
    this.#isClosed = true
    this.#underWay?.abort()
    this.#dropAll()
  }

  #dropAll(): void {
    if (this.#again !== undefined) this.#clock.cancel(this.#again)
    this.#again = undefined
    this.#calls = 0
    for (const _ of this.#waiting.splice(0)) this.#emit({ kind: 'notification', outcome: 'dropped', error: undefined })
  }

  async #call(): Promise<void> {
    const [message] = this.#waiting
    if (message === undefined || this.#isCalling || this.#again !== undefined || this.#isClosed) return
    this.#isCalling = true
    this.#calls += 1
    const outcome = await this.#post(message)
    this.#isCalling = false
    if (this.#isClosed) return
    // A message that was dropped meanwhile is not told of again.
    if (this.#waiting[0] !== message) {
      this.#calls = 0
      return this.#call()
    }
    if (outcome.isOver || this.#calls >= MAX_CALLS) {
      this.#waiting.shift()
      this.#calls = 0
      const { error } = outcome
      this.#emit({ kind: 'notification', outcome: error === undefined ? 'delivered' : 'failed', error })
      return this.#call()
    }
    const waitMs = Math.max(outcome.afterMs, Math.min(AGAIN_MS.first * 2 ** (this.#calls - 1), AGAIN_MS.most))
    this.#again = this.#clock.after(waitMs, () => {
      this.#again = undefined
      void this.#call()
    })
  }

  async #post(body: string): Promise<{ isOver: boolean; afterMs: number; error: Error | undefined }> {
    const { url, timeout } = this.#settings
    const control = new AbortController()
    this.#underWay = control
    const timer = this.#clock.after(timeout, () => control.abort())
    try {
      const response = await fetch(url, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body,
        redirect: 'manual',
        signal: control.signal,
      })
      await response.body?.cancel()
      if (response.ok) return { isOver: true, afterMs: 0, error: undefined }
      const { status } = response
      const asked = retryAfterMs(['retry-after', response.headers.get('retry-after') ?? ''], this.#clock.wallNow()) ?? 0
      const isOver = status < 500 && !MAY_SUCCEED.has(status)
      return { isOver, afterMs: Math.min(asked, AGAIN_MS.most), error: new Error(`the webhook answered ${status}`) }
    } catch (error) {
      // Without the message of the library, which may hold the address.
      return {
        isOver: false,
        afterMs: 0,
        error: new Error(control.signal.aborted ? 'no answer in time' : codeOf(error)),
      }
    } finally {
      this.#clock.cancel(timer)
    }
  }
}

/** `text` is what Slack and those who take its form show; the rest is for programs. */
function messageOf(service: string, phase: IncidentPhase, incident: IncidentView): string {
  const { summary, advice, duration_s: seconds } = incident
  const over = `${service}: over after ${lengthText(seconds * 1000)}. ${summary}`
  const text = phase === 'opened' ? `${service}: ${summary} ${advice.text} (${advice.runbook})` : over
  return JSON.stringify({ text: escaped(text), service, event: phase, incident })
}

/** Text whose words do not become links or mentions: Slack asks for these three, https://docs.slack.dev/messaging/formatting-message-text */
const escaped = (text: string) => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')

function codeOf(error: unknown): string {
  const cause = error instanceof Error ? error.cause : undefined
  const code = typeof cause === 'object' && cause !== null && 'code' in cause ? cause.code : undefined
  return typeof code === 'string' ? code : 'no answer'
}
