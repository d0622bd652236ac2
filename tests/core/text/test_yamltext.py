"""Values written as YAML: any JSON comes back, and prose stays prose."""

import sys
import tracemalloc

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from promptdeck.core.text.jsontext import same
from promptdeck.core.text.yamltext import block, flow
from promptdeck.stores.cassettes.reader import YAMLReader
from tests.recordings import JSON, STRINGS


def written(value):
    return "\n".join(block({"value": value})) + "\n"


def read(text):
    reader = YAMLReader(text)
    values = {key: reader.value() for key, _ in reader.pairs()}
    return values["value"]


@given(JSON)
@example({"k" * 2000: {"k" * 2000: [{"k" * 2000: "a\nb"}, [{"k" * 2000: 1}]]}})
@example([[], {}, [[]], [{}], {"": []}])
@example([" leading\nline", "\tleading\nline", "\nleading\nline"])
def test_any_json_comes_back(value):
    assert same(read(written(value)), value)


@given(JSON)
def test_any_json_comes_back_from_one_line(value):
    line = flow(value)
    assert len(f"{line}.".splitlines()) == 1
    assert same(read(f"value: {line}\n"), value)


@given(STRINGS)
def test_any_text_comes_back_from_every_place(text):
    value = {text: text, "list": [text, [text], {text: {text: text}}]}
    assert same(read(written(value)), value)


LINES = st.lists(
    st.text(' \tabc:#-é🙂|>\\"\r\xa0\u3000\x85\ufeff', max_size=9), min_size=2, max_size=6
)


@given(LINES)
def test_lines_of_text_stay_lines_whatever_they_hold(lines):
    prose = "\n".join(lines)
    text = written(prose)
    assert read(text) == prose
    if "\n" in prose.strip("\n"):
        # Those of the text, and at most one that opens it.
        assert prose.count("\n") <= text.count("\n") <= prose.count("\n") + 2


@given(JSON | LINES.map("\n".join))
def test_no_line_ends_in_a_blank_that_a_hook_would_strip(value):
    for line in written(value).split("\n"):
        assert line == line.rstrip() == line.rstrip("\ufeff")


@given(STRINGS)
def test_other_readers_of_yaml_take_text_for_text(text):
    assert yaml.safe_load(written({"key": text, text: [text]})) == {
        "value": {"key": text, text: [text]}
    }


def test_prose_reads_as_it_was_written():
    value = {"role": "user", "content": "Weißt du:\n\n  - was # das 🙂 ist?\n"}
    assert written(value).splitlines() == [
        "value:",
        "  role: user",
        "  content: |",
        "    Weißt du:",
        "",
        "      - was # das 🙂 ist?",
    ]


@pytest.mark.parametrize(
    ("prose", "lines"),
    [
        ("\n    You\n  help", ['"\\', "  \\n\\", "  \\    You\\n\\", '  \\  help"']),
        ("one, \n\n  two", ['"\\', "  one, \\n\\", "  \\n\\", '  \\  two"']),
        ("a\n\tb\n\n", ['"\\', "  a\\n\\", "  \\tb\\n\\", '  \\n"']),
        ("a\r\nb\xa0\n", ['"\\', "  a\\r\\n\\", '  b\xa0\\n"']),
    ],
)
def test_lines_that_a_hook_would_alter_are_escaped_and_stay_lines(prose, lines):
    assert written(prose).splitlines() == [f"value: {lines[0]}", *lines[1:]]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("gpt-5", "gpt-5"),
        ("https://api.example.com/v1", "https://api.example.com/v1"),
        ("/v1/chat/completions?a=b", "/v1/chat/completions?a=b"),
        ("Grüße, wie geht's?", "Grüße, wie geht's?"),
        ('say "hi"', 'say "hi"'),
        ('"hi"', "'\"hi\"'"),
        ('it\'s "x"', 'it\'s "x"'),
        ("no", '"no"'),
        ("1:30", '"1:30"'),
        ("2001-12-14", '"2001-12-14"'),
        ("key: value", '"key: value"'),
        ("a #comment", '"a #comment"'),
        ("trailing ", '"trailing "'),
        ("\x85", '"\\u0085"'),
        ("\ufeff🙂", '"\\ufeff🙂"'),
        ("a\r\nb", '"a\\r\\nb"'),
        ("", '""'),
    ],
)
def test_text_is_plain_where_no_reader_could_mistake_it(text, line):
    assert flow(text) == line


def test_a_list_in_a_list_is_one_line():
    rows = [[20, {"content": "a\nb"}], [40, "data: [DONE]"]]
    assert written(rows).splitlines() == [
        "value:",
        '- [20, {content: "a\\nb"}]',
        '- [40, "data: [DONE]"]',
    ]


@pytest.mark.parametrize("character", ["A", "é", "a ", "a:", "/", '"', "\\", "a\n", "\x00", "0"])
def test_long_text_takes_memory_in_proportion(character):
    # orjson takes 8 bytes for each of a string in advance; then it is decoded and escaped.
    text = character * (2_000_000 // len(character))
    tracemalloc.start()
    line = flow(text)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 9 * len(text.encode()) + 3 * sys.getsizeof(line)
