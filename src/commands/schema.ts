import { printedSchema } from '../config/json-schema.ts'
import { command } from './command.ts'

export const schemaCommand = command({
  name: 'schema',
  usage: `  breakwater schema                print the configuration's JSON Schema, for editors
`,
  options: {},
  allowPositionals: false,
  run: (_values, _positionals, { write }) => {
    write(printedSchema())
    return 0
  },
})
