/** The page at `/`. Its files are open without a token, since they hold no data. */

import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { empty, type Operation, operation, PLAIN, type Reply } from '../operation.ts'

const TYPES: Readonly<Record<string, string>> = {
  html: 'text/html; charset=utf-8',
  css: 'text/css; charset=utf-8',
  js: 'text/javascript; charset=utf-8',
  md: 'text/markdown; charset=utf-8',
}

/** Nothing external, nothing inline, no frame around it: a path of an upstream can only ever be text. */
const POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; " +
  "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

const FOLDER = new URL('../../../dashboard/', import.meta.url)
/** What to do about each trouble. */
const RUNBOOK = new URL('../../../../docs/runbook.md', import.meta.url)
const PLOTTING = new URL('./', import.meta.resolve('uplot'))

/** Reads the files once. The page's addresses are relative, so that a proxy may serve it below a path. */
export function pageOperations(): Operation[] {
  const [modules, styles] = [filesIn(FOLDER), filesIn(new URL('styles/', FOLDER))]
  const others = [...modules, ...styles].filter(({ name }) => name !== INDEX)
  const index = new URL(INDEX, FOLDER)
  return [
    fileAt('/', index, withModules(readFileSync(index, 'utf8'), modules)),
    ...others.map(({ name, file }) => fileAt(`/page/${name}`, file)),
    fileAt('/page/runbook.md', RUNBOOK),
    fileAt('/page/uplot.js', new URL('uPlot.iife.min.js', PLOTTING)),
    fileAt('/page/uplot.css', new URL('uPlot.min.css', PLOTTING)),
  ]
}

const INDEX = 'index.html'

type PageFile = { readonly name: string; readonly file: URL }

const filesIn = (folder: URL): PageFile[] =>
  readdirSync(folder)
    .filter((name) => typeOf(name) !== undefined)
    .map((name) => ({ name, file: new URL(name, folder) }))

const typeOf = (name: string) => TYPES[name.slice(name.lastIndexOf('.') + 1)]

/** With a link to every module, so that a browser asks for all of them at once and not import by import: a port-forward is slow. */
const withModules = (html: string, files: readonly PageFile[]) =>
  html.replace(
    '</head>',
    `${files
      .filter(({ name }) => name.endsWith('.js'))
      .map(({ name }) => `<link rel="modulepreload" href="page/${name}" />`)
      .join('\n')}</head>`,
  )

function fileAt(path: string, file: URL, body = readFileSync(file, 'utf8')): Operation {
  const headers = {
    'content-type': typeOf(file.pathname) ?? '',
    'content-security-policy': POLICY,
    'referrer-policy': 'no-referrer',
    etag: `"${createHash('sha256').update(body).digest('base64url').slice(0, 22)}"`,
    'cache-control': 'no-cache',
  }
  const whole: Reply = { status: 200, headers, body }
  const unchanged: Reply = { ...empty, status: 304, headers }
  return operation({
    ...PLAIN,
    id: path,
    method: 'GET',
    path,
    summary: 'A file of the page',
    open: true,
    answers: { 200: { what: 'the file', schema: undefined } },
    answer: ({ header }) => (names(header('if-none-match'), headers.etag) ? unchanged : whole),
  })
}

/** Weak comparison, as RFC 9110 section 13.1.2 has it for If-None-Match. */
const names = (field: string | undefined, etag: string) =>
  field?.split(',').some((given) => given.trim() === '*' || given.trim().replace(/^W\//, '') === etag) ?? false
