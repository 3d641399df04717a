/** Reads the PEM files of a block of TLS settings. */

import { assertAuthorities, assertCertificate, type ClientCertificate } from './trust.ts'

/** Settings of a connection with TLS: paths of PEM files, '' for none. */
export type TlsSettings = {
  /** Certificate authorities to trust besides the default ones. */
  readonly ca: string
  readonly cert: string
  readonly key: string
  /** Server name for SNI and the certificate; '' for the host. */
  readonly servername: string
}

/** The same with the text of the files. */
export type TlsTexts = ClientCertificate & Pick<TlsSettings, 'ca' | 'servername'>

/**
 * @param at key of the settings in the configuration, such as `checkpoints.tls`.
 * @throws Error naming the key for a file that cannot be read or has no certificate, or a certificate that does not go with its key.
 */
export function readTls(at: string, settings: TlsSettings, readText: (path: string) => string): TlsTexts {
  const read = (setting: 'ca' | 'cert' | 'key') => {
    const path = settings[setting]
    return path === '' ? '' : named(`${at}.${setting}`, () => readText(path))
  }
  const texts = { ca: read('ca'), cert: read('cert'), key: read('key'), servername: settings.servername }
  if (settings.ca !== '') named(`${at}.ca`, () => assertAuthorities(texts.ca))
  named(`${at}.cert`, () => assertCertificate(texts))
  return texts
}

/** Calls a function. @throws Error that begins with the key of the configuration. */
function named<R>(key: string, run: () => R): R {
  try {
    return run()
  } catch (error) {
    throw new Error(`${key}: ${error instanceof Error ? error.message : String(error)}`, { cause: error })
  }
}
