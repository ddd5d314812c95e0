"""The pauses before connecting again."""

from hypothesis import given
from hypothesis import strategies as st

from macula.backoff import FIRST, LONGEST, Backoff


@given(st.lists(st.floats(0, 1), max_size=40))
def test_a_pause_is_anything_up_to_a_limit_that_doubles(randoms: list[float]) -> None:
    backoff = Backoff()
    for number, random in enumerate(randoms):
        assert backoff.next(random) == random * min(FIRST * 2**number, LONGEST)


def test_use_makes_pauses_short_again() -> None:
    backoff = Backoff()
    for _ in range(20):
        backoff.next(1)
    backoff.reset()
    assert backoff.next(1) == FIRST


def test_what_the_gateway_asks_for_is_the_least() -> None:
    assert Backoff().next(0.5, at_least=7) == 7
