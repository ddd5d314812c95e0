// Runs cases in Node or Deno, and prints a line of JSON for each.
//
// node process.js TRANSPORT, with `{cases, control, jobs}` on standard input
import process from 'node:process';
import { text } from 'node:stream/consumers';
import { runAll } from './all.js';

const { cases, control, jobs } = JSON.parse(await text(process.stdin));
const options = {};
// Deno does not always send the end of a stream or of a session. A case that fails there runs once more, and says so.
const attempts = globalThis.Deno ? 2 : 1;
if (!globalThis.WebSocket) options.WebSocket = (await import('ws')).WebSocket;
await runAll(cases, { control, transport: process.argv[2], options, jobs, attempts }, (result) =>
  console.log(JSON.stringify(result)),
);
process.exit(0);
