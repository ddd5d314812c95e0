import type { Invocation, News, Reply, Sink } from './book.js';
import type { MaculaError } from './error.js';
import { Closed, HandlerError, Invalid } from './errors.js';
import type { InvokeFrame, ServeFrame } from './generated/types.js';
import { checkName } from './names.js';
import type { Session } from './session.js';

/** What a handler knows of a call beside its argument. */
export interface Context {
  /** Who calls. */
  readonly caller: string;
  readonly realm: string;
  readonly procedure: string;
  /** Application headers, names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  /** When the caller stops waiting, in ms since 1970 as `Date.now()` counts. */
  readonly deadline: number;
  /** Aborted when nobody waits for the answer any more. */
  readonly signal: AbortSignal;
  /** Tells the caller how far the call is, if it wants to know. Left out where the transport cannot take it at once. */
  progress(value: unknown): void;
}

/** What answers calls. What it throws is `handler_failed` for the caller: a `HandlerError` with its own words. */
export type Handler<A = unknown, R = unknown> = (argument: A, context: Context) => R | Promise<R>;

/** How to serve. Every option may be left out. */
export interface ServeOptions {
  /** How calls are spread over several providers; what the others have agreed on unless said otherwise. */
  policy?: NonNullable<ServeFrame['policy']>;
  /** Calls at a time, 64 unless said otherwise, at most 1,024; further ones wait at the gateway. */
  concurrency?: number;
  /** What the procedure does, for people; at most 1,024 bytes. */
  description?: string;
  /** The JSON Schema of the argument, which discovery shows. */
  argumentSchema?: object;
  /** The JSON Schema of the result. */
  resultSchema?: object;
  /** Told what a handler has thrown that is no `HandlerError`; the console unless said otherwise. Callers never see it. */
  onError?: (error: unknown) => void;
}

/** A procedure that is served, until `stop()` or the end of the session. */
export class Service {
  readonly procedure: string;
  /** Resolves when it is not served any more: with the error that has ended it, or nothing after `stop()`. */
  readonly ended: Promise<MaculaError | undefined>;
  readonly #session: Session;
  readonly #id: number;
  readonly #serving: Serving;

  constructor(procedure: string, id: number, session: Session, serving: Serving) {
    this.procedure = procedure;
    this.ended = serving.ended;
    this.#serving = serving;
    this.#id = id;
    this.#session = session;
  }

  /** Stops serving. Calls that are not answered yet are cancelled; their callers see `provider_unavailable`. */
  stop(): void {
    this.#session.giveUp(this.#id);
    this.#session.book.abortInvocations(this.#id);
    this.#serving.end();
  }
}

/** Serves a procedure; resolves when the gateway has it. */
export async function serve<A, R>(
  session: Session,
  procedure: string,
  handler: Handler<A, R>,
  options: ServeOptions = {},
): Promise<Service> {
  checkName('procedure', procedure);
  const { transports } = session.config;
  if (session.wire?.transport === 'sse' || transports.every((name) => name === 'sse'))
    throw new Invalid('expected a live transport: nothing can be served on SSE');
  const serving = new Serving(handler as Handler, options.onError ?? console.error);
  const { policy, concurrency, description, argumentSchema, resultSchema } = options;
  const frame = {
    type: 'serve' as const,
    procedure,
    ...(policy && { policy }),
    ...(concurrency !== undefined && { concurrency }),
    ...(description !== undefined && { description }),
    ...(argumentSchema && { argument_schema: argumentSchema }),
    ...(resultSchema && { result_schema: resultSchema }),
  };
  const id = session.begin(frame, serving);
  await serving.ready;
  return new Service(procedure, id, session, serving);
}

/** The session's side of a service. */
export class Serving implements Sink {
  readonly ready: Promise<void>;
  readonly ended: Promise<MaculaError | undefined>;
  readonly #handler: Handler;
  readonly #onError: (error: unknown) => void;
  #served = () => {};
  #failed = (_: MaculaError) => {};
  #end = (_: MaculaError | undefined) => {};

  constructor(handler: Handler, onError: (error: unknown) => void) {
    this.#handler = handler;
    this.#onError = onError;
    this.ready = new Promise((resolve, reject) => {
      this.#served = resolve;
      this.#failed = reject;
    });
    this.ended = new Promise((resolve) => {
      this.#end = resolve;
    });
  }

  hear(frame: News): void {
    if (frame.type === 'served') this.#served();
  }

  end(): void {
    this.#end(undefined);
  }

  fail(error: MaculaError): void {
    this.#failed(error);
    this.#end(error instanceof Closed ? undefined : error);
  }

  /** A call to answer. */
  call(frame: InvokeFrame): Call {
    return new Call(frame, this.#handler, this.#onError);
  }
}

/** A call that is answered here. */
export class Call implements Invocation {
  readonly frame: InvokeFrame;
  answer?: Reply;
  readonly #handler: Handler;
  readonly #onError: (error: unknown) => void;
  readonly #controller = new AbortController();

  constructor(frame: InvokeFrame, handler: Handler, onError: (error: unknown) => void) {
    this.frame = frame;
    this.#handler = handler;
    this.#onError = onError;
  }

  abort(): void {
    this.#controller.abort();
  }

  /** Lets the handler answer; what it throws is an answer too. */
  async run(progress: (value: unknown) => void): Promise<Reply> {
    const { id, caller, realm, procedure, headers, timeout_ms, payload } = this.frame;
    const context: Context = {
      caller,
      realm,
      procedure,
      headers: headers ?? {},
      deadline: Date.now() + timeout_ms,
      signal: this.#controller.signal,
      progress: this.frame.progress ? progress : () => {},
    };
    try {
      const result = await this.#handler(payload ?? null, context);
      return { type: 'result', id, ...(result !== undefined && { payload: result }) };
    } catch (error) {
      if (error instanceof HandlerError) {
        const { code, detail, data } = error;
        return { type: 'error', id, code, detail, ...(data !== undefined && { data }) };
      }
      if (!this.#controller.signal.aborted) this.#onError(error);
      return { type: 'error', id, code: 'failed', detail: 'the handler threw an error' };
    }
  }
}
