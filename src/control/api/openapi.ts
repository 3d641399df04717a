import { z } from 'zod'
import { json, NO_BODY, type Operation, operation, PLAIN, type Reply } from './operation.ts'

const PROBLEM = z.object({
  type: z.string(),
  title: z.string(),
  status: z.int(),
  detail: z.string(),
  field: z.string().optional().describe('the part of the call that is meant'),
})

/** The operation that serves the API's document, which is made at the first call. */
export function describing(operations: readonly Operation[], version: string): Operation {
  let document: Reply | undefined
  return operation({
    ...PLAIN,
    id: 'describeApi',
    method: 'GET',
    path: '/openapi.json',
    summary: 'This document',
    answers: { 200: { what: 'the document', schema: undefined } },
    answer: () => {
      document ??= json(200, openApiOf(operations, version))
      return document
    },
  })
}

/** The API's document (OpenAPI 3.1), made from the operations and the schemas that check their calls. */
function openApiOf(operations: readonly Operation[], version: string) {
  const paths: Record<string, Record<string, unknown>> = {}
  for (const operation of operations) {
    paths[operation.path] = { ...paths[operation.path], [operation.method.toLowerCase()]: described(operation) }
  }
  return {
    openapi: '3.1.0',
    info: { title: 'Breakwater control API', version, license: { name: 'MIT', identifier: 'MIT' } },
    paths,
    components: {
      securitySchemes: { token: { type: 'http', scheme: 'bearer' } },
      schemas: { Problem: z.toJSONSchema(PROBLEM) },
    },
  }
}

function described({ id, summary, open, params, query, headers, body, answers }: Operation) {
  const parameters = [
    ...Object.entries(params).map(([name, schema]) => ({ name, in: 'path', required: true, schema: schemaOf(schema) })),
    ...Object.entries(query).map(([name, schema]) => ({
      name,
      in: 'query',
      required: !schema.safeParse(undefined).success,
      schema: schemaOf(schema),
    })),
    ...headers.map((name) => ({ name, in: 'header', required: false, schema: { type: 'string' } })),
  ]
  const responses = Object.entries(answers).map(([status, { what, schema }]) => {
    const isProblem = Number(status) >= 400
    if (isProblem) return [status, problemResponse(what)]
    const content = schema && { content: { 'application/json': { schema: schemaOf(schema) } } }
    return [status, { description: what, ...content }]
  })
  return {
    operationId: id,
    summary,
    security: open ? [] : [{ token: [] }],
    parameters,
    ...(body === NO_BODY
      ? {}
      : { requestBody: { required: true, content: { 'application/json': { schema: schemaOf(body) } } } }),
    responses: { ...Object.fromEntries(responses), default: problemResponse('refused, or the store is down') },
  }
}

const problemResponse = (description: string) => ({
  description,
  content: { 'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } } },
})

/** JSON Schema 2020-12, as OpenAPI 3.1 uses it. Describes what callers send, not what it is read into. */
function schemaOf(schema: z.ZodType) {
  const { $schema: _, ...rest } = z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' })
  return rest
}
