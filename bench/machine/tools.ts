import { accessSync, constants } from 'node:fs'
import { delimiter, join } from 'node:path'

/** Folders of servers on Debian, which a user's PATH may lack. */
const SERVER_FOLDERS = ['/usr/sbin', '/usr/local/sbin']

/** @returns the path of an installed program; undefined when it is not installed. */
export function findTool(name: string): string | undefined {
  const folders = [...(process.env.PATH ?? '').split(delimiter), ...SERVER_FOLDERS]
  return folders.map((folder) => join(folder, name)).find(isExecutable)
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK)
    return true
  } catch {
    return false
  }
}
