import { closeSync, ftruncateSync, mkdirSync, openSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { nginxCommand, nginxFile } from '../contestants/nginx.ts'
import { firstAnswer } from '../machine/answers.ts'
import { freePort } from '../machine/ports.ts'
import type { Command, Processes } from '../machine/processes.ts'
import { nodeScript } from '../machine/scripts.ts'
import { findTool } from '../machine/tools.ts'
import { BODY_SIZES, JSON_ANSWER } from './answers.ts'

export type Origin = { readonly port: number; readonly description: string }

/** Starts the origin that all contestants forward to: nginx, or node:http when nginx is not installed. */
export async function startOrigin(processes: Processes, folder: string): Promise<Origin> {
  const port = await freePort()
  const nginx = findTool('nginx')
  const command =
    nginx === undefined
      ? nodeScript(import.meta.resolve('./node-origin.ts'), port)
      : nginxOrigin(nginx, port, join(folder, 'origin'))
  await firstAnswer(port, '/json', 200, processes.start(command))
  return { port, description: nginx === undefined ? 'node:http' : 'nginx' }
}

function nginxOrigin(nginx: string, port: number, folder: string): Command {
  mkdirSync(join(folder, 'bytes'), { recursive: true })
  for (const size of BODY_SIZES) writeHollowFile(join(folder, 'bytes', String(size)), size)
  const site = `
    sendfile on;
    server {
      listen 127.0.0.1:${port};
      location = /json { default_type application/json; return 200 '${JSON_ANSWER}'; }
      location = /v1/traces { client_max_body_size 8m; default_type application/json; return 200 '{}'; }
      location /bytes/ { root ${folder}; }
    }`
  const file = join(folder, 'nginx.conf')
  writeFileSync(file, nginxFile(folder, site))
  return nginxCommand(nginx, file)
}

/** Writes a sparse file of zeros, which takes no space on the disk. */
function writeHollowFile(path: string, bytes: number): void {
  const file = openSync(path, 'w')
  ftruncateSync(file, bytes)
  closeSync(file)
}
