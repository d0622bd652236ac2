"""What flights hold in memory for being recorded is bounded over all of them."""

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from promptdeck.engine.flights.budget import PIECE_WEIGHT, Budget
from promptdeck.engine.flights.flight import Flight

KEEP = 1 << 20
MOST = 4 * KEEP
STEP = 16 * 1024
"""What a log may have asked for and not yet taken."""


def left(budget: Budget, *, keep: int = KEEP) -> Flight:
    """A flight that is to be recorded, whose client is gone; it notes that it is given up."""
    flight = Flight(keep_bytes=keep, outlives_readers=True, budget=budget)
    flight.give_up = flight.land
    place = flight.join()
    flight.headed(200, (), b"")
    flight.leave(place)
    return flight


def held(flights: Sequence[Flight]) -> int:
    return sum(len(chunk.data) for flight in flights for chunk in flight.chunks)


async def test_clients_that_leave_large_streams_leave_no_more_than_the_budget() -> None:
    budget = Budget(MOST)
    flights = [left(budget) for _ in range(50)]
    for _ in range(KEEP // 10_000):
        for flight in flights:
            if not flight.landed:
                flight.came(b"x" * 10_000)
        assert held(flights) <= MOST
    kept = [flight for flight in flights if flight.whole]
    assert 3 <= len(kept) < 50
    assert all(flight.landed and "record.max_pending" in flight.unkept for flight in flights
               if flight not in kept)  # fmt: skip
    assert all(flight.chunks == () for flight in flights if flight not in kept)


async def test_small_pieces_are_counted_with_what_they_take_beside_their_data() -> None:
    budget = Budget(MOST)
    other = left(budget)
    other.came(b"x")
    flight = left(budget, keep=MOST)
    count = 0
    while not flight.landed:
        flight.came(b"x" * 10)
        count += 1
    assert count * (PIECE_WEIGHT + 10) <= MOST + STEP * PIECE_WEIGHT


async def test_a_lone_answer_is_kept_up_to_its_own_limit_however_small_the_budget() -> None:
    flight = left(Budget(1), keep=KEEP)
    for _ in range(KEEP // 1024):
        flight.came(b"x" * 1024)
    assert flight.whole
    assert flight.size == KEEP
    flight.came(b"x")
    assert flight.landed
    assert "record.max_bytes" in flight.unkept


async def test_what_is_refused_still_reaches_its_client() -> None:
    budget = Budget(KEEP)
    hog = left(budget)
    hog.came(b"x" * KEEP)
    flight = Flight(keep_bytes=KEEP, outlives_readers=True, budget=budget)
    place = flight.join()
    got = b""
    for number in range(100):
        flight.came(b"%06d" % number * 1000)
        got += flight.take(place)
    assert got == b"".join(b"%06d" % number * 1000 for number in range(100))
    assert not flight.whole
    assert flight.chunks == ()
    flight.land()
    assert flight.landed_well


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["came", "came", "came", "take", "leave", "join", "land"]),
            st.integers(0, 4),
            st.integers(1, 300_000),
        ),
        max_size=60,
    )
)
async def test_all_that_was_taken_is_given_back(steps: list[tuple[str, int, int]]) -> None:
    budget = Budget(MOST)
    flights = [Flight(keep_bytes=KEEP, outlives_readers=True, budget=budget) for _ in range(5)]
    readers = [[flight.join()] for flight in flights]
    for what, number, amount in steps:
        flight, places = flights[number], readers[number]
        if what == "came" and not flight.landed:
            flight.came(b"x" * amount)
        elif what == "take" and places:
            flight.take(places[amount % len(places)])
        elif what == "leave" and places:
            flight.leave(places.pop())
        elif what == "join" and flight.whole:
            places.append(flight.join())
        elif what == "land" and not flight.landed:
            flight.land()
            flight.settle()
        whole = sum(flight.size for flight in flights if flight.whole and not flight.landed)
        assert whole <= budget.used or whole <= KEEP
    for flight, places in zip(flights, readers, strict=True):
        flight.land()
        flight.settle()
        for place in places:
            flight.leave(place)
    assert budget.used == 0
