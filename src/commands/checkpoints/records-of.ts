/** The records of a store, reached by its place or through a running sidecar. */

import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { FILE_NAME } from '../../checkpoint/file/file.ts'
import { openStore } from '../../checkpoint/open.ts'
import { placeName, type StorePlace } from '../../checkpoint/place.ts'
import type { CheckpointStore } from '../../checkpoint/store.ts'
import { systemClock } from '../../clock.ts'
import type { Opening, Records, Where } from './access.ts'
import { recordsOfSidecar } from './records-of-sidecar.ts'

export function openRecords(where: Where, opening: Opening): Promise<Records> {
  if (where.kind === 'sidecar') return Promise.resolve(recordsOfSidecar(where.url, where.token))
  return openExisting(where.place, opening)
}

/** @throws Error when there is no store in the folder: a mistyped place must not become an empty store. */
export async function openExisting(place: StorePlace, opening: Opening): Promise<CheckpointStore> {
  if (place.kind === 'file' && !existsSync(join(place.folder, FILE_NAME)))
    throw new Error(`${placeName(place)}: there is no store in this folder`)
  return openPlace(place, opening)
}

/** A file store is created where there is none. */
export function openPlace(place: StorePlace, { tls, ttlMs, trouble }: Opening): Promise<CheckpointStore> {
  const settings = { ttlMs, maxItems: Number.MAX_SAFE_INTEGER }
  return openStore(place, settings, tls, systemClock, (news) => {
    if (news.kind === 'set_aside') trouble(`the file was malformed (${news.why}): it is ${news.path} now`)
    if (news.kind === 'fault') trouble(String(news.error))
  })
}
