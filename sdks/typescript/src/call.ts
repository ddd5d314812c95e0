import { Invalid, ownProblem } from './errors.js';
import { TIMEOUT_MS } from './generated/operations.js';
import type { CallResultFrame } from './generated/types.js';
import { checkName } from './names.js';
import { Queue } from './queue.js';
import type { Session } from './session.js';

/** How to call. Every option may be left out. */
export interface CallOptions {
  /** How long to wait for the result, from 1 to 600,000 ms; 5,000 unless said otherwise. */
  timeout?: number;
  /** Gives the call up: its handler is told, and the promise rejects with the signal's reason. */
  signal?: AbortSignal;
  /** Makes a repeated call give the first one's answer, for 10 minutes, and lets a call that was lost be made again. */
  idempotencyKey?: string;
  /** Application headers, at most 16. */
  headers?: Record<string, string>;
}

const TIMEOUT_DEFAULT_MS = 5_000;
/** How much longer than asked to wait for the gateway's own word that the time is over, in ms. */
const OVERTIME_MS = 3_000;

/** Calls, and gives the result. Progress is wanted if there is somebody to tell it. */
export async function call<R>(
  session: Session,
  procedure: string,
  argument: unknown,
  options: CallOptions,
  progress?: (value: unknown) => void,
  left?: AbortSignal,
): Promise<R> {
  const { timeout, signal, idempotencyKey } = options;
  const [least, most] = TIMEOUT_MS;
  if (timeout !== undefined && !(Number.isInteger(timeout) && timeout >= least && timeout <= most)) {
    throw new Invalid(`expected a timeout of ${least} to ${most} ms, found ${timeout}`);
  }
  const frame = {
    type: 'call' as const,
    procedure: checkName('procedure', procedure),
    ...(timeout !== undefined && { timeout_ms: timeout }),
    ...(progress && { progress: true }),
    ...(idempotencyKey !== undefined && { idempotency_key: idempotencyKey }),
    ...(options.headers && { headers: headersOf(options.headers) }),
    ...(argument !== undefined && { payload: argument }),
  };
  const hear = progress && ((news: { payload?: unknown }) => progress(news.payload ?? null));
  const over = new AbortController();
  const stops = [signal, left].map((stop) => stop && following(stop, over));
  // The gateway tells when the time is over. Where it cannot, as while the transport is lost, this does.
  const detail = `no answer within ${timeout ?? TIMEOUT_DEFAULT_MS} ms`;
  const late = () => over.abort(ownProblem('timeout', 504, 'later', detail));
  const timer = setTimeout(late, (timeout ?? TIMEOUT_DEFAULT_MS) + OVERTIME_MS);
  try {
    const { payload } = await session.ask<CallResultFrame>(frame, over.signal, hear as never);
    return (payload ?? null) as R;
  } finally {
    clearTimeout(timer);
    for (const stop of stops) stop?.();
  }
}

/** Aborts the controller with the signal, until what it gives is called: a signal may outlive many calls. */
function following(signal: AbortSignal, controller: AbortController): () => void {
  const abort = () => controller.abort(signal.reason);
  if (signal.aborted) abort();
  signal.addEventListener('abort', abort, { once: true });
  return () => signal.removeEventListener('abort', abort);
}

/** Application headers with names in lower case, as they travel. */
export function headersOf(headers: Record<string, string>): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));
}

/**
 * A call that tells how far it is: iterating gives its progress, and `result` its end. To leave the loop before the end
 * gives the call up. Progress that its reader is too slow for is left out.
 */
export class StreamingCall<R = unknown, P = unknown> implements AsyncIterable<P> {
  /** The result; an error is thrown by the loop as well. */
  readonly result: Promise<R>;
  readonly #progress = new Queue<P>();
  readonly #left = new AbortController();
  #over = false;
  #wake = () => {};

  constructor(session: Session, procedure: string, argument: unknown, options: CallOptions) {
    const told = (value: unknown) => {
      this.#progress.push(value as P);
      this.#wake();
    };
    this.result = call<R>(session, procedure, argument, options, told, this.#left.signal).finally(() => {
      this.#over = true;
      this.#wake();
    });
    // Who reads progress alone hears of a failure there.
    this.result.catch(() => {});
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<P, void, undefined> {
    try {
      for (;;) {
        const told = this.#progress.shift();
        if (told) {
          if (!told.gap) yield told.event;
          continue;
        }
        if (this.#over) break;
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
      }
      await this.result;
    } finally {
      this.#left.abort();
    }
  }
}
