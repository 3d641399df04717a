import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { findTool } from '../machine/tools.ts'

export type Certificate = { readonly key: string; readonly cert: string; readonly file: string }

/** @returns a new self-signed certificate for 127.0.0.1; undefined without openssl. */
export function makeCertificate(folder: string): Certificate | undefined {
  const openssl = findTool('openssl')
  if (openssl === undefined) return undefined
  const keyFile = join(folder, 'key.pem')
  const file = join(folder, 'cert.pem')
  const form = ['-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2']
  const subject = ['-subj', '/CN=127.0.0.1', '-addext', 'subjectAltName=IP:127.0.0.1']
  execFileSync(openssl, ['req', ...form, ...subject, '-keyout', keyFile, '-out', file], { stdio: 'ignore' })
  return { key: readFileSync(keyFile, 'utf8'), cert: readFileSync(file, 'utf8'), file }
}
