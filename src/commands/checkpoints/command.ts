/** `breakwater checkpoints`: looks at, copies, backs up and restores what a store keeps. */

import { readFileSync } from 'node:fs'
import { durationMs } from '../../config/kinds/units.ts'
import { STORE_FORMS, type StorePlace, storePlace } from '../../checkpoint/place.ts'
import { StoreDown } from '../../checkpoint/store.ts'
import { readTls } from '../../net/tls/files.ts'
import { command, type Surroundings, variable } from '../command.ts'
import { UsageError } from '../usage-error.ts'
import { backUp, restore, verifyFile } from './backup.ts'
import { copyCheckpoints } from './copy.ts'
import { getRecord, listRecords, removeRecords } from './records.ts'
import type { Opening, Records, Where } from './access.ts'
import { openRecords } from './records-of.ts'
import { verifyRecords } from './verify.ts'

const VERBS = 'ls, get, rm, backup, restore, verify or copy'

export const checkpointsCommand = command({
  name: 'checkpoints',
  usage: `  breakwater checkpoints ls WHERE [--stage NAME]
  breakwater checkpoints get WHERE JOB [--stage NAME]
  breakwater checkpoints rm WHERE JOB…
                                   list, print or delete checkpoints.
                                   WHERE: --store STORE, or --url http://127.0.0.1:8081 [--token-env NAME] for a running sidecar;
                                   a file store that a sidecar has open is reached by its --url alone
                                   STORE: file:<folder>, redis://host:6379/0, rediss://…, redis+sentinel://…/master/0,
                                   redis+cluster://…; '\${NAME}' is read from the environment;
                                   TLS: [--ca FILE] [--cert FILE --key FILE] [--servername NAME]
  breakwater checkpoints backup WHERE --file FILE
                                   write all checkpoints and jobs into a file, one JSON document a line
  breakwater checkpoints restore WHERE --file FILE [--ttl 24h]
                                   bring back from a backup what is not there
  breakwater checkpoints verify WHERE | --file FILE
                                   read everything: exit code 1 when something cannot be read
  breakwater checkpoints copy --from STORE --to STORE [--ttl 24h]
                                   copy checkpoints and jobs that the target does not have
`,
  options: {
    store: { type: 'string' },
    url: { type: 'string' },
    'token-env': { type: 'string' },
    file: { type: 'string' },
    stage: { type: 'string' },
    from: { type: 'string' },
    to: { type: 'string' },
    ca: { type: 'string', default: '' },
    cert: { type: 'string', default: '' },
    key: { type: 'string', default: '' },
    servername: { type: 'string', default: '' },
    ttl: { type: 'string', default: '24h' },
  },
  allowPositionals: true,
  run: (values, [verb = '', ...jobs], surroundings) => {
    const ttlMs = durationMs(values.ttl)
    if (ttlMs === undefined) throw new UsageError('--ttl: expected a duration such as 24h')
    const { ca, cert, key, servername } = values
    if ((cert === '') !== (key === '')) throw new UsageError('--cert and --key: both or none')
    const settle = (act: (opening: Opening) => Promise<number>) =>
      settled(surroundings, (trouble) => {
        const tls = readTls('TLS', { ca, cert, key, servername }, readText)
        return act({ tls, ttlMs, write: surroundings.write, trouble })
      })
    const withRecords = (act: (records: Records) => Promise<number>) => {
      const where = whereIn(values, surroundings)
      return settle(async (opening) => {
        const records = await openRecords(where, opening)
        try {
          return await act(records)
        } finally {
          await records.close()
        }
      })
    }
    const file = () => {
      if (values.file === undefined) throw new UsageError(`${verb}: --file is missing`)
      return values.file
    }
    const none = () => {
      if (jobs.length > 0) throw new UsageError(`${verb} takes no argument: ${jobs[0]}`)
    }
    switch (verb) {
      case 'ls':
        none()
        return withRecords((records) => listRecords(records, values.stage, surroundings.write))
      case 'get': {
        const [job] = jobs
        if (job === undefined || jobs.length > 1) throw new UsageError('get takes one job')
        return withRecords((records) => getRecord(records, job, values.stage, surroundings))
      }
      case 'rm':
        if (jobs.length === 0) throw new UsageError('rm takes the jobs whose checkpoints are to be deleted')
        return withRecords((records) => removeRecords(records, jobs, surroundings.write))
      case 'backup': {
        none()
        const to = file()
        return withRecords((records) => backUp(records, to, surroundings))
      }
      case 'restore': {
        none()
        const from = file()
        return withRecords((records) => restore(records, from, surroundings))
      }
      case 'verify':
        none()
        return values.file === undefined
          ? withRecords((records) => verifyRecords(records, surroundings.write))
          : settle(() => verifyFile(file(), surroundings))
      case 'copy': {
        none()
        const from = placeAt('--from', values.from, surroundings)
        const to = placeAt('--to', values.to, surroundings)
        return settle((opening) => copyCheckpoints(from, to, opening))
      }
      default:
        throw new UsageError(`checkpoints: expected ${VERBS}`)
    }
  },
})

const readText = (path: string) => readFileSync(path, 'utf8')

/** @returns the exit code: 1 when something failed, which is then printed. */
async function settled(
  { complain }: Surroundings,
  act: (trouble: Opening['trouble']) => Promise<number>,
): Promise<number> {
  let isSound = true
  const trouble = (what: string) => {
    isSound = false
    complain(`breakwater: ${what}\n`)
  }
  try {
    const code = await act(trouble)
    return isSound ? code : 1
  } catch (error) {
    trouble(error instanceof Error ? error.message : String(error))
    if (error instanceof StoreDown) complain('what was done is done: run it again for the rest\n')
    return 1
  }
}

function whereIn(
  values: { readonly store?: string; readonly url?: string; readonly 'token-env'?: string },
  surroundings: Surroundings,
): Where {
  const { store, url, 'token-env': name } = values
  if ((store === undefined) === (url === undefined)) throw new UsageError('one of --store and --url is needed')
  if (url === undefined) return { kind: 'place', place: placeAt('--store', store, surroundings) }
  if (!URL.canParse(url)) throw new UsageError('--url: expected one such as http://127.0.0.1:8081')
  return { kind: 'sidecar', url, token: name === undefined ? '' : variable('--token-env', name, surroundings) }
}

/**
 * Reads `${NAME}` from the environment: every user of the machine can read a command line. A wrong place is not printed, since
 * it may hold a password.
 */
function placeAt(option: string, text: string | undefined, surroundings: Surroundings): StorePlace {
  const [, name] = /^\$\{(\w+)\}$/.exec(text ?? '') ?? []
  const place = storePlace(name === undefined ? (text ?? '') : variable(option, name, surroundings))
  if (place === undefined) throw new UsageError(`${option}: expected ${STORE_FORMS}`)
  return place
}
