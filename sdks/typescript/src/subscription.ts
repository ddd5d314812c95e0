import type { News, Sink } from './book.js';
import type { MaculaError } from './error.js';
import { Closed } from './errors.js';
import type { Event as WireEvent } from './generated/types.js';
import { checkPattern } from './names.js';
import { type Delivery, type Gap, QUEUE, Queue } from './queue.js';
import type { Session } from './session.js';

/** An event as a reader sees it. */
export interface MeshEvent<P = unknown> {
  /** Its id, a ULID: ids of one publisher sort in the order of publishing. */
  readonly id: string;
  readonly realm: string;
  readonly topic: string;
  /** Who published it. */
  readonly publisher: string;
  /** When it was published (RFC 3339). */
  readonly time: string;
  /** The payload's media type. */
  readonly contentType: string;
  /** Application headers, names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  /** The value; bytes for any media type but JSON and MessagePack. */
  readonly payload: P;
}

/** How to subscribe. Every option may be left out. */
export interface SubscribeOptions {
  /** Begins so many events back, at most 10,000. */
  replay?: number;
  /** Begins after the event with this id; wins over `replay`. */
  after?: string;
  /** Lets events be lost on the way rather than come late: datagrams, where the transport has them. */
  latest?: boolean;
  /** Told of events that were missed, where they were missed. */
  onGap?: (gap: Gap) => void;
  /** Deliveries that may wait for the reader, 1,024 unless said otherwise; what is more is lost, and told as a gap. */
  queue?: number;
}

const NO_HEADERS = {};

/**
 * Events that match a pattern, for one reader: `for await (const event of subscription)`. To leave the loop ends the
 * subscription at the gateway. The loop ends with `close()` of the session, and throws when the session or the
 * subscription ends with an error.
 */
export class Subscription<P = unknown> implements AsyncIterable<MeshEvent<P>> {
  readonly pattern: string;
  /** Resolves when the gateway has it: what is published from then on comes, or is told as missed. */
  readonly ready: Promise<void>;
  readonly #session: Session;
  readonly #onGap: ((gap: Gap) => void) | undefined;
  readonly #queue: Queue<MeshEvent<P>>;
  readonly #waiting: (() => void)[] = [];
  #id: number | undefined;
  #over = false;
  #error: MaculaError | undefined;

  /** Subscribes at once. */
  constructor(session: Session, pattern: string, options: SubscribeOptions = {}) {
    this.pattern = pattern;
    this.#session = session;
    this.#onGap = options.onGap;
    this.#queue = new Queue(options.queue ?? QUEUE);
    this.ready = new Promise((resolve, reject) => this.#begin(options, resolve, reject));
    // Whoever reads hears of a failure there too.
    this.ready.catch(() => {});
  }

  #begin({ replay, after, latest }: SubscribeOptions, resolve: () => void, reject: (error: MaculaError) => void): void {
    let position: string | undefined;
    let isReady = false;
    const sink: Sink = {
      hear: (frame: News) => {
        if (frame.type === 'event') {
          position = frame.event.id;
          this.#queue.push(eventOf(frame.event));
        } else if (frame.type === 'gap') {
          this.#missed({ missed: frame.missed ?? undefined, reason: frame.reason });
        } else if (frame.type === 'subscribed') {
          position ??= frame.position;
          isReady = true;
          resolve();
        }
        this.#wake();
      },
      end: () => this.#end(),
      fail: (error) => {
        reject(error);
        this.#end(error);
      },
      position: () => position,
      beginAnew: () => {
        if (isReady && position === undefined) this.#missed({ missed: undefined, reason: 'unknown_id' });
      },
    };
    try {
      this.#id = this.#session.begin(
        {
          type: 'subscribe',
          pattern: checkPattern(this.pattern),
          overflow: 'drop_oldest',
          ...(replay !== undefined && { replay }),
          ...(after !== undefined && { after }),
          ...(latest && { delivery: 'latest' }),
        },
        sink,
      );
    } catch (error) {
      sink.fail(error as MaculaError);
    }
  }

  #missed(gap: Gap): void {
    this.#session.missed += gap.missed ?? 0;
    this.#queue.gap(gap);
    this.#wake();
  }

  #end(error?: MaculaError): void {
    this.#over = true;
    // To close the session ends a loop without an error; one that begins after that never had anything.
    if (!(error instanceof Closed) || this.#id === undefined) this.#error = error;
    this.#wake();
  }

  #wake(): void {
    this.#waiting.shift()?.();
    if (this.#over) for (const wake of this.#waiting.splice(0)) wake();
  }

  /** The next delivery; none when the subscription is over. */
  async #next(): Promise<Delivery<MeshEvent<P>> | undefined> {
    for (;;) {
      const delivery = this.#queue.shift();
      if (delivery) return delivery;
      if (this.#error) throw this.#error;
      if (this.#over) return undefined;
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
  }

  /** Ends the subscription at the gateway, as leaving the loop does. */
  close(): void {
    if (this.#id !== undefined && !this.#over) this.#session.giveUp(this.#id);
    this.#over = true;
    this.#wake();
  }

  /** Events, and gaps where events were lost, in one stream. */
  deliveries(): AsyncIterableIterator<Delivery<MeshEvent<P>>> {
    return this.#iterator((delivery) => delivery);
  }

  [Symbol.asyncIterator](): AsyncIterableIterator<MeshEvent<P>> {
    return this.#iterator(({ event, gap }) => {
      if (gap) this.#onGap?.(gap);
      return event;
    });
  }

  /** Gives what `pick` makes of each delivery, but for what it leaves out. */
  #iterator<T>(pick: (delivery: Delivery<MeshEvent<P>>) => T | undefined): AsyncIterableIterator<T> {
    const close = () => this.close();
    const next = () => this.#next();
    return {
      async next() {
        for (;;) {
          const delivery = await next();
          if (!delivery) return { done: true, value: undefined };
          const value = pick(delivery);
          if (value !== undefined) return { done: false, value };
        }
      },
      async return() {
        close();
        return { done: true, value: undefined };
      },
      [Symbol.asyncIterator]() {
        return this;
      },
    };
  }
}

function eventOf<P>(event: WireEvent): MeshEvent<P> {
  return {
    id: event.id,
    realm: event.realm,
    topic: event.topic,
    publisher: event.publisher,
    time: event.time,
    contentType: event.content_type,
    headers: event.headers ?? NO_HEADERS,
    payload: event.payload as P,
  };
}
