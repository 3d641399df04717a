import { randomUUID } from 'node:crypto'
import { startApp } from '../app.ts'
import type { App } from '../lifecycle.ts'
import { systemClock } from '../clock.ts'
import { warningsOf } from '../config/warnings.ts'
import { systemResolve } from '../net/dns-cache.ts'
import { configFile } from '../reload/source.ts'
import { command, type Surroundings } from './command.ts'
import { npxEnd } from './npx.ts'
import { diskBytes, readConfig } from './read-config.ts'

export const runCommand = command({
  name: 'run',
  usage: `  breakwater run [--config FILE]   run the sidecar (FILE: proxy.yaml by default)
`,
  options: { config: { type: 'string', default: 'proxy.yaml' } },
  allowPositionals: false,
  run: ({ config }, _positionals, surroundings) => {
    return run(config, surroundings)
  },
})

/**
 * Serves until SIGTERM or SIGINT, or until the npx that started it ends, then drains; a second signal ends at once. Reloads
 * when the file changes, and at SIGHUP.
 * @returns the exit code: 0 after a drain, 1 when it could not start, 2 when the configuration is faulty.
 */
async function run(file: string, { version, env, complain }: Surroundings): Promise<number> {
  const read = readConfig(file, env)
  if (typeof read === 'string') {
    complain(read)
    return 2
  }
  const outside = {
    clock: systemClock,
    random: Math.random,
    newId: randomUUID,
    version,
    resolve: systemResolve,
    logTo: undefined,
  }
  const asked = Promise.race([firstSignal(), npxEnd(env, systemClock)])
  let app: App | undefined
  // A SIGHUP before the start is done needs no reload: the file has just been read.
  process.on('SIGHUP', () => void app?.reload('signal'))
  try {
    const { config, origins, text } = read
    const given = { config, origins, warnings: warningsOf(config, origins, diskBytes) }
    app = await startApp(given, outside, configFile(file, text, env, systemClock))
    process.on('uncaughtException', app.tell)
    await asked
    await app.drain()
    return 0
  } catch (error) {
    complain(`breakwater: ${error instanceof Error ? error.message : String(error)}\n`)
    return 1
  }
}

/** Resolves at the first signal, also during the start. The second one ends the process. */
function firstSignal(): Promise<void> {
  return new Promise((resolve) => {
    let asked = false
    const onSignal = () => {
      if (asked) process.exit(1)
      asked = true
      resolve()
    }
    process.on('SIGTERM', onSignal).on('SIGINT', onSignal)
  })
}
