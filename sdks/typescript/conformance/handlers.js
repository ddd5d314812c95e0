// The handlers that cases serve procedures with, and how often they were called and cancelled.
import { HandlerError } from '../dist/index.js';

const pause = (ms) => new Promise((done) => setTimeout(done, ms));

export class Handlers {
  #handled = new Map();
  #cancelled = new Map();
  #held = new Map();

  handled(procedure) {
    return this.#handled.get(procedure) ?? 0;
  }

  cancelled(procedure) {
    return this.#cancelled.get(procedure) ?? 0;
  }

  /** Lets the calls that `hold` has answer. */
  release(procedure) {
    for (const answer of this.#held.get(procedure) ?? []) answer();
    this.#held.delete(procedure);
  }

  /** The handler with this name, as it serves a procedure. */
  named(name, procedure) {
    return (argument, context) => {
      this.#handled.set(procedure, this.handled(procedure) + 1);
      return this[`_${name}`](argument, context, procedure);
    };
  }

  _echo(argument) {
    return argument;
  }

  _add({ a, b }) {
    return a + b;
  }

  _caller(_, { caller }) {
    return caller;
  }

  _headers(_, { headers }) {
    return headers;
  }

  _count({ to }, { progress }) {
    for (let number = 1; number <= to; number += 1) progress(number);
    return to;
  }

  async _slow(argument) {
    await pause(300);
    return argument;
  }

  _fail() {
    throw new Error('broken');
  }

  _refuse() {
    throw new HandlerError('out_of_range', 'a is too large', { limit: 10 });
  }

  _wait(_, { signal }, procedure) {
    return new Promise((_, reject) => this.#whenCancelled(signal, procedure, reject));
  }

  _hold(argument, { signal }, procedure) {
    return new Promise((resolve, reject) => {
      const held = this.#held.get(procedure) ?? [];
      this.#held.set(procedure, [...held, () => resolve(argument)]);
      this.#whenCancelled(signal, procedure, reject);
    });
  }

  #whenCancelled(signal, procedure, reject) {
    signal.addEventListener('abort', () => {
      this.#cancelled.set(procedure, this.cancelled(procedure) + 1);
      reject(signal.reason);
    });
  }
}
