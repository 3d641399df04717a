import type { CheckpointStore } from '../../checkpoint/store.ts'

/** @param value that no other sidecar uses, since several may check one store at once. */
export async function lookAtStore(store: CheckpointStore, value: string): Promise<string> {
  if (!(await store.probe(value))) throw new Error('what was written was not read back')
  return 'write, read and delete ok'
}
