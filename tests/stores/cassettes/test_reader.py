"""The strict reader: JSON's values, their lines, and a refusal of all else."""

import re

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from promptdeck.core.text.jsontext import same
from promptdeck.stores.cassettes import reader as yamlread
from promptdeck.stores.cassettes.reader import BadYAML, YAMLReader
from tests.recordings import JSON, TEXT


def read(text):
    reader = YAMLReader(text)
    return {key: reader.value() for key, _ in reader.pairs()}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("~", None),
        ("", None),
        ("null", None),
        ("Null", "Null"),
        ("true", True),
        ("True", "True"),
        ("no", "no"),
        ("0", 0),
        ("-1", -1),
        ("007", "007"),
        ("1_000", "1_000"),
        ("0x1F", "0x1F"),
        ("1:30", "1:30"),
        ("1٣", "1٣"),
        ("1.0", 1.0),
        ("-1.5e-3", -0.0015),
        ("1e3", 1000.0),
        (".5", ".5"),
        (".inf", ".inf"),
        ("2001-12-14", "2001-12-14"),
        ("=", "="),
        ("'1'", "1"),
        ('"\\u00e9\\ufeff"', "é\ufeff"),
        ("[1, {a: b}]", [1, {"a": "b"}]),
        ("|-\n  a\n  b", "a\nb"),
        ("18446744073709551615", 2**64 - 1),
    ],
)
def test_only_what_json_has_is_more_than_text(text, value):
    assert same(read(f"a: {text}\n")["a"], value)


@pytest.mark.parametrize("key", ["1", "null", "true", "<<", "1.5", "2001-12-14", '"a b"', "="])
def test_every_key_is_text(key):
    assert read(f"{key}: 1\n") == {key.strip('"'): 1}


@pytest.mark.parametrize(
    ("text", "line", "problem"),
    [
        ("a: 1\nb: &x 1", 2, "an alias or anchor"),
        ("a: &x [1]", 1, "an alias or anchor"),
        ("&x a: 1", 1, "an alias or anchor"),
        ("a: 1\nb: *x", 2, "an alias or anchor"),
        ("a: [1,\n *x]", 2, "an alias or anchor"),
        ("a: !!python/object/apply:os.system [id]", 1, "the tag tag:yaml.org,2002:python/object"),
        ("a:\n  !!int 1", 2, "the tag"),
        ("a: ! 1", 1, "the tag !"),
        ("!!str a: 1", 1, "the tag"),
        ("a: 1\nb: 2\na: 3", 3, "the key 'a' for the second time"),
        ("a: {b: 1,\n b: 2}", 2, "the key 'b' for the second time"),
        ("? [a]\n: 1", 1, "a key that is not text"),
        ("a: 1\n---\nb: 2", 2, "a second document"),
        ("- 1", 1, "a root that is not a mapping"),
        ("text", 1, "a root that is not a mapping"),
        ("a:\n  1e400", 2, "64 bits"),
        ("a: 18446744073709551616", 1, "64 bits"),
        ("a: " + "1" * 5000, 1, "64 bits"),
        ("a: 'open\n", 2, "unexpected end of stream"),
        ("a: [1\nb: 2", 2, "expected ',' or ']'"),
        ("é: éééé\nb: \x07\n\n\n\n\n", 2, "the character #x07"),
        ("a: |\n  b\n\tc: 1", 3, "a tab character"),
        ("a: " + "[" * 100_000, 1, "levels"),
        ("a: " + "{a: " * 100_000, 1, "levels"),
        ("a:\n" + "- " * 100_000, 2, "levels"),
    ],
)
def test_what_json_lacks_is_refused_with_its_line(text, line, problem):
    with pytest.raises(BadYAML, match=re.escape(problem)) as refused:
        read(text)
    assert refused.value.line == line


def test_json_of_two_hundred_levels_is_read():
    value = "bottom"
    for _ in range(100):
        value = {"a": [value]}
    text = str(value).replace("'", '"')
    assert same(read(f"a: {{a: {{a: {{a: {text}}}}}}}")["a"]["a"]["a"]["a"], value)


@pytest.mark.parametrize("marker", ["<<<<<<< HEAD", "=======", ">>>>>>> theirs", "||||||| 1f2e"])
def test_an_unresolved_merge_is_called_by_its_name(marker):
    with pytest.raises(BadYAML, match="an unresolved git merge") as refused:
        read(f"a: 1\nb:\n  - c: |\n      x\n{marker}\n      y\n")
    assert refused.value.line == 5


def test_a_merge_marker_in_text_is_text():
    assert read("a: |\n  <<<<<<< HEAD\n  =======\n") == {"a": "<<<<<<< HEAD\n=======\n"}


def test_entries_are_read_one_by_one_with_their_lines():
    reader = YAMLReader("# top\nfirst: 1\nlist:\n- a\n# between\n\n- b: 2\n  c: 3\n- []\nlast:\n")
    seen = []
    for key, line in reader.pairs():
        value = (
            [(at, reader.value()) for at in reader.entries()] if key == "list" else reader.value()
        )
        seen.append((key, line, value))
    assert seen == [
        ("first", 2, 1),
        ("list", 3, [(4, "a"), (7, {"b": 2, "c": 3}), (9, [])]),
        ("last", 10, None),
    ]


def test_null_has_no_entries_and_text_is_no_list():
    reader = YAMLReader("none:\nsome: text\n")
    pairs = reader.pairs()
    assert next(pairs) == ("none", 1)
    assert list(reader.entries()) == []
    assert next(pairs) == ("some", 2)
    with pytest.raises(BadYAML, match="anything but a list"):
        list(reader.entries())


@given(TEXT | st.text(st.sampled_from("[]{}-?:,&*!|>'\"%#@ \n\tab1~"), max_size=40))
@example("a: !<")
@example("%YAML 9.9\n---\na: 1")
@example("a: \ufeffb")
def test_any_text_is_read_or_refused(text):
    found = outcome(text)
    assert isinstance(found, dict) or found >= 1


@given(JSON)
def test_the_parser_without_libyaml_reads_the_same(value):
    text = yaml.safe_dump({"a": value}, allow_unicode=True)
    found = outcome(text)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(yamlread, "_Events", yaml.SafeLoader)
        assert outcome(text) == found


def outcome(text):
    try:
        return read(text)
    except BadYAML as refused:
        return refused.line
