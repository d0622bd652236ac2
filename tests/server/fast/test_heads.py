"""Heads known again: in the same bytes, or with another number of bytes that follow."""

import tracemalloc
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptdeck.core.counts import Counts
from promptdeck.server.fast.heads import Heads, KnownHead

COUNTS = Counts("POST", "/v1/chat/completions", "application/json")
LANE: Any = object()  # nobody asks anything of it here
LINES = st.lists(
    st.sampled_from(
        [
            "Host: localhost",
            "Content-Length: #",
            "X: Content-Length: 5",
            "Content-length:5",
            "A: #",
            "A: 7",
        ]
    ),
    max_size=3,
)
LENGTHS = st.integers(0, 2 * 10**6)


@dataclass
class Text:
    before: list[str]
    name: str
    after: list[str]

    def with_length(self, length: str) -> bytes:
        lines = ["POST / HTTP/1.1", *self.before, f"{self.name}: {length}", *self.after, "", ""]
        return "\r\n".join(lines).encode()


TEXTS = st.builds(Text, LINES, st.sampled_from(["Content-Length", "content-length"]), LINES)


def head(length: int, lane: Any = LANE) -> KnownHead:
    return KnownHead(COUNTS, COUNTS, COUNTS.seed, length, b"", (), (), lane)


@given(TEXTS, LENGTHS, LENGTHS)
def test_a_head_with_another_length_is_known_with_that_length(
    text: Text, one: int, other: int
) -> None:
    heads = Heads()
    heads.accept(text.with_length(str(one)), head(one))
    found = heads.find(text.with_length(str(other)))
    if max(one, other) <= 1024 * 1024:
        assert found == head(other)
    else:
        assert found is None


@given(TEXTS, TEXTS, LENGTHS)
def test_a_head_that_differs_in_anything_else_is_not(one: Text, other: Text, length: int) -> None:
    heads = Heads()
    # Two lengths in one head are no HTTP: no parser accepts it, whichever it finds first.
    if any("ength: #" in line for line in (*one.before, *one.after)):
        return
    heads.accept(one.with_length(str(length)), head(length))
    if one != other:
        assert heads.find(other.with_length(str(length))) is None


def test_a_length_that_is_not_written_plainly_is_not_known_from_another() -> None:
    heads = Heads()
    text = Text(["Host: localhost"], "Content-Length", [])
    heads.accept(text.with_length("5"), head(5))
    for odd in ("05", "+5", "5 ", "0x5", "", "99999999"):
        assert heads.find(text.with_length(odd)) is None


def text_of(number: int, length: int = 7, size: int = 0) -> bytes:
    return Text([f"X-Number: {number:0{size}}"], "Content-Length", []).with_length(str(length))


@given(st.lists(st.tuples(st.integers(0, 20), st.integers(0, 20), st.booleans()), max_size=60))
def test_a_lane_takes_its_heads_along_and_no_other(
    seen: list[tuple[int, int, bool]],
) -> None:
    one: Any = object()
    other: Any = object()
    heads = Heads()
    for number, length, mine in seen:
        text = text_of(number + 100 * mine, length)
        if heads.find(text) is None:
            heads.accept(text, head(length, one if mine else other))
    heads.forget(one)
    for number, length, mine in seen:
        found = heads.find(text_of(number + 100 * mine, length))
        assert (found is None) is mine
        assert found is None or found.lane is other
    heads.forget(other)
    assert len(heads) == 0
    assert vars(heads) == vars(Heads())


@pytest.mark.parametrize("size", [10, 7500])
def test_heads_weigh_no_more_than_they_may(size: int) -> None:
    most = 512 * 1024
    heads = Heads(most)
    tracemalloc.start()
    try:
        for number in range(2000):
            heads.accept(text_of(number, size=size), head(7))
            for length in range(8, 12):
                assert heads.find(text_of(number, length, size))
        taken, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert taken < most * 1.3
    assert heads.find(text_of(1999, size=size))
    assert heads.find(text_of(0, size=size)) is None


def test_a_head_that_would_push_out_most_others_is_not_known() -> None:
    heads = Heads(64 * 1024)
    heads.accept(text_of(1), head(7))
    heads.accept(text_of(2, size=60_000), head(7))
    assert heads.find(text_of(1))
    assert heads.find(text_of(2, size=60_000)) is None
