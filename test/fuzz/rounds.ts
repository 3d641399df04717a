/** One round each for the control API and for strange store contents. Each starts a sidecar and returns findings. */

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { RedisServer } from '../support/redis.ts'
import type { Chance } from './chance.ts'
import { addRows, readAll, spoil, storedText } from './contents.ts'
import { controlConfig, controlRound } from './control.ts'
import { type RunningSidecar, runSidecar } from './sidecar.ts'

/** @param numbers of the calls. A call depends only on the chance and its number. */
export const controlCalls = (chance: Chance, numbers: readonly number[]) =>
  inFolder((folder) => served(`file:${folder}`, (sidecar) => controlRound(sidecar, chance, numbers, 20)))

/** Adds rows that no sidecar wrote to a file with rows of a sidecar. */
export const strangeRows = (chance: Chance) =>
  inFolder(async (folder) => {
    const file = await filled(folder)
    const jobs = addRows(file, chance)
    return served(`file:${folder}`, (sidecar) => readAll(sidecar, jobs, false))
  })

/** Corrupts the file: the store may then be down, but the sidecar has to relay requests. */
export const spoiltFile = (chance: Chance) =>
  inFolder(async (folder) => {
    spoil(await filled(folder), chance)
    return served(`file:${folder}`, (sidecar) => readAll(sidecar, ['job-1'], true))
  })

/** Puts values of any type and content under the keys that the sidecar reads. */
export async function strangeKeys(chance: Chance, redis: RedisServer): Promise<string[]> {
  await redis.command('FLUSHALL')
  const jobs = Array.from({ length: 30 }, (_, n) => `key-${n}`)
  for (const job of jobs) {
    const record = `checkpoint:granular:${job}`
    const own = `breakwater:{${record}}`
    await put(redis, chance.oneOf([record, record, own]), chance)
    if (chance.often(0.5)) await put(redis, `breakwater:job:${job}`, chance)
  }
  return served(`redis://127.0.0.1:${redis.port}/0`, (sidecar) => readAll(sidecar, jobs, false))
}

async function put(redis: RedisServer, key: string, chance: Chance): Promise<void> {
  switch (chance.oneOf(['text', 'text', 'text', 'list', 'hash'] as const)) {
    case 'text':
      await redis.command('SET', key, storedText(chance))
      return
    case 'list':
      await redis.command('RPUSH', key, storedText(chance))
      return
    case 'hash':
      await redis.command('HSET', key, chance.oneOf(['revision', 'stage:search', 'attempt', '']), storedText(chance))
  }
}

/** Starts a sidecar, writes two records through it and stops it. @returns the file. */
async function filled(folder: string): Promise<string> {
  await served(`file:${folder}`, async ({ controlPort }) => {
    for (const job of ['job-1', 'job-2']) {
      const body = JSON.stringify({ stage: 'search', item_ids: [job] })
      await fetch(`http://127.0.0.1:${controlPort}/v1/checkpoints/${job}/items`, { method: 'POST', body })
    }
    return []
  })
  return join(folder, 'checkpoints.sqlite')
}

async function served(store: string, look: (sidecar: RunningSidecar) => Promise<string[]>): Promise<string[]> {
  const sidecar = await runSidecar(controlConfig(store)).catch((error: unknown) => String(error))
  if (typeof sidecar === 'string') return [sidecar]
  try {
    return await look(sidecar)
  } finally {
    await sidecar.stop()
  }
}

async function inFolder(act: (folder: string) => Promise<string[]>): Promise<string[]> {
  const folder = mkdtempSync(join(tmpdir(), 'breakwater-fuzz-store-'))
  try {
    return await act(folder)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}
