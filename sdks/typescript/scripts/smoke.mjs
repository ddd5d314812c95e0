// Installs what `npm pack` makes into a new project, and uses it there: from ESM, from CommonJS, by its types, and its
// program.
import { execFileSync } from 'node:child_process';
import fs from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const folder = await fs.mkdtemp(path.join(os.tmpdir(), 'macula-smoke-'));
const run = (command, args, cwd = folder) => execFileSync(command, args, { cwd, encoding: 'utf8' });

const USE = `
const mesh = Mesh.connect('https://127.0.0.1:1', { transports: ['sse'] });
mesh.then(() => { throw new Error('expected no gateway'); }, (error) => {
  if (!(error instanceof ConnectError)) throw error;
  console.log('good');
});
`;
const TYPES = `
import { Mesh, type MeshEvent, Problem } from 'macula-client';
type Demo = { 'demo.add': { argument: { a: number; b: number }; result: number } };
export async function use(mesh: Mesh): Promise<number> {
  const events: AsyncIterable<MeshEvent<number>> = mesh.subscribe<number>('home.**');
  for await (const { payload } of events) if (payload > 1) break;
  const demo = mesh.realm<Demo>();
  // @ts-expect-error: the argument has another type.
  await demo.call('demo.add', { a: 'one' });
  // @ts-expect-error: there is no such procedure.
  await demo.call('demo.subtract', { a: 1, b: 2 });
  if (new Error() instanceof Problem) throw new Error();
  return demo.call('demo.add', { a: 1, b: 2 });
}
`;

try {
  const [{ filename, files }] = JSON.parse(run('npm', ['pack', '--json', '--pack-destination', folder], root));
  await fs.writeFile(path.join(folder, 'package.json'), '{"private": true}');
  run('npm', ['install', '--no-audit', '--no-fund', '--loglevel=error', `./${filename}`]);
  await fs.writeFile(path.join(folder, 'esm.mjs'), `import { ConnectError, Mesh } from 'macula-client';${USE}`);
  await fs.writeFile(path.join(folder, 'cjs.cjs'), `const { ConnectError, Mesh } = require('macula-client');${USE}`);
  for (const name of ['esm.mjs', 'cjs.cjs']) {
    if (run(process.execPath, [name]).trim() !== 'good') throw new Error(`${name} is not good`);
  }
  const tsc = path.join(root, 'node_modules/typescript/bin/tsc');
  const strict = ['--noEmit', '--strict', '--target', 'es2022', '--lib', 'es2023,dom,dom.iterable'];
  for (const [name, resolution] of [
    ['use.mts', 'nodenext'],
    ['use.cts', 'nodenext'],
    ['use.ts', 'bundler'],
  ]) {
    await fs.writeFile(path.join(folder, name), TYPES);
    const module = resolution === 'bundler' ? 'esnext' : 'nodenext';
    run(process.execPath, [tsc, ...strict, '--module', module, '--moduleResolution', resolution, name]);
  }
  const asked = await new Promise((done) => {
    try {
      done(run('npx', ['--no-install', 'macula-client', 'nothing']));
    } catch (error) {
      done(error.stderr);
    }
  });
  if (!String(asked).includes('macula-client types URL REALM')) throw new Error(`the program says ${asked}`);
  console.log(`${filename}, ${files.length} files: good from ESM, CommonJS, by its types, and its program`);
} finally {
  await fs.rm(folder, { recursive: true });
}
