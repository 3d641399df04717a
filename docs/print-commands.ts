/** Prints docs/commands.md from the commands' own usages and examples: `npm run docs`. */

import { GROUPS } from '../src/commands/cli/commands.ts'
import type { Entry } from '../src/commands/cli/entry.ts'
import { EXIT_CODES } from '../src/commands/cli/exit-codes.ts'

export async function commandsPage(): Promise<string> {
  const groups = await Promise.all(GROUPS.map(groupText))
  return `# Commands

Printed from \`src/commands\` by \`npm run docs\`. \`breakwater help COMMAND\` shows the same.

Commands that look at a running sidecar or act on it ask its control listener: \`--url\` (\`http://127.0.0.1:8081\` by default, which is the one
beside you in a pod). Where \`control.token\` is set, \`--token-env NAME\` names the environment variable with the token: a token on a command
line would be in the list of processes. They use the words of the page; \`--json\` gives what programs read. Colours are for terminals alone,
and not where \`NO_COLOR\` is set.

\`\`\`sh
kubectl exec my-pod -c breakwater -- breakwater status --token-env BREAKWATER_TOKEN      # the image has no curl: it has these
source <(breakwater completion bash)                                                      # completes commands and options
\`\`\`

## Exit codes

| code | |
|---|---|
${EXIT_CODES.map(([code, what]) => `| ${code} | ${what} |`).join('\n')}

\`status\` exits with 1 for what the page shows in red: an upstream that is down, broken in part or failing, or a store that is away. What the
page shows in yellow (an upstream that is slow or limited, a forced breaker, a refused reload) is printed and exits with 0, or with 1 under
\`--strict\`. \`health\` exits with 1 when the report is \`unhealthy\` or the sidecar is ending. \`reload\` exits with 2 when the file is faulty.

${groups.join('\n')}`
}

async function groupText({ title, commands }: (typeof GROUPS)[number]): Promise<string> {
  const parts = await Promise.all(Object.entries(commands).map(([name, entry]) => commandText(name, entry)))
  return `## ${title.charAt(0).toUpperCase()}${title.slice(1)}\n\n${parts.join('\n')}`
}

async function commandText(name: string, entry: Entry): Promise<string> {
  const { usage } = await entry.load()
  const width = Math.max(...entry.examples.map(([line]) => line.length))
  const examples = entry.examples.map(([line, what]) => `${line.padEnd(width)}   # ${what}`)
  return `### ${name}

${entry.about.charAt(0).toUpperCase()}${entry.about.slice(1)}.

\`\`\`
${usage.trimEnd()}
\`\`\`

\`\`\`sh
${examples.join('\n')}
\`\`\`
`
}
