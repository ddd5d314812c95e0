// Checks that the cases are well-formed, as README.md says. Prints how many there are.
import fs from 'node:fs';

// Each step's name, with the members that may belong to it; those with `!` must.
const STEPS = {
  connect: ['on', 'options', 'fails'],
  serve: ['by!', 'handler!', 'options', 'fails'],
  unserve: ['by!'],
  call: ['by!', 'argument', 'options', 'result', 'fails', 'progress', 'as'],
  await: ['result', 'fails', 'progress'],
  abort: [],
  publish: ['by!', 'payload', 'numbers', 'options', 'fails'],
  outside: ['numbers!'],
  subscribe: ['by!', 'as!', 'options', 'after', 'fails'],
  receive: ['events', 'numbers', 'gap'],
  leave: [],
  discover: ['by!', 'finds!'],
  release: [],
  handled: ['times!'],
  cancelled: ['times!'],
  cut: [],
  heal: [],
  drop: [],
  state: ['is!', 'transport'],
  restart: [],
  expire: [],
  renewed: ['times!'],
  gateway: ['is!'],
  close: [],
};
const HANDLERS = ['echo', 'add', 'caller', 'headers', 'count', 'slow', 'fail', 'refuse', 'wait', 'hold'];
const TRANSPORTS = ['webtransport', 'websocket', 'sse'];
const FAILURES = ['problem', 'lost', 'closed', 'connect', 'invalid', 'aborted'];
const CASE = ['number', 'name', 'transports', 'settings', 'steps'];

const problems = [];
const numbers = new Map();

function checkStep(step, place) {
  const tell = (text) => problems.push(`${place}: ${text}: ${JSON.stringify(step)}`);
  const names = Object.keys(step).filter((member) => member in STEPS);
  if (names.length !== 1) return tell(`expected one step, found ${names.length}`);
  const members = STEPS[names[0]];
  for (const member of Object.keys(step)) {
    if (member !== names[0] && !members.some((known) => known.replace('!', '') === member)) tell(`\`${member}\` does not belong here`);
  }
  for (const member of members) {
    if (member.endsWith('!') && !(member.slice(0, -1) in step)) tell(`\`${member.slice(0, -1)}\` is missing`);
  }
  if (step.handler && !HANDLERS.includes(step.handler)) tell('there is no such handler');
  if (step.fails && !FAILURES.includes(step.fails.kind)) tell('there is no such kind of failure');
}

const folder = new URL('cases/', import.meta.url);
for (const file of fs.readdirSync(folder).sort()) {
  let last = 0;
  for (const found of JSON.parse(fs.readFileSync(new URL(file, folder), 'utf8'))) {
    const place = `${file} ${found.number}`;
    for (const member of Object.keys(found)) if (!CASE.includes(member)) problems.push(`${place}: \`${member}\` does not belong here`);
    if (!(found.number > last)) problems.push(`${place}: numbers ascend within a file`);
    if (numbers.has(found.number)) problems.push(`${place}: the number is in ${numbers.get(found.number)} too`);
    last = found.number;
    numbers.set(found.number, file);
    for (const transport of found.transports ?? []) if (!TRANSPORTS.includes(transport)) problems.push(`${place}: there is no transport ${transport}`);
    found.steps.forEach((step, index) => checkStep(step, `${place}, step ${index + 1}`));
  }
}
for (const problem of problems) console.error(problem);
console.log(`${numbers.size} cases, ${problems.length} problems`);
process.exit(problems.length > 0 ? 1 : 0);
