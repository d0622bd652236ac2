"""Cassettes read from YAML: free in layout, strict in content, a line for each problem."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from promptdeck.core.interaction import Frame, Response, Variant
from promptdeck.errors import CassetteError
from promptdeck.stores.cassettes.dump import HEADER, dump
from promptdeck.stores.cassettes.load import entries, load
from tests.recordings import (
    TEXT,
    TRICKY,
    chat_request,
    interaction,
    of,
    untold,
)

TWO = f"{HEADER}\n{dump(interaction('one'))}\n{dump(interaction('two', stream=True))}"


def answer_of(data, content_type="application/json"):
    return of(
        chat_request("x"), Response(200, (("content-type", content_type),), (Frame(1, data),))
    )


def test_entries_know_their_lines_and_what_they_say():
    found = entries(TWO)
    lines = TWO.splitlines()
    assert [lines[entry.line - 1] for entry in found] == [
        f"- id: {entry.interaction.id}" for entry in found
    ]
    assert [entry.says for entry in found] == [None, "hello"]


@pytest.mark.parametrize("text", [HEADER, "promptdeck: 1\ninteractions: []", "promptdeck: 1\n"])
def test_a_file_may_be_empty_of_interactions(text):
    assert load(text) == []


def test_layout_is_free():
    one = answer_of(b'{"a":1}')
    text = (
        "interactions:\n"
        "    -   {request: {target: /v1/chat/completions, method: 'POST', json: \n"
        '           {"model": "m", "messages": [{"role": user, content: x}]}},\n'
        "         response: {took: 1, headers: {content-type: application/json}, status: 200,\n"
        '           text: "{\\"a\\"\\\n'
        '             :1}"},\n'
        f"         id: {one.id}, key: {one.key}, variant: json,\n"
        "         recorded: 2023-11-14T23:13:20.123+01:00, upstream: https://api.example.com/v1}\n"
        "promptdeck: 1\n"
    )
    assert load(text) == [untold(one)]


def test_windows_line_ends_change_nothing():
    one = interaction("two\nlines\n\nand more", "an\nanswer")
    assert load((HEADER + dump(one)).replace("\n", "\r\n")) == [one]


def without(line):
    return TWO.replace(f"{line}\n", "", 1)


def instead(old, new):
    assert old in TWO
    return TWO.replace(old, new, 1)


FIRST = TWO.splitlines().index(f"- id: {load(TWO)[0].id}") + 1
SECOND = TWO.splitlines().index(f"- id: {load(TWO)[1].id}") + 1


@pytest.mark.parametrize(
    ("text", "line", "problem"),
    [
        ("", 1, "`promptdeck: 1` is missing"),
        ("- a\n", 1, "this is no cassette"),
        ("\x00\x01\x02", 1, "this is no cassette"),
        ("openapi: 3.1.0\n", 1, "this is no cassette"),
        ("interactions:\n- request: {}\nversion: 1\n", 1, "cassette import tapes/x.yaml --to NAME"),
        ("---\nhttp_interactions:\n- request: {}\n", 1, "cassette import tapes/x.yaml --to NAME"),
        ('{"log": {"entries": []}}', 1, "cassette import tapes/x.yaml --to NAME"),
        ("- promptdeck: 1\n", 1, "a root that is not a mapping"),
        (instead("promptdeck: 1", "promptdeck: 2"), 2, "update promptdeck"),
        (instead("promptdeck: 1", "promptdeck: 0"), 2, "no format version 0"),
        (instead("promptdeck: 1", "promptdeck: true"), 2, "no format version True"),
        (instead("promptdeck: 1", "promptdeck: '1'"), 2, "no format version '1'"),
        ("promptdeck: 1\ninteractions: 5\n", 2, "anything but a list"),
        ("promptdeck: 1\ninteractions:\n- 5\n", 3, "the entry must be a mapping"),
        (TWO + "more: 1\n", len(TWO.splitlines()) + 1, "unknown key 'more'"),
        (without("  request:"), FIRST + 5, "mapping values are not allowed"),
        (without("    method: POST"), FIRST, "`method` is missing"),
        (without("    took: 80"), FIRST, "`took` must be a whole number"),
        (without("  variant: sse"), SECOND, "`variant` is missing"),
        (instead("variant: sse", "variant: tape"), SECOND, "'tape' is not a valid Variant"),
        (instead("    frames:", "    frame:"), SECOND, "unknown key 'chunk'"),
        (instead("    target:", "    tarjet:"), FIRST, "`request` has an unknown key 'tarjet'"),
        (instead("    status: 200", "    status: 99"), FIRST, "`status` must be"),
        (instead("    status: 200", "    status: true"), FIRST, "`status` must be"),
        (instead("- [20, ", "- [-20, "), SECOND, "frame 1 does not start with its milliseconds"),
        (instead("- [20, ", "- [true, "), SECOND, "frame 1 does not start"),
        (instead("- [20, ", f"- [{2**53}, "), SECOND, "frame 1 does not start"),
        (instead('"data: [DONE]"]', "data, [DONE]]"), SECOND, "frame 4 has no known form"),
        (instead("\n    json:", "\n    text: x\n    json:"), FIRST, "more than one of json, text"),
        (instead("took: 80", "took: 80\n    style: cubist"), FIRST, "no style 'cubist'"),
        (instead("application/json", "5"), FIRST, "numbers want quotes"),
        (instead("says: hello", "says: [hello]"), SECOND, "`says` must be text"),
        (instead('"2023-11-14T22:13:20.123Z"', "yesterday"), FIRST, "Invalid isoformat"),
        (instead('20.123Z"', '20.123"'), FIRST, "has no time zone"),
        (instead("  key:", "  key: p1\n  key:"), FIRST + 2, "'key' for the second time"),
        (instead("  key: ", "  key: &a "), FIRST + 1, "an alias or anchor"),
        (instead("  key: ", "  key: !!python/name:os.system "), FIRST + 1, "the tag"),
        (instead("  key: ", "  key: *a # "), FIRST + 1, "an alias or anchor"),
        (instead("\n- id", "\n<<<<<<< HEAD\n- id"), FIRST, "an unresolved git merge"),
    ],
)
def test_a_problem_is_told_with_file_and_line(text, line, problem):
    with pytest.raises(CassetteError, match=r"^tapes/x\.yaml:\d+: ") as told:
        load(text, "tapes/x.yaml")
    assert problem in str(told.value)
    assert str(told.value).startswith(f"tapes/x.yaml:{line}: ")


def test_base64_must_be_base64():
    text = dump(answer_of(b"\xff" * 10)).replace("////", "//*//", 1)
    with pytest.raises(CassetteError, match="base64"):
        load(HEADER + text)


MUTANTS = st.one_of(
    TRICKY,
    TEXT,
    st.sampled_from(["", "\n", "  ", "- ", "? ", ": ", "[", "]", "{", "}", "&a ", "*a ", "!!int "]),
    st.sampled_from(["!!python/object:os.system ", "9" * 30, "-1", "true", "\x00", "\t", "'", '"']),
    st.sampled_from(
        ["<<: ", "%", "...\n", "---\n", "!<x> ", "|9\n", ">-\n", "0001-01-01", "1e999"]
    ),
)


@given(
    st.integers(0, len(TWO)),
    st.integers(0, 40) | st.integers(0, len(TWO)),
    MUTANTS | st.integers(0, len(TWO)).map(lambda start: TWO[start : start + 99]),
)
@example(0, len(TWO), "")
def test_any_mutation_is_read_or_told_with_its_line(start, length, mutant):
    text = TWO[:start] + mutant + TWO[start + length :]
    try:
        found = load(text, "x.yaml")
    except CassetteError as told:
        place, line, _ = str(told).split(":", 2)
        assert place == "x.yaml"
        assert 1 <= int(line) <= len(text.splitlines()) + 1
    else:
        assert all(variant.variant in Variant for variant in found)
