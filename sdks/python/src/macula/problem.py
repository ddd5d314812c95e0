"""What the gateway says went wrong, as problem details (RFC 9457)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


class MaculaError(Exception):
    """The base of all errors of this package."""


@dataclass(frozen=True, slots=True)
class HandlerReport:
    """The error of a procedure's handler."""

    code: str
    """The handler's code; its meaning is the procedure's."""
    detail: str
    """What went wrong, for people."""
    data: Any = None
    """Further data of the handler's choice."""


class Problem(MaculaError):
    """The gateway, the mesh or the handler says no.

    Each code of the contract has a class of its own in `macula.problems`; a code that this version does not
    know is a plain `Problem`.
    """

    code: str
    """The stable code, to decide by."""
    status: int
    """The HTTP status."""
    title: str
    """A short summary, the same for every occurrence."""
    detail: str
    """What was wrong this time, and what was expected."""
    retry: str
    """When the same request may succeed: `never`, `later`, `elsewhere`."""
    instance: str
    """The request's id, by which the node's log can be searched."""
    handler: HandlerReport | None
    """The error of the procedure's handler, with `handler_failed`."""
    report: Mapping[str, Any]
    """All members as they came, those that this version does not know among them."""
    retry_after: float | None
    """How many seconds to wait before asking again, where the gateway has said so."""

    def __init__(self, report: Mapping[str, Any], retry_after: float | None = None) -> None:
        self.report = report
        self.code = str(report.get("code", "unknown"))
        self.status = int(report.get("status", 0))
        self.title = str(report.get("title", self.code))
        self.detail = str(report.get("detail", ""))
        self.retry = str(report.get("retry", "later"))
        self.instance = str(report.get("instance", ""))
        self.handler = handler_of(report.get("handler"))
        self.retry_after = retry_after
        super().__init__(f"{self.code}: {self.handler.detail if self.handler else self.detail}")

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.report, self.retry_after)


def handler_of(said: Any) -> HandlerReport | None:
    if not isinstance(said, Mapping):
        return None
    return HandlerReport(str(said.get("code", "")), str(said.get("detail", "")), said.get("data"))
