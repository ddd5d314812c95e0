#!/usr/bin/env node
/** The program `macula-client`. The only part of the package that needs Node. */
import process from 'node:process';
import { parseArgs } from 'node:util';
import { Mesh } from '../index.js';
import { typesOf } from './types.js';

const USAGE = `macula-client types URL REALM [--token TOKEN] [--pattern PATTERN]

Writes the types of a realm's procedures, as the schemas of the live mesh say, to standard output.
The token may stand in MACULA_TOKEN. NODE_EXTRA_CA_CERTS names an authority to trust.`;

/** The most procedures whose types are written. */
const LIMIT = 10_000;

async function main(): Promise<void> {
  const options = { token: { type: 'string' }, pattern: { type: 'string' } } as const;
  const { positionals, values } = parseArgs({ allowPositionals: true, options });
  const [command, url, realm] = positionals;
  if (command !== 'types' || !url || !realm || positionals.length > 3) throw new Error(USAGE);
  const token = values.token ?? process.env.MACULA_TOKEN;
  // One question: the transport that needs nothing but fetch.
  const mesh = await Mesh.connect(url, { realm, transports: ['sse'], ...(token && { token }) });
  try {
    const items = await mesh.discover(values.pattern ?? '**', { kind: ['procedure'], limit: LIMIT });
    process.stdout.write(typesOf(realm, items));
  } finally {
    await mesh.close();
  }
}

main().catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? error.message : error}\n`);
  process.exitCode = 1;
});
