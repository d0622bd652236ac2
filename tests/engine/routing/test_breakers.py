"""breakers: when a model is left alone, and who may try it again."""

from hypothesis import given
from hypothesis import strategies as st

from promptdeck.engine.routing.breakers import Breakers


def failing(breakers: Breakers, times: int, now: float = 0.0) -> None:
    for _ in range(times):
        assert breakers.wait("m", now) == 0
        breakers.failed("m", now, None)


def test_a_model_is_left_alone_after_so_many_failures_in_a_row() -> None:
    breakers = Breakers(3, 10.0)
    failing(breakers, 2)
    breakers.succeeded("m")
    failing(breakers, 3)
    assert breakers.wait("m", 4.0) == 6.0
    assert breakers.wait("other", 4.0) == 0


def test_half_open_lets_one_through_and_its_success_closes() -> None:
    breakers = Breakers(1, 10.0)
    failing(breakers, 1)
    assert breakers.wait("m", 10.0) == 0
    assert breakers.wait("m", 10.5) == 9.5
    breakers.succeeded("m")
    assert [breakers.wait("m", 11.0) for _ in range(3)] == [0, 0, 0]


def test_half_open_opens_again_where_the_one_fails() -> None:
    breakers = Breakers(3, 10.0)
    failing(breakers, 3)
    assert breakers.wait("m", 12.0) == 0
    breakers.failed("m", 13.0, None)
    assert breakers.wait("m", 14.0) == 9.0


def test_what_tells_nothing_neither_opens_nor_closes() -> None:
    breakers = Breakers(2, 10.0)
    for _ in range(100):
        assert breakers.wait("m", 0.0) == 0
        breakers.neutral("m")
    failing(breakers, 2)
    assert breakers.wait("m", 10.0) == 0
    breakers.neutral("m")
    # The next one may try at once: nobody does.
    assert breakers.wait("m", 10.0) == 0
    assert breakers.wait("m", 10.0) > 0


def test_who_tries_and_is_never_heard_of_again_holds_nobody_up_for_ever() -> None:
    breakers = Breakers(1, 10.0)
    failing(breakers, 1)
    assert breakers.wait("m", 10.0) == 0
    assert breakers.wait("m", 20.0) == 0


def test_failures_of_one_request_are_one_failure() -> None:
    breakers = Breakers(2, 10.0)
    breakers.failed("m", 0.0, None)
    breakers.failed("m", 0.0, None, again=True)
    assert breakers.wait("m", 0.0) == 0
    breakers.failed("m", 0.0, None)
    assert breakers.wait("m", 0.0) == 10.0


@given(st.lists(st.tuples(st.floats(0, 5), st.none() | st.floats(0.1, 500)), min_size=1))
def test_a_later_retry_after_may_lengthen_and_never_shorten(
    said: list[tuple[float, float | None]],
) -> None:
    breakers, now, until = Breakers(10_000, 1.0), 0.0, 0.0
    for passed, wait in said:
        now += passed
        breakers.failed("m", now, wait)
        until = max(until, now + (wait or 0.0))
        left = breakers.wait("m", now)
        assert abs(left - max(0.0, until - now if until > now else 0.0)) < 1e-6 or until <= now


def test_a_retry_after_of_days_is_not_waited_for() -> None:
    breakers = Breakers(3, 10.0)
    breakers.failed("m", 0.0, 1e6)
    assert breakers.wait("m", 0.0) == 600.0


def test_only_so_many_are_remembered() -> None:
    breakers = Breakers(1, 10.0)
    for number in range(1001):
        breakers.failed(number, 0.0, None)
    assert breakers.wait(0, 0.0) == 0
    assert breakers.wait(1000, 0.0) == 10.0
