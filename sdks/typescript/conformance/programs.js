// Runs what the README shows, exactly as it stands there but for the address, and the program `macula-client`, against
// a gateway. Prints a line of JSON for each.
//
// node programs.js GATEWAY_URL
import { execFile } from 'node:child_process';
import fs from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { WebSocket } from 'ws';
import { Mesh } from '../dist/index.js';

/** The most lines of the README's first program. */
const MAX_LINES = 10;
const TIME_MS = 60_000;

const [url] = process.argv.slice(2);
const here = fileURLToPath(new URL('..', import.meta.url));
const run = promisify(execFile);

async function readme(folder) {
  const text = await fs.readFile(path.join(here, 'README.md'), 'utf8');
  const [, program] = /```js\n([\s\S]*?)```/.exec(text);
  const lines = program.trimEnd().split('\n').length;
  if (lines > MAX_LINES) throw new Error(`expected at most ${MAX_LINES} lines, found ${lines}`);
  await fs.mkdir(path.join(folder, 'node_modules'));
  await fs.symlink(here, path.join(folder, 'node_modules/macula-client'));
  await fs.writeFile(path.join(folder, 'first.mjs'), program.replace('https://localhost:4433', url));
  // What the README says of Node 20.
  const ws = `import { WebSocket } from '${import.meta.resolve('ws')}'; globalThis.WebSocket ??= WebSocket;`;
  const preload = `data:text/javascript,${encodeURIComponent(ws)}`;
  const { stdout } = await run(process.execPath, ['--import', preload, 'first.mjs'], { cwd: folder, timeout: TIME_MS });
  if (stdout !== '3\n') throw new Error(`expected 3, found ${stdout}`);
}

async function types() {
  const mesh = await Mesh.connect(url, { WebSocket });
  try {
    const number = { type: 'number' };
    const argumentSchema = { type: 'object', properties: { a: number, b: number }, required: ['a', 'b'] };
    const description = 'adds two numbers';
    await mesh.serve('demo.typed', ({ a, b }) => a + b, { argumentSchema, resultSchema: number, description });
    const program = path.join(here, 'dist/cli/main.js');
    const { stdout } = await run(process.execPath, [program, 'types', url, 'dev'], { timeout: TIME_MS });
    const row =
      '  /** adds two numbers */\n  "demo.typed": { argument: { "a": number; "b": number }; result: number };\n';
    if (!stdout.includes(row)) throw new Error(`expected ${row}, found ${stdout}`);
  } finally {
    await mesh.close();
  }
}

const folder = await fs.mkdtemp(path.join(os.tmpdir(), 'macula-programs-'));
const programs = [
  ['the first program of the README serves and calls', () => readme(folder)],
  ['macula-client types writes the types of what is served', types],
];
try {
  for (const [name, program] of programs) {
    const error = await program().then(
      () => undefined,
      (error) => String(error.stack ?? error),
    );
    console.log(JSON.stringify({ name, passed: error === undefined, ...(error && { error }) }));
  }
} finally {
  await fs.rm(folder, { recursive: true });
}
process.exit(0);
