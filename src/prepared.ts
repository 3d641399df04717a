/** A change that is ready but not in force. Exactly one of the two is called, once. */
export type Prepared = {
  /** Puts it in force. Does not wait and cannot fail. */
  readonly activate: () => void
  /** Leaves everything as it was. */
  readonly abandon: () => Promise<void>
}
