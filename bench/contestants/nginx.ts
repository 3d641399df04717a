import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Command } from '../machine/processes.ts'
import { findTool } from '../machine/tools.ts'
import type { Contestant } from './contestant.ts'

const program = findTool('nginx')

export const nginx: Contestant = {
  letter: 'c',
  name: 'nginx',
  absence: program === undefined ? 'nginx is not installed' : undefined,
  prepare: ({ port, originPort, folder }) => {
    const site = `
    upstream origin {
      server 127.0.0.1:${originPort};
      keepalive 64;
      keepalive_requests 1000000000;
    }
    server {
      listen 127.0.0.1:${port};
      location / {
        proxy_pass http://origin;
        proxy_http_version 1.1;
        proxy_set_header Connection "";
        proxy_buffering off;
        proxy_request_buffering off;
      }
    }`
    const file = join(folder, `nginx-${port}.conf`)
    writeFileSync(file, nginxFile(folder, site))
    return nginxCommand(program ?? 'nginx', file)
  },
}

/**
 * The configuration of one nginx process that keeps connections open and writes only to `folder`.
 * @param site the content of the http block.
 */
export const nginxFile = (folder: string, site: string) => `
  daemon off;
  master_process off;
  pid ${folder}/nginx.pid;
  error_log stderr crit;
  events { worker_connections 8192; }
  http {
    access_log off;
    keepalive_timeout 1h;
    keepalive_requests 1000000000;
    client_body_temp_path ${folder};
    proxy_temp_path ${folder};
    fastcgi_temp_path ${folder};
    uwsgi_temp_path ${folder};
    scgi_temp_path ${folder};
    ${site}
  }`

/** @param program path of nginx. */
export const nginxCommand = (program: string, configFile: string): Command => ({
  file: program,
  args: ['-e', 'stderr', '-c', configFile],
})
