// Gateways for the cases of conformance, asked for over HTTP; see ../README.md. Ends with its standard input.
//
// node main.mjs [MACULA_BINARY]
import fs from 'node:fs/promises';
import http from 'node:http';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { Gateway } from './gateway.mjs';

const MAX_BODY = 65_536;
const root = fileURLToPath(new URL('../../..', import.meta.url));
const binary = process.argv[2] ?? process.env.MACULA_BINARY ?? path.join(root, 'target/debug/macula');
const folder = await fs.mkdtemp(path.join(os.tmpdir(), 'macula-stage-'));
const gateways = new Map();
let last = 0;
let tls;

async function open(settings) {
  last += 1;
  const id = String(last);
  const gateway = await Gateway.start(binary, path.join(folder, id), settings, tls);
  if (!tls) {
    tls = path.join(folder, 'tls');
    await fs.cp(gateway.tls, tls, { recursive: true });
  }
  gateways.set(id, gateway);
  const { url, ca, certificate_sha256 } = gateway;
  return { id, url, ca, certificate_sha256, spki: await gateway.spki() };
}

async function close(id) {
  const gateway = gateways.get(id);
  gateways.delete(id);
  await gateway.close();
  await fs.rm(gateway.directory, { recursive: true, force: true });
}

const actions = {
  cut: (gateway, body) => gateway.network.cut(body),
  heal: (gateway) => gateway.network.heal(),
  drop: (gateway) => gateway.network.drop(),
  restart: (gateway) => gateway.restart(),
  publish: (gateway, { topic, from, to }) => gateway.publish(topic, from, to),
  tokens: async (gateway) => ({ token: await gateway.token() }),
  expire: (gateway, { token }) => gateway.expire(token),
};

async function answer(method, url, body) {
  const [, room, id, action, name] = url.split('/');
  if (room !== 'gateways') throw new Error(`there is no ${url}`);
  if (method === 'POST' && !id) return open(body);
  const gateway = gateways.get(id);
  if (!gateway) throw new Error(`there is no gateway ${id}`);
  if (method === 'DELETE' && !action) return close(id);
  if (method === 'GET' && action === 'metrics') return { value: await gateway.metric(name) };
  if (method === 'POST' && action in actions) return actions[action](gateway, body);
  throw new Error(`there is no ${method} ${url}`);
}

async function read(request) {
  const parts = [];
  let length = 0;
  for await (const part of request) {
    length += part.length;
    if (length > MAX_BODY) throw new Error(`a body has at most ${MAX_BODY} bytes`);
    parts.push(part);
  }
  const text = Buffer.concat(parts).toString();
  return text ? JSON.parse(text) : {};
}

const anyone = {
  'access-control-allow-origin': '*',
  'access-control-allow-methods': 'GET, POST, DELETE',
  'access-control-allow-headers': 'content-type',
};
const server = http.createServer(async (request, response) => {
  let status = 200;
  let said = {};
  try {
    if (request.method !== 'OPTIONS') said = (await answer(request.method, request.url, await read(request))) ?? {};
  } catch (error) {
    status = 500;
    said = { error: String(error.message ?? error) };
  }
  response.writeHead(status, { ...anyone, 'content-type': 'application/json' });
  response.end(JSON.stringify(said));
});

async function end() {
  const closing = await Promise.allSettled([...gateways.keys()].map(close));
  for (const { reason } of closing) if (reason) console.error(String(reason));
  await fs.rm(folder, { recursive: true, force: true });
  process.exit(closing.some(({ reason }) => reason) ? 1 : 0);
}

server.listen(0, '127.0.0.1', () => {
  console.log(JSON.stringify({ control: `http://127.0.0.1:${server.address().port}` }));
});
process.stdin.on('end', end).on('error', end).resume();
process.on('SIGTERM', end);
process.on('SIGINT', end);
