/** Opens the first transport that comes through. */
import type { Codec } from '../codec/codec.js';
import { ConnectError, Invalid } from '../errors.js';
import type { Config, TransportName } from '../options.js';
import { sleep } from '../time.js';
import { HttpSession } from './http/session.js';
import { openSse } from './sse.js';
import { openWebSocket } from './websocket.js';
import { openWebTransport } from './webtransport.js';
import type { Wire } from './wire.js';

/** How long a transport is tried before the next one is tried beside it: most often it is there by then. In ms. */
const HEAD_START_MS = 300;

/** Which transport came through last, for each origin: it is tried first the next time. */
const winners = new Map<string, TransportName>();

/** The ways to a gateway. */
export class Transports {
  readonly #config: Config;
  readonly #codec: Codec;
  readonly #http: HttpSession;

  constructor(config: Config, codec: Codec) {
    this.#config = config;
    this.#codec = codec;
    this.#http = new HttpSession(config, codec);
  }

  /** Opens one. `serving` leaves out those on which nothing can be served. */
  async open(serving: boolean, signal: AbortSignal): Promise<Wire> {
    const wanted = this.#config.transports.filter((name) => isHere(name, this.#config) && !(serving && name === 'sse'));
    if (wanted.length === 0) {
      throw new Invalid(
        `none of these is on this platform${serving ? ', and can serve' : ''}: ${this.#config.transports}`,
      );
    }
    const wire = await race(
      order(wanted, winners.get(this.#config.origin)),
      (name, lost) => this.#try(name, lost),
      signal,
    );
    if (wanted.length > 1) winners.set(this.#config.origin, wire.transport);
    return wire;
  }

  #try(name: TransportName, signal: AbortSignal): Promise<Wire> {
    if (name === 'webtransport') return openWebTransport(this.#config, this.#codec, signal);
    if (name === 'websocket') return openWebSocket(this.#config, this.#codec, signal);
    return openSse(this.#http, signal);
  }
}

/** Whether the platform has it. */
function isHere(name: TransportName, config: Config): boolean {
  if (name === 'webtransport') return 'WebTransport' in globalThis;
  return name === 'sse' || config.WebSocket !== undefined;
}

/** The winner of the last time goes first. */
export function order<T>(names: readonly T[], winner: T | undefined): T[] {
  return winner !== undefined && names.includes(winner)
    ? [winner, ...names.filter((name) => name !== winner)]
    : [...names];
}

/**
 * The first runner that comes through. Each has a head start before the next, unless it has failed; those that are
 * still running when one is through are told by their signal, and what they bring nevertheless is abandoned.
 */
export async function race<N, W extends { abandon(): void }>(
  names: readonly N[],
  run: (name: N, signal: AbortSignal) => Promise<W>,
  signal: AbortSignal,
): Promise<W> {
  signal.throwIfAborted();
  const over = new AbortController();
  const losers = AbortSignal.any([over.signal, signal]);
  const errors: unknown[] = [];
  try {
    return await new Promise<W>((resolve, reject) => {
      const failed = (error: unknown) => {
        errors.push(error);
        if (errors.length === names.length) reject(signal.aborted ? signal.reason : all(errors));
      };
      const through = (wire: W) => {
        if (losers.aborted) return wire.abandon();
        over.abort();
        resolve(wire);
      };
      const start = async () => {
        for (const name of names) {
          if (losers.aborted) return;
          const running = run(name, losers);
          running.then(through, failed);
          const pause = new AbortController();
          running.catch(() => pause.abort());
          await sleep(HEAD_START_MS, AbortSignal.any([losers, pause.signal])).catch(() => {});
        }
      };
      start();
      signal.addEventListener('abort', () => reject(signal.reason), { once: true });
    });
  } finally {
    over.abort();
  }
}

/** What the gateway itself says counts; else all that went wrong. */
function all(errors: unknown[]): unknown {
  const told = errors.find((error) => !(error instanceof ConnectError));
  if (told || errors.length === 1) return told ?? errors[0];
  return new ConnectError(errors.map((error) => (error as Error).message).join('; '));
}
