"""What is under way in a session, and what goes on after a loss."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import UNSET, UnsetType

from macula.book import MAX_KEPT, Answer, Book, News, Request
from macula.codec import codec_of
from macula.errors import Lost
from macula.generated.models import (
    CallFrame,
    CallResultFrame,
    CancelFrame,
    ErrorFrame,
    InvokeFrame,
    InvokeResultFrame,
    Limits1,
    PublishFrame,
    ServeFrame,
    SubscribeFrame,
    UnserveFrame,
    UnsubscribeFrame,
)
from macula.problem import MaculaError, Problem


class Heard:
    """A sink that remembers."""

    def __init__(self, position: str | None = None) -> None:
        self.at = position
        self.news: list[News] = []
        self.answer: Answer | None = None
        self.error: MaculaError | None = None
        self.began_anew = False

    def hear(self, frame: News) -> None:
        self.news.append(frame)

    def end(self, frame: Answer) -> None:
        self.answer = frame

    def fail(self, error: MaculaError) -> None:
        self.error = error

    def position(self) -> str | None:
        return self.at

    def begin_anew(self) -> None:
        self.began_anew = True


class Answering:
    """An invocation."""

    def __init__(self, number: int, serve: int = 1) -> None:
        self.frame = InvokeFrame(
            caller="a", id=number, procedure="demo.add", realm="dev", serve=serve, timeout_ms=1_000
        )
        self.answer: Any = None
        self.is_aborted = False

    def abort(self) -> None:
        self.is_aborted = True


def bounds(calls: int = 8, size: int = 1 << 20) -> Limits1:
    return Limits1(
        max_bytes_in_flight=size, max_calls=calls, max_frame_bytes=1 << 20, max_procedures=8, max_subscriptions=8
    )


def book(calls: int = 8) -> Book:
    made = Book(codec_of("msgpack").encode_frame)
    made.resumed(bounds(calls), [])
    return made


def call(key: str | None = None) -> CallFrame:
    return CallFrame(id=0, procedure="demo.add", idempotency_key=key or UNSET)


def subscribe() -> SubscribeFrame:
    return SubscribeFrame(id=0, pattern="home.**", replay=3)


def said(of: Book) -> list[Request]:
    frames = []
    while (operation := of.next()) is not None:
        frames.append(operation.frame)
    return frames


def numbers(of: Book) -> list[int | UnsetType]:
    return [frame.id for frame in said(of)]


def test_what_is_begun_is_said_once_in_its_order() -> None:
    made = book()
    begun = [made.begin(call(), Heard()) for _ in range(3)]
    assert numbers(made) == begun
    assert numbers(made) == []


def test_an_answer_ends_its_operation_and_no_other() -> None:
    made, one, two = book(), Heard(), Heard()
    number = made.begin(call(), one)
    made.begin(call(), two)
    made.take(CallResultFrame(id=number, payload=3))
    assert isinstance(one.answer, CallResultFrame)
    assert two.answer is None
    assert made.counts == (0, 0, 1)


def test_a_problem_that_is_not_known_survives_with_all_its_members() -> None:
    made, heard = book(), Heard()
    number = made.begin(call(), heard)
    made.take(ErrorFrame(id=number, problem={"code": "too_odd", "status": 418, "moon": "full"}))
    assert isinstance(heard.error, Problem)
    assert (heard.error.code, heard.error.report["moon"]) == ("too_odd", "full")


def test_an_error_without_a_number_ends_nothing() -> None:
    made, heard = book(), Heard()
    made.begin(call(), heard)
    made.take(ErrorFrame(problem={"code": "invalid_request"}))
    assert heard.error is None


@pytest.mark.parametrize(
    ("frame", "ending"),
    [
        (call(), CancelFrame),
        (subscribe(), UnsubscribeFrame),
        (ServeFrame(id=0, procedure="demo.add"), UnserveFrame),
    ],
)
def test_what_is_given_up_is_told_if_the_gateway_may_know_of_it(frame: Request, ending: type) -> None:
    made = book()
    unsaid = made.begin(frame, Heard())
    assert made.give_up(unsaid) is None
    assert numbers(made) == []
    number = made.begin(frame, Heard())
    said(made)
    assert isinstance(made.give_up(number), ending)


@given(st.integers(1, 5), st.integers(0, 20))
def test_no_more_is_in_flight_than_the_gateway_takes(calls: int, begun: int) -> None:
    made = book(calls)
    all_of_them = [made.begin(call(), Heard()) for _ in range(begun)]
    flying: list[int] = []
    order = []
    while True:
        flying += [number for number in numbers(made) if isinstance(number, int)]
        assert len(flying) <= calls
        if not flying:
            break
        order.append(flying.pop(0))
        made.take(CallResultFrame(id=order[-1]))
    assert order == all_of_them


def test_a_resume_tells_where_each_subscription_is_and_what_has_no_answer() -> None:
    made = book()
    reads = made.begin(subscribe(), Heard("E5"))
    made.begin(subscribe(), Heard())
    asks = made.begin(call(), Heard())
    serves = made.begin(ServeFrame(id=0, procedure="demo.add"), Heard())
    said(made)
    made.begin(call(), Heard())
    made.invoked(Answering(9))
    resume = made.resume("S")
    assert resume.subscriptions
    assert [(one.id, one.last_event_id) for one in resume.subscriptions] == [(reads, "E5")]
    assert resume.pending == [asks, serves]
    assert resume.invokes == [9]


def test_what_the_gateway_does_not_know_is_said_again_unless_that_may_do_harm() -> None:
    made, lost, kept = book(), Heard(), Heard()
    once = made.begin(call(), lost)
    keyed = made.begin(call("key"), kept)
    goes_on = made.begin(call(), Heard())
    said(made)
    made.resumed(bounds(), [once, keyed])
    assert isinstance(lost.error, Lost)
    assert kept.error is None
    assert numbers(made) == [keyed]
    assert made.give_up(goes_on) is not None


def test_what_was_published_without_a_key_is_lost_with_the_session() -> None:
    made, heard = book(), Heard()
    made.begin(PublishFrame(id=0, topic="home.x"), heard)
    said(made)
    made.anew(bounds())
    assert isinstance(heard.error, Lost)


def test_in_a_new_session_a_subscription_begins_behind_its_last_event() -> None:
    made, heard = book(), Heard("E7")
    made.begin(subscribe(), heard)
    said(made)
    made.anew(bounds())
    (frame,) = said(made)
    assert isinstance(frame, SubscribeFrame)
    assert (frame.after, bool(frame.replay)) == ("E7", False)
    assert heard.began_anew


def test_a_new_session_gives_up_the_calls_that_were_answered_here() -> None:
    made, answering = book(), Answering(9)
    made.invoked(answering)
    made.anew(bounds())
    assert answering.is_aborted
    assert made.invocations == 0


def test_answers_are_kept_until_the_gateway_has_them_and_the_oldest_go_first() -> None:
    made = book()
    for number in range(MAX_KEPT + 2):
        made.keep(InvokeResultFrame(id=number, payload=None))
    assert made.kept == list(range(2, MAX_KEPT + 2))
    made.confirm(range(2, MAX_KEPT + 1))
    assert [reply.id for reply in made.resumed(bounds(), [])] == [MAX_KEPT + 1]


def test_an_answer_that_came_while_the_transport_was_lost_is_said_after_the_resume() -> None:
    made, answering = book(), Answering(9)
    answering.answer = InvokeResultFrame(id=9, payload=1)
    made.invoked(answering)
    assert made.resumed(bounds(), []) == [answering.answer]


def test_closing_ends_everything() -> None:
    made, one, two, answering = book(), Heard(), Heard(), Answering(9)
    made.begin(call(), one)
    made.begin(subscribe(), two)
    made.invoked(answering)
    error = Lost()
    made.close(error)
    assert (one.error, two.error, answering.is_aborted) == (error, error, True)
    assert made.counts == (0, 0, 0)
