/** What the command line takes. */

export const USAGE = `breakwater: an HTTP resilience sidecar

  breakwater run [--config FILE]   serve (FILE: proxy.yaml when not given)
  breakwater check FILE [--strict] [--json] [--allow WARNING]…
                                   list every fault of a configuration file, or else what it will be sorry for
  breakwater explain [METHOD] PATH [--config FILE] [--upstream NAME] [--input NAME=VALUE]… [--json]
                                   what would be done with a request, and which line says so
  breakwater schema                print the configuration's JSON Schema, for editors
  breakwater demo [--config FILE] [--log FILE]
                                   watch it at work, about a minute, nothing else needed; its log for simulate
  breakwater simulate --config NEW --log FILE [--against OLD]
                                   replay an access log (- for stdin) through a configuration, beside what was recorded
  breakwater simulate --config NEW --scenario FILE [--against OLD]
                                   the same with traffic and outages that are made up
      --unseen nearest|ok|fail     what a call that was never made would have been answered (nearest)
      --late never|30s             when an answer that was given up would have come (never)
      --patience forever|30s       how long clients wait that did not leave (forever)
      --seed N                     of what is left to chance (1)
      --json, --html FILE          all figures; a page with plots
  breakwater top [--url http://127.0.0.1:8081] [--token-env NAME] [--once]
                                   watch a running one at a terminal; NAME: the variable with the token of its control.token
  breakwater checkpoints copy --from STORE --to STORE [--ca FILE] [--servername NAME] [--ttl 24h]
                                   copy checkpoints and jobs; what the target has already stays as it is.
                                   STORE: file:<folder>, redis://host:6379/0, rediss://…, redis+sentinel://…/master/0,
                                   redis+cluster://…; as '\${NAME}' it is taken from the environment
  breakwater --version

exit codes: 0 done, 1 could not start, failed, or (check --strict) warnings, 2 faulty configuration or command line
`

/** Of one command; all of it where there is no such command. */
export function usageOf(command: string | undefined): string {
  const parts = USAGE.split(/\n(?= {2}breakwater |\n)/)
  const own = parts.filter((part) => part.startsWith(`  breakwater ${command} `))
  return own.length === 0 ? USAGE : `${own.join('\n')}\n`
}
