import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import { temporaryFolder } from '../support/folder.ts'
import { needs } from '../support/needs.ts'
import type { Scope } from '../support/scripted-upstream.ts'
import { sidecarBefore, suiteScope } from './between.ts'
import { curl, type Transfer } from './curl.ts'
import { bytesOf, type Echoed, echoUpstream, sha256Of } from './echo.ts'
import { hasCurl } from './programs.ts'

needs('curl', hasCurl)

const MIB = 1024 * 1024
const LARGE = 20 * MIB
const SMALL = 5_000

type Case = {
  readonly name: string
  readonly args?: (files: { readonly large: string; readonly small: string }) => readonly string[]
  readonly targets?: readonly string[]
  /** Checks beyond the answer's likeness to that without the sidecar. */
  readonly also?: (transfers: readonly Transfer[], told: string) => void
}

const echoed = ({ body }: Transfer): Echoed => JSON.parse(body.toString())
const uploaded =
  (length: number, method: string) =>
  ([transfer]: readonly Transfer[]) => {
    expect(transfer).toMatchObject({ status: 200 })
    expect(transfer && echoed(transfer)).toMatchObject({ method, bytes: length, sha256: sha256Of(bytesOf(length)) })
  }

const CASES: readonly Case[] = [
  { name: 'GET' },
  { name: 'GET with fields', args: () => ['-H', 'X-One: a', '-H', 'x-one: b', '-H', 'X-Empty;', '-A', 'me/1 (ü)'] },
  { name: 'HEAD', args: () => ['-I'], targets: ['/bytes/1000000', '/echo'] },
  { name: '-d', args: () => ['-d', 'a=1&b=%20', '-d', 'c=3'] },
  { name: '-d of an empty string', args: () => ['-d', ''] },
  { name: '-X DELETE', args: () => ['-X', 'DELETE'] },
  { name: '-F', args: ({ large }) => ['-F', `file=@${large};type=audio/ogg`, '-F', 'language=pt'] },
  { name: '-F without Expect', args: ({ small }) => ['-F', `file=@${small}`, '-H', 'Expect:'] },
  { name: '-T', args: ({ large }) => ['-T', large], also: uploaded(LARGE, 'PUT') },
  {
    name: '-T with Expect',
    args: ({ large }) => ['-T', large, '-H', 'Expect: 100-continue'],
    also: (transfers, told) => {
      uploaded(LARGE, 'PUT')(transfers)
      expect(told.match(/^< HTTP\/1\.1 100 Continue/gm)).toHaveLength(1)
    },
  },
  {
    name: '-T without Expect',
    args: ({ large }) => ['-T', large, '-H', 'Expect:'],
    also: (transfers, told) => {
      uploaded(LARGE, 'PUT')(transfers)
      expect(told).not.toMatch(/^< HTTP\/1\.1 100/m)
    },
  },
  { name: '-T -', args: () => ['-T', '-', '-H', 'Expect:'], also: uploaded(LARGE, 'PUT') },
  { name: '-T - with Expect', args: () => ['-T', '-'], also: uploaded(LARGE, 'PUT') },
  {
    name: '--data-binary, chunked',
    args: ({ small }) => ['--data-binary', `@${small}`, '-H', 'Transfer-Encoding: chunked'],
    also: uploaded(SMALL, 'POST'),
  },
  { name: 'two uploads', args: ({ small }) => ['--data-binary', `@${small}`], targets: ['/echo/1', '/echo/2'] },
  {
    name: '--http1.0',
    args: () => ['--http1.0'],
    targets: ['/echo', `/bytes/${MIB}`, `/stream/${MIB}`, '/status/204', '/echo/2'],
    also: (transfers) => expect(transfers[2]?.body.equals(bytesOf(MIB))).toBe(true),
  },
  {
    name: '--http1.0 that asks to keep the connection',
    args: () => ['--http1.0', '-H', 'Connection: keep-alive'],
    targets: ['/echo/1', '/stream/100000', '/status/204', '/echo/2'],
  },
  { name: '--http1.0 -d', args: () => ['--http1.0', '-d', 'a=1'] },
  { name: '--range', args: () => ['--range', '100-299'], targets: ['/bytes/1000'] },
  { name: '--compressed', args: () => ['--compressed'], targets: ['/gzip'] },
  { name: 'no --compressed', targets: ['/gzip'] },
  {
    name: 'keep-alive',
    targets: ['/echo/1', '/stream/100000', '/status/204', '/status/304', '/bytes/5', '/echo/2'],
    also: (transfers) => expect(transfers.map(({ connects }) => connects)).toEqual([1, 0, 0, 0, 0, 0]),
  },
  {
    name: '-H Connection: close',
    args: () => ['-H', 'Connection: close'],
    targets: ['/echo/1', '/stream/100000', '/echo/2'],
    also: (transfers) => expect(transfers.map(({ connects }) => connects)).toEqual([1, 1, 1]),
  },
  { name: '--path-as-is', args: () => ['--path-as-is'], targets: ['/a/../b//./c%2Fd/..?x=/../y&z=%zz', '//', '/?'] },
  { name: '-L', args: () => ['-L', '-c', '/dev/null'], targets: ['/redirect'] },
  { name: 'statuses', targets: ['/status/404', '/status/500', '/status/418'] },
  {
    name: 'a download of 20 MiB, with a length and without',
    targets: [`/bytes/${LARGE}`, `/stream/${LARGE}`],
    also: (transfers) => {
      for (const { body } of transfers) expect(body.equals(bytesOf(LARGE))).toBe(true)
    },
  },
]

/** Fields of answers that belong to a connection, or that the sidecar adds, or that hold the time. */
const NOT_PASSED = new Set(['connection', 'keep-alive', 'transfer-encoding', 'via', 'x-request-id', 'date'])

const outcomesOf = (transfers: readonly Transfer[]) =>
  transfers.map(({ status, fields, body }) => ({
    status,
    fields: Object.entries(fields).filter(([name]) => !NOT_PASSED.has(name)),
    // With -I the head is written where the body would be.
    body: body.subarray(0, 5).equals(Buffer.from('HTTP/'))
      ? ''
      : body.length > 10_000
        ? sha256Of(body)
        : body.toString(),
  }))

function filesFor(t: Scope) {
  const folder = temporaryFolder(t)
  const files = { large: join(folder, 'large'), small: join(folder, 'small') }
  writeFileSync(files.large, bytesOf(LARGE))
  writeFileSync(files.small, bytesOf(SMALL))
  return files
}

describe.runIf(hasCurl)('curl is answered as without the sidecar', () => {
  const suite = suiteScope()
  let files: ReturnType<typeof filesFor>
  let origin: string
  let url: string
  beforeAll(async () => {
    files = filesFor(suite)
    origin = await echoUpstream(suite)
    url = (await sidecarBefore(suite, origin)).url
  })

  for (const { name, args = () => [], targets = ['/echo?q=%20+&r'], also = () => {} } of CASES) {
    test(name, async (t) => {
      const outcome = (base: string) => curl(t, base, targets, args(files), files.large)
      const [direct, through] = await Promise.all([outcome(origin), outcome(url)])
      expect(outcomesOf(through.transfers)).toEqual(outcomesOf(direct.transfers))
      expect(through.transfers).toHaveLength(targets.length)
      also(through.transfers, through.told)
    })
  }
})
