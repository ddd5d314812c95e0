/** Connects, and connects again when the transport is lost. */
import { Backoff } from './backoff.js';
import type { Reply } from './book.js';
import { type Codec, codecOf } from './codec/codec.js';
import { MaculaError } from './error.js';
import { Closed, ConnectError, isFinal, saysNoSession } from './errors.js';
import type { WelcomeFrame } from './generated/types.js';
import type { Config } from './options.js';
import { Problem } from './problem.js';
import { Session } from './session.js';
import { settled, sleep, within } from './time.js';
import { Transports } from './transport/race.js';
import { type Hello, OPEN_MS, type Wire } from './transport/wire.js';

/** An open transport, and how it was welcomed. */
interface Opened {
  readonly wire: Wire;
  readonly welcome: WelcomeFrame;
  /** The token of the session: ours, or the gateway's for us. */
  readonly token: string | undefined;
  readonly roundTrip: number;
}

export class Supervisor {
  readonly session: Session;
  readonly #config: Config;
  readonly #transports: Transports;
  readonly #backoff = new Backoff();
  readonly #over = new AbortController();
  #token: string | undefined;

  private constructor(
    config: Config,
    codec: Codec,
    transports: Transports,
    { wire, welcome, token, roundTrip }: Opened,
  ) {
    this.#config = config;
    this.#transports = transports;
    this.#token = token;
    this.session = new Session(config, codec, welcome);
    this.session.roundTrip = roundTrip;
    this.session.onUse = () => this.#backoff.reset();
    this.session.onLost = (retryAfter) => {
      this.#reconnect(retryAfter).catch((error) => this.#end(error));
    };
    this.session.attach(wire, welcome, (book) => book.resumed(welcome.limits, []));
  }

  /** Opens the session. What goes wrong now is told at once, but for a token that can be renewed. */
  static async start(config: Config, signal: AbortSignal = new AbortController().signal): Promise<Supervisor> {
    const codec = codecOf(config.encoding, config.integers);
    const transports = new Transports(config, codec);
    const opened = await begin(config, transports, false, signal);
    return new Supervisor(config, codec, transports, opened);
  }

  /** Connects again, until it succeeds or is of no use. */
  async #reconnect(retryAfter = 0): Promise<void> {
    const { signal } = this.#over;
    for (let atLeast = retryAfter; ; ) {
      await sleep(this.#backoff.next(Math.random(), atLeast * 1_000), signal);
      try {
        await this.#attempt(signal);
        return;
      } catch (error) {
        if (signal.aborted || isFinal(error)) throw error;
        atLeast = (error instanceof Problem && error.retryAfter) || 0;
      }
    }
  }

  async #attempt(signal: AbortSignal): Promise<void> {
    const { session } = this;
    try {
      const resume = session.book.resume(session.welcome.session);
      const hello: Hello = { type: 'hello', ...(this.#token && { token: this.#token }), resume };
      const opened = await open(this.#transports, session.book.serves, hello, signal);
      this.#goOn(opened, (welcome) => session.book.resumed(welcome.limits, welcome.unknown ?? []));
    } catch (error) {
      if (!saysNoSession(error)) throw error;
      // The session is over, or forgotten there, as after a restart. Our token may still be good.
      const opened = await begin(this.#config, this.#transports, session.book.serves, signal);
      this.#goOn(opened, (welcome) => {
        session.book.anew(welcome.limits);
        return [];
      });
    }
  }

  #goOn({ wire, welcome, token, roundTrip }: Opened, again: (welcome: WelcomeFrame) => Reply[]): void {
    if (this.#over.signal.aborted) return wire.abandon();
    const { session } = this;
    this.#token = token;
    session.reconnects += 1;
    session.roundTrip = roundTrip;
    session.attach(wire, welcome, () => again(welcome));
  }

  async #end(error: unknown): Promise<void> {
    if (this.#over.signal.aborted) return;
    this.#over.abort();
    const known = error instanceof MaculaError ? error : new ConnectError(String(error), { cause: error });
    await this.session.end(known);
  }

  /** Waits for handlers at work, at most as long as configured, and ends the session. */
  async close(): Promise<void> {
    if (this.session.state === 'closed') return;
    const idle = this.session.finish();
    if (this.session.wire) await settled(this.#config.closeTimeout, idle);
    this.#over.abort();
    await this.session.end(new Closed());
  }
}

/** Begins a session, with a new token if the one that we have is of no use. */
async function begin(config: Config, transports: Transports, serving: boolean, signal: AbortSignal): Promise<Opened> {
  const hello = (): Hello => {
    const { token, realm, subject } = config;
    return { type: 'hello', ...(token ? { token } : { realm, ...(subject && { subject }) }) };
  };
  try {
    return await open(transports, serving, hello(), signal);
  } catch (error) {
    if (!saysNoSession(error) || !config.renew) throw error;
    config.token = await config.renew();
    return open(transports, serving, hello(), signal);
  }
}

async function open(transports: Transports, serving: boolean, hello: Hello, signal: AbortSignal): Promise<Opened> {
  const wire = await transports.open(serving, signal);
  try {
    const asked = performance.now();
    const late = () => new ConnectError(`not welcomed in ${OPEN_MS / 1_000} s`);
    const welcome = await within(OPEN_MS, wire.hello(hello), late, signal);
    return { wire, welcome, token: welcome.token ?? hello.token, roundTrip: performance.now() - asked };
  } catch (error) {
    wire.abandon();
    throw error;
  }
}
