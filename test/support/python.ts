import { spawnSync } from 'node:child_process'
import { join } from 'node:path'

/** Debian's own, which has Debian's packages. */
export const PYTHON = '/usr/bin/python3'
/** For PYTHONPATH. */
export const PYTHON_CLIENT = join(import.meta.dirname, '../../clients/python/src')

export const hasHttpx = spawnSync(PYTHON, ['-c', 'import httpx']).status === 0
export const hasCelery = spawnSync(PYTHON, ['-c', 'import celery, redis']).status === 0
