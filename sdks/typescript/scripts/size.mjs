// How large the library is for a page: minified with its dependencies, and compressed. Fails when it is too large, or
// needs anything that a browser has not.
import fs from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { build } from 'tsdown';

const LIMIT = 20 * 1_024;

const root = fileURLToPath(new URL('..', import.meta.url));
const folder = await fs.mkdtemp(path.join(os.tmpdir(), 'macula-size-'));
try {
  await build({
    config: false,
    cwd: root,
    entry: ['dist/index.js'],
    outDir: folder,
    format: ['esm'],
    platform: 'browser',
    minify: true,
    dts: false,
    noExternal: /./,
    logLevel: 'silent',
  });
  const names = await fs.readdir(folder);
  const text = (await Promise.all(names.map((name) => fs.readFile(path.join(folder, name), 'utf8')))).join('');
  const needed = [...text.matchAll(/(?:from|import|require\()\s*["']([^"']+)["']/g)].map(([, name]) => name);
  const bytes = gzipSync(text, { level: 9 }).length;
  console.log(`${bytes} bytes gzipped with dependencies, at most ${LIMIT}`);
  if (needed.length > 0) console.error(`it needs what a browser has not: ${needed.join(', ')}`);
  if (bytes > LIMIT || needed.length > 0) process.exitCode = 1;
} finally {
  await fs.rm(folder, { recursive: true });
}
