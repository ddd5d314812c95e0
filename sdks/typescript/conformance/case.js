// Does one case of sdks/conformance with this SDK. Runs wherever the SDK does.
import { Closed, ConnectError, Invalid, Lost, Mesh, Problem } from '../dist/index.js';
import { Handlers } from './handlers.js';
import { Gateway } from './stage.js';
import { includes, read, same, told } from './values.js';

/** How long any wait of a case may take. */
const WAIT_MS = 15_000;
const POLL_MS = 20;

const KINDS = { problem: Problem, lost: Lost, closed: Closed, connect: ConnectError, invalid: Invalid };

const pause = (ms) => new Promise((done) => setTimeout(done, ms));

/** Runs it; throws what is not as it should be. `options` are what this environment needs to connect. */
export async function run(found, { control, transport, options }) {
  const gateway = await Gateway.open(control, found.settings);
  const stepping = new Case(gateway, transport, options);
  let failure;
  for (const step of found.steps) {
    try {
      await stepping.do(step);
    } catch (error) {
      failure = new Error(`${JSON.stringify(step)}: ${error?.stack ?? error}`);
      break;
    }
  }
  await stepping.end().catch((error) => {
    failure ??= error;
  });
  if (failure) throw failure;
}

class Case {
  #gateway;
  #transport;
  #options;
  #handlers = new Handlers();
  #clients = new Map();
  #services = new Map();
  #calls = new Map();
  #subscriptions = new Map();

  constructor(gateway, transport, options) {
    this.#gateway = gateway;
    this.#transport = transport;
    this.#options = options;
  }

  async do(step) {
    const name = Object.keys(step).find((member) => typeof this[`_${member}`] === 'function');
    if (!name) throw new Error('no such step');
    // A step with many numbers waits for each of them.
    return step.numbers ? this[`_${name}`](step) : within(this[`_${name}`](step), name);
  }

  async end() {
    const closing = [...this.#clients.values()].map(({ mesh }) => mesh?.close());
    await within(Promise.all(closing), 'closing the clients');
    await this.#gateway.close();
  }

  #mesh(name) {
    return this.#clients.get(name).mesh;
  }

