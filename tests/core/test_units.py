"""Durations, sizes and paces: read, refused, and written so that they are read the same."""

import math
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptdeck.core.units import (
    Moments,
    format_duration,
    format_pace,
    format_size,
    parse_duration,
    parse_pace,
    parse_size,
)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90", 90.0),
        ("0", 0.0),
        ("250ms", 0.25),
        ("1.5s", 1.5),
        ("10m", 600.0),
        ("24h", 86_400.0),
        ("7d", 604_800.0),
        ("0.5 d", 43_200.0),
        ("1.0009s", 1.0),
    ],
)
def test_a_duration_is_read_as_seconds(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("1048576", 2**20),
        ("64 MiB", 64 * 2**20),
        ("64MB", 64 * 10**6),
        ("1GiB", 2**30),
        ("1.5 gib", 3 * 2**29),
        ("10k", 10_000),
        ("10Ki", 10_240),
        ("2m", 2 * 10**6),
        ("7 B", 7),
        ("0", 0),
    ],
)
def test_a_size_is_read_as_bytes(text: str, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize(
    ("text", "pace"), [("instant", math.inf), ("recorded", 1.0), ("2x", 2.0), ("0.5x", 0.5)]
)
def test_pace_is_what_recorded_delays_are_divided_by(text: str, pace: float) -> None:
    assert parse_pace(text) == pace


BAD_NUMBERS = ["", " ", "x", "-1", "1e3", "nan", "inf", "1..2", ".5", "1_000", "٣", "9" * 17, "1\n"]


@pytest.mark.parametrize("text", [*BAD_NUMBERS, "1y", "10M", "1h30m", "9" * 16 + "d"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        parse_duration(text)


@pytest.mark.parametrize("text", [*BAD_NUMBERS, "1 PiB", "5 bits", "1MiBs", "9" * 16 + "k"])
def test_what_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        parse_size(text)


@pytest.mark.parametrize("text", [*BAD_NUMBERS, "2", "0x", "0.000x", "Instant", "10000x", "2 x"])
def test_what_is_no_pace_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        parse_pace(text)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0"), (0.05, "50ms"), (1.5, "1500ms"), (90, "90s"), (600, "10m"), (604_800, "7d")],
)
def test_a_duration_is_written_in_the_largest_whole_unit(seconds: float, text: str) -> None:
    assert format_duration(seconds) == text


@pytest.mark.parametrize(
    ("size", "text"),
    [(0, "0"), (1023, "1023"), (10_000, "10 kB"), (64 * 10**6, "64 MB"), (2**30, "1 GiB")],
)
def test_a_size_is_written_in_the_largest_whole_unit(size: int, text: str) -> None:
    assert format_size(size) == text


@given(st.integers(0, 2**53))
def test_durations_round_trip(milliseconds: int) -> None:
    seconds = milliseconds / 1_000
    assert parse_duration(format_duration(seconds)) == seconds


@given(st.integers(0, 2**53))
def test_sizes_round_trip(size: int) -> None:
    assert parse_size(format_size(size)) == size


@given(st.integers(1, 9_999_999).map(lambda n: n / 1_000) | st.just(math.inf))
def test_paces_round_trip(pace: float) -> None:
    assert parse_pace(format_pace(pace)) == pace


UNITS = st.sampled_from(["", "ms", "s", "m", "h", "d", "k", "KB", "MiB", " gb", "x"])
AMOUNTS = st.from_regex(r"[0-9]{1,6}(\.[0-9]{1,9})?", fullmatch=True)
UNIT_PAIRS: list[tuple[Callable[[str], Any], Callable[[Any], str]]] = [
    (parse_duration, format_duration),
    (parse_size, format_size),
    (parse_pace, format_pace),
]


@pytest.mark.parametrize(("parse", "write"), UNIT_PAIRS)
@given(AMOUNTS, UNITS, st.text(max_size=2))
def test_what_is_read_survives_being_written(
    parse: Callable[[str], Any], write: Callable[[Any], str], amount: str, unit: str, tail: str
) -> None:
    try:
        value = parse(amount + unit + tail)
    except ValueError:
        return
    assert parse(write(value)) == value


@given(st.lists(st.tuples(st.integers(0, 20).map(lambda n: n / 4000), st.sampled_from("abc"))))
def test_moments_keep_the_order_of_asking(asked: list[tuple[float, str]]) -> None:
    moments = Moments()
    asked = [(round(1_700_000_000 + moment, 3), key) for moment, key in sorted(asked)]
    given = [moments.free(moment, key) for moment, key in asked]
    for (one, (_, key)), (other, (_, following)) in pairwise(zip(given, asked, strict=True)):
        assert one < other if key != following else one <= other
    assert all(b >= a and round(b, 3) == b for (a, _), b in zip(asked, given, strict=True))
    if len({moment for moment, _ in asked}) == len(asked):
        assert given == [moment for moment, _ in asked]


def test_a_moment_that_nobody_has_is_given_as_it_is() -> None:
    moments = Moments()
    assert [moments.free(2.0, "a"), moments.free(1.999, "b")] == [2.0, 1.999]
    assert [moments.free(1.999, "b"), moments.free(1.999, "c")] == [2.001, 2.002]
