import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'

/** Debian's Python, which finds Python packages that Debian installed. */
export const PYTHON = '/usr/bin/python3'
/** Sources of the Python client, for PYTHONPATH. */
export const PYTHON_CLIENT = join(import.meta.dirname, '../../clients/python/src')

export const hasHttpx = spawnSync(PYTHON, ['-c', 'import httpx']).status === 0
export const hasCelery = spawnSync(PYTHON, ['-c', 'import celery, redis']).status === 0

/** A Python with the newest httpx, which .ci/run makes. Debian's is the oldest that the client takes. */
export const PYTHON_NEWEST = join(import.meta.dirname, '../../clients/python/.venv-newest/bin/python')
export const hasNewestHttpx = existsSync(PYTHON_NEWEST)
