/** Draws docs/images from what the policies do: `npm run docs`. A test compares the two. */

import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { draw } from './timelines/draw.ts'
import { record } from './timelines/record.ts'
import { SCENES } from './timelines/scenes.ts'
import { CHECKPOINTS, RESUME } from './timelines/told.ts'

/** By file name. */
export async function pictures(): Promise<Map<string, string>> {
  const drawn = new Map([
    ['checkpoints.svg', draw(CHECKPOINTS)],
    ['resume.svg', draw(RESUME)],
  ])
  for (const [name, scene] of Object.entries(SCENES)) drawn.set(`${name}.svg`, draw(await record(scene)))
  return drawn
}

if (import.meta.main)
  for (const [name, text] of await pictures()) writeFileSync(join(import.meta.dirname, 'images', name), text)
