// Made from openapi/openapi.json by `npm run generate`. Do not edit.

import { Problem } from '../problem.js';

/** `invalid_name`: A realm, topic, procedure or pattern does not follow the grammar of names. Status 400. */
export class InvalidName extends Problem {}

/** `invalid_request`: A parameter, header or field of the request is missing, unknown or out of its range. Status 400. */
export class InvalidRequest extends Problem {}

/** `invalid_payload`: The body is not what its media type says, or it is nested too deeply. Status 400. */
export class InvalidPayload extends Problem {}

/** `unauthenticated`: The request has no credentials, or they are not known here. Status 401. */
export class Unauthenticated extends Problem {}

/** `session_expired`: The session has ended or its time is over. Status 401. */
export class SessionExpired extends Problem {}

/** `forbidden`: The session may not do this in this realm. Status 403. */
export class Forbidden extends Problem {}

/** `not_found`: There is nothing at this path. Status 404. */
export class NotFound extends Problem {}

/** `procedure_not_found`: Nobody serves this procedure in this realm. Status 404. */
export class ProcedureNotFound extends Problem {}

/** `method_not_allowed`: Told by the gateway. */
export class MethodNotAllowed extends Problem {}

/** `not_acceptable`: The answer cannot be given in any media type that `Accept` allows. Status 406. */
export class NotAcceptable extends Problem {}

/** `idempotency_in_flight`: A request with the same `Idempotency-Key` has not finished yet. Status 409. */
export class IdempotencyInFlight extends Problem {}

/** `payload_too_large`: The body is larger than this node allows. Status 413. */
export class PayloadTooLarge extends Problem {}

/** `unsupported_media_type`: The body's media type or content encoding cannot be used here. Status 415. */
export class UnsupportedMediaType extends Problem {}

/** `idempotency_mismatch`: The `Idempotency-Key` was used before with a different request. Status 422. */
export class IdempotencyMismatch extends Problem {}

/** `too_early`: The request came in TLS early data, which an attacker could replay, and it is not safe to repeat. Status 425. */
export class TooEarly extends Problem {}

/** `rate_limited`: The session or address has used up its requests for now. Status 429. */
export class RateLimited extends Problem {}

/** `internal`: The gateway failed; the fault is not the request's. Status 500. */
export class Internal extends Problem {}

/** `handler_failed`: The procedure's handler answered with an error of its own. Status 502. */
export class HandlerFailed extends Problem {}

/** `overloaded`: A queue or table of this node is full. Status 503. */
export class Overloaded extends Problem {}

/** `provider_unavailable`: The provider of the procedure went away before it answered. Status 503. */
export class ProviderUnavailable extends Problem {}

/** `draining`: This node is shutting down. Status 503. */
export class Draining extends Problem {}

/** `timeout`: The answer did not come before the deadline. Status 504. */
export class Timeout extends Problem {}

/** The class of each code. */
export const PROBLEMS = {
  invalid_name: InvalidName,
  invalid_request: InvalidRequest,
  invalid_payload: InvalidPayload,
  unauthenticated: Unauthenticated,
  session_expired: SessionExpired,
  forbidden: Forbidden,
  not_found: NotFound,
  procedure_not_found: ProcedureNotFound,
  method_not_allowed: MethodNotAllowed,
  not_acceptable: NotAcceptable,
  idempotency_in_flight: IdempotencyInFlight,
  payload_too_large: PayloadTooLarge,
  unsupported_media_type: UnsupportedMediaType,
  idempotency_mismatch: IdempotencyMismatch,
  too_early: TooEarly,
  rate_limited: RateLimited,
  internal: Internal,
  handler_failed: HandlerFailed,
  overloaded: Overloaded,
  provider_unavailable: ProviderUnavailable,
  draining: Draining,
  timeout: Timeout,
};
