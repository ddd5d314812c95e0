/** What may go wrong, one class a kind. */
import { MaculaError } from './error.js';
import { PROBLEMS } from './generated/errors.js';
import { Problem, type Report } from './problem.js';

/** A name, an option or a value cannot be used; nothing was sent. */
export class Invalid extends MaculaError {}

/** No transport could be opened, or none brought a welcome in time. */
export class ConnectError extends MaculaError {}

/**
 * The transport was lost after the request was sent, and its answer cannot be had any more. It may have been
 * carried out; give a call or publish an idempotency key to have it made again instead.
 */
export class Lost extends MaculaError {
  constructor() {
    super('the transport was lost and the answer with it');
  }
}

/** The session has ended: by `close()`. */
export class Closed extends MaculaError {
  constructor() {
    super('the session has ended');
  }
}

/** What a handler throws to answer with an error of its own: its caller sees `handler_failed` with this inside. */
export class HandlerError extends MaculaError {
  constructor(
    /** The handler's code; the gateway keeps 64 bytes. */
    readonly code: string,
    /** What went wrong, for people; the gateway keeps 1,024 bytes. */
    readonly detail: string,
    /** Further data of the handler's choice. */
    readonly data?: unknown,
  ) {
    super(`${code}: ${detail}`);
  }
}

/** The error for what the gateway says: of the code's class, or a plain `Problem` for a code that is not known. */
export function problemOf(report: Report, retryAfter?: number): Problem {
  const known: Record<string, typeof Problem> = PROBLEMS;
  const Class = Object.hasOwn(known, report.code) ? known[report.code] : undefined;
  return new (Class ?? Problem)(report, retryAfter);
}

/** A problem that this side tells, in the words of the gateway. */
export function ownProblem(code: keyof typeof PROBLEMS, status: number, retry: string, detail: string): Problem {
  return problemOf({ code, status, retry, detail });
}

/** Whether a problem says that there is no session for the token. */
export function saysNoSession(error: unknown): boolean {
  return error instanceof Problem && (error.code === 'session_expired' || error.code === 'unauthenticated');
}

/** Whether to connect again is of no use: who we are or what we ask for is refused. */
export function isFinal(error: unknown): boolean {
  if (error instanceof Problem) return error.retry === 'never' && error.code !== 'invalid_payload';
  return !(error instanceof ConnectError);
}
