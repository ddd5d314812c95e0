"""Frames and payloads as what goes over the wire, and back."""

from collections.abc import Callable
from functools import cache
from typing import Any, Literal, Protocol, TypeVar

import msgspec

from .errors import Invalid
from .generated.models import (
    CallProgressFrame,
    CallResultFrame,
    ClientFrame,
    ErrorFrame,
    EventFrame,
    GatewayFrame,
    InvokeFrame,
)
from .problem import MaculaError
from .values import check_depth, from_json, to_json

Encoding = Literal["msgpack", "json"]
"""How frames and payloads are written."""

T = TypeVar("T")

# Members of frames that are values of the application's.
_VALUES = ("payload", "data", "argument_schema", "result_schema")
_UNWRITABLE = (TypeError, ValueError, OverflowError, RecursionError, msgspec.MsgspecError)


@cache
def values_in(kind: type[msgspec.Struct]) -> tuple[str, ...]:
    """Those members of a frame."""
    return tuple(name for name in _VALUES if name in kind.__struct_fields__)


class Unreadable(MaculaError):
    """A frame that is none, or one that a later gateway says."""


class Codec(Protocol):
    """Writes and reads one encoding."""

    encoding: Encoding
    media_type: str
    """The media type of a payload that it has written."""

    def encode_frame(self, frame: ClientFrame) -> bytes:
        """A frame, as one message of a WebSocket. `Invalid` when it holds a value that cannot be said."""
        ...

    def decode_frame(self, data: bytes) -> GatewayFrame:
        """A frame of the gateway, or `Unreadable`."""
        ...

    def encode(self, value: Any) -> bytes:
        """A payload. `Invalid` when it cannot be said."""
        ...


class MsgPack:
    """MessagePack."""

    encoding: Encoding = "msgpack"
    media_type = "application/msgpack"

    def __init__(self) -> None:
        self._encode = msgspec.msgpack.Encoder().encode
        self._decode: Callable[[bytes], GatewayFrame] = msgspec.msgpack.Decoder(GatewayFrame).decode

    def encode_frame(self, frame: ClientFrame) -> bytes:
        # What is too deep would be refused without the number of its operation.
        for name in values_in(type(frame)):
            check_depth(getattr(frame, name))
        return self._written(frame)

    def encode(self, value: Any) -> bytes:
        check_depth(value)
        return self._written(value)

    def _written(self, value: Any) -> bytes:
        try:
            return self._encode(value)
        except _UNWRITABLE as error:
            raise Invalid(f"expected a value that MessagePack can say: {error}") from error

    def decode_frame(self, data: bytes) -> GatewayFrame:
        try:
            return self._decode(data)
        except msgspec.DecodeError as error:
            raise Unreadable(str(error)) from error


class Json:
    """JSON."""

    encoding: Encoding = "json"
    media_type = "application/json"

    def __init__(self) -> None:
        self._encode = msgspec.json.Encoder().encode
        self._decode: Callable[[bytes], GatewayFrame] = msgspec.json.Decoder(GatewayFrame).decode

    def encode_frame(self, frame: ClientFrame) -> bytes:
        said = {
            name: to_json(value)
            for name in values_in(type(frame))
            if (value := getattr(frame, name)) is not msgspec.UNSET
        }
        return self._encode(msgspec.structs.replace(frame, **said) if said else frame)

    def encode(self, value: Any) -> bytes:
        return self._encode(to_json(value))

    def decode_frame(self, data: bytes) -> GatewayFrame:
        try:
            frame = self._decode(data)
        except msgspec.DecodeError as error:
            raise Unreadable(str(error)) from error
        if isinstance(frame, (CallResultFrame, CallProgressFrame, InvokeFrame)):
            frame.payload = from_json(frame.payload)
        elif isinstance(frame, EventFrame):
            frame.event.payload = from_json(frame.event.payload)
        elif isinstance(frame, ErrorFrame):
            return restored_problem(frame)
        return frame


def restored_problem(frame: ErrorFrame) -> ErrorFrame:
    """With what its handler's data stand for in JSON."""
    handler = frame.problem.get("handler")
    if isinstance(handler, dict) and "data" in handler:
        handler["data"] = from_json(handler["data"])
    return frame


def codec_of(encoding: Encoding) -> Codec:
    """The codec of this name."""
    return Json() if encoding == "json" else MsgPack()


def decode_payload(body: bytes, media_type: str) -> Any:
    """The value of a payload by its media type; bytes for any other than the two encodings."""
    if "json" in media_type:
        return from_json(msgspec.json.decode(body))
    return msgspec.msgpack.decode(body) if "msgpack" in media_type else body


def converted(value: Any, wanted: type[T], what: str) -> T:
    """The value as one of this type, or `Invalid`."""
    try:
        return msgspec.convert(value, wanted)
    except msgspec.ValidationError as error:
        raise Invalid(f"expected {what} that is a {getattr(wanted, '__name__', wanted)}: {error}") from error
