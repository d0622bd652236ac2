"""The table of modes: what is done with whatever is found, and what a request may ask for."""

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptdeck.core.policy import (
    ANYTHING,
    DECISIONS,
    Action,
    CacheControl,
    Found,
    Mode,
    decide,
    modes_table,
)

WANTS = st.builds(
    CacheControl,
    no_cache=st.booleans(),
    no_store=st.booleans(),
    only_if_cached=st.booleans(),
    max_age=st.none() | st.floats(0, 1e9),
)
MODES = st.sampled_from(Mode)
FOUND = st.sampled_from(Found)
NETWORK = {Action.FORWARD, Action.STORE}


# The table


def test_every_mode_knows_what_to_do_with_whatever_is_found() -> None:
    assert {(mode, found) for mode in DECISIONS for found in DECISIONS[mode]} == {
        *product(Mode, Found)
    }


@pytest.mark.parametrize(
    ("mode", "hit", "stale", "miss"),
    [
        (Mode.PASSTHROUGH, Action.FORWARD, Action.FORWARD, Action.FORWARD),
        (Mode.CACHE, Action.SERVE, Action.STORE, Action.STORE),
        (Mode.RECORD, Action.STORE, Action.STORE, Action.STORE),
        (Mode.RECORD_MISSING, Action.SERVE, Action.SERVE, Action.STORE),
        (Mode.REPLAY, Action.SERVE, Action.SERVE, Action.REFUSE),
    ],
)
def test_what_is_done_in_each_mode(mode: Mode, hit: Action, stale: Action, miss: Action) -> None:
    assert [decide(mode, found) for found in Found] == [hit, stale, miss]


@given(FOUND, WANTS)
def test_replay_never_uses_the_network(found: Found, wants: CacheControl) -> None:
    assert decide(Mode.REPLAY, found, wants) not in NETWORK


@given(FOUND, WANTS)
def test_replay_serves_whatever_is_recorded(found: Found, wants: CacheControl) -> None:
    assert (decide(Mode.REPLAY, found, wants) is Action.SERVE) is (found is not Found.MISS)


@given(FOUND, WANTS)
def test_passthrough_always_forwards_and_never_stores(found: Found, wants: CacheControl) -> None:
    assert decide(Mode.PASSTHROUGH, found, wants) is Action.FORWARD


@given(MODES, FOUND, WANTS)
def test_no_store_is_never_stored(mode: Mode, found: Found, wants: CacheControl) -> None:
    if wants.no_store:
        assert decide(mode, found, wants) is not Action.STORE


@given(MODES, FOUND, WANTS)
def test_only_if_cached_goes_upstream_in_passthrough_alone(
    mode: Mode, found: Found, wants: CacheControl
) -> None:
    if wants.only_if_cached and mode is not Mode.PASSTHROUGH:
        assert decide(mode, found, wants) not in NETWORK


@given(MODES, FOUND, WANTS)
def test_a_request_can_only_take_away_from_what_its_mode_does(
    mode: Mode, found: Found, wants: CacheControl
) -> None:
    allowed = {
        Action.STORE: {Action.STORE, Action.FORWARD, Action.REFUSE},
        Action.FORWARD: {Action.FORWARD},
        Action.SERVE: {Action.SERVE},
        Action.REFUSE: {Action.REFUSE},
    }
    assert decide(mode, found, wants) in allowed[decide(mode, found)]


@pytest.mark.parametrize("mode", Mode)
def test_only_modes_that_serve_share_flights(mode: Mode) -> None:
    """To record every answer, or to pass every request on, each needs a call of its own."""
    serves = DECISIONS[mode][Found.HIT] is Action.SERVE
    calls = DECISIONS[mode][Found.MISS] in NETWORK
    assert mode.shares_flights is (serves and calls)


