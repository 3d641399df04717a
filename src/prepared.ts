/** A change that is ready and not in force yet: one of the two is called, once. */
export type Prepared = {
  /** Puts it in force. Waits for nothing, and cannot fail. */
  readonly activate: () => void
  /** Leaves everything as it was. */
  readonly abandon: () => Promise<void>
}
