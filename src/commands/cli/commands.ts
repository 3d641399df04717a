/** All commands by name: what help, completion and the dispatcher know without loading one. */

import type { Entry } from './entry.ts'

type Group = { readonly title: string; readonly commands: Readonly<Record<string, Entry>> }

/** In the order of the help. Only one is loaded: most of the time to start is loading code. */
export const GROUPS: readonly Group[] = [
  {
    title: 'run and configure',
    commands: {
      run: {
        about: 'run the sidecar',
        load: async () => (await import('../run.ts')).runCommand,
        takes: 'files',
        examples: [
          ['breakwater run', 'serves proxy.yaml'],
          ['breakwater run my.yaml', 'serves another file'],
        ],
      },
      check: {
        about: 'list the faults and warnings of configuration files',
        load: async () => (await import('../check.ts')).checkCommand,
        takes: 'files',
        examples: [
          ['breakwater check', 'checks proxy.yaml'],
          ['breakwater check --strict sites/*.yaml', 'several files; warnings fail, too'],
          ['helm template … | breakwater check -', 'a file from stdin'],
          [
            "breakwater check --sample answer.json --route 'GET /jobs/7'",
            "what the route's conditions make of a response",
          ],
        ],
      },
      explain: {
        about: 'show what the sidecar would do with a request',
        load: async () => (await import('../explain.ts')).explainCommand,
        takes: [],
        examples: [
          ['breakwater explain http://127.0.0.1:8080/api/jobs/7', 'a URL as it is copied from a client'],
          ['breakwater explain POST /jobs --upstream api', 'a path of an upstream'],
        ],
      },
      simulate: {
        about: 'replay a log or a scenario through a configuration',
        load: async () => (await import('../simulate.ts')).simulateCommand,
        takes: [],
        examples: [
          [
            'breakwater simulate --config new.yaml --against old.yaml --log access.jsonl',
            'what a change would have done',
          ],
        ],
      },
      learn: {
        about: 'propose a configuration for the APIs in a recording',
        load: async () => (await import('../learn.ts')).learnCommand,
        takes: [],
        examples: [['breakwater learn --har session.har > my.yaml', 'from what a browser recorded']],
      },
      schema: {
        about: "print the configuration's JSON Schema, for editors",
        load: async () => (await import('../schema.ts')).schemaCommand,
        takes: [],
        examples: [['breakwater schema > schema.json', 'for an editor that checks YAML']],
      },
      demo: {
        about: 'run a demonstration of about a minute',
        load: async () => (await import('../demo.ts')).demoCommand,
        takes: [],
        examples: [['breakwater demo', 'needs nothing but this project']],
      },
    },
  },
  {
    title: 'look at a running sidecar',
    commands: {
      status: {
        about: 'what is wrong, since when, at what cost, what to do; then a line an upstream',
        load: async () => (await import('../remote/status.ts')).statusCommand,
        takes: [],
        examples: [
          ['breakwater status', 'the sidecar beside you'],
          [
            'kubectl exec my-pod -c breakwater -- breakwater status --token-env BREAKWATER_TOKEN',
            'one in a pod; the token stays there',
          ],
          ['breakwater status --json | jq .sentence.what', 'for scripts'],
        ],
      },
      top: {
        about: 'watch upstreams and failures, worst first; look into one, force its breaker',
        load: async () => (await import('../top.ts')).topCommand,
        takes: [],
        examples: [
          ['breakwater top', 'Enter looks into an upstream, / filters, f forces, q ends'],
          ['breakwater top --once', 'one frame, for scripts'],
        ],
      },
      incidents: {
        about: 'what broke, since when, at what cost, and what to do',
        load: async () => (await import('../remote/incidents.ts')).incidentsCommand,
        takes: [],
        examples: [
          ['breakwater incidents', 'of the last days, newest first'],
          ['breakwater incidents --log access.jsonl', 'from a log alone'],
        ],
      },
      failures: {
        about: 'the newest requests that failed, by cause and one by one',
        load: async () => (await import('../remote/failures.ts')).failuresCommand,
        takes: [],
        examples: [['breakwater failures video-downloader', 'of one upstream']],
      },
      tail: {
        about: 'show requests as they end',
        load: async () => (await import('../remote/tail.ts')).tailCommand,
        takes: [],
        examples: [['breakwater tail --failed', 'those that failed or were retried']],
      },
      jobs: {
        about: 'jobs with the time left and their stages',
        load: async () => (await import('../remote/jobs.ts')).jobsCommand,
        takes: [],
        examples: [['breakwater jobs vd_1', 'one job']],
      },
      health: {
        about: 'what the service needs, and limits of the sidecar that are reached',
        load: async () => (await import('../remote/health.ts')).healthCommand,
        takes: [],
        examples: [['breakwater health', 'exit code 1 when something critical is missing']],
      },
      config: {
        about: 'the configuration in force, or what the last reload changed',
        load: async () => (await import('../remote/config.ts')).configCommand,
        takes: [],
        examples: [
          ['breakwater config', 'without secrets'],
          ['breakwater config --diff', 'what a refused file would change, or the last reload changed'],
        ],
      },
    },
  },
  {
    title: 'act on a running sidecar',
    commands: {
      breaker: {
        about: "show an upstream's breakers, or force them",
        load: async () => (await import('../remote/breaker.ts')).breakerCommand,
        takes: [],
        examples: [
          ['breakwater breaker api', 'shows them'],
          ["breakwater breaker api open --for 30m --reason 'they restore a backup'", 'refuses all calls for that time'],
          ['breakwater breaker api auto', 'lets it decide for itself again'],
        ],
      },
      reload: {
        about: 'read the configuration file again and put it in force, whole or not at all',
        load: async () => (await import('../remote/reload.ts')).reloadCommand,
        takes: [],
        examples: [['breakwater check my.yaml && breakwater reload', 'looks for faults first']],
      },
      checkpoints: {
        about: 'list, print, delete, back up, restore and copy checkpoints and jobs',
        load: async () => (await import('../checkpoints/command.ts')).checkpointsCommand,
        takes: ['ls', 'get', 'rm', 'backup', 'restore', 'verify', 'copy'],
        examples: [
          ['breakwater checkpoints ls --url http://127.0.0.1:8081', 'of a running sidecar'],
          ['breakwater checkpoints backup --store file:./data --file backup.jsonl', 'all of a store in one file'],
        ],
      },
    },
  },
  {
    title: 'this command line',
    commands: {
      completion: {
        about: 'print a script that completes commands and options',
        load: async () => (await import('./completion.ts')).completionOf(COMMANDS),
        takes: ['bash', 'zsh', 'fish'],
        examples: [
          ['source <(breakwater completion bash)', 'bash, for this shell'],
          ['breakwater completion zsh > "${fpath[1]}/_breakwater"', 'zsh, for good'],
          ['breakwater completion fish > ~/.config/fish/completions/breakwater.fish', 'fish, for good'],
        ],
      },
    },
  },
]

export const COMMANDS: ReadonlyMap<string, Entry> = new Map(GROUPS.flatMap(({ commands }) => Object.entries(commands)))
