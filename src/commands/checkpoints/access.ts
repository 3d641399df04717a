/** How the commands reach the records of a store. */

import type { StorePlace } from '../../checkpoint/place.ts'
import type { CheckpointStore } from '../../checkpoint/store.ts'
import type { TlsTexts } from '../../net/tls/files.ts'
import type { Surroundings } from '../command.ts'

export type Where =
  | { readonly kind: 'place'; readonly place: StorePlace }
  | { readonly kind: 'sidecar'; readonly url: string; readonly token: string }

/** What the commands need of a store. */
export type Records = Pick<CheckpointStore, 'load' | 'list' | 'progress' | 'save' | 'clear' | 'jobs' | 'close'> & {
  /** undefined where a job cannot be registered with its old start. */
  readonly registerJob: CheckpointStore['registerJob'] | undefined
}

export type Opening = {
  readonly tls: TlsTexts
  /** Time for which written records live, in ms from now. */
  readonly ttlMs: number
  readonly write: Surroundings['write']
  /** Called when a store lost something or failed in the background. */
  readonly trouble: (what: string) => void
}
