/** SQLite database of checkpoints and jobs: its tables, and each call as one synchronous step. */

import { DatabaseSync, type StatementSync } from 'node:sqlite'
import { isoTime } from '../../clock.ts'
import { type JobRecord, keptUntil } from '../../job/book.ts'
import { listed, progressed } from '../pages.ts'
import { type Append, appended, type Checkpoint, inOrder, type StoredCheckpoint } from '../record.ts'
import {
  HISTORY_KEPT,
  HISTORY_KINDS,
  type HistoryKind,
  type HistoryRow,
  holds,
  type NewJob,
  type Page,
  type Precondition,
  type ProgressPage,
  type Registered,
  type StoredJob,
  type StoreSettings,
  type Written,
} from '../store.ts'
import { areSound, readCheckpoint, readJob } from '../stored-text.ts'

/** Version of the tables. A file of a later version is refused, one of an earlier version is migrated. */
const VERSION = 1

/**
 * `heads` has one row per job with its newest stage, `stages` one row per stage. Ordinary rowid tables: three times as fast as
 * WITHOUT ROWID (measured).
 */
const TABLES = `
  CREATE TABLE heads (job TEXT PRIMARY KEY, stage TEXT NOT NULL, revision INTEGER NOT NULL, attempt INTEGER NOT NULL, expires_at INTEGER NOT NULL);
  CREATE INDEX heads_by_expiry ON heads (expires_at);
  CREATE TABLE stages (job TEXT NOT NULL, stage TEXT NOT NULL, checkpoint TEXT NOT NULL, PRIMARY KEY (job, stage));
  CREATE TABLE jobs (id TEXT PRIMARY KEY, record TEXT NOT NULL, expires_at INTEGER NOT NULL);
`

/** Pages that are returned to the file system at once. */
const VACUUMED_AT_ONCE = 256
/** Not part of VERSION: a program of before leaves this table alone. */
const HISTORY_TABLE =
  'CREATE TABLE IF NOT EXISTS history (kind TEXT NOT NULL, at INTEGER NOT NULL, name TEXT NOT NULL, row BLOB NOT NULL, PRIMARY KEY (kind, at, name))'
/** Rows that go at once when there are too many bytes. */
const GO_AT_ONCE = 200

type Head = { readonly stage: string; readonly revision: number; readonly attempt: number; readonly expires_at: number }

export class CheckpointDatabase {
  readonly #database: DatabaseSync
  readonly #settings: StoreSettings
  readonly #statements: Map<string, StatementSync> = new Map()

  /** @param path of the file, or `:memory:`. @throws when it is not a database of the sidecar, or of a later version. */
  constructor(path: string, settings: StoreSettings) {
    this.#settings = settings
    this.#database = new DatabaseSync(path)
    try {
      this.#prepare()
    } catch (error) {
      this.#database.close()
      throw error
    }
  }

