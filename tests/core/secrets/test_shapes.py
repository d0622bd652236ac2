"""Each kind of secret is found where it stands, and nothing that only looks like one."""

import base64
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptdeck.core.secrets import shapes
from tests.secret_samples import LOOKALIKES, SAMPLES, TEXTS, TOKENS, placeholder


def redacted(text: str) -> str:
    """`text` with each secret's name in its place."""
    at, parts = 0, []
    for start, end, name in sorted(shapes.find(text, 0, len(text))):
        if start >= at:
            parts += [text[at:start], placeholder(name)]
            at = end
    return "".join(parts) + text[at:]


@pytest.mark.parametrize(("name", "before", "secret", "after"), SAMPLES)
def test_each_kind_of_secret_is_found_and_nothing_around_it(name, before, secret, after):
    assert redacted(before + secret + after) == before + placeholder(name) + after


def test_every_pattern_has_a_sample():
    assert {name for name, *_ in SAMPLES} == set(shapes.NAMES)


@pytest.mark.parametrize("text", LOOKALIKES)
def test_what_only_looks_like_a_secret_is_none(text):
    assert not shapes.find(text, 0, len(text))


PIECES = st.sampled_from(
    [
        *(part for way in shapes._ways() for part in (way.head, way.head[1:], way.head * 2)),
        *(token for _, token in TOKENS),
        *(before + secret + after for _, before, secret, after in SAMPLES),
        *r"\ \n \r \b \f \u00ac \u000a %ac %3D [0m ;1m r d x c 7 - _ . t e".split(),
        " ",
    ]
)


def each_by_itself(text):
    """What the expressions find where each head has one of its own and all are always compiled."""
    groups = {}
    for way in shapes._ways():
        edge = rf"(?<={shapes._EDGE}.{{{way.before}}})" if way.before else ""
        pattern = shapes._behind(way.head) + edge + way.tail
        groups.setdefault(way.head[-1], []).append((pattern, way))
    found = []
    for anchor, ways in groups.items():
        together = re.escape(anchor) + f"(?:{'|'.join(pattern for pattern, _ in ways)})"
        for match in re.compile(together, re.ASCII).finditer(text):
            way = ways[match.lastindex - 1][1]
            span = shapes.Span(
                match.start(match.lastindex) - way.before, match.end(match.lastindex), way.name
            )
            found.append((not way.before, span))
    return [span for _, span in sorted(found)]


@given(st.lists(PIECES, max_size=8).map("".join))
def test_a_shared_edge_and_a_glance_find_the_same_as_each_head_by_itself(text):
    for search in shapes._searches():
        search._pattern = None  # as at a start
    found = shapes.find(text, 0, len(text))
    assert found == each_by_itself(text)
    assert shapes.hit(text) == bool(found)


@given(st.lists(PIECES, max_size=6).map("".join))
def test_no_secret_is_found_where_there_is_no_head(text):
    assert shapes.may_hit(text) or not shapes.find(text, 0, len(text))


@given(st.sampled_from(SAMPLES), PIECES, st.data())
def test_no_secret_reaches_over_a_quote_unless_it_is_announced(sample, piece, data):
    _, before, secret, after = sample
    whole = before + secret + after
    at = data.draw(st.just(len(before)) | st.integers(0, len(whole)))
    left, right = piece + whole[:at], whole[at:] + piece
    text = f'{left}"{right}'
    middle = len(left) + 1
    found = shapes.find(text, 0, len(text))
    apart = shapes.find(text[:middle], 0, middle)
    apart += [
        span._replace(start=span.start + middle - 1, end=span.end + middle - 1)
        for span in shapes.find(text[middle - 1 :], 0, len(right) + 1)
    ]
    assert shapes.announced(text[:middle]) or set(found) == set(apart)


FILLING = st.sampled_from(
    ["", "lorem ipsum dolor ", *(search.anchor for search in shapes._searches())]
)


@given(st.lists(st.tuples(FILLING, st.integers(0, 1200)), max_size=6), PIECES, st.data())
def test_a_long_text_hides_no_secret(filling, piece, data):
    parts = [part * (times // max(1, len(part))) for part, times in filling]
    parts.insert(data.draw(st.integers(0, len(parts))), f" {piece} ")
    text = "".join(parts)
    assert shapes.hit(text) == bool(shapes.find(text, 0, len(text)))


@given(st.binary(max_size=3000))
def test_base64_is_no_secret(data):
    text = "data:image/png;base64," + base64.b64encode(data).decode()
    assert not shapes.hit(text)


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
        assert shapes.hit(text) == bool(shapes.find(text, 0, len(text)))


@given(TEXTS)
def test_a_hit_is_a_find(text):
    assert shapes.hit(text) == bool(shapes.find(text, 0, len(text)))


def test_tokens_come_before_the_places_they_stand_in():
    text = "Bearer " + TOKENS[3][1]
    assert [span.name for span in shapes.find(text, 0, len(text))] == ["openai", "bearer"]
