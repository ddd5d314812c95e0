/** What is shared by all that is done in a session: what is under way, and the transport that it is said on. */
import { type Beginning, Book, type Reply, type Sink } from './book.js';
import type { Codec } from './codec/codec.js';
import type { MaculaError } from './error.js';
import { Closed, ownProblem } from './errors.js';
import type { ClientFrame, GatewayFrame, WelcomeFrame } from './generated/types.js';
import type { Config } from './options.js';
import type { Call, Serving } from './service.js';
import type { Channel, Listener, Wire } from './transport/wire.js';

/** How a session is. */
export type State = 'connected' | 'reconnecting' | 'closed';

/** How often in its patience a session looks whether the gateway has said anything. */
const LOOKS = 3;

export class Session {
  readonly config: Config;
  readonly book: Book;
  welcome: WelcomeFrame;
  state: State = 'connected';
  /** Times that the session has connected again. */
  reconnects = 0;
  /** Events that were missed, as far as gaps have told how many. */
  missed = 0;
  /** How long the gateway took for its last answer to a hello or ping, in ms. */
  roundTrip: number | undefined;
  readonly stateListeners = new Set<() => void>();
  /** Told when the transport is lost; by the supervisor. */
  onLost: (retryAfter?: number) => void = () => {};
  /** Told at the first frame that comes after a welcome. */
  onUse: () => void = () => {};
  #wire: Wire | undefined;
  #closing = false;
  /** Why it has ended. */
  #closed: MaculaError | undefined;
  #watch: ReturnType<typeof setInterval> | undefined;
  #heard = false;
  #used = false;
  /** When the last ping was said that is not answered, and the answers that were said before it. */
  #pinged: { at: number; said: readonly number[] } | undefined;
  /** Told when the last handler at work has answered. */
  #idle: (() => void) | undefined;

  constructor(config: Config, codec: Codec, welcome: WelcomeFrame) {
    this.config = config;
    this.welcome = welcome;
    this.book = new Book((frame) => codec.encodeFrame(frame));
  }

  get wire(): Wire | undefined {
    return this.#wire;
  }

