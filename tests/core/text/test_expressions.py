"""Users' expressions on many texts at once: the same as on each by itself."""

import re

from hypothesis import given
from hypothesis import strategies as st

from promptdeck.core.text.expressions import PLAINLY, found, replaced

PATTERN = st.sampled_from(["a", "a+b?", r"\bx", "^", "$", "(?=b)", r"[^a]\d*", "é|\ud83d"])
TEXT = st.text("abx1 é\ud83d\n", max_size=12)


@given(st.lists(st.tuples(PATTERN, st.sampled_from(["", "x", r"<\g<0>>"]))), st.lists(TEXT))
def test_rules_are_applied_to_each_text_in_their_order(rules, texts):
    expected = []
    for text in texts:
        for pattern, placeholder in rules:
            text = re.sub(pattern, placeholder, text)
        expected.append(text)
    assert PLAINLY.replaced(rules, texts) == expected


@given(st.lists(PATTERN), st.lists(st.tuples(TEXT, st.integers(0, 12))))
def test_matches_are_found_in_each_part_of_each_text(patterns, texts):
    split = [
        (text, [(0, min(at, len(text))), (min(at, len(text)), len(text))]) for text, at in texts
    ]
    expected = [
        [
            (*match.span(), number)
            for begin, end in parts
            for number, pattern in enumerate(patterns)
            for match in re.compile(pattern).finditer(text, begin, end)
            if match[0]
        ]
        for text, parts in split
    ]
    assert PLAINLY.found(patterns, split) == expected


def test_the_number_of_each_expression_is_told_before_it_runs():
    told: list[int] = []
    replaced([("a", "b"), ("b", "c")], ["a"], told.append)
    found(["a"], [("a", [(0, 1)])], told.append)
    assert told == [0, 1, 0]
