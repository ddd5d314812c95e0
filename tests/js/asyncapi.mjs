// Says whether an AsyncAPI description is valid, and whether its examples are what its schemas say: every
// diagnostic is shown; an error, a warning or a false example fails.
import { readFile } from 'node:fs/promises'
import { Parser } from '@asyncapi/parser'
import Ajv from 'ajv'

const path = process.argv[2]
const { document, diagnostics } = await new Parser().parse(await readFile(path, 'utf8'), { source: path })
const severities = ['error', 'warning', 'info', 'hint']
let bad = document ? 0 : 1
for (const { severity, path: place, message } of diagnostics) {
  console.log(`${severities[severity]} ${place.join('.')}: ${message}`)
  bad += severity <= 1
}

// The schemas have words of OpenAPI as well, which say nothing of a value.
const ajv = new Ajv({ strict: false, validateFormats: false, allErrors: true })
let examples = 0
for (const message of document?.components().messages().all() ?? []) {
  const valid = ajv.compile(message.payload().json())
  for (const example of message.examples().all()) {
    examples += 1
    if (valid(example.payload())) continue
    bad += 1
    console.log(`error ${message.name()}: ${ajv.errorsText(valid.errors)}`)
  }
}

console.log(`${path}: ${bad} errors and warnings, ${examples} examples`)
process.exit(bad > 0 || examples === 0 ? 1 : 0)
