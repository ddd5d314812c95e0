// Runs the cases of sdks/conformance with this SDK: in Node, Chromium and Deno, on every transport that each has.
// Prints a line for each, and writes target/tests/conformance/typescript.json.
//
// MACULA_BINARY=… node main.js [--only=NUMBER,…] [--in=node|chromium|deno] [--on=TRANSPORT]
import { spawn } from 'node:child_process';
import fs from 'node:fs/promises';
import { createRequire } from 'node:module';
import path from 'node:path';
import process from 'node:process';
import readline from 'node:readline';
import { fileURLToPath } from 'node:url';
import { isFor } from './applies.js';
import { inChromium } from './chromium.js';
import { ask } from './stage.js';

const here = fileURLToPath(new URL('.', import.meta.url));
const root = path.join(here, '../../..');
const RUNS = [
  ['node', 'websocket'],
  ['node', 'sse'],
  ['chromium', 'webtransport'],
  ['chromium', 'websocket'],
  ['chromium', 'sse'],
  ['deno', 'webtransport'],
];
/** What `programs.js` runs. */
const PROGRAMS = 2;
/** Cases at a time. */
const JOBS = 4;

const option = (name) => process.argv.find((argument) => argument.startsWith(`--${name}=`))?.split('=')[1];

async function readCases() {
  const folder = path.join(root, 'sdks/conformance/cases');
  const files = (await fs.readdir(folder)).sort();
  const lists = await Promise.all(
    files.map(async (file) => JSON.parse(await fs.readFile(path.join(folder, file), 'utf8'))),
  );
  const only = option('only')?.split(',').map(Number);
  return lists.flat().filter(({ number }) => !only || only.includes(number));
}

/** Starts the stage; it ends with its standard input. */
async function stage() {
  const main = path.join(root, 'sdks/conformance/stage/main.mjs');
  const running = spawn(process.execPath, [main], { stdio: ['pipe', 'pipe', 'inherit'] });
  const ended = new Promise((done) => running.on('exit', done));
  const [line] = await Promise.race([
    lines(running.stdout, 1),
    ended.then((code) => Promise.reject(new Error(`the stage ended with ${code}`))),
  ]);
  const end = async () => {
    running.stdin.end();
    return ended;
  };
  return { control: JSON.parse(line).control, end };
}

async function lines(stream, count) {
  const read = [];
  for await (const line of readline.createInterface({ input: stream })) if (read.push(line) === count) break;
  return read;
}

/** Runs cases in a process that gets them on its standard input. */
async function inProcess(command, environment, input, tell) {
  const running = spawn(command[0], command.slice(1), {
    stdio: ['pipe', 'pipe', 'inherit'],
    env: { ...process.env, ...environment },
  });
  running.stdin.end(JSON.stringify(input));
  const ended = new Promise((done) => running.on('exit', done));
  for await (const line of readline.createInterface({ input: running.stdout })) tell(JSON.parse(line));
  if ((await ended) !== 0) throw new Error(`${command[0]} ended with ${await ended}`);
}

/** Deno is a package of its program for each platform; that of the tests is used. */
function denoOf(platform) {
  const require = createRequire(path.join(root, 'tests/js/'));
  return process.env.DENO ?? require.resolve(`@deno/${platform}/deno`);
}

async function runIn(environment, transport, input, gateway, tell) {
  const program = path.join(here, 'process.js');
  const trust = { NODE_EXTRA_CA_CERTS: gateway.ca, DENO_CERT: gateway.ca, SSL_CERT_FILE: gateway.ca };
  if (environment === 'node') return inProcess([process.execPath, program, transport], trust, input, tell);
  if (environment === 'chromium') return inChromium(transport, input, gateway.spki, tell);
  const deno = [
    denoOf('linux-x64-glibc'),
    'run',
    '--quiet',
    '--unstable-net',
    '--allow-all',
    '--node-modules-dir=manual',
    '--no-lock',
    program,
    transport,
  ];
  const cache = { DENO_DIR: path.join(root, 'target/tests/deno'), DENO_NO_UPDATE_CHECK: '1' };
  return inProcess(deno, { ...trust, ...cache }, input, tell);
}

const cases = await readCases();
const { control, end } = await stage();
const results = [];
let expected = 0;
let passed = 0;

/** Tells one result. */
function tell(where, { name, passed: good, error, ms }) {
  if (good) passed += 1;
  console.log(`${good ? 'ok    ' : 'FAILED'} ${where} ${name}${ms === undefined ? '' : ` (${ms} ms)`}`);
  if (error) console.log(error.replace(/^/gm, '       '));
}

try {
  const gateway = await ask(control, 'POST', '/gateways', {});
  for (const [environment, transport] of RUNS) {
    if ((option('in') ?? environment) !== environment || (option('on') ?? transport) !== transport) continue;
    expected += cases.filter((found) => isFor(found, transport)).length;
    await runIn(environment, transport, { cases, control, jobs: JOBS }, gateway, (result) => {
      const { case: number, name } = result;
      results.push({ case: number, name, sdk: 'typescript', environment, transport, passed: result.passed });
      tell(`${environment} ${transport} ${number}`, result);
    });
  }
  if (!['only', 'in', 'on'].some(option)) {
    expected += PROGRAMS;
    const command = [process.execPath, path.join(here, 'programs.js'), gateway.url];
    await inProcess(command, { NODE_EXTRA_CA_CERTS: gateway.ca }, {}, (result) => tell('node', result));
  }
} finally {
  if ((await end()) !== 0) process.exitCode = 1;
}
results.sort((a, b) => a.case - b.case);
const file = path.join(root, 'target/tests/conformance/typescript.json');
await fs.mkdir(path.dirname(file), { recursive: true });
await fs.writeFile(file, `${JSON.stringify(results, null, 1)}\n`);
// One that was not told, as when its process has ended, has failed.
const failed = expected - passed;
console.log(`${passed} passed, ${failed} failed`);
if (failed > 0) process.exitCode = 1;
