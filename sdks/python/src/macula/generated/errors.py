"""The error codes of the contract, a class each.

Made from openapi/openapi.json by scripts/generate.py. Do not edit.
"""

from ..problem import Problem


class InvalidName(Problem):
    """`invalid_name`: A realm, topic, procedure or pattern does not follow the grammar of names. Status 400."""


class InvalidRequest(Problem):
    """`invalid_request`: A parameter, header or field of the request is missing, unknown or out of its range. Status 400."""


class InvalidPayload(Problem):
    """`invalid_payload`: The body is not what its media type says, or it is nested too deeply. Status 400."""


class Unauthenticated(Problem):
    """`unauthenticated`: The request has no credentials, or they are not known here. Status 401."""


class SessionExpired(Problem):
    """`session_expired`: The session has ended or its time is over. Status 401."""


class Forbidden(Problem):
    """`forbidden`: The session may not do this in this realm. Status 403."""


class NotFound(Problem):
    """`not_found`: There is nothing at this path. Status 404."""


class ProcedureNotFound(Problem):
    """`procedure_not_found`: Nobody serves this procedure in this realm. Status 404."""


class MethodNotAllowed(Problem):
    """`method_not_allowed`: Told by the gateway."""


class NotAcceptable(Problem):
    """`not_acceptable`: The answer cannot be given in any media type that `Accept` allows. Status 406."""


class IdempotencyInFlight(Problem):
    """`idempotency_in_flight`: A request with the same `Idempotency-Key` has not finished yet. Status 409."""


class PayloadTooLarge(Problem):
    """`payload_too_large`: The body is larger than this node allows. Status 413."""


class UnsupportedMediaType(Problem):
    """`unsupported_media_type`: The body's media type or content encoding cannot be used here. Status 415."""


class IdempotencyMismatch(Problem):
    """`idempotency_mismatch`: The `Idempotency-Key` was used before with a different request. Status 422."""


class TooEarly(Problem):
    """`too_early`: The request came in TLS early data, which an attacker could replay, and it is not safe to repeat. Status 425."""


class RateLimited(Problem):
    """`rate_limited`: The session or address has used up its requests for now. Status 429."""


class Internal(Problem):
    """`internal`: The gateway failed; the fault is not the request's. Status 500."""


class HandlerFailed(Problem):
    """`handler_failed`: The procedure's handler answered with an error of its own. Status 502."""


class Overloaded(Problem):
    """`overloaded`: A queue or table of this node is full. Status 503."""


class ProviderUnavailable(Problem):
    """`provider_unavailable`: The provider of the procedure went away before it answered. Status 503."""


class Draining(Problem):
    """`draining`: This node is shutting down. Status 503."""


class Timeout(Problem):
    """`timeout`: The answer did not come before the deadline. Status 504."""


PROBLEMS: dict[str, type[Problem]] = {
    "invalid_name": InvalidName,
    "invalid_request": InvalidRequest,
    "invalid_payload": InvalidPayload,
    "unauthenticated": Unauthenticated,
    "session_expired": SessionExpired,
    "forbidden": Forbidden,
    "not_found": NotFound,
    "procedure_not_found": ProcedureNotFound,
    "method_not_allowed": MethodNotAllowed,
    "not_acceptable": NotAcceptable,
    "idempotency_in_flight": IdempotencyInFlight,
    "payload_too_large": PayloadTooLarge,
    "unsupported_media_type": UnsupportedMediaType,
    "idempotency_mismatch": IdempotencyMismatch,
    "too_early": TooEarly,
    "rate_limited": RateLimited,
    "internal": Internal,
    "handler_failed": HandlerFailed,
    "overloaded": Overloaded,
    "provider_unavailable": ProviderUnavailable,
    "draining": Draining,
    "timeout": Timeout,
}
"""The class of each code."""
