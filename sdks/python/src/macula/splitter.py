"""Frames on a stream of bytes: each after its length, a QUIC varint (RFC 9000 §16)."""

from .problem import MaculaError

MAX_FRAME_BYTES = 64 << 20
"""The longest frame that is taken."""


def framed(frame: bytes) -> bytes:
    """A frame after its length."""
    length = len(frame)
    if length < 0x40:
        return length.to_bytes(1, "big") + frame
    if length < 0x4000:
        return (length | 0x4000).to_bytes(2, "big") + frame
    return (length | 0x8000_0000).to_bytes(4, "big") + frame


def varint(held: bytes | bytearray, at: int) -> tuple[int, int] | None:
    """The number at this place, and where it ends; none if it is not whole."""
    if at >= len(held):
        return None
    size = 1 << (held[at] >> 6)
    if at + size > len(held):
        return None
    return int.from_bytes(held[at : at + size], "big") & ((1 << (8 * size - 2)) - 1), at + size


class Splitter:
    """Cuts a stream of bytes into frames, however it comes in pieces. Holds less than one frame and one piece."""

    def __init__(self, limit: int = MAX_FRAME_BYTES) -> None:
        self._held = bytearray()
        self._limit = limit

    def push(self, piece: bytes) -> list[bytes]:
        """Takes a piece; the frames that are whole with it."""
        held = self._held
        held += piece
        frames = []
        at = 0
        while (head := varint(held, at)) is not None:
            length, start = head
            if length > self._limit:
                raise MaculaError(f"expected a frame of at most {self._limit} bytes, found one of {length}")
            if start + length > len(held):
                break
            frames.append(bytes(held[start : start + length]))
            at = start + length
        del held[:at]
        return frames
