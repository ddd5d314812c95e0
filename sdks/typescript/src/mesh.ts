import type { Answer } from './book.js';
import { type CallOptions, call, headersOf, StreamingCall } from './call.js';
import type { DiscoveredFrame, Item, Page, PublishedFrame } from './generated/types.js';
import { checkName, checkPattern } from './names.js';
import { type ConnectOptions, checked, type TransportName } from './options.js';
import { type Handler, type ServeOptions, type Service, serve } from './service.js';
import type { Session, State } from './session.js';
import { type SubscribeOptions, Subscription } from './subscription.js';
import { Supervisor } from './supervisor.js';
import type { Procedures, Realm } from './typed.js';

/** How to publish. Every option may be left out. */
export interface PublishOptions {
  /** Application headers, at most 16. */
  headers?: Record<string, string>;
  /** Makes a repeated publish give the first one's id, for 10 minutes, and lets one that was lost be made again. */
  idempotencyKey?: string;
  /** Stops waiting; the event may be published nevertheless. */
  signal?: AbortSignal;
}

/** What to find. Every option may be left out. */
export interface DiscoverOptions {
  /** The kinds wanted, all unless said otherwise. */
  kind?: readonly ('procedure' | 'topic' | 'node')[];
  /** The most items, 100 unless said otherwise. */
  limit?: number;
  signal?: AbortSignal;
}

/** How a session is at a moment. */
export interface Status {
  readonly state: State;
  /** What it is on, while it is connected. */
  readonly transport: TransportName | undefined;
  /** The live session's name. */
  readonly session: string;
  readonly realm: string;
  /** Who we are. */
  readonly subject: string;
  /** The node's name; empty where the transport does not tell it. */
  readonly node: string;
  /** How long the gateway took for its last answer to a hello or ping, in ms. */
  readonly roundTrip: number | undefined;
  readonly subscriptions: number;
  readonly services: number;
  /** Calls, publishes and discoveries that wait for their answer. */
  readonly calls: number;
  /** Times that the session has connected again. */
  readonly reconnects: number;
  /** Events that were missed, as far as gaps have told how many. */
  readonly missed: number;
}

const DISCOVER_LIMIT = 100;
/** The most items of one page. */
const PAGE = 1_000;

/** A session with the mesh, over whatever transport comes through. It goes on when the network changes. */
export class Mesh {
  readonly #supervisor: Supervisor;
  readonly #session: Session;

  private constructor(supervisor: Supervisor) {
    this.#supervisor = supervisor;
    this.#session = supervisor.session;
  }

  /** Opens a session with the gateway at `https://HOST[:PORT]`. */
  static async connect(url: string, options: ConnectOptions = {}): Promise<Mesh> {
    return new Mesh(await Supervisor.start(checked(url, options), options.signal));
  }

  /** How the session is. */
  get state(): State {
    return this.#session.state;
  }

  /** What the session is on; nothing while it is not connected. */
  get transport(): TransportName | undefined {
    return this.#session.wire?.transport;
  }

  /** Tells each change of `state` and `transport`; what it gives stops that. */
  onState(listener: (state: State) => void): () => void {
    const told = () => listener(this.state);
    this.#session.stateListeners.add(told);
    return () => this.#session.stateListeners.delete(told);
  }

  /** Calls a procedure, wherever it is served. */
  call<R = unknown>(procedure: string, argument?: unknown, options: CallOptions = {}): Promise<R> {
    return call<R>(this.#session, procedure, argument, options);
  }

  /** Calls a procedure that tells how far it is. */
  callStreaming<R = unknown, P = unknown>(
    procedure: string,
    argument?: unknown,
    options: CallOptions = {},
  ): StreamingCall<R, P> {
    return new StreamingCall<R, P>(this.#session, procedure, argument, options);
  }

  /**
   * Publishes an event; its id. Without waiting for one before the next as many are under way as the gateway takes,
   * and 65,536 more may wait.
   */
  async publish(topic: string, payload: unknown, options: PublishOptions = {}): Promise<string> {
    const { headers, idempotencyKey, signal } = options;
    const frame = {
      type: 'publish' as const,
      topic: checkName('topic', topic),
      ...(idempotencyKey !== undefined && { idempotency_key: idempotencyKey }),
      ...(headers && { headers: headersOf(headers) }),
      payload: payload ?? null,
    };
    return (await this.#session.ask<PublishedFrame>(frame, signal)).event_id;
  }

  /** Subscribes to a pattern, at once; read it with `for await`. */
  subscribe<P = unknown>(pattern: string, options: SubscribeOptions = {}): Subscription<P> {
    return new Subscription<P>(this.#session, pattern, options);
  }

  /** Serves a procedure; resolves when the gateway has it. Nothing can be served on SSE. */
  serve<A = unknown, R = unknown>(
    procedure: string,
    handler: Handler<A, R>,
    options: ServeOptions = {},
  ): Promise<Service> {
    return serve(this.#session, procedure, handler, options);
  }

  /** Finds procedures, topics and nodes whose name matches. */
  async discover(pattern: string, options: DiscoverOptions = {}): Promise<Item[]> {
    checkPattern(pattern);
    const wanted = options.limit ?? DISCOVER_LIMIT;
    const kind = options.kind && { kind: options.kind.join(',') };
    const items: Item[] = [];
    for (let cursor: string | undefined; ; ) {
      const limit = Math.min(Math.max(wanted - items.length, 1), PAGE);
      const frame = { type: 'discover' as const, pattern, ...kind, limit, ...(cursor && { cursor }) };
      const { page } = await this.#session.ask<Answer & DiscoveredFrame>(frame, options.signal);
      const found = page as Page;
      items.push(...found.items);
      cursor = found.next ?? undefined;
      if (!cursor || items.length >= wanted) return items.slice(0, wanted);
    }
  }

  /** The same session with types: calls, services and topics as the map says. */
  realm<M extends Procedures<M>>(): Realm<M> {
    return this as unknown as Realm<M>;
  }

  /** How the session is at this moment. */
  status(): Status {
    const { welcome, state, roundTrip, reconnects, missed, book } = this.#session;
    const { session, realm, subject, node } = welcome;
    return {
      state,
      transport: this.transport,
      session,
      realm,
      subject,
      node,
      roundTrip,
      ...book.counts,
      reconnects,
      missed,
    };
  }

  /**
   * Ends the session: waits for handlers at work, at most as long as `closeTimeout`, and cancels the rest. Whatever is
   * asked from now on fails with `Closed`.
   */
  close(): Promise<void> {
    return this.#supervisor.close();
  }
}
