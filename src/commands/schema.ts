import { printedSchema } from '../config/json-schema.ts'
import { assertNone, command } from './command.ts'

export const schemaCommand = command({
  name: 'schema',
  usage: `  breakwater schema                print the configuration's JSON Schema, for editors
`,
  options: {},
  run: (_values, positionals, { write }) => {
    assertNone(positionals)
    write(printedSchema())
    return 0
  },
})
