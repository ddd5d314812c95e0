/** What is under way in a session, without IO: what each frame means for it, and what goes on after a loss. */

import type { MaculaError } from './error.js';
import { Lost, ownProblem, problemOf } from './errors.js';
import type { ClientFrame, GatewayFrame, HelloFrame, InvokeFrame } from './generated/types.js';
import { type Bounds, Window } from './window.js';

/** Operations that may wait for a connection, or for their turn. One more is refused: `Overloaded`. */
export const MAX_WAITING = 65_536;
/** Answers to invocations that are kept until the gateway has certainly got them; the oldest go first. */
export const MAX_KEPT = 64;

/** A frame that begins an operation. */
export type Request = Extract<ClientFrame, { type: 'call' | 'publish' | 'discover' | 'subscribe' | 'serve' }>;
/** The same before it has its number. */
export type Beginning = Request extends infer R ? (R extends Request ? Omit<R, 'id'> : never) : never;
/** A frame that ends one that nobody waits for any more. */
export type Ending = Extract<ClientFrame, { type: 'cancel' | 'unsubscribe' | 'unserve' }>;
/** What the gateway says of an operation: any number of the first, then at most one of the second. */
export type News = Extract<GatewayFrame, { type: 'progress' | 'subscribed' | 'event' | 'gap' | 'served' }>;
export type Answer = Extract<GatewayFrame, { type: 'result' | 'published' | 'discovered' | 'ended' }>;
/** What answers an invocation. */
export type Reply = Extract<ClientFrame, { type: 'result' | 'error' }>;

/** Where what the gateway says of an operation goes. */
export interface Sink {
  /** More may follow. */
  hear?(frame: News): void;
  /** The operation is over. */
  end(frame: Answer): void;
  /** It is over, with an error. */
  fail(error: MaculaError): void;
  /** Where a subscription goes on: its last event's id, or what stands for it. */
  position?(): string | undefined;
  /** It begins anew, and may have missed something that the gateway cannot tell. */
  beginAnew?(): void;
}

/** Something that was begun and has not ended. */
export interface Operation {
  readonly id: number;
  frame: Request;
  /** The frame as it goes over the wire. */
  encoded: Uint8Array<ArrayBuffer> | string;
  /** Whether the gateway may know of it. */
  sent: boolean;
  readonly sink: Sink;
}

/** A call that is answered here. */
export interface Invocation {
  readonly frame: InvokeFrame;
  /** Nobody wants its answer any more. */
  abort(): void;
  /** The answer, when it is there and could not be said yet. */
  answer?: Reply;
}

/** Writes a frame; the book keeps what it gives. */
type Encode = (frame: ClientFrame) => Uint8Array<ArrayBuffer> | string;

/** All that a session has begun and not ended. */
export class Book {
  readonly #encode: Encode;
  readonly #operations = new Map<number, Operation>();
  /** Operations to say, in their order; some may be over. */
  #waiting: Operation[] = [];
  /** How many of `#waiting` were said. */
  #said = 0;
  readonly #invocations = new Map<number, Invocation>();
  /** Answers that were said, and may be lost with the transport. */
  readonly #kept = new Map<number, Reply>();
  readonly #window = new Window();
  #last = 0;

  constructor(encode: Encode) {
    this.#encode = encode;
  }

