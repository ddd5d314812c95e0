"""Frames of a client as requests of the HTTP API."""

import re
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlencode

from msgspec import UNSET

from ...book import Request
from ...codec import Codec
from ...errors import own_problem
from ...generated.models import CallFrame, DiscoverFrame, PublishFrame, SubscribeFrame
from ...generated.operations import OPERATIONS

EVENT_STREAM = "text/event-stream"


@dataclass(frozen=True, slots=True)
class Asked:
    """A request to make."""

    method: str
    path: str
    """The path, with its query."""
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes | None = None


def ask(
    operation: str,
    path: dict[str, str] | None = None,
    *,
    query: dict[str, Any] | None = None,
    headers: dict[str, Any] | None = None,
    body: bytes | None = None,
) -> Asked:
    """A request of an operation of the API; members that are not set are left out."""
    method, template = OPERATIONS[operation]
    filled = re.sub(r"\{(\w+)\}", lambda name: quote((path or {})[name[1]], safe=""), template)
    asked = urlencode({name: value for name, value in (query or {}).items() if value is not UNSET})
    said = {name: value for name, value in (headers or {}).items() if value is not UNSET}
    return Asked(method, f"{filled}?{asked}" if asked else filled, said, body)


def request_of(frame: Request, realm: str, codec: Codec) -> Asked:
    """What a frame asks for, as a request. To serve there is none."""
    if isinstance(frame, CallFrame):
        accept = EVENT_STREAM if frame.progress else f"{codec.media_type}, */*;q=0.1"
        return ask(
            "call",
            {"realm": realm, "procedure": frame.procedure},
            query={"timeout_ms": frame.timeout_ms},
            headers={**application(frame, codec), "accept": accept},
            body=body(frame, codec),
        )
    if isinstance(frame, PublishFrame):
        return ask(
            "publish",
            {"realm": realm, "topic": frame.topic},
            headers={**application(frame, codec), "accept": "application/json"},
            body=body(frame, codec),
        )
    if isinstance(frame, DiscoverFrame):
        return ask(
            "discover",
            {"realm": realm, "pattern": frame.pattern},
            query={"kind": frame.kind, "limit": frame.limit, "cursor": frame.cursor},
            headers={"accept": "application/json"},
        )
    if isinstance(frame, SubscribeFrame):
        return ask(
            "subscribe",
            {"realm": realm, "pattern": frame.pattern},
            query={"replay": frame.replay, "overflow": frame.overflow},
            headers={"accept": EVENT_STREAM, "last-event-id": frame.after},
        )
    raise own_problem("invalid_request", 400, "never", "nothing can be served on SSE")


def application(frame: CallFrame | PublishFrame, codec: Codec) -> dict[str, Any]:
    """What the application says beside the payload."""
    own = {} if frame.headers is UNSET else frame.headers
    return {
        **{f"macula-header-{name}": value for name, value in own.items()},
        "idempotency-key": frame.idempotency_key,
        "content-type": UNSET if frame.payload is UNSET else codec.media_type,
    }


def body(frame: CallFrame | PublishFrame, codec: Codec) -> bytes | None:
    return None if frame.payload is UNSET else codec.encode(frame.payload)
