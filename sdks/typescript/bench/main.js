// Events a second through this SDK and through NATS's, side by side: each against its own server on this machine, over
// WebSocket with TLS, publisher and reader in one process of Node.
//
// MACULA_BINARY=… NATS_SERVER=… node main.js [EVENTS] [ROUNDS]
import { spawnSync } from 'node:child_process';
import fs from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { macula, nats } from './servers.js';

const here = fileURLToPath(new URL('.', import.meta.url));
const root = path.join(here, '../../..');
const events = Number(process.argv[2] ?? 100_000);
const rounds = Number(process.argv[3] ?? 3);

const folder = await fs.mkdtemp(path.join(os.tmpdir(), 'macula-bench-'));
const ends = [];
try {
  const node = await macula(process.env.MACULA_BINARY ?? path.join(root, 'target/release/macula'), folder);
  ends.push(node.end);
  const urls = { macula: node.url };
  if (process.env.NATS_SERVER) {
    const server = await nats(process.env.NATS_SERVER, folder, node.tls);
    ends.push(server.end);
    urls.nats = server.url;
  }
  const env = { ...process.env, NODE_EXTRA_CA_CERTS: path.join(node.tls, 'ca.pem') };
  for (let round = 1; round <= rounds; round += 1) {
    for (const [client, url] of Object.entries(urls)) {
      const args = ['--expose-gc', path.join(here, 'clients.js'), client, url, String(events)];
      const done = spawnSync(process.execPath, args, { env, encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] });
      if (done.status !== 0) process.exitCode = 1;
      const told = JSON.parse(done.stdout);
      const { perSecond, lost, doubled, heap } = told;
      console.log(
        `${client.padEnd(6)} ${perSecond} events/s, ${lost} lost, ${doubled} doubled, heap ${heap.join(' ')} MiB`,
      );
    }
  }
} finally {
  for (const end of ends) await end();
  await fs.rm(folder, { recursive: true, force: true });
}
