/** Source of the configuration, at the start and at each reload. */

import { readFile } from 'node:fs/promises'
import type { Clock } from '../clock.ts'
import type { Env } from '../config/file/interpolate.ts'
import { versionOf } from '../config/version.ts'
import { ConfigThread, type GivenOrFaults } from './config-thread.ts'
import { watchFile } from './watch.ts'

export type Reading = { readonly version: string; readonly text: string; readonly load: () => Promise<GivenOrFaults> }

export type ConfigSource = {
  /** Name for people. */
  readonly file: string
  /** The text at the start, and its version. */
  readonly text: string
  readonly version: string
  /** Reads the present text. Rejects when it cannot be read. */
  readonly read: () => Promise<Reading>
  /**
   * @param onChange called when the text may have changed. @param onFault called with the reason why changes may be noticed
   * late.
   */
  readonly watch: (onChange: () => void, onFault: (error: unknown) => void) => { close(): void }
}

/** @param text of the file at the start. */
export function configFile(file: string, text: string, env: Env, clock: Clock): ConfigSource {
  const thread = new ConfigThread(clock)
  return {
    file,
    text,
    version: versionOf(text),
    read: async () => {
      const now = await readFile(file, 'utf8')
      return { version: versionOf(now), text: now, load: () => thread.load({ text: now, file, env }) }
    },
    watch: (onChange, onFault) => watchFile(file, onChange, onFault, clock),
  }
}

/** A configuration without a file: it cannot be read again. */
export const UNFILED: ConfigSource = {
  file: '',
  text: '',
  version: '',
  read: () => Promise.reject(new Error('the configuration comes from no file')),
  watch: () => ({ close: () => {} }),
}
