"""Streams of Server-Sent Events as frames of the gateway."""

import codecs
from typing import Any, NamedTuple

import msgspec

from ...codec import decode_payload, restored_problem
from ...generated.models import (
    CallProgressFrame,
    CallResultFrame,
    ErrorFrame,
    Event,
    EventFrame,
    GapFrame,
    GatewayFrame,
    SubscribedFrame,
)
from ...problem import MaculaError
from ...splitter import MAX_FRAME_BYTES
from ...values import from_json

_read: Any = msgspec.json.decode


class SseEvent(NamedTuple):
    """An event of a stream."""

    name: str
    data: str


class EventParser:
    """Cuts a stream into its events, however it comes in pieces (WHATWG HTML §9.2.6).

    Ids and retry times are not looked at: an event has its id inside, and the client has its own pauses.
    """

    def __init__(self, limit: int = MAX_FRAME_BYTES) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8-sig")(errors="replace")
        self._held = ""
        self._name = ""
        self._data: list[str] = []
        self._size = 0
        self._limit = limit

    def feed(self, piece: bytes) -> list[SseEvent]:
        """Takes a piece; the events that are whole with it."""
        text = self._held + self._decoder.decode(piece)
        # A line may end with CR, LF or both: a CR at the end is looked at when more has come.
        is_open = text.endswith("\r")
        lines = (text[:-1] if is_open else text).replace("\r\n", "\n").replace("\r", "\n").split("\n")
        self._held = lines.pop() + ("\r" if is_open else "")
        if len(self._held) + self._size > self._limit:
            raise MaculaError(f"expected an event of at most {self._limit} characters")
        return [event for line in lines if (event := self._line(line))]

    def _line(self, line: str) -> SseEvent | None:
        if not line:
            event = SseEvent(self._name or "message", "\n".join(self._data)) if self._data else None
            self._name, self._data, self._size = "", [], 0
            return event
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if name == "event":
            self._name = value
        elif name == "data":
            self._data.append(value)
            self._size += len(value)
        return None


class _Told(msgspec.Struct):
    payload: Any = None
    content_type: str = ""
    opaque: bool = False


class _ToldGap(msgspec.Struct):
    reason: str
    missed: int | None = None


class _ToldSubscribed(msgspec.Struct):
    position: str = ""
    backlog: int = 0


def frame_of(number: int, event: SseEvent) -> GatewayFrame | None:
    """What an event says of the operation with this number; none for what this version does not know."""
    name, data = event
    if name == "message":
        said: Event = _read(data, type=Event)
        said.payload = payload_of(said.payload, said.content_type, said.opaque is True)
        return EventFrame(event=said, id=number)
    if name == "subscribed":
        subscribed: _ToldSubscribed = _read(data, type=_ToldSubscribed)
        return SubscribedFrame(id=number, position=subscribed.position, backlog=subscribed.backlog)
    if name == "gap":
        gap: _ToldGap = _read(data, type=_ToldGap)
        return GapFrame(id=number, missed=gap.missed, reason=gap.reason)
    if name in ("progress", "result"):
        told: _Told = _read(data, type=_Told)
        payload = payload_of(told.payload, told.content_type, told.opaque)
        kind = CallProgressFrame if name == "progress" else CallResultFrame
        return kind(id=number, payload=payload)
    if name == "error":
        return restored_problem(ErrorFrame(problem=_read(data, type=dict[str, Any]), id=number))
    return None


def payload_of(payload: Any, media_type: str, is_opaque: bool) -> Any:
    """The value of a payload that stands in JSON: what JSON cannot say stands there as its bytes."""
    value = from_json(payload)
    return decode_payload(value, media_type) if is_opaque and isinstance(value, bytes) else value
