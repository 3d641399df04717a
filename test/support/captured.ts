import { cli } from '../../src/commands/cli/cli.ts'
import type { Surroundings } from '../../src/commands/command.ts'

type Given = Partial<Pick<Surroundings, 'env' | 'input'>> & { readonly isColoured?: boolean }

/** Surroundings of a command that has no terminal, and what it wrote. */
export function captured({ env = {}, input = () => '', isColoured = false }: Given = {}) {
  const out = { stdout: '', stderr: '' }
  const write = (text: string) => {
    out.stdout += text
  }
  const surroundings: Surroundings = {
    env,
    version: '1.2.3',
    write,
    complain: (text) => {
      out.stderr += text
    },
    input,
    hasScreen: false,
    terminal: {
      write,
      isTerminal: () => false,
      isColoured: () => isColoured,
      size: () => ({ columns: Infinity, rows: Infinity }),
      onResize: () => {},
      onKey: () => {},
      release: () => {},
    },
  }
  return { out, surroundings }
}

/** Runs the command line in this process. */
export async function commandLine(args: readonly string[], given: Given = {}) {
  const { out, surroundings } = captured(given)
  const code = await cli(args, surroundings)
  return { code, ...out }
}
