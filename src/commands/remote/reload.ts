import { faultWords } from '../../dashboard/config-words.js'
import { ApiError, type Api } from '../../dashboard/api.js'
import type { ConfigView, Reload } from '../../dashboard/shapes.ts'
import { EXIT } from '../cli/exit-codes.ts'
import { command } from '../command.ts'
import { ASKING_OPTIONS, ASKING_USAGE, asking, printedJson } from './sidecar.ts'

const UNPROCESSABLE = 422

export const reloadCommand = command({
  name: 'reload',
  usage: `  breakwater reload ${ASKING_USAGE}
                                   read the configuration file again and put it in force, whole or not at all. The exit
                                   code is 2 when the file has a fault, and what was in force stays
`,
  options: ASKING_OPTIONS,
  allowPositionals: false,
  run: (values, _positionals, surroundings) =>
    asking(values, surroundings, async (api, signal) => {
      const { report, file } = await reloaded(api, signal)
      const isRefused = report.outcome === 'refused'
      if (values.json) surroundings.write(printedJson(report))
      else if (isRefused) surroundings.complain(refusalText(file, report))
      else surroundings.write(appliedText(file, report))
      return isRefused ? EXIT.faulty : EXIT.done
    }),
})

type Changed = Reload & {
  readonly changes?: Readonly<Record<'added' | 'removed' | 'changed' | 'keys', readonly string[]>>
}

/** A refusal's answer has the faults in no form that the client keeps: they are asked for. */
async function reloaded(api: Api, signal: AbortSignal): Promise<{ report: Changed; file: string }> {
  try {
    const answer = await api.call('POST', 'v1/config/reload', undefined, signal)
    const report: Changed = JSON.parse(await answer.text())
    const config: ConfigView = await api.get('v1/config', signal)
    return { report, file: config.file }
  } catch (error) {
    if (!(error instanceof ApiError) || error.status !== UNPROCESSABLE) throw error
    const config: ConfigView = await api.get('v1/config', signal)
    if (config.last_reload?.outcome !== 'refused') throw error // another reload came between
    return { report: config.last_reload, file: config.file }
  }
}

function appliedText(file: string, { version, changes, restart_needed: restart }: Changed): string {
  const told = Object.entries(changes ?? {}).flatMap(([what, names]) =>
    names.length === 0 ? [] : [`  ${what === 'keys' ? 'other settings' : what}: ${names.join(', ')}\n`],
  )
  const needs = restart.length === 0 ? '' : `  needs a restart: ${restart.join(', ')}\n`
  return `in force: ${file}, version ${version}\n${told.length === 0 ? '  nothing changed\n' : told.join('')}${needs}`
}

const refusalText = (file: string, { version, faults }: Reload) =>
  `breakwater: refused: the earlier configuration stays in force\n${faults
    .map((fault) => `${file}:${faultWords(fault)}\n`)
    .join('')}${file}: version ${version} changes nothing until it is mended\n`