  #prepare(): void {
    this.#database.exec('PRAGMA busy_timeout = 0; PRAGMA locking_mode = EXCLUSIVE')
    const { user_version: version } = this.#database.prepare('PRAGMA user_version').get() ?? {}
    if (Number(version) > VERSION) throw new Error(`the file is of a later version (${version}) than this program`)
    // FULL: the log is fsynced before COMMIT returns. EXCLUSIVE: a second process is refused; the lock of a dead one is gone.
    this.#database.exec(
      'PRAGMA auto_vacuum = INCREMENTAL; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA journal_size_limit = 16777216',
    )
    if (version === 0) this.#database.exec(`BEGIN; ${TABLES} PRAGMA user_version = ${VERSION}; COMMIT`)
    this.#database.exec(HISTORY_TABLE)
  }

  /** Runs steps as one transaction: when this returns, all of their effects are durable, or none exists. */
  together<R>(steps: () => R): R {
    this.#database.exec('BEGIN IMMEDIATE')
    try {
      const result = steps()
      this.#database.exec('COMMIT')
      return result
    } catch (error) {
      if (this.#database.isTransaction) this.#database.exec('ROLLBACK')
      throw error
    }
  }

  /** Runs one step of a transaction; an error undoes this step alone. */
  alone<R>(step: () => R): R {
    this.#database.exec('SAVEPOINT step')
    try {
      const result = step()
      this.#database.exec('RELEASE step')
      return result
    } catch (error) {
      if (this.#database.isTransaction) this.#database.exec('ROLLBACK TO step; RELEASE step')
      throw error
    }
  }

  /** SQLite ends a transaction itself when the disk fails. */
  get isInTransaction(): boolean {
    return this.#database.isTransaction
  }

  save(job: string, checkpoint: Checkpoint, precondition: Precondition, now: number): Written {
    return this.#write(job, precondition, now, () => inOrder(checkpoint))
  }

  append(job: string, append: Append, precondition: Precondition, now: number): Written {
    return this.#write(job, precondition, now, () => {
      const text = this.#stage(job, append.stage)
      const before = text === undefined ? undefined : readCheckpoint(text)
      return text !== undefined && before === undefined ? undefined : appended(before, append, isoTime(now))
    })
  }

  load(job: string, stage: string | undefined, now: number): StoredCheckpoint | undefined {
    const head = this.#head(job, now)
    const text = head && this.#stage(job, stage ?? head.stage)
    const checkpoint = text === undefined ? undefined : readCheckpoint(text)
    if (head === undefined || checkpoint === undefined) return undefined
    return areSound(head.revision, head.attempt, head.expires_at) ? stored(job, head, checkpoint) : undefined
  }

  stages(job: string, now: number): string[] {
    const newest = this.#head(job, now)?.stage
    if (newest === undefined) return []
    const rows = this.#all('SELECT stage FROM stages WHERE job = ? AND stage <> ? ORDER BY rowid', job, newest)
    return [...rows.map(({ stage }) => String(stage)), newest]
  }

  clear(job: string, precondition: Precondition, now: number): boolean {
    if (!holds(precondition, this.#head(job, now)?.revision)) return false
    this.#forget(job)
    return true
  }

  list(stage: string | undefined, limit: number, after: string | undefined, withItems: boolean, now: number): Page {
    const rows = this.#prepared(
      `SELECT h.job, h.stage, h.revision, h.attempt, h.expires_at, s.checkpoint FROM heads h
       JOIN stages s ON s.job = h.job AND s.stage = coalesce(?, h.stage)
       WHERE h.job > ? AND h.expires_at > ? ORDER BY h.job LIMIT ?`,
    ).iterate(stage ?? null, after ?? '', now, limit + 1)
    return listed(rows, limit, withItems)
  }

  progress(limit: number, after: string | undefined, now: number): ProgressPage {
    const rows = this.#prepared(
      `SELECT s.job, substr(s.checkpoint, 1, ?) AS beginning FROM
       (SELECT job, stage FROM heads WHERE job > ? AND expires_at > ? ORDER BY job LIMIT ?) h
       JOIN stages s ON s.job = h.job ORDER BY s.job, s.stage = h.stage, s.rowid`,
    ).iterate(BEGINNING_CHARS, after ?? '', now, limit + 1)
    return progressed(rows, limit)
  }

  registerJob(job: NewJob, isChange: boolean, now: number): Registered | undefined {
    const known = this.#job(job.id, now)
    if (known !== undefined && !isChange) return { ...storedJob(known, now), isNew: false }
    if (known === undefined && isChange) return undefined
    const startedAt = known?.startedAt ?? job.startedAt ?? now
    const deadlineAt = job.totalMs === undefined ? undefined : startedAt + job.totalMs
    const { id, inputs, origin, end } = job
    return { ...this.#putJob({ id, inputs, startedAt, deadlineAt, origin, end }, now), isNew: known === undefined }
  }

  saveJob(record: JobRecord, ageMs: number, now: number): StoredJob {
    const known = this.#job(record.id, now)
    const isRunning = known !== undefined && known.end === undefined
    const startedAt = isRunning ? known.startedAt : Math.round(now - ageMs)
    const totalMs = record.deadlineAt === undefined ? undefined : record.deadlineAt - record.startedAt
    const deadlineAt = isRunning ? known.deadlineAt : totalMs && startedAt + totalMs
    return this.#putJob({ ...record, startedAt, deadlineAt }, now)
  }

  #putJob(record: JobRecord, now: number): StoredJob {
    const until = keptUntil(record, now, this.#settings.ttlMs)
    this.#run('INSERT OR REPLACE INTO jobs VALUES (?, ?, ?)', record.id, JSON.stringify(record), until)
    return storedJob(record, now)
  }

  findJob(id: string, now: number): StoredJob | undefined {
    const record = this.#job(id, now)
    return record && storedJob(record, now)
  }

  removeJob(id: string): void {
    this.#run('DELETE FROM jobs WHERE id = ?', id)
  }

  jobs(now: number): StoredJob[] {
    const rows = this.#all('SELECT record FROM jobs WHERE expires_at > ?', now)
    const records = rows.map(({ record }) => readJob(String(record))).filter((record) => record !== undefined)
    return records.map((record) => storedJob(record, now))
  }

  /** Also removes what is older, or more, than is kept. */
  saveHistory(rows: readonly HistoryRow[], now: number): void {
    for (const { kind, at, name, bytes } of rows)
      this.#prepared('INSERT OR REPLACE INTO history VALUES (?, ?, ?, ?)').run(kind, at, name, bytes)
    for (const kind of HISTORY_KINDS) {
      const { ms, bytes } = HISTORY_KEPT[kind]
      this.#run('DELETE FROM history WHERE kind = ? AND at < ?', kind, now - ms)
      const [sum] = this.#all('SELECT coalesce(sum(length(row)), 0) AS bytes FROM history WHERE kind = ?', kind)
      if (Number(sum?.bytes) > bytes)
        this.#run(
          'DELETE FROM history WHERE rowid IN (SELECT rowid FROM history WHERE kind = ? ORDER BY at LIMIT ?)',
          kind,
          GO_AT_ONCE,
        )
    }
  }

  history(kind: HistoryKind, from: number, to: number): HistoryRow[] {
    const rows = this.#all(
      'SELECT at, name, row FROM history WHERE kind = ? AND at >= ? AND at < ? ORDER BY at',
      kind,
      from,
      to,
    )
    return rows.flatMap(({ at, name, row }) =>
      row instanceof Uint8Array ? [{ kind, at: Number(at), name: String(name), bytes: row }] : [],
    )
  }

  /** Writes, reads and deletes a row in one step. */
  probe(value: string, now: number): boolean {
    const id = `probe ${value}` // no id of a job: those have no spaces
    this.#run('INSERT OR REPLACE INTO jobs VALUES (?, ?, ?)', id, value, now)
    const [row] = this.#all('SELECT record FROM jobs WHERE id = ?', id)
    this.removeJob(id)
    return row?.record === value
  }

  /** Deletes some expired records and returns free pages to the file system. @returns the number of records. */
  sweep(now: number, most: number): number {
    const expired = this.#all('SELECT job FROM heads WHERE expires_at <= ? LIMIT ?', now, most)
    for (const { job } of expired) this.#forget(String(job))
    this.#run('DELETE FROM jobs WHERE expires_at <= ?', now)
    this.shrink()
    return expired.length
  }

  /** Moves the expiry of every record, and the start and deadline of every job, because the clock for them was moved. */
  shift(byMs: number): void {
    for (const table of ['heads', 'jobs']) this.#run(`UPDATE ${table} SET expires_at = expires_at + ?`, byMs)
    for (const time of ['$.startedAt', '$.deadlineAt'])
      this.#run(
        `UPDATE jobs SET record = json_replace(record, ?, json_extract(record, ?) + ?) WHERE json_valid(record)`,
        time,
        time,
        byMs,
      )
  }

  /** Moves the log into the file, which may grow by it, and begins the log anew. */
  shortenLog(): void {
    this.#database.exec('PRAGMA wal_checkpoint(TRUNCATE)')
  }

  /** Takes free pages from the end of the file. They are returned to the file system once the log is in the file. */
  shrink(): void {
    this.#database.exec(`PRAGMA incremental_vacuum(${VACUUMED_AT_ONCE})`)
  }

  /** Size of the file once the log is in it. */
  get bytes(): number {
    const [row] = this.#all('SELECT page_count * page_size AS bytes FROM pragma_page_count(), pragma_page_size()')
    return Number(row?.bytes)
  }

  close(): void {
    this.#statements.clear()
    this.#database.close()
  }

  #write(job: string, precondition: Precondition, now: number, next: () => Checkpoint | undefined): Written {
    const head = this.#head(job, now)
    if (!holds(precondition, head?.revision)) return { outcome: 'mismatch' }
    const attempt = precondition.attempt ?? head?.attempt ?? 0
    if (head !== undefined && attempt < head.attempt) return { outcome: 'older_attempt', attempt: head.attempt }
    if (head === undefined) this.#forget(job)
    const checkpoint = next()
    if (checkpoint === undefined) return { outcome: 'unreadable' }
    const count = checkpoint.item_ids.length
    if (count > this.#settings.maxItems) return { outcome: 'too_many', count }
    const { stage } = checkpoint
    const revision = (head?.revision ?? 0) + 1
    const written: Head = { stage, revision, attempt, expires_at: now + this.#settings.ttlMs }
    this.#run('INSERT OR REPLACE INTO heads VALUES (?, ?, ?, ?, ?)', job, stage, revision, attempt, written.expires_at)
    this.#run('INSERT OR REPLACE INTO stages VALUES (?, ?, ?)', job, stage, JSON.stringify(checkpoint))
    return { outcome: 'saved', record: stored(job, written, checkpoint), created: head === undefined }
  }

  #forget(job: string): void {
    this.#run('DELETE FROM heads WHERE job = ?', job)
    this.#run('DELETE FROM stages WHERE job = ?', job)
  }

  #head(job: string, now: number): Head | undefined {
    const [row] = this.#all(
      'SELECT stage, revision, attempt, expires_at FROM heads WHERE job = ? AND expires_at > ?',
      job,
      now,
    )
    return row && headOf(row)
  }

  #job(id: string, now: number): JobRecord | undefined {
    const [row] = this.#all('SELECT record FROM jobs WHERE id = ? AND expires_at > ?', id, now)
    return row && readJob(String(row.record))
  }

  /** JSON text of a stage's checkpoint. */
  #stage(job: string, stage: string): string | undefined {
    const [row] = this.#all('SELECT checkpoint FROM stages WHERE job = ? AND stage = ?', job, stage)
    return row && String(row.checkpoint)
  }

  #all(sql: string, ...values: (string | number | null)[]) {
    return this.#prepared(sql).all(...values)
  }

  #run(sql: string, ...values: (string | number | null)[]): void {
    this.#prepared(sql).run(...values)
  }

  #prepared(sql: string): StatementSync {
    const known = this.#statements.get(sql) ?? this.#database.prepare(sql)
    this.#statements.set(sql, known)
    return known
  }
}

/** Length of text that holds all fields of a checkpoint before its items. */
const BEGINNING_CHARS = 512

const headOf = (row: Readonly<Record<string, unknown>>): Head => ({
  stage: String(row.stage),
  revision: Number(row.revision),
  attempt: Number(row.attempt),
  expires_at: Number(row.expires_at),
})

const storedJob = (record: JobRecord, now: number): StoredJob => ({ record, ageMs: now - record.startedAt })

const stored = (
  job: string,
  { revision, attempt, expires_at: expiresAt }: Head,
  checkpoint: Checkpoint,
): StoredCheckpoint => ({
  job,
  checkpoint,
  revision,
  attempt,
  expiresAt,
})
