import type { Duplex } from 'node:stream'
import type { UpstreamCall, WireControl } from './call.ts'

/**
 * undici's callbacks for one call. An error in one would otherwise end the process, or be taken for a fault of the upstream.
 */
export class WireHandler {
  readonly #call: UpstreamCall

  constructor(call: UpstreamCall) {
    this.#call = call
  }

  onRequestStart(control: WireControl): void {
    this.#guard(() => this.#call.start(control))
  }

  onBodySent(): void {
    this.#guard(() => this.#call.bodySent())
  }

  onRequestSent(): void {
    this.#guard(() => this.#call.requestSent())
  }

  onResponseStart(control: WireControl, status: number, _parsed: unknown, statusText?: string): void {
    this.#guard(() => this.#call.begin(control, status, statusText ?? ''))
  }

  onRequestUpgrade(control: WireControl, status: number, _parsed: unknown, socket: Duplex): void {
    this.#guard(() => this.#call.switchTo(control, status, socket))
  }

  onResponseData(control: WireControl, chunk: Buffer): void {
    this.#guard(() => this.#call.data(control, chunk))
  }

  onResponseEnd(control: WireControl): void {
    this.#guard(() => this.#call.end(control))
  }

  onResponseError(_control: WireControl | undefined, error: Error): void {
    this.#guard(() => this.#call.fail(error))
  }

  #guard(run: () => void): void {
    try {
      run()
    } catch (error) {
      this.#call.lose(error)
    }
  }
}