  /** Begins an operation, which then waits to be said. The frame is the book's from now on, and gets its number. */
  begin(frame: Beginning, sink: Sink): number {
    if (this.#waiting.length - this.#said >= MAX_WAITING) {
      throw ownProblem('overloaded', 503, 'later', `${MAX_WAITING} operations wait for their turn here`);
    }
    const id = this.#last + 1;
    const request = frame as Request;
    request.id = id;
    const operation = { id, frame: request, encoded: this.#encode(request), sent: false, sink };
    this.#last = id;
    this.#operations.set(id, operation);
    this.#waiting.push(operation);
    return id;
  }

  /** The next operation to say, if its turn has come; it counts as sent from now on. */
  next(): Operation | undefined {
    for (;;) {
      const operation = this.#waiting[this.#said];
      if (!operation) break;
      if (this.#operations.get(operation.id) === operation && !operation.sent) {
        if (isCounted(operation) && !this.#window.hasRoom(operation.encoded.length)) return undefined;
        this.#said += 1;
        this.#send(operation);
        return operation;
      }
      this.#said += 1;
    }
    this.#waiting = [];
    this.#said = 0;
    return undefined;
  }

  #send(operation: Operation): void {
    operation.sent = true;
    if (isCounted(operation)) this.#window.enter(operation.encoded.length);
    if (this.#said < 1_024) return;
    this.#waiting.splice(0, this.#said);
    this.#said = 0;
  }

  #unsend(operation: Operation): void {
    if (operation.sent && isCounted(operation)) this.#window.leave(operation.encoded.length);
    operation.sent = false;
  }

  #remove(id: number): Operation | undefined {
    const operation = this.#operations.get(id);
    if (!operation) return undefined;
    this.#operations.delete(id);
    if (operation.sent && isCounted(operation)) this.#window.leave(operation.encoded.length);
    return operation;
  }

  /** What was thought to be sent was not carried out: it is said again after the next welcome. */
  notSent(id: number): void {
    const operation = this.#operations.get(id);
    if (operation) this.#unsend(operation);
  }

  /** Ends an operation that nobody waits for any more; what to say of it, if it goes on at the gateway. */
  giveUp(id: number): Ending | undefined {
    const operation = this.#remove(id);
    if (!operation?.sent) return undefined;
    const { type } = operation.frame;
    return { type: type === 'subscribe' ? 'unsubscribe' : type === 'serve' ? 'unserve' : 'cancel', id };
  }

  /** Takes what the gateway says of an operation. */
  take(frame: GatewayFrame): void {
    switch (frame.type) {
      case 'event':
      case 'progress':
      case 'subscribed':
      case 'gap':
      case 'served':
        this.#operations.get(frame.id)?.sink.hear?.(frame);
        break;
      case 'result':
      case 'published':
      case 'discovered':
      case 'ended':
        this.#remove(frame.id)?.sink.end(frame);
        break;
      case 'error':
        // One without a number says that a frame could not be used: its operation, if any, is told apart.
        if (typeof frame.id === 'number') this.fail(frame.id, problemOf(frame.problem));
    }
  }

  /** Ends an operation with an error. */
  fail(id: number, error: MaculaError): void {
    this.#remove(id)?.sink.fail(error);
  }

