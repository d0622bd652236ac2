"""How two texts differ: the words are named, the measures are sane, large texts cost no more."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptdeck.core.text import wording
from promptdeck.core.text.wording import (
    common_prefix,
    contrast,
    cut,
    edges,
    quoted,
    shared_text,
    shared_words,
    visible,
)
from tests.work import calls

# Few characters, so that texts share much.
TEXT = st.text("ab .\né的", max_size=60)
LONG = "It was the best of times, it was the worst of times, it was the age of wisdom"


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("one two three", "one 2 three", ('"one two three"', '"one 2 three"', "two -> 2")),
        ("one three", "one two three", ('"one three"', '"one two three"', '"two" added')),
        ("one two", "one", ('"one two"', '"one"', '"two" removed')),
        ("big red dog", "tiny blue dog", (..., ..., "big red -> tiny blue")),
        ("due 2024-05-01.", "due 2024-05-02.", (..., ..., "2024-05-01 -> 2024-05-02")),
        ("costs 1.5", "costs 1.50", (..., ..., "1.5 -> 1.50")),
        ("don't go", "dont go", (..., ..., "don't -> dont")),
        ("我喜欢猫。", "我喜欢狗。", (..., ..., "猫 -> 狗")),
        ("a b c d e f g h i", "a 1 c 2 e 3 g 4 i", (..., ..., "b -> 1, d -> 2, f -> 3, 1 more")),
        ("gpt-4o", "gpt-4o-mini", ('"gpt-4o"', '"gpt-4o-mini"', "")),
        ("yes", "", ('"yes"', '""', "")),
    ],
)
def test_the_changed_words_are_named(old, new, expected):
    found = contrast(old, new)
    assert all(want in (got, ...) for got, want in zip(found, expected, strict=True)), found


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("a  b", "a b", ('"a  b"', '"a b"', '" " removed')),
        ("a\tb", "a b", (r'"a\tb"', '"a b"', r'"\t" -> " "')),
        ("a b", "a\xa0b", ('"a b"', r'"a\xa0b"', r'" " -> "\xa0"')),
        ("end", "end\n", ('"end"', r'"end\n"', r'"\n" added')),
        ("zero width", "zero\u200b width", (..., r'"zero\u200b width"', ...)),
    ],
)
def test_a_difference_in_blanks_alone_is_visible(old, new, expected):
    found = contrast(old, new)
    assert all(want in (got, ...) for got, want in zip(found, expected, strict=True)), found


def test_characters_that_only_look_the_same_are_spelled_out():
    assert contrast("the caf\xe9 opens", "the cafe\u0301 opens") == (
        r'"the caf\xe9 opens"',
        r'"the cafe\u0301 opens"',
        r"caf\xe9 -> cafe\u0301",
    )


def test_long_texts_are_cut_around_the_change_at_whole_words():
    assert contrast(LONG, LONG.replace("worst", "very worst")) == (
        '"…times, it was the worst of times, it…"',
        '"…times, it was the very worst of times, it…"',
        '"very" added',
    )


def test_of_two_changes_far_apart_the_first_is_named_and_the_other_counted():
    middle = "and so it went on for a long time " * 100
    assert contrast(f"a first {middle} last", f"a 1st {middle} end") == (
        '"a first and so it went on…"',
        '"a 1st and so it went on…"',
        "first -> 1st, 1 more",
    )


def test_a_change_deep_inside_one_endless_word_is_in_sight():
    old, new = "A" * 5000 + "B" + "A" * 5000, "A" * 5000 + "C" + "A" * 5000
    shown_old, shown_new, _ = contrast(old, new)
    assert "B" in shown_old
    assert "C" in shown_new
    assert max(len(shown_old), len(shown_new)) < 90


@given(TEXT | st.text(), TEXT | st.text())
def test_texts_that_differ_are_shown_differently_and_short(old, new):
    found = contrast(old * 9, new * 9)
    assert (found.old == found.new) == (old == new)
    assert max(len(found.old), len(found.new)) < 900  # escapes are longer than what they stand for
    assert found.old.count("\n") == found.new.count("\n") == found.words.count("\n") == 0


@given(TEXT, TEXT)
def test_edges_are_common_and_as_long_as_can_be(a, b):
    start, end = edges(a, b)
    assert a[:start] == b[:start]
    assert a[len(a) - end :] == b[len(b) - end :]
    assert start + end <= min(len(a), len(b))
    a, b = a[start : len(a) - end], b[start : len(b) - end]
    assert not (a and b) or (a[0] != b[0] and a[-1] != b[-1])


@given(st.lists(st.integers(0, 1)), st.lists(st.integers(0, 1)))
def test_the_common_prefix_is_found_by_halves(a, b):
    length = common_prefix(a, b)
    assert a[:length] == b[:length]
    assert a[length : length + 1] != b[length : length + 1] or length == len(a) == len(b)


@pytest.mark.parametrize("measure", [shared_words, shared_text])
@given(TEXT.map(str.encode), TEXT.map(str.encode))
def test_likeness_is_between_0_and_1_and_1_for_the_same(measure, a, b):
    assert 0 <= measure(a, b) <= 1
    assert measure(a, a) == 1 or not a


def test_the_careful_measure_minds_the_order_of_words():
    rivers = b"from the rivers to the lakes of the north"
    lakes = b"from the lakes to the rivers of the north"
    assert shared_words(rivers, lakes) == 1
    assert shared_text(rivers, lakes) < 0.9


@pytest.mark.parametrize("unit", ["word ", "\n", "a", "的一"])
def test_ten_megabytes_take_no_more_steps_than_one(unit, monkeypatch):
    matcher, given = wording._matcher, []

    def little(a, b):
        given.append(max(len(a), len(b)))
        return matcher(a[:20], b[:20])

    # difflib's steps grow with the square of what it is given.
    monkeypatch.setattr(wording, "_matcher", little)

    def steps(size):
        text = unit * (size // len(unit))
        at = len(text) * 7 // 10
        changed = text[:at] + "X" + text[at + 1 : -3]

        def compare():
            contrast(text, changed)
            shared_words(text.encode(), changed.encode())
            shared_text(text.encode(), changed.encode())

        return calls(compare)

    assert steps(10_000_000) < 1.1 * steps(1_000_000)
    assert max(given) <= 400


def test_what_a_terminal_would_obey_is_escaped():
    assert visible("a\x1b[31m\u202eb é") == r"a\x1b[31m\u202eb é"
    assert quoted('say "a"\n\u2028') == r'"say \"a\"\n\u2028"'


def test_a_cut_text_says_so():
    assert cut("abcdef", 6) == "abcdef"
    assert cut("abcdefg", 6) == "abcde…"


@given(st.text(), st.integers(1, 80))
def test_what_is_shown_is_printable_and_no_longer_than_it_may_be(text, most):
    assert visible(text).isprintable()
    assert quoted(text).isprintable() if text.isascii() else True
    assert len(cut(text, most)) <= most
    assert cut(text, most) == text or cut(text, most)[:-1] == text[: most - 1]
