"""Heads known again: in the same bytes, or with another number of bytes that follow."""

from dataclasses import dataclass
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from promptdeck.core.counts import Counts
from promptdeck.server.fast.heads import Heads, KnownHead

PLACE = Counts("POST", "/v1/chat/completions", "application/json")
LINES = st.lists(
    st.sampled_from(
        ["Host: x", "Content-Length: #", "X: Content-Length: 5", "Content-length:5", "A: #", "A: 7"]
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


def head(length: int) -> KnownHead:
    lane: Any = None  # nobody asks for it here
    return KnownHead(PLACE, PLACE.seed, length, b"", "", (), lane, None)


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
    text = Text(["Host: x"], "Content-Length", [])
    heads.accept(text.with_length("5"), head(5))
    for odd in ("05", "+5", "5 ", "0x5", "", "99999999"):
        assert heads.find(text.with_length(odd)) is None
