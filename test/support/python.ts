import { spawnSync } from 'node:child_process'
import { join } from 'node:path'

/** Debian's Python, which finds Python packages that Debian installed. */
export const PYTHON = '/usr/bin/python3'
/** Sources of the Python client, for PYTHONPATH. */
export const PYTHON_CLIENT = join(import.meta.dirname, '../../clients/python/src')

export const hasHttpx = spawnSync(PYTHON, ['-c', 'import httpx']).status === 0
export const hasCelery = spawnSync(PYTHON, ['-c', 'import celery, redis']).status === 0
