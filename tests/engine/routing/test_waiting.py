"""waiting: full jitter, what an upstream asks for, one budget, and the client's deadline."""

from hypothesis import given
from hypothesis import strategies as st

from promptdeck.engine.routing.waiting import Patience, Waiting

FAR = 1e9


def waiting(budget: float = FAR, deadline: float = FAR, chance: float = 1.0) -> Waiting:
    return Waiting(Patience(2, budget), deadline, lambda: chance)


def test_the_bound_doubles_up_to_the_longest() -> None:
    one = waiting()
    assert [one.before_retry(0, 0) for _ in range(7)] == [0.5, 1, 2, 4, 8, 8, 8]


def test_any_time_below_it_may_be_waited() -> None:
    assert waiting(chance=0.0).before_retry(0, 0) == 0.0
    assert waiting(chance=0.5).before_retry(0, 0) == 0.25


def test_what_an_upstream_asks_for_is_waited_for() -> None:
    assert waiting(chance=0.5).before_retry(0, 3.0) == 3.0
    assert waiting(chance=1.0).before_retry(0, 0.1) == 0.5


def test_the_budget_is_one_for_all() -> None:
    one = waiting(budget=3.0)
    assert [one.before_retry(0, 1.5) for _ in range(3)] == [1.5, 1.5, None]
    assert waiting(budget=3.0).before_retry(0, 3.5) is None


def test_nobody_waits_past_the_clients_deadline() -> None:
    assert waiting(deadline=10.0).before_retry(9.0, 1.0) is None
    assert waiting(deadline=10.0).before_retry(9.0, 0.9) == 0.9


@given(
    st.floats(0, 20),
    st.floats(0, 20),
    st.lists(st.tuples(st.floats(0, 3), st.floats(0, 1)), max_size=9),
)
def test_all_waits_stay_within_budget_and_deadline(
    budget: float, deadline: float, tries: list[tuple[float, float]]
) -> None:
    chances = iter([chance for _, chance in tries])
    one = Waiting(Patience(9, budget), deadline, lambda: next(chances))
    now = 0.0
    for asked_for, _ in tries:
        wait = one.before_retry(now, asked_for)
        if wait is not None:
            assert wait >= asked_for
            now += wait
    assert now <= budget + 1e-6
    assert now < deadline or now == 0.0
