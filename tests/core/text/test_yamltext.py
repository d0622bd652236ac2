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


@given(st.lists(st.text(" \tabc:#-é🙂|>", max_size=9), min_size=2, max_size=6))
def test_lines_of_text_are_a_literal_block_unless_they_start_or_end_with_empty_lines(lines):
    prose = "\n".join(lines)
    literal = written(prose).startswith("value: |")
    assert literal == ("\n" in prose.strip("\n") and not prose.endswith("\n\n"))
    assert read(written(prose)) == prose


@given(STRINGS)
def test_other_readers_of_yaml_take_text_for_text(text):
    assert yaml.safe_load(written({"key": text, text: [text]})) == {
        "value": {"key": text, text: [text]}
    }


def test_prose_reads_as_it_was_written():
    value = {"role": "user", "content": "Weißt du:\n\n  - was # das 🙂 ist? \n"}
    assert written(value).splitlines() == [
        "value:",
        "  role: user",
        "  content: |",
        "    Weißt du:",
        "",
        "      - was # das 🙂 ist? ",
    ]


def test_a_prompt_from_an_indented_source_text_is_a_literal_block():
    assert written("\n    You help.\n    ").splitlines() == [
        "value: |2-",
        "",
        "      You help.",
        "      ",
    ]


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
