"""A diff shows people where two requests part, and how much of them it leaves out."""

import difflib

import pytest
from hypothesis import given

from promptdeck.core.misses.diff import unified_diff
from promptdeck.core.text.jsontext import canonical
from tests.core.misses.test_differences import FORM, LARGE, PAIR, form, user
from tests.work import calls


@given(FORM, FORM)
def test_any_two_requests_have_a_diff(asked, recorded):
    assert isinstance(unified_diff(asked, recorded), str)
    assert unified_diff(asked, asked) == ""


@given(PAIR)
def test_there_is_a_diff_exactly_where_canonical_texts_differ(pair):
    asked, recorded = pair
    assert bool(unified_diff(form(asked), form(recorded))) == (
        canonical(asked) != canonical(recorded)
    )


def test_the_deepest_nesting_that_parses_has_a_diff():
    deep = b"[" * 200 + b"%d" + b"]" * 200
    diff = unified_diff(form(deep % 1), form(deep % 2))
    assert diff.startswith("--- recorded\n+++ asked\n@@ -200,5")


def test_a_diff_shows_indented_json_with_two_lines_around():
    body = {"model": "m", "messages": [user("Hello"), user("Bye")], "n": 1, "seed": 5, "top_p": 1}
    assert unified_diff(form(body | {"n": 2}), form(body)).splitlines() == [
        "--- recorded",
        "+++ asked",
        "@@ -12,5 +12,5 @@",
        "   ],",
        '   "model": "m",',
        '-  "n": 1,',
        '+  "n": 2,',
        '   "seed": 5,',
        '   "top_p": 1',
    ]


def test_a_diff_breaks_texts_into_their_lines():
    text = 'You teach.\nSay "please".\n\nA path: C:\\new.\nBe brief.\n'
    diff = unified_diff(form([text.replace("brief", "kind")]), form([text]))
    assert diff.splitlines()[3:] == [
        r"     \n",
        r"     A path: C:\\new.\n",
        r'-    Be brief.\n"',
        r'+    Be kind.\n"',
        " ]",
    ]


def test_a_diff_breaks_long_paragraphs_into_sentences():
    text = " ".join(f"This is sentence number {n}." for n in range(30))
    diff = unified_diff(form({"a": text.replace("number 7", "No. 7")}), form({"a": text}))
    assert "-    This is sentence number 7. \n" in diff
    assert max(map(len, diff.splitlines())) < 60


def test_equal_requests_have_no_diff():
    assert unified_diff(form({"a": 1}), form({"a": 1})) == ""


def test_a_long_diff_is_cut_and_says_so():
    asked, recorded = form(list(range(500))), form(list(range(1000, 1500)))
    lines = unified_diff(asked, recorded).splitlines()
    assert len(lines) == 201
    assert lines[-1] == "… cut: 806 more lines of diff"


def test_what_is_too_long_to_compare_is_counted_in_the_diff():
    common = list(range(4000))
    diff = unified_diff(form([*common, 1, *common]), form([*common, 2, *common]))
    assert diff.splitlines()[-1] == "… cut: 1004 more lines were not compared"
    assert "-  2,\n+  1,\n" in diff


def test_a_line_without_end_is_cut_in_the_diff():
    lines = unified_diff(form(["A" * 9000]), form(["B" * 9000])).splitlines()
    assert lines[-2] == '+  "' + "A" * 316 + "… and 8685 more characters"


def test_a_diff_says_of_bytes_only_how_many():
    diff = unified_diff(form(b"\xff"), form(b"\xff\xfe"))
    assert diff.splitlines()[-2:] == ["-2 bytes that are no text", "+1 bytes that are no text"]


@pytest.mark.parametrize("make", LARGE)
def test_a_diff_of_twice_as_large_requests_takes_at_most_twice_the_steps(make, monkeypatch):
    diff, given = difflib.unified_diff, []

    def little(old, new, *names, **options):
        given.append(max(len(old), len(new)))
        return diff(old[:20], new[:20], *names, **options)

    # difflib's steps grow with the square of what it is given.
    monkeypatch.setattr(difflib, "unified_diff", little)

    def steps(size):
        asked, recorded = form({"input": make(3, size)}), form({"input": make(5, size)})

        def compare():
            assert unified_diff(asked, recorded)

        return calls(compare)

    # By pairs it would be four times.
    assert steps(2) < 2.2 * steps(1)
    assert max(given) <= 3000
