"""Values in both encodings, and frames on streams."""

import contextlib
import itertools
import math
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.msgpack import Ext

from macula.codec import Encoding, codec_of, decode_payload
from macula.errors import Invalid
from macula.generated.models import CallFrame, InvokeFrame
from macula.problem import MaculaError
from macula.splitter import Splitter, framed
from macula.values import from_json, to_json

plain = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**63), 2**64 - 1), st.floats(allow_nan=False, allow_infinity=False),
    st.text(), st.binary(),
)  # fmt: skip
keys = st.one_of(st.text(), st.sampled_from(["$bytes", "$$bytes", "$ext", "$$ext"]))
values = st.recursive(plain, lambda of: st.lists(of, max_size=4) | st.dictionaries(keys, of, max_size=3), max_leaves=20)


@given(values)
def test_json_gives_values_back(value: Any) -> None:
    encoded = codec_of("json").encode(value)
    assert decode_payload(encoded, "application/json") == value


@given(values)
def test_messagepack_gives_values_back(value: Any) -> None:
    encoded = codec_of("msgpack").encode(value)
    assert decode_payload(encoded, "application/msgpack") == value


@given(st.integers(-128, 127), st.binary())
def test_an_extension_has_a_form_in_json(code: int, data: bytes) -> None:
    back = from_json(to_json(Ext(code, data)))
    assert (back.code, back.data) == (code, data)


@pytest.mark.parametrize("value", [math.nan, math.inf, 2**64, -(2**63) - 1, {1: 2}, object()])
def test_what_json_cannot_say_is_invalid(value: Any) -> None:
    with pytest.raises(Invalid):
        codec_of("json").encode(value)


@pytest.mark.parametrize("encoding", ["msgpack", "json"])
def test_a_value_is_nested_as_deep_as_the_gateway_takes_it(encoding: Encoding) -> None:
    codec = codec_of(encoding)
    value: Any = 1
    for level in range(64):
        value = [value] if level % 2 else {"a": value}
    assert decode_payload(codec.encode(value), codec.media_type) == value
    with pytest.raises(Invalid):
        codec.encode([value])
    with pytest.raises(Invalid):
        codec.encode_frame(CallFrame(id=1, procedure="demo.add", payload=[value]))


def test_a_frame_is_written_with_what_stands_for_its_values() -> None:
    frame = CallFrame(id=1, procedure="demo.add", payload={"a": b"\x00"})
    assert msgspec.json.decode(codec_of("json").encode_frame(frame))["payload"] == {"a": {"$bytes": "AA=="}}
    assert frame.payload == {"a": b"\x00"}


def test_a_frame_is_read_with_what_its_values_stand_for() -> None:
    text = b"""{"type": "invoke", "id": 1, "serve": 2, "realm": "dev", "procedure": "demo.add", "caller": "me",
        "timeout_ms": 5, "payload": {"$bytes": "AA=="}, "later": "more"}"""
    frame = codec_of("json").decode_frame(text)
    assert isinstance(frame, InvokeFrame)
    assert frame.payload == b"\x00"


def test_only_canonical_base64_stands_for_bytes() -> None:
    for text in ("AAE", "AB==", "A A=", "ä"):
        assert from_json({"$bytes": text}) == {"$bytes": text}


@given(st.lists(st.binary(max_size=300), max_size=8), st.lists(st.integers(0, 500)))
def test_frames_come_out_as_they_went_in_however_they_are_cut(frames: list[bytes], cuts: list[int]) -> None:
    stream = b"".join(map(framed, frames))
    edges = [0, *sorted(min(cut, len(stream)) for cut in cuts), len(stream)]
    splitter = Splitter()
    found = [frame for at, to in itertools.pairwise(edges) for frame in splitter.push(stream[at:to])]
    assert found == frames


def test_a_frame_beyond_the_limit_is_refused_before_it_has_come() -> None:
    with pytest.raises(Exception, match="at most 10 bytes"):
        Splitter(limit=10).push(framed(bytes(11))[:2])


@given(st.binary())
def test_any_bytes_are_frames_or_refused(stream: bytes) -> None:
    with contextlib.suppress(MaculaError):
        assert sum(map(len, Splitter().push(stream))) <= len(stream)


@pytest.mark.parametrize("size", [0x3F, 0x40, 0x3FFF, 0x4000, 0x10000])
def test_every_length_is_said_as_short_as_it_can_be(size: int) -> None:
    assert Splitter().push(framed(bytes(size))) == [bytes(size)]
