import type { Asked } from './reader.ts'

/** A request of the fuzz, as client and upstream both know it. */
export type Sent = Asked & {
  readonly upstream: string
  /** Length of the body. */
  readonly bodyBytes: number
  /** Whether every byte is valid: the sidecar then has to answer it, and to relay its body unchanged. */
  readonly isSound: boolean
  /** Whether the client sends all of it. From a part, the sidecar may not know the id or the method. */
  readonly isWhole: boolean
}

/** Records what client and upstream did in a round, to compare the two and to report findings. */
export class Registry {
  readonly #sent = new Map<string, Sent>()
  readonly #told = new Map<string, string[]>()
  readonly findings: string[] = []

  /** Several talks may use the same id, to share a call: the id is sound while all its requests are. */
  add(sent: Sent): void {
    const isSound = sent.isSound && this.#sent.get(sent.id)?.isSound !== false
    this.#sent.set(sent.id, { ...sent, isSound })
  }

  find(id: string): Sent | undefined {
    return this.#sent.get(id)
  }

  /** How many calls for that id have reached an upstream so far. */
  callsOf(id: string): number {
    return this.#told.get(id)?.length ?? 0
  }

  tell(id: string, what: string): void {
    this.#told.set(id, [...(this.#told.get(id) ?? []), what])
  }

  /** How the upstream answered each attempt of that id, in order. */
  toldOf(id: string): readonly string[] {
    return this.#told.get(id) ?? []
  }

  report(finding: string): void {
    this.findings.push(finding)
  }
}
