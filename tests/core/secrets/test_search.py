"""All shapes of secrets are searched for at once, and nothing is lost by it."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptdeck.core.secrets import search
from tests.secret_samples import SAMPLES, TEXTS, TOKENS, placeholder, redacted

PIECES = st.sampled_from(
    [
        *(part for lead in search._leads() for part in (lead.head, lead.head[1:], lead.head * 2)),
        *(token for _, token in TOKENS),
        *(before + secret + after for _, before, secret, after in SAMPLES),
        *r"\ \n \r \b \f \u00ac \u000a %ac %3D [0m ;1m r d x c 7 - _ . t e".split(),
        " ",
    ]
)


def each_by_itself(text):
    """What the expressions find where each head has one of its own and all are always compiled."""
    groups = {}
    for lead in search._leads():
        edge = rf"(?<={search._EDGE}.{{{lead.before}}})" if lead.before else ""
        pattern = search._behind(lead.head) + edge + lead.tail
        groups.setdefault(lead.head[-1], []).append((pattern, lead))
    found = []
    for anchor, leads in groups.items():
        together = re.escape(anchor) + f"(?:{'|'.join(pattern for pattern, _ in leads)})"
        for match in re.compile(together, re.ASCII).finditer(text):
            lead = leads[match.lastindex - 1][1]
            span = search.Span(
                match.start(match.lastindex) - lead.before, match.end(match.lastindex), lead.name
            )
            found.append((not lead.before, span))
    return [span for _, span in sorted(found)]


@given(st.lists(PIECES, max_size=8).map("".join))
def test_a_shared_edge_and_a_glance_find_the_same_as_each_head_by_itself(text):
    for one in search._searches():
        one._pattern = None  # as at a start
    found = search.find(text, 0, len(text))
    assert found == each_by_itself(text)
    assert search.hit(text) == bool(found)


@given(st.lists(PIECES, max_size=6).map("".join))
def test_no_secret_is_found_where_there_is_no_head(text):
    assert search.may_hit(text) or not search.find(text, 0, len(text))


@given(st.sampled_from(SAMPLES), PIECES, st.data())
def test_no_secret_reaches_over_a_quote_unless_it_is_announced(sample, piece, data):
    _, before, secret, after = sample
    whole = before + secret + after
    at = data.draw(st.just(len(before)) | st.integers(0, len(whole)))
    left, right = piece + whole[:at], whole[at:] + piece
    text = f'{left}"{right}'
    middle = len(left) + 1
    found = search.find(text, 0, len(text))
    apart = search.find(text[:middle], 0, middle)
    apart += [
        span._replace(start=span.start + middle - 1, end=span.end + middle - 1)
        for span in search.find(text[middle - 1 :], 0, len(right) + 1)
    ]
    assert search.announced(text[:middle]) or set(found) == set(apart)


FILLING = st.sampled_from(["", "lorem ipsum dolor ", *(one.anchor for one in search._searches())])


@given(st.lists(st.tuples(FILLING, st.integers(0, 1200)), max_size=6), PIECES, st.data())
def test_a_long_text_hides_no_secret(filling, piece, data):
    parts = [part * (times // max(1, len(part))) for part, times in filling]
    parts.insert(data.draw(st.integers(0, len(parts))), f" {piece} ")
    text = "".join(parts)
    assert search.hit(text) == bool(search.find(text, 0, len(text)))


@pytest.mark.parametrize(
    "before",
    [
        r"\n",
        r"\t",
        r"\r",
        r"\"",
        r"\\n",
        r"\u0022",
        "%3D",
        "\x1b[32m",
        r"\u001b[0m",
        *"\n\t '`=(,/<[é_-",
    ],
)
def test_a_token_may_follow_an_escape_or_any_sign(before):
    for name, token in TOKENS:
        assert redacted(before + token) == before + placeholder(name)


@pytest.mark.parametrize("letter", ["x", "Z", "7"])
def test_a_token_does_not_begin_within_a_word(letter):
    for _, token in TOKENS:
        assert redacted(letter + token) == letter + token


@pytest.mark.parametrize(
    "piece",
    ["sk-", "sk-a1", "dsk-", "glpat-", "-eyJ", "-eyJaaaaaaaa.", "://", "://a:", "API_KEY=", "\\",
     "PRIVATE " + "KEY-----Ab-c: ", "PRIVATE " + "KEY-----", "Abc: x\\n", "Bearer ", "[redacted:"],
)  # fmt: skip
def test_long_repetition_takes_no_long_time(piece):
    for text in (piece * 20_000, "PRIVATE " + "KEY-----" + piece * 20_000):
        assert search.hit(text) == bool(search.find(text, 0, len(text)))


@given(TEXTS)
def test_a_hit_is_a_find(text):
    assert search.hit(text) == bool(search.find(text, 0, len(text)))


def test_tokens_come_before_the_places_they_stand_in():
    text = "Bearer " + TOKENS[3][1]
    assert [span.name for span in search.find(text, 0, len(text))] == ["openai", "bearer"]


class Looked(str):
    """A text that counts the characters among which something is looked for."""

    __slots__ = ("among",)
    among: int

    def find(self, part, begin=0, end=None):
        self.among += (len(self) if end is None else end) - begin
        return super().find(part, begin, end)

    def __contains__(self, part):
        self.among += len(self)
        return super().__contains__(part)


@pytest.mark.parametrize("parts", [100, 1000])
def test_a_part_of_a_text_is_searched_in_the_time_of_that_part(parts):
    text = Looked("x://a:b@h " * parts)
    text.among = 0
    for begin in range(0, len(text), 10):
        search.find(text, begin, begin + 10)
    assert text.among <= len(text) * len(search._searches())
