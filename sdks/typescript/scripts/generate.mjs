// Writes src/generated from openapi/openapi.json: types of all that goes over the wire, a class for each error
// code, and what a client has to know of the HTTP API. The same spec gives the same bytes.
//
// node scripts/generate.mjs [--check]
import fs from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { createClient } from '@hey-api/openapi-ts';
import { errors } from './generate/errors.mjs';
import { lowered } from './generate/lowered.mjs';
import { operations } from './generate/operations.mjs';

const root = fileURLToPath(new URL('../../..', import.meta.url));
const committed = fileURLToPath(new URL('../src/generated', import.meta.url));
const fresh = path.join(root, 'target/tests/typescript/generated');
const HEADER = '// Made from openapi/openapi.json by `npm run generate`. Do not edit.\n\n';

async function types(spec) {
  const output = path.join(fresh, 'openapi-ts');
  await createClient({
    input: spec,
    output: { path: output, clean: true },
    plugins: ['@hey-api/typescript'],
    logs: { level: 'silent' },
  });
  const text = await fs.readFile(path.join(output, 'types.gen.ts'), 'utf8');
  await fs.rm(output, { recursive: true });
  return text.replace(/^\/\/ This file is auto-generated.*\n+/, '');
}

const spec = JSON.parse(await fs.readFile(path.join(root, 'openapi/openapi.json'), 'utf8'));
await fs.rm(fresh, { recursive: true, force: true });
await fs.mkdir(fresh, { recursive: true });
const files = {
  'types.ts': await types(lowered(spec)),
  'errors.ts': errors(spec),
  'operations.ts': operations(spec),
};

let stale = 0;
await fs.mkdir(committed, { recursive: true });
for (const [name, text] of Object.entries(files)) {
  const file = path.join(committed, name);
  if (!process.argv.includes('--check')) await fs.writeFile(file, HEADER + text);
  else if ((await fs.readFile(file, 'utf8').catch(() => '')) !== HEADER + text) {
    console.error(`src/generated/${name} is not what the spec gives: npm run generate`);
    stale += 1;
  }
}
console.log(`${Object.keys(files).length} generated files, ${stale} stale`);
process.exit(stale > 0 ? 1 : 0);
