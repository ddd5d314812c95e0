"""Messages of a WebSocket as a client says and hears them (RFC 6455 §5), without IO.

It takes what a gateway sends: messages, in fragments or whole, and control frames. There are no extensions.
"""

import os
from collections.abc import Iterator
from enum import IntEnum
from typing import NamedTuple

from ..problem import MaculaError
from ..splitter import MAX_FRAME_BYTES

try:
    from websockets.speedups import apply_mask
except ImportError:
    from websockets.utils import apply_mask


class Opcode(IntEnum):
    """What a frame is."""

    GOES_ON = 0
    TEXT = 1
    BINARY = 2
    CLOSE = 8
    PING = 9
    PONG = 10


class Message(NamedTuple):
    """A whole message, or a control frame."""

    opcode: int
    data: bytes


class Masks:
    """Fresh random masks (§5.3), drawn from the system many at a time."""

    DRAWN = 4_096

    def __init__(self) -> None:
        self._drawn = b""
        self._at = 0

    def next(self) -> bytes:
        """Four random bytes."""
        if self._at >= len(self._drawn):
            self._drawn, self._at = os.urandom(self.DRAWN), 0
        self._at += 4
        return self._drawn[self._at - 4 : self._at]


def framed(opcode: int, data: bytes, mask: bytes) -> bytes:
    """A message of one frame, as a client sends it."""
    length = len(data)
    if length < 126:
        head = bytes((0x80 | opcode, 0x80 | length))
    elif length < 0x10000:
        head = bytes((0x80 | opcode, 0x80 | 126)) + length.to_bytes(2, "big")
    else:
        head = bytes((0x80 | opcode, 0x80 | 127)) + length.to_bytes(8, "big")
    return head + mask + apply_mask(data, mask)


class Messages:
    """Cuts a stream of bytes into messages, however it comes in pieces."""

    def __init__(self, limit: int = MAX_FRAME_BYTES) -> None:
        self._held = b""
        self._parts: list[bytes] = []
        self._size = 0
        self._opcode = 0
        self._limit = limit

    def push(self, piece: bytes) -> Iterator[Message]:
        """Takes a piece; the messages that are whole with it. `MaculaError` for what no gateway sends."""
        held = self._held + piece if self._held else piece
        at, end = 0, len(held)
        while at + 2 <= end:
            first, length, start = held[at], held[at + 1], at + 2
            if length >= 126:
                start += 2 if length == 126 else 8
                if start > end:
                    break
                if first & 0x70 or length > 127:
                    raise MaculaError("expected a frame without a mask or an extension")
                length = int.from_bytes(held[at + 2 : start], "big")
                if length > self._limit:
                    raise MaculaError(f"expected a message of at most {self._limit} bytes, found one of {length}")
            elif first & 0x70:
                raise MaculaError("expected a frame without an extension")
            if start + length > end:
                break
            data = held[start : start + length]
            at = start + length
            if first in WHOLE:
                yield Message(first & 0x0F, data)
            elif (message := self._part(first, data)) is not None:
                yield message
        self._held = held[at:]

    def _part(self, first: int, data: bytes) -> Message | None:
        """Takes a fragment; the message, if it was the last."""
        opcode = first & 0x0F
        if opcode != Opcode.GOES_ON:
            self._opcode = opcode
        self._parts.append(data)
        self._size += len(data)
        if self._size > self._limit:
            raise MaculaError(f"expected a message of at most {self._limit} bytes")
        if not first & 0x80:
            return None
        message = Message(self._opcode, b"".join(self._parts))
        self._parts.clear()
        self._size = 0
        return message


WHOLE = frozenset(0x80 | opcode for opcode in Opcode if opcode)
"""The first byte of a frame that is a whole message."""
