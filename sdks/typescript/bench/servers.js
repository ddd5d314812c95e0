// The servers that are compared, each with the same certificate and a WebSocket over TLS.
import { spawn } from 'node:child_process';
import fs from 'node:fs/promises';
import net from 'node:net';
import path from 'node:path';

const START_MS = 20_000;
const pause = (ms) => new Promise((done) => setTimeout(done, ms));

async function until(look, what) {
  const deadline = Date.now() + START_MS;
  for (;;) {
    const found = await look().catch(() => undefined);
    if (found) return found;
    if (Date.now() > deadline) throw new Error(`${what} did not start`);
    await pause(20);
  }
}

function start(command, args, folder) {
  const environment = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('MACULA_')));
  const running = spawn(command, args, { cwd: folder, env: environment, stdio: 'ignore' });
  const ended = new Promise((done) => running.on('exit', done).on('error', done));
  return async () => {
    running.kill('SIGTERM');
    await ended;
  };
}

/**
 * A node without quotas, so that the client is what is measured. For a slow reader it keeps as much as NATS does
 * unless set otherwise, 64 MiB.
 */
export async function macula(binary, folder) {
  const config = `log.filter = "error"
[api]
session_requests_per_second = 0
address_requests_per_second = 0
reader_events = 1000000
reader_bytes = 67108864
`;
  await fs.writeFile(path.join(folder, 'macula.toml'), config);
  const args = [
    'up',
    '--listen',
    '127.0.0.1:0',
    '--data-dir',
    path.join(folder, 'data'),
    '--config',
    path.join(folder, 'macula.toml'),
  ];
  const end = start(binary, args, folder);
  const ready = path.join(folder, 'data/run/ready.json');
  const { url } = await until(async () => JSON.parse(await fs.readFile(ready, 'utf8')), 'macula');
  return { url, tls: path.join(folder, 'data/tls'), end };
}

/** A NATS server with the certificate of a node. */
export async function nats(binary, folder, tls) {
  const port = await freePort();
  const config = `listen: "127.0.0.1:${await freePort()}"
websocket { listen: "127.0.0.1:${port}", tls { cert_file: "${tls}/cert.pem", key_file: "${tls}/key.pem" } }
`;
  await fs.writeFile(path.join(folder, 'nats.conf'), config);
  const end = start(binary, ['-c', path.join(folder, 'nats.conf')], folder);
  await until(() => connected(port), 'nats-server');
  return { url: `wss://localhost:${port}`, end };
}

function connected(port) {
  return new Promise((resolve, reject) => {
    const socket = net.connect(port, '127.0.0.1', () => {
      socket.destroy();
      resolve(true);
    });
    socket.on('error', reject);
  });
}

async function freePort() {
  const server = net.createServer();
  await new Promise((done) => server.listen(0, '127.0.0.1', done));
  const { port } = server.address();
  await new Promise((done) => server.close(done));
  return port;
}