# Cache-Control


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("", ANYTHING),
        ("no-cache", CacheControl(no_cache=True)),
        ("No-Cache, NO-STORE", CacheControl(no_cache=True, no_store=True)),
        ("only-if-cached", CacheControl(only_if_cached=True)),
        ("max-age=60", CacheControl(max_age=60)),
        ("MAX-AGE=0", CacheControl(max_age=0)),
        ('max-age="60"', CacheControl(max_age=60)),
        (" max-age = 60 ,, no-store ,", CacheControl(max_age=60, no_store=True)),
        ("max-age=60, max-age=5", CacheControl(max_age=60)),
        ("max-stale=5, min-fresh=1, no-transform, stale-if-error=3", ANYTHING),
        ("max-age=0060", CacheControl(max_age=60)),
        ("no-cache=x", CacheControl(no_cache=True)),
    ],
)
def test_the_directives_of_rfc_9111_are_read(value: str, expected: CacheControl) -> None:
    assert CacheControl.parse(value) == expected


@pytest.mark.parametrize(
    "value",
    [
        *("max-age", "max-age=", "max-age=x", "max-age=-1", "max-age=1.5", "max-age=1e3"),
        *("max-age=٣", "max-age=²", "max-age=+1", "max-age=1_0", "max-age=60s"),
        *("nocache", "no_cache", "no-cached", "x-no-cache", "no-store2", "no cache"),
        *("=no-store", ",", "=", '"', '""', '"no-store"', '"no-store', "no-store;", "\x00"),
        'private="no-store, no-cache"',
        'a="x, no-store, y", b="\\", no-cache"',
        'a="x, no-store',
    ],
)
def test_what_is_unknown_or_malformed_is_ignored(value: str) -> None:
    assert CacheControl.parse(value) == ANYTHING


def test_a_quoted_comma_hides_nothing_behind_it() -> None:
    assert CacheControl.parse('a="x, y", no-store') == CacheControl(no_store=True)


@given(st.text() | st.text('no-store,cache="\\ =max-age0123', max_size=40))
def test_no_header_is_too_odd(value: str) -> None:
    read = CacheControl.parse(value)
    assert read.max_age is None or read.max_age >= 0
    if '"' not in value:
        assert read.no_store is ("no-store" in names(value))


def names(value: str) -> set[str]:
    return {part.partition("=")[0].strip() for part in value.lower().split(",")}


def test_a_huge_max_age_is_for_ever() -> None:
    assert CacheControl.parse("max-age=" + "9" * 5000).accepts(1e12)


DIRECTIVES = st.lists(
    st.sampled_from(["no-cache", "no-store", "only-if-cached"])
    | st.integers(0, 10**6).map("max-age={}".format)
    | st.sampled_from(["x", 'y="a, b"', "max-stale"]),
    max_size=5,
)


@given(DIRECTIVES, st.sampled_from([",", ", ", " ,\t", ",,"]))
def test_directives_are_read_in_any_company(directives: list[str], comma: str) -> None:
    read = CacheControl.parse(comma.join(directives))
    ages = [name.removeprefix("max-age=") for name in directives if name.startswith("max-age=")]
    assert read == CacheControl(
        no_cache="no-cache" in directives,
        no_store="no-store" in directives,
        only_if_cached="only-if-cached" in directives,
        max_age=float(ages[0]) if ages else None,
    )


@pytest.mark.parametrize(
    ("wants", "age", "accepted"),
    [
        (ANYTHING, 1e9, True),
        (CacheControl(max_age=60), 60, True),
        (CacheControl(max_age=60), 60.001, False),
        (CacheControl(max_age=0), 0, True),
        (CacheControl(no_cache=True), 0, False),
        (CacheControl(no_cache=True, max_age=60), 1, False),
        (CacheControl(no_store=True), 5, True),
    ],
)
def test_which_age_a_request_accepts(wants: CacheControl, age: float, accepted: bool) -> None:
    assert wants.accepts(age) is accepted


# README's table


def test_the_table_of_modes_says_what_decide_does() -> None:
    head, _, *rows = [
        [cell.strip() for cell in line.strip("|").split("|")] for line in modes_table().splitlines()
    ]
    assert {len(row) for row in (head, *rows)} == {5}
    assert [row[0] for row in rows] == [f"`{mode}`" for mode in Mode]
    for row, mode in zip(rows, Mode, strict=True):
        assert row[1:4] == [decide(mode, found).value for found in Found]
        assert row[4]
