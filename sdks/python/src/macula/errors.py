"""What may go wrong, one class a kind."""

from collections.abc import Mapping
from typing import Any

from .generated.errors import PROBLEMS
from .problem import MaculaError, Problem


class Invalid(MaculaError):
    """A name, an option or a value cannot be used."""


class ConnectError(MaculaError):
    """No transport could be opened, or none brought a welcome in time."""


class Lost(MaculaError):
    """The transport was lost after the request was sent, and its answer cannot be had any more.

    It may have been carried out. Give a call or publish an idempotency key to have it made again instead.
    """

    def __init__(self) -> None:
        super().__init__("the transport was lost and the answer with it")


class Closed(MaculaError):
    """The session has ended: by `close()`."""

    def __init__(self) -> None:
        super().__init__("the session has ended")


class HandlerError(MaculaError):
    """What a handler raises to answer with an error of its own: its caller sees `HandlerFailed` with this inside."""

    def __init__(self, code: str, detail: str, data: Any = None) -> None:
        """`code`: the gateway keeps 64 bytes; `detail`, for people: 1,024 bytes; `data`: whatever can be said."""
        super().__init__(f"{code}: {detail}")
        self.code = code
        self.detail = detail
        self.data = data


def problem_of(report: Mapping[str, Any], retry_after: float | None = None) -> Problem:
    """The error for what the gateway says: of the code's class, or a plain `Problem`."""
    return PROBLEMS.get(str(report.get("code")), Problem)(report, retry_after)


def own_problem(code: str, status: int, retry: str, detail: str) -> Problem:
    """A problem that this side tells, in the words of the gateway."""
    return problem_of({"code": code, "status": status, "retry": retry, "detail": detail})


def says_no_session(error: BaseException) -> bool:
    """Whether there is no session for the token."""
    return isinstance(error, Problem) and error.code in ("session_expired", "unauthenticated")


def is_final(error: BaseException) -> bool:
    """Whether to connect again is of no use: who we are or what we ask for is refused."""
    if isinstance(error, Problem):
        return error.retry == "never" and error.code != "invalid_payload"
    return not isinstance(error, ConnectError)
