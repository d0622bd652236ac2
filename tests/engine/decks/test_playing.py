"""The rules by which recordings are played, without a deck: turns, age, how long a hit is good."""

from hypothesis import given
from hypothesis import strategies as st

from promptdeck.core.interaction import Interaction, Request, Response, Variant
from promptdeck.engine.decks.playing import AfterLast, OnExpired, Playing
from promptdeck.stores.base import Stored

REQUEST = Request("POST", "/v1/chat/completions", "application/json", b"{}")


def row(recorded_at: float = 0.0, expires_at: float | None = None) -> Stored:
    response = Response(200, (), ())
    return Stored(
        Interaction("i", "k", Variant.JSON, recorded_at, "http://u/v1", REQUEST, response),
        b"",
        expires_at,
    )


ROWS = [row(), row(), row()]


def turns(playing: Playing, wanted: int = 0) -> list[int | None]:
    """Which of three recordings is played at each of five turns."""
    found = [playing.in_turn(ROWS, turn, wanted) for turn in range(5)]
    return [None if one is None else next(n for n in range(3) if ROWS[n] is one) for one in found]


def test_each_recording_has_its_turn_and_the_last_repeats() -> None:
    assert turns(Playing()) == [0, 1, 2, 2, 2]
    assert turns(Playing(after_last=AfterLast.REFUSE)) == [0, 1, 2, None, None]
    assert turns(Playing(newest=True, after_last=AfterLast.REFUSE)) == [2, 2, 2, 2, 2]


def test_nothing_is_repeated_before_as_many_as_wanted_are_recorded() -> None:
    assert turns(Playing(), wanted=3) == [0, 1, 2, 2, 2]
    assert turns(Playing(), wanted=4) == [0, 1, 2, None, None]


def test_a_recording_is_old_when_more_than_its_time_has_passed() -> None:
    playing = Playing(expires=60.0)
    assert [playing.is_old(row(1000.0), now) for now in (1000.0, 1060.0, 1060.5)] == [
        False,
        False,
        True,
    ]
    assert not Playing().is_old(row(0.0), 1e12)


def test_only_who_records_what_expired_renews_it() -> None:
    old, new = row(0.0), row(1000.0)
    for on_expired in OnExpired:
        playing = Playing(expires=60.0, on_expired=on_expired)
        assert playing.renews([old, new], 1001.0) == (on_expired is OnExpired.RECORD)
        assert not playing.renews([new], 1001.0)
        assert not playing._replace(newest=True).renews([old], 1001.0)


# Moments of recordings are even, those of asking odd: what happens in the very moment is no matter.
EVEN, ODD = st.integers(0, 50).map(lambda n: n * 2.0), st.integers(0, 50).map(lambda n: n * 2.0 + 1)


@given(
    rows=st.lists(st.builds(row, EVEN, st.none() | EVEN), min_size=1, max_size=4),
    playing=st.builds(
        Playing,
        newest=st.booleans(),
        draws=st.integers(1, 4),
        after_last=st.sampled_from(AfterLast),
        expires=st.none() | EVEN,
        on_expired=st.sampled_from(OnExpired),
    ),
    turn=st.integers(0, 5),
    now=ODD,
    wait=st.integers(0, 50).map(lambda n: n * 2.0),
)
def test_while_a_hit_is_good_the_next_to_ask_finds_the_same(
    rows: list[Stored], playing: Playing, turn: int, now: float, wait: float
) -> None:
    found = playing.in_turn(rows, turn, playing.draws)
    until = playing.until(rows, turn, now)
    if found is None or until == 0.0:
        return
    later = min(now + wait, until - 1)
    assert now <= later
    assert playing.in_turn(rows, turn + 1, playing.draws) is found
    assert playing.is_old(found, later) == playing.is_old(found, now)
    assert not playing.renews(rows, later)
    if found.expires_at is not None:
        assert (found.expires_at <= later) == (found.expires_at <= now)


@given(turn=st.integers(0, 5), count=st.integers(1, 4), draws=st.integers(1, 6))
def test_a_hit_is_good_for_ever_only_where_no_turn_is_left(
    turn: int, count: int, draws: int
) -> None:
    until = Playing(draws=draws).until([row()] * count, turn, 1.0)
    assert (until == 0.0) == (turn + 1 < count or draws > count)
