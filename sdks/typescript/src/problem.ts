import { MaculaError } from './error.js';

/** What a problem says (RFC 9457); a later gateway may say more. */
export interface Report {
  /** Where the error is explained. */
  readonly type?: string;
  /** A short summary, the same for every occurrence. */
  readonly title?: string;
  /** The HTTP status. */
  readonly status: number;
  /** What was wrong this time, and what was expected. */
  readonly detail: string;
  /** The stable code. */
  readonly code: string;
  /** The request's id, by which the node's log can be searched. */
  readonly instance?: string;
  /** When the same request may succeed: `never`, `later`, `elsewhere`. */
  readonly retry: string;
  /** The error of the procedure's handler, with `handler_failed`. */
  readonly handler?: HandlerReport;
  readonly [member: string]: unknown;
}

/** The error of a procedure's handler. */
export interface HandlerReport {
  /** The handler's code; its meaning is the procedure's. */
  readonly code: string;
  /** What went wrong, for people. */
  readonly detail: string;
  /** Further data of the handler's choice. */
  readonly data?: unknown;
}

/**
 * The gateway, the mesh or the handler says no. Each code of the contract has a class of its own; a code that this
 * version does not know is a plain `Problem`.
 */
export class Problem extends MaculaError {
  /** The stable code, to decide by. */
  readonly code: string;
  /** The HTTP status. */
  readonly status: number;
  /** A short summary, the same for every occurrence. */
  readonly title: string;
  /** What was wrong this time, and what was expected. */
  readonly detail: string;
  /** When the same request may succeed: `never`, `later`, `elsewhere`. */
  readonly retry: string;
  /** The request's id, by which the node's log can be searched. */
  readonly instance: string;
  /** The error of the procedure's handler, with `handler_failed`. */
  readonly handler: HandlerReport | undefined;
  /** All members as they came, those that this version does not know among them. */
  readonly report: Report;
  /** How many seconds to wait before asking again, where the gateway has said so. */
  readonly retryAfter: number | undefined;

  constructor(report: Report, retryAfter?: number) {
    super(`${report.code}: ${report.handler?.detail ?? report.detail}`);
    this.code = report.code;
    this.status = report.status;
    this.title = report.title ?? report.code;
    this.detail = report.detail;
    this.retry = report.retry;
    this.instance = report.instance ?? '';
    this.handler = report.handler;
    this.report = report;
    this.retryAfter = retryAfter;
  }
}
