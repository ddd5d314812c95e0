// A gateway as a process, behind a network that can be cut.
import { spawn } from 'node:child_process';
import crypto from 'node:crypto';
import fs from 'node:fs/promises';
import { createWriteStream } from 'node:fs';
import https from 'node:https';
import path from 'node:path';
import { network } from './network.mjs';

const START_MS = 20_000;
const END_MS = 20_000;
/** The gateway listens here at the port of its network: `Alt-Svc` tells clients a port, and so leads to the network. */
const HOST = '127.0.0.2';

const pause = (ms) => new Promise((done) => setTimeout(done, ms));

/** TOML of `{"api.live.grace_seconds": 1}`; every value here is a number, a boolean, a text or a list of those. */
function toml(settings) {
  return Object.entries(settings)
    .map(([name, value]) => `${name} = ${JSON.stringify(value)}\n`)
    .join('');
}

export class Gateway {
  /** Starts one with its data under `directory`; `tls` is a folder of certificates to begin with, if there is one. */
  static async start(binary, directory, settings, tls) {
    const gateway = new Gateway();
    gateway.binary = binary;
    gateway.directory = directory;
    gateway.data = path.join(directory, 'data');
    await fs.mkdir(gateway.data, { recursive: true });
    if (tls) await fs.cp(tls, path.join(gateway.data, 'tls'), { recursive: true });
    const config = { 'api.cors_origins': ['*'], ...settings };
    await fs.writeFile(path.join(directory, 'macula.toml'), toml(config));
    gateway.network = await network(HOST);
    await gateway.run().catch((error) => {
      gateway.network.close();
      throw error;
    });
    gateway.agent = new https.Agent({ keepAlive: true, maxSockets: 1 });
    return gateway;
  }

  /** An address and not `localhost`: of a name's several addresses Chromium's WebTransport tries one. */
  get url() {
    return `https://127.0.0.1:${this.network.port}`;
  }

  get ca() {
    return path.join(this.data, 'tls', 'ca.pem');
  }

  get tls() {
    return path.join(this.data, 'tls');
  }

  async run() {
    const environment = Object.fromEntries(
      Object.entries(process.env).filter(([name]) => !name.startsWith('MACULA_')),
    );
    this.log = path.join(this.directory, 'log');
    const log = createWriteStream(this.log, { flags: 'a' });
    await new Promise((done) => log.on('open', done));
    const config = path.join(this.directory, 'macula.toml');
    const command = ['up', '--listen', `${HOST}:${this.network.port}`, '--data-dir', this.data, '--config', config];
    this.process = spawn(this.binary, command, { env: environment, stdio: ['ignore', 'ignore', log] });
    this.ended = new Promise((done) => {
      this.process.on('exit', (code, signal) => done(code ?? signal));
      this.process.on('error', (error) => done(String(error)));
    });
    let over = false;
    this.ended.then(() => { over = true; });
    const ready = path.join(this.data, 'run', 'ready.json');
    const deadline = Date.now() + START_MS;
    for (;;) {
      const told = await fs.readFile(ready, 'utf8').then(JSON.parse).catch(() => undefined);
      if (told) {
        this.certificate_sha256 = told.certificate_sha256;
        return;
      }
      if (over || Date.now() > deadline) {
        this.process.kill('SIGKILL');
        throw new Error(`the gateway did not start: ${await this.logged()}`);
      }
      await pause(10);
    }
  }

  /** The hash of the certificate's key, for Chromium. */
  async spki() {
    const pem = await fs.readFile(path.join(this.tls, 'cert.pem'));
    const key = new crypto.X509Certificate(pem).publicKey.export({ type: 'spki', format: 'der' });
    return crypto.createHash('sha256').update(key).digest('base64');
  }

  /** Asks the gateway itself, past the network. */
  async ask(method, where, { token, body } = {}) {
    const ca = await fs.readFile(this.ca);
    const headers = {
      ...(token && { authorization: `Bearer ${token}` }),
      ...(body !== undefined && { 'content-type': 'application/json' }),
    };
    const options = { method, ca, headers, agent: this.agent, host: HOST, port: this.network.port, path: where, servername: 'localhost' };
    return new Promise((done, fail) => {
      const request = https.request(options, (answer) => {
        const parts = [];
        answer.on('data', (part) => parts.push(part));
        answer.on('end', () => {
          const text = Buffer.concat(parts).toString();
          if (answer.statusCode < 300) done(text);
          else fail(new Error(`${method} ${where}: ${answer.statusCode} ${text}`));
        });
      });
      request.on('error', fail);
      request.end(body === undefined ? undefined : JSON.stringify(body));
    });
  }

  async metric(name) {
    const lines = (await this.ask('GET', '/metrics')).split('\n');
    const values = lines.filter((line) => line.startsWith(`${name} `) || line.startsWith(`${name}{`));
    if (values.length === 0) throw new Error(`no figure has the name ${name}`);
    return values.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' ') + 1)), 0);
  }

  async token() {
    return JSON.parse(await this.ask('POST', '/v1/session')).token;
  }

  async expire(token) {
    await this.ask('DELETE', '/v1/session', { token });
  }

  /** Publishes numbers, one after the other. */
  async publish(topic, from, to) {
    for (let body = from; body < to; body += 1) await this.ask('POST', `/v1/publish/dev/${topic}`, { body });
  }

  async restart() {
    await this.end();
    await this.run();
  }

  async logged() {
    return fs.readFile(this.log, 'utf8').catch(() => '');
  }

  async end() {
    this.process.kill('SIGTERM');
    const late = setTimeout(() => this.process.kill('SIGKILL'), END_MS);
    const code = await this.ended;
    clearTimeout(late);
    const log = await this.logged();
    if (code !== 0 || log.includes('panicked')) throw new Error(`the gateway ended with ${code}: ${log}`);
  }

  async close() {
    this.network.close();
    this.agent.destroy();
    await this.end();
  }
}