  /** Begins an operation; its number. Throws what makes it impossible. */
  begin(frame: Beginning, sink: Sink): number {
    if (this.#closed) throw this.#closed;
    if (this.#closing) throw new Closed();
    const id = this.book.begin(frame, sink);
    this.#pump();
    return id;
  }

  /** Asks, and waits for the answer; aborted before that, it gives the operation up. */
  ask<A>(frame: Beginning, signal?: AbortSignal, hear?: Sink['hear']): Promise<A> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason);
      const sink: Sink = { end: resolve as Sink['end'], fail: reject };
      if (hear) sink.hear = hear;
      const id = this.begin(frame, sink);
      if (!signal) return;
      const aborted = () => {
        this.giveUp(id);
        reject(signal.reason);
      };
      signal.addEventListener('abort', aborted, { once: true });
      const over = (settle: (value: never) => void) => (value: unknown) => {
        signal.removeEventListener('abort', aborted);
        settle(value as never);
      };
      sink.end = over(resolve);
      sink.fail = over(reject);
    });
  }

  /** Ends an operation that nobody waits for any more. */
  giveUp(id: number): void {
    const ending = this.book.giveUp(id);
    if (ending) this.#wire?.giveUp(ending);
    this.#pump();
  }

  /** Says a frame that begins nothing, if there is a transport. */
  say(frame: ClientFrame): void {
    this.#wire?.say(frame);
  }

  /** Says what may be said by now. */
  #pump(): void {
    if (!this.#wire) return;
    for (let operation = this.book.next(); operation; operation = this.book.next()) {
      if (operation.encoded.length <= this.welcome.limits.max_frame_bytes) {
        this.#wire.send(operation);
        continue;
      }
      const detail = `expected a frame of at most ${this.welcome.limits.max_frame_bytes} bytes`;
      this.book.fail(operation.id, ownProblem('payload_too_large', 413, 'never', detail));
    }
  }

  /** Goes on with a wire that was welcomed. What has to be said again has its turn first. */
  attach(wire: Wire, welcome: WelcomeFrame, again: (book: Book) => Reply[]): void {
    this.welcome = welcome;
    for (const reply of again(this.book)) {
      wire.say(reply);
      this.#answered(reply, false);
    }
    this.#wire = wire;
    this.#heard = true;
    this.#used = false;
    this.#pinged = undefined;
    clearInterval(this.#watch);
    let silent = 0;
    this.#watch = setInterval(() => {
      silent = this.#heard ? 0 : silent + 1;
      this.#heard = false;
      if (silent >= LOOKS) this.#lose(wire);
      else if (silent > 0 || this.book.kept.length > 0) this.#ping();
    }, this.config.patience / LOOKS);
    wire.listen(this.#listener(wire));
    this.#pump();
    this.#become('connected');
  }

  #listener(wire: Wire): Listener {
    return {
      heard: (frame, channel) => this.#hear(frame, channel, wire),
      notSent: (id) => this.book.notSent(id),
      lost: (retryAfter) => {
        if (this.#wire === wire) this.#detach(retryAfter);
      },
    };
  }

  #hear(frame: GatewayFrame, channel: Channel, wire: Wire): void {
    this.#heard = true;
    if (!this.#used) {
      this.#used = true;
      this.onUse();
    }
    switch (frame.type) {
      case 'invoke':
        return this.#invoke(frame, channel, wire);
      case 'cancel':
        return this.#revoke(frame.id);
      case 'pong':
        return this.#ponged();
      default:
        this.book.take(frame);
        this.#pump();
    }
  }

  #ping(): void {
    this.#pinged ??= { at: performance.now(), said: this.book.kept };
    this.#wire?.say({ type: 'ping' });
  }

  #ponged(): void {
    if (!this.#pinged) return;
    this.roundTrip = performance.now() - this.#pinged.at;
    this.book.confirm(this.#pinged.said);
    this.#pinged = undefined;
  }

  #lose(wire: Wire): void {
    if (this.#wire !== wire) return;
    wire.abandon();
    this.#detach();
  }

  #detach(retryAfter?: number): void {
    this.#wire = undefined;
    clearInterval(this.#watch);
    if (this.#closing) return;
    this.#become('reconnecting');
    this.onLost(retryAfter);
  }

  /** Answers a call, unless the session is about to end: then its caller is told that the provider goes. */
  #invoke(frame: Extract<GatewayFrame, { type: 'invoke' }>, channel: Channel, wire: Wire): void {
    const serving = this.book.service(frame.serve) as Serving | undefined;
    if (!serving || this.#closing) return;
    const call = serving.call(frame);
    this.book.invoked(call);
    channel.onGivenUp?.(() => this.#revoke(frame.id));
    const reply = call.run((told) => this.#progress(call, channel, wire, told));
    reply.then((reply) => this.#reply(call, reply, channel, wire));
  }

  #revoke(id: number): void {
    this.#forget(id)?.abort();
  }

  #progress(call: Call, channel: Channel, wire: Wire, payload: unknown): void {
    // What is only news is left out where it cannot be said at once.
    if (!this.book.isInvoked(call.frame.id) || this.#wire === undefined || this.#wire.congested) return;
    const via = this.#wire === wire ? channel : this.#wire;
    via.say({ type: 'progress', id: call.frame.id, payload });
  }

  async #reply(call: Call, reply: Reply, channel: Channel, wire: Wire): Promise<void> {
    if (!this.book.isInvoked(reply.id)) return;
    call.answer = reply;
    if (this.#wire === wire) {
      const lost = () => this.#wire !== wire;
      const certain = await channel.finish(reply);
      // On the next transport it is said again.
      if (certain || !lost()) this.#answered(reply, certain);
    } else if (this.#wire) {
      this.#wire.say(reply);
      this.#answered(reply, false);
    }
  }

  #answered(reply: Reply, certain: boolean): void {
    if (!certain) this.book.keep(reply);
    this.#forget(reply.id);
  }

  #forget(id: number): ReturnType<Book['forget']> {
    const invocation = this.book.forget(id);
    if (this.book.invocations === 0) this.#idle?.();
    return invocation;
  }

  /** Takes nothing more, and ends what waits for an answer. Resolves when no handler is at work any more. */
  finish(): Promise<void> {
    this.#closing = true;
    for (const ending of this.book.closeAnswers(new Closed())) this.#wire?.giveUp(ending);
    return new Promise((resolve) => {
      this.#idle = resolve;
      if (this.book.invocations === 0) resolve();
    });
  }

  /** Ends everything, for this reason. */
  async end(error: MaculaError): Promise<void> {
    if (this.#closed) return;
    this.#closing = true;
    this.#closed = error;
    clearInterval(this.#watch);
    const wire = this.#wire;
    this.#wire = undefined;
    const endings = this.book.close(error);
    // Not every platform tells the gateway at once that the session is over; what was served has ended then all the same.
    if (wire) for (const ending of endings) wire.say(ending);
    await wire?.close();
    this.#become('closed');
  }

  #become(state: State): void {
    if (this.state === state) return;
    this.state = state;
    for (const listener of [...this.stateListeners]) listener();
  }
}
