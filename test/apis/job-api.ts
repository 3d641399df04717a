import type { Answer, Scripted } from './job-server.ts'

/** A call of an API's client. */
export type Call = {
  readonly method: string
  /** With its query. */
  readonly path: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string
}

type Answered = Call & { readonly answer: Scripted }

/** What a job API says, in the shapes of its documentation, and what the sidecar makes of it. */
export type JobApi = {
  /** Of `config/examples/apis/<name>.yaml`. */
  readonly name: string
  /** The upstream with the jobs. */
  readonly upstream: string
  /** Variables of the file, by upstream. */
  readonly variables: Readonly<Record<string, string>>
  readonly id: string
  readonly create: Answered
  /** Reads the URLs of the created job in the answer: they lead to the sidecar. */
  readonly links?: (answer: { readonly headers: Record<string, unknown>; readonly body: string }) => readonly string[]
  readonly poll: Call & {
    readonly pending: Scripted
    readonly done: Scripted
    readonly failed: Scripted
    /** Time between two polls of a hold. false where the API is not polled by GET. */
    readonly everyMs: number | false
    /** First back-off of a poll. */
    readonly backoffMs?: number
  }
  /** What the upstream's own word for the failed job is in the record. */
  readonly failedStatus: string
  readonly download?: Call & { readonly upstream?: string }
  readonly cancel?: Answered & {
    /** What a poll then says; nothing where the cancelling call ends the job by itself. */
    readonly polled?: Scripted
  }
}

export const json = (body: object, status = 200, headers: Record<string, string> = {}): Answer => ({
  status,
  headers,
  body,
})

export const jsonBody = (body: object) => ({
  headers: { 'content-type': 'application/json' },
  body: JSON.stringify(body),
})

/** Name of a call in a script: without the query. */
export const callOf = ({ method, path, headers }: Call) =>
  `${method} ${headers?.['x-amz-target'] ?? path.split('?')[0]}`
