"""Queue, events of SSE, requests, the race, options, and problems."""

import asyncio
import contextlib
import itertools
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.frames import Frame
from websockets.frames import Opcode as FrameOpcode
from websockets.protocol import State
from websockets.server import ServerProtocol

import macula
from macula.codec import codec_of
from macula.errors import ConnectError, Invalid, is_final, problem_of
from macula.generated.errors import PROBLEMS
from macula.generated.models import CallFrame, ErrorFrame, EventFrame, SubscribeFrame
from macula.names import check_name, check_pattern
from macula.options import address_of, digits_of
from macula.queue import Gap, Queue
from macula.transport.http.events import EventParser, SseEvent, frame_of
from macula.transport.http.request import request_of
from macula.transport.messages import Masks, Messages, Opcode, framed
from macula.transport.race import race


@given(st.lists(st.one_of(st.just("push"), st.just("pop"), st.just("gap"))), st.integers(1, 4))
def test_every_event_is_delivered_in_order_or_told_as_missed(acts: list[str], room: int) -> None:
    queue: Queue[int] = Queue(room)
    sent, got, missed, told = 0, list[int](), 0, 0

    def pop() -> bool:
        nonlocal missed
        delivery = queue.pop()
        if isinstance(delivery, Gap):
            missed += delivery.missed or 0
        elif delivery is not None:
            got.append(delivery)
        return delivery is not None

    for act in acts:
        if act == "push":
            queue.push(sent)
            sent += 1
        elif act == "gap":
            queue.gap(Gap(2, "outside_window"))
            told += 2
        else:
            pop()
        assert len(queue) <= room
    while pop():
        pass
    assert got == sorted(set(got))
    assert len(got) + missed == sent + told


STREAM = b": hello\r\nevent: gap\r\ndata: 1\r\ndata: 2\r\n\r\nid: 7\ndata:x\n\nevent: none\n\ndata: \xc3\xbc\r\r"


@given(st.lists(st.integers(0, len(STREAM))))
def test_events_come_out_however_the_stream_is_cut(cuts: list[int]) -> None:
    edges = [0, *sorted(cuts), len(STREAM)]
    parser = EventParser()
    pieces = [STREAM[at:to] for at, to in itertools.pairwise(edges)]
    found = [event for piece in [*pieces, b":"] for event in parser.feed(piece)]
    assert found == [SseEvent("gap", "1\n2"), SseEvent("message", "x"), SseEvent("message", "ü")]


def test_an_event_that_is_too_long_is_refused() -> None:
    with pytest.raises(macula.MaculaError, match="at most 10"):
        EventParser(limit=10).feed(b"data: 12345678901")


def test_an_event_of_sse_is_a_frame() -> None:
    text = """{"id": "E1", "realm": "dev", "topic": "home.x", "publisher": "me", "time": "T",
        "content_type": "application/msgpack", "payload": {"$bytes": "kwHCoA=="}, "opaque": true}"""
    frame = frame_of(3, SseEvent("message", text))
    assert isinstance(frame, EventFrame)
    assert (frame.id, frame.event.payload, frame.event.headers) == (3, [1, False, ""], {})
    error = frame_of(3, SseEvent("error", '{"code": "draining"}'))
    assert isinstance(error, ErrorFrame)
    assert frame_of(3, SseEvent("news", "{}")) is None


def test_a_call_is_a_request() -> None:
    frame = CallFrame(
        id=1, procedure="demo.add", timeout_ms=7, idempotency_key="k", headers={"color": "green"}, payload=1
    )
    asked = request_of(frame, "dev", codec_of("json"))
    assert (asked.method, asked.path, asked.body) == ("POST", "/v1/rpc/dev/demo.add?timeout_ms=7", b"1")
    assert asked.headers == {
        "macula-header-color": "green",
        "idempotency-key": "k",
        "content-type": "application/json",
        "accept": "application/json, */*;q=0.1",
    }


def test_a_pattern_is_quoted_in_a_path_and_a_position_is_a_header() -> None:
    asked = request_of(SubscribeFrame(id=1, pattern="home.**", after="E1"), "dev", codec_of("msgpack"))
    assert asked.path == "/v1/subscribe/dev/home.%2A%2A"
    assert asked.headers == {"accept": "text/event-stream", "last-event-id": "E1"}


