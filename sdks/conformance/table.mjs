// Writes what the SDKs' runs of the cases have found into ../README.md, between its two markers.
//
//   node table.mjs          writes the table
//   node table.mjs --check  fails when the table is another, or a result is missing or not passed
//
// Each SDK's runner leaves its results in target/tests/conformance/SDK.json:
// [{case, name, sdk, environment, transport, passed}].
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const folder = path.dirname(fileURLToPath(import.meta.url));
const readme = path.join(folder, '../README.md');
const results = path.join(folder, '../../target/tests/conformance');
const BEGIN = '<!-- conformance: begin -->';
const END = '<!-- conformance: end -->';
/** Problems that are told one by one. */
const SHOWN = 20;

// Every column of the table. `http` is the version that is under an SDK's SSE, where it can be chosen.
const COLUMNS = [
  ['rust', 'native', 'webtransport'],
  ['rust', 'native', 'websocket'],
  ['typescript', 'chromium', 'webtransport'],
  ['typescript', 'chromium', 'websocket'],
  ['typescript', 'chromium', 'sse'],
  ['typescript', 'node', 'websocket'],
  ['typescript', 'node', 'sse'],
  ['typescript', 'deno', 'webtransport'],
  ['python', 'cpython', 'webtransport'],
  ['python', 'cpython', 'websocket'],
  ['python', 'cpython', 'sse-h3'],
  ['python', 'cpython', 'sse-h2'],
  ['python', 'cpython', 'sse-h1'],
].map(([sdk, environment, transport]) => ({ sdk, environment, transport }));

const key = ({ sdk, environment, transport }) => `${sdk} ${environment} ${transport}`;
/** What a case calls a transport: the version of HTTP is no matter to it. */
const kind = (transport) => transport.split('-')[0];

function cases() {
  const all = path.join(folder, 'cases');
  const files = fs.readdirSync(all).sort().map((file) => JSON.parse(fs.readFileSync(path.join(all, file), 'utf8')));
  return files.flat().sort((a, b) => a.number - b.number);
}

/** What was found, by column and case; and what is wrong with the files themselves. */
function read(known, problems) {
  const found = new Map();
  const columns = new Set(COLUMNS.map(key));
  for (const sdk of new Set(COLUMNS.map((column) => column.sdk))) {
    const file = path.join(results, `${sdk}.json`);
    if (!fs.existsSync(file)) {
      problems.push(`there is no ${path.relative(process.cwd(), file)}: run the cases of ${sdk} first`);
      continue;
    }
    for (const result of JSON.parse(fs.readFileSync(file, 'utf8'))) {
      const place = `${key(result)}, case ${result.case}`;
      if (!columns.has(key(result))) problems.push(`${place}: there is no such column`);
      if (!known.has(result.case)) problems.push(`${place}: there is no such case`);
      found.set(`${key(result)} ${result.case}`, result.passed);
    }
  }
  return found;
}

/** What stands in a cell. */
function cell(found, column, { number, transports }, problems) {
  if (transports && !transports.includes(kind(column.transport))) return '–';
  const passed = found.get(`${key(column)} ${number}`);
  if (passed) return '✓';
  problems.push(`${key(column)}, case ${number}: ${passed === undefined ? 'no result' : 'not passed'}`);
  return passed === undefined ? '' : '✗';
}

const all = cases();
const problems = [];
const found = read(new Set(all.map(({ number }) => number)), problems);
const row = (cells) => `| ${cells.join(' | ')} |`;
const lines = [
  row(['case', ...COLUMNS.map(({ sdk, environment, transport }) => `${sdk}<br>${environment}<br>${transport}`)]),
  row(['---', ...COLUMNS.map(() => ':-:')]),
  ...all.map((one) => row([`${one.number} ${one.name}`, ...COLUMNS.map((column) => cell(found, column, one, problems))])),
];
const text = fs.readFileSync(readme, 'utf8');
const [before, rest] = text.split(BEGIN);
const after = rest?.split(END)[1];
if (after === undefined) throw new Error(`expected ${BEGIN} and ${END} in ${readme}`);
const written = `${before}${BEGIN}\n\n${lines.join('\n')}\n\n${END}${after}`;

if (process.argv.includes('--check')) {
  if (written !== text) problems.push('the table in sdks/README.md is another: run node sdks/conformance/table.mjs');
} else {
  fs.writeFileSync(readme, written);
}
for (const problem of problems.slice(0, SHOWN)) console.error(problem);
if (problems.length > SHOWN) console.error(`and ${problems.length - SHOWN} more`);
console.log(`${all.length} cases, ${COLUMNS.length} columns, ${problems.length} problems`);
process.exit(process.argv.includes('--check') && problems.length > 0 ? 1 : 0);