  /** Ends all operations, and gives up all calls that are answered here. What to say of those that the gateway may know of. */
  close(error: MaculaError): Ending[] {
    const endings = [...this.#operations.values()].flatMap((operation) => {
      const ending = this.giveUp(operation.id);
      operation.sink.fail(error);
      return ending ?? [];
    });
    this.abortInvocations();
    return endings;
  }

  /** Ends the operations that wait for one answer. What to say of those that the gateway may know of. */
  closeAnswers(error: MaculaError): Ending[] {
    const asking = [...this.#operations.values()].filter(isCounted);
    return asking.flatMap((operation) => {
      const ending = this.giveUp(operation.id);
      operation.sink.fail(error);
      return ending ?? [];
    });
  }

  /** A service, by the number of its `serve`. */
  service(id: number): Sink | undefined {
    const operation = this.#operations.get(id);
    return operation?.frame.type === 'serve' ? operation.sink : undefined;
  }

  /** A call is answered here from now on. */
  invoked(invocation: Invocation): void {
    this.#invocations.set(invocation.frame.id, invocation);
  }

  /** The call with this number is over: answered, or not wanted any more. */
  forget(id: number): Invocation | undefined {
    const invocation = this.#invocations.get(id);
    this.#invocations.delete(id);
    return invocation;
  }

  /** An answer was said, and it is not certain yet that the gateway has it. */
  keep(reply: Reply): void {
    this.#kept.set(reply.id, reply);
    for (const id of this.#kept.keys()) if (this.#kept.size > MAX_KEPT) this.#kept.delete(id);
  }

  /** The answers that were said by now; `confirm` them when something said later was answered. */
  get kept(): readonly number[] {
    return [...this.#kept.keys()];
  }

  confirm(ids: readonly number[]): void {
    for (const id of ids) this.#kept.delete(id);
  }

  isInvoked(id: number): boolean {
    return this.#invocations.has(id);
  }

  abortInvocations(serve?: number): void {
    for (const [id, invocation] of this.#invocations) {
      if (serve !== undefined && invocation.frame.serve !== serve) continue;
      this.#invocations.delete(id);
      invocation.abort();
    }
  }

  /** With what the session goes on. */
  resume(session: string): NonNullable<HelloFrame['resume']> {
    const subscriptions: { id: number; last_event_id: string }[] = [];
    const pending: number[] = [];
    for (const { id, sink, sent, frame } of this.#operations.values()) {
      if (!sent) continue;
      const last_event_id = sink.position?.();
      if (last_event_id !== undefined) subscriptions.push({ id, last_event_id });
      else if (frame.type !== 'subscribe') pending.push(id);
    }
    return { session, subscriptions, pending, invokes: [...this.#kept.keys(), ...this.#invocations.keys()] };
  }

  /** The session goes on, and the gateway knows nothing of these. Answers to say: again, or for the first time. */
  resumed(bounds: Bounds, unknown: readonly number[]): Reply[] {
    this.#window.resize(bounds);
    const gone = new Set(unknown);
    this.#again(({ id, sink, frame }) => {
      return !gone.has(id) && (frame.type !== 'subscribe' || sink.position?.() !== undefined);
    });
    return [...this.#kept.values(), ...[...this.#invocations.values()].flatMap(({ answer }) => answer ?? [])];
  }

  /** A new session has begun, in place of one that could not go on. */
  anew(bounds: Bounds): void {
    this.#window.resize(bounds);
    this.#kept.clear();
    this.abortInvocations();
    this.#again(() => false);
  }

  /** What does not go on waits to be said again, in its order. What must not be said twice has failed. */
  #again(goesOn: (operation: Operation) => boolean): void {
    this.#waiting = [];
    this.#said = 0;
    for (const operation of [...this.#operations.values()]) {
      if (operation.sent && goesOn(operation)) continue;
      if (operation.sent && !mayRepeat(operation.frame)) {
        this.fail(operation.id, new Lost());
        continue;
      }
      this.#goBack(operation);
      this.#unsend(operation);
      this.#waiting.push(operation);
    }
  }

  /** Lets a subscription begin where it was. */
  #goBack(operation: Operation): void {
    if (operation.frame.type !== 'subscribe') return;
    const after = operation.sink.position?.() ?? operation.frame.after;
    operation.sink.beginAnew?.();
    if (after === undefined) return;
    const { replay: _, ...frame } = operation.frame;
    operation.frame = { ...frame, after };
    operation.encoded = this.#encode(operation.frame);
  }

  /** Whether a procedure is served, which not every transport can. */
  get serves(): boolean {
    return this.counts.services > 0;
  }

  get invocations(): number {
    return this.#invocations.size;
  }

  get counts(): { subscriptions: number; services: number; calls: number } {
    const counts = { subscriptions: 0, services: 0, calls: 0 };
    for (const { frame } of this.#operations.values()) {
      if (frame.type === 'subscribe') counts.subscriptions += 1;
      else if (frame.type === 'serve') counts.services += 1;
      else counts.calls += 1;
    }
    return counts;
  }
}

/** Whether it is one of those whose number in flight is bounded. */
function isCounted({ frame }: Operation): boolean {
  return frame.type !== 'subscribe' && frame.type !== 'serve';
}

/** Whether to say it twice is no harm. */
function mayRepeat(frame: Request): boolean {
  return (frame.type !== 'call' && frame.type !== 'publish') || frame.idempotency_key !== undefined;
}
