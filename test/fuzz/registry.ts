import type { Asked } from './reader.ts'

/** A request that the fuzz sends, as it is known to both ends. */
export type Sent = Asked & {
  readonly upstream: string
  /** Of its body. */
  readonly bodyBytes: number
  /** Whether every byte up to its end is as it should be: such a request is answered, and its body arrives or it is not whole. */
  readonly isSound: boolean
  /** Whether the client sends it to its end: of a part, the sidecar may not know whose it is, nor by which method. */
  readonly isWhole: boolean
}

/** What both ends tell of a round: for the report of a finding, and to compare. */
export class Registry {
  readonly #sent = new Map<string, Sent>()
  readonly #told = new Map<string, string[]>()
  readonly findings: string[] = []

  /** Several talks may ask for the same id, to share a call: it is sound while all of them are. */
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

  /** By attempt, the way in which the upstream answered. */
  toldOf(id: string): readonly string[] {
    return this.#told.get(id) ?? []
  }

  report(finding: string): void {
    this.findings.push(finding)
  }
}