  async _connect({ connect: name, on, options = {}, fails }) {
    const client = { token: undefined, renewed: 0 };
    const given = this.#optionsOf(options, on, client);
    if (options.token) {
      client.token = (await this.#gateway.act('tokens')).token;
      given.token = client.token;
    }
    const connecting = Mesh.connect(this.#gateway.url, given);
    this.#clients.set(name, client);
    await expect(connecting, { fails }, (mesh) => {
      client.mesh = mesh;
    });
  }

  #optionsOf(options, on, client) {
    const live = this.#transport === 'sse' ? 'websocket' : this.#transport;
    const transport = on === 'live' ? live : (on ?? this.#transport);
    const renew = async () => {
      client.renewed += 1;
      client.token = (await this.#gateway.act('tokens')).token;
      return client.token;
    };
    return {
      ...this.#options,
      integers: 'bigint',
      certificateHashes: [this.#gateway.certificate_sha256],
      ...(options.automatic ? {} : { transports: [transport] }),
      ...(options.encoding && { encoding: options.encoding }),
      ...(options.subject && { subject: options.subject }),
      ...(options.realm && { realm: options.realm }),
      ...(options.patience_ms !== undefined && { patience: options.patience_ms }),
      ...(options.close_ms !== undefined && { closeTimeout: options.close_ms }),
      ...(options.renew && { renew }),
    };
  }

  async _serve({ serve: procedure, by, handler, options, fails }) {
    const serving = this.#mesh(by).serve(procedure, this.#handlers.named(handler, procedure), {
      ...options,
      onError: () => {},
    });
    await expect(serving, { fails }, (service) => this.#services.set(`${by} ${procedure}`, service));
  }

  async _unserve({ unserve: procedure, by }) {
    this.#services.get(`${by} ${procedure}`).stop();
  }

  async _call(step) {
    const { call: procedure, by, argument, options = {}, progress, as } = step;
    const controller = new AbortController();
    const given = {
      signal: controller.signal,
      ...(options.timeout_ms !== undefined && { timeout: options.timeout_ms }),
      ...(options.idempotency_key && { idempotencyKey: options.idempotency_key }),
      ...(options.headers && { headers: options.headers }),
    };
    const called = { controller, progress: [] };
    const value = argument === undefined ? undefined : read(argument);
    called.end = progress
      ? this.#stream(by, procedure, value, given, called.progress)
      : this.#mesh(by).call(procedure, value, given);
    called.end.catch(() => {});
    if (!as) return this.#end(called, step);
    this.#calls.set(as, called);
  }

  async #stream(by, procedure, argument, options, progress) {
    const call = this.#mesh(by).callStreaming(procedure, argument, options);
    for await (const value of call) progress.push(value);
    return call.result;
  }

  async #end(called, step) {
    await expect(called.end, step, (result) => check(same(read(step.result), result), step.result, result));
    if (step.progress) check(same(read(step.progress), called.progress), step.progress, called.progress);
  }

  async _await(step) {
    await this.#end(this.#calls.get(step.await), step);
  }

  async _abort({ abort: name }) {
    this.#calls.get(name).controller.abort();
  }

  async _publish({ publish: topic, by, payload, numbers, options = {}, fails }) {
    const given = { headers: options.headers, idempotencyKey: options.idempotency_key };
    const [from, to] = numbers ?? [0, 0];
    for (let number = from; number < to; number += 1) {
      await within(this.#mesh(by).publish(topic, number), `publish ${number}`);
    }
    if (!numbers) await expect(this.#mesh(by).publish(topic, read(payload), given), { fails }, () => {});
  }

  async _outside({ outside: topic, numbers: [from, to] }) {
    await this.#gateway.act('publish', { topic, from, to });
  }

  async _subscribe({ subscribe: pattern, by, as, options, after, fails }) {
    const last = after && { after: this.#subscriptions.get(after).last };
    const subscription = this.#mesh(by).subscribe(pattern, { ...options, ...last });
    await expect(subscription.ready, { fails }, () => {
      this.#subscriptions.set(as, { deliveries: subscription.deliveries(), last: undefined });
    });
  }

  async _receive({ receive: name, events, numbers, gap }) {
    if (gap) {
      const { value } = await this.#subscriptions.get(name).deliveries.next();
      return check(value?.gap && includes(gap, value.gap), gap, value);
    }
    for (const expected of events ?? []) {
      const event = await this.#event(name);
      check(includes(read(expected), event), expected, event);
    }
    const [from, to] = numbers ?? [0, 0];
    for (let number = from; number < to; number += 1) {
      const { payload } = await this.#event(name);
      check(same(number, payload), number, payload);
    }
  }

  async #event(name) {
    const subscription = this.#subscriptions.get(name);
    const { value, done } = await within(subscription.deliveries.next(), 'an event');
    if (done || value.gap) throw new Error(`expected an event, found ${done ? 'the end' : told(value)}`);
    subscription.last = value.event.id;
    return value.event;
  }

  async _leave({ leave: name }) {
    await this.#subscriptions.get(name).deliveries.return();
  }

  async _discover({ discover: pattern, by, finds }) {
    const items = await this.#mesh(by).discover(pattern);
    for (const expected of finds)
      check(
        items.some((item) => includes(expected, item)),
        expected,
        items,
      );
  }

  async _release({ release: procedure }) {
    this.#handlers.release(procedure);
  }

  async _handled({ handled: procedure, times }) {
    await until(times, () => this.#handlers.handled(procedure));
  }

  async _cancelled({ cancelled: procedure, times }) {
    await until(times, () => this.#handlers.cancelled(procedure));
  }

  async _cut({ cut: what }) {
    await this.#gateway.act('cut', { udp: what !== 'tcp', tcp: what !== 'udp' });
  }

  async _heal() {
    await this.#gateway.act('heal');
  }

  async _drop() {
    await this.#gateway.act('drop');
  }

  async _state({ state: name, is, transport }) {
    await until(is, () => this.#mesh(name).state);
    if (transport) await until(transport, () => this.#mesh(name).transport);
  }

  async _restart() {
    await this.#gateway.act('restart');
  }

  async _expire({ expire: name }) {
    await this.#gateway.act('expire', { token: this.#clients.get(name).token });
  }

  async _renewed({ renewed: name, times }) {
    await until(times, () => this.#clients.get(name).renewed);
  }

  async _gateway({ gateway: metric, is }) {
    await until(is, () => this.#gateway.metric(metric));
  }

  async _close({ close: name }) {
    await this.#mesh(name).close();
  }
}

async function expect(promise, { fails }, good) {
  if (!fails) return good(await promise);
  const error = await promise.then(
    (value) => new Error(`expected an error, found ${told(value)}`),
    (error) => error,
  );
  const { kind, ...members } = fails;
  const isKind = kind === 'aborted' ? error.name === 'AbortError' : error instanceof KINDS[kind];
  const { handler, ...plain } = members;
  const isSame = includes(plain, error) && (!handler || includes(handler, error.handler ?? {}));
  if (!isKind || !isSame) throw new Error(`expected ${told(fails)}, found ${error.stack}`, { cause: error });
}

function check(good, expected, found) {
  if (!good) throw new Error(`expected ${told(expected)}, found ${told(found)}`);
}

async function until(expected, look) {
  const deadline = Date.now() + WAIT_MS;
  for (;;) {
    const found = await look();
    if (found === expected) return;
    if (Date.now() > deadline) throw new Error(`expected ${expected}, found ${found} to the end`);
    await pause(POLL_MS);
  }
}

function within(promise, what) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`${what} took longer than ${WAIT_MS} ms`)), WAIT_MS + 1_000);
    promise.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}
