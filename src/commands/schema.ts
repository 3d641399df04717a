import { printedSchema } from '../config/json-schema.ts'

/** Prints the configuration's schema for editors. @returns the exit code. */
export function schema(write: (text: string) => void): number {
  write(printedSchema())
  return 0
}