class Runner:
    """What comes through a race, and whether it was wanted."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.is_abandoned = False

    def abandon(self) -> None:
        self.is_abandoned = True


def raced(runs: dict[str, float | Exception]) -> str:
    async def run(name: str) -> Runner:
        outcome = runs[name]
        if isinstance(outcome, Exception):
            raise outcome
        await asyncio.sleep(outcome)
        return Runner(name)

    return asyncio.run(race(list(runs), run)).name


def test_the_first_has_a_head_start() -> None:
    assert raced({"a": 0.1, "b": 0.0}) == "a"


def test_the_next_has_its_turn_at_once_when_one_has_failed() -> None:
    assert raced({"a": ConnectError("no"), "b": 0.0}) == "b"


def test_the_next_may_overtake() -> None:
    assert raced({"a": 10.0, "b": 0.0}) == "b"


def test_what_the_gateway_says_counts_when_all_have_failed() -> None:
    with pytest.raises(macula.Problem):
        raced({"a": ConnectError("no"), "b": problem_of({"code": "draining"})})
    with pytest.raises(ConnectError, match="one; two"):
        raced({"a": ConnectError("one"), "b": ConnectError("two")})


@pytest.mark.parametrize(
    "url", ["http://a", "https://", "https://a/b", "https://a?b", "https://a:x", "a", "https://u@a"]
)
def test_an_address_that_is_none_is_invalid(url: str) -> None:
    with pytest.raises(Invalid):
        address_of(url)


def test_an_address_has_a_host_and_a_port() -> None:
    assert address_of("https://a") == ("a", 443)
    assert address_of("https://[::1]:4433/") == ("::1", 4433)


def test_a_fingerprint_may_have_colons() -> None:
    assert digits_of(":".join(["AB"] * 32)) == "ab" * 32
    with pytest.raises(Invalid):
        digits_of("ab")


@pytest.mark.parametrize("name", ["", ".", "a..b", "a b", "a.*", "ä", "a" * 65, ".".join("a" * 17)])
def test_a_name_that_is_none_is_invalid(name: str) -> None:
    with pytest.raises(Invalid):
        check_name("topic", name)


def test_patterns_are_names_with_stars() -> None:
    for pattern in ("home.*.light", "home.**", "**", "*"):
        assert check_pattern(pattern) == pattern
    for pattern in ("home.**.light", "home.a*", ""):
        with pytest.raises(Invalid):
            check_pattern(pattern)


@pytest.mark.parametrize("code", PROBLEMS)
def test_each_code_has_a_class(code: str) -> None:
    problem = problem_of({"code": code, "status": 400, "detail": "why", "retry": "never"}, 2)
    assert type(problem) is PROBLEMS[code]
    back = pickle.loads(pickle.dumps(problem))
    assert (type(back), back.code, back.retry_after) == (type(problem), code, 2)


def test_to_connect_again_is_of_no_use_when_we_are_refused() -> None:
    assert is_final(problem_of({"code": "forbidden", "retry": "never"}))
    assert not is_final(problem_of({"code": "rate_limited", "retry": "later"}))
    assert not is_final(ConnectError("no"))
    assert is_final(ValueError())


sizes = st.sampled_from([0, 1, 125, 126, 127, 65_535, 65_536])


@given(
    st.lists(st.tuples(st.sampled_from([1, 2]), sizes) | st.just((9, 125)), max_size=4),
    st.lists(st.integers(0, 70_000)),
)
def test_messages_come_out_as_another_s_server_sends_them(sent: list[tuple[int, int]], cuts: list[int]) -> None:
    frames = [Frame(FrameOpcode(opcode), bytes(size)).serialize(mask=False) for opcode, size in sent]
    stream = b"".join(frames)
    edges = [0, *sorted(min(cut, len(stream)) for cut in cuts), len(stream)]
    messages = Messages()
    found = [message for at, to in itertools.pairwise(edges) for message in messages.push(stream[at:to])]
    assert [(message.opcode, len(message.data)) for message in found] == sent


def test_fragments_are_one_message_and_control_frames_come_between() -> None:
    parts = [
        Frame(FrameOpcode.BINARY, b"ab", fin=False),
        Frame(FrameOpcode.PING, b"?"),
        Frame(FrameOpcode.CONT, b"cd", fin=False),
        Frame(FrameOpcode.CONT, b"ef"),
    ]
    stream = b"".join(part.serialize(mask=False) for part in parts)
    assert list(Messages().push(stream)) == [(9, b"?"), (2, b"abcdef")]


@given(sizes)
def test_another_s_server_reads_what_is_sent(size: int) -> None:
    server = ServerProtocol(state=State.OPEN, max_size=None)
    server.receive_data(framed(Opcode.BINARY, bytes(size), Masks().next()))
    (frame,) = server.events_received()
    assert isinstance(frame, Frame)
    assert (frame.opcode, bytes(frame.data)) == (FrameOpcode.BINARY, bytes(size))


@given(st.binary())
def test_any_bytes_are_messages_or_refused(stream: bytes) -> None:
    with contextlib.suppress(macula.MaculaError):
        list(Messages().push(stream))


def test_a_message_beyond_the_limit_is_refused() -> None:
    part = Frame(FrameOpcode.BINARY, bytes(8), fin=False).serialize(mask=False)
    for stream in (Frame(FrameOpcode.BINARY, bytes(200)).serialize(mask=False)[:4], part + part):
        with pytest.raises(macula.MaculaError, match="at most 10"):
            list(Messages(limit=10).push(stream))
