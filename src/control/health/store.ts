import type { CheckpointStore } from '../../checkpoint/store.ts'

/** @param value that no other sidecar uses: several of them may look at one store at the same time. */
export async function lookAtStore(store: CheckpointStore, value: string): Promise<string> {
  if (!(await store.probe(value))) throw new Error('what was written was not read back')
  return 'write, read and delete ok'
}
