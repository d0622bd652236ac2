"""Members of JSON text are found by hand where a parser would find them, and in any bytes."""

import json  # noqa: TID251  bodies as clients write them: spaced, in ASCII

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptdeck.core.matching.clean import raw_without_secrets as without_secrets
from promptdeck.core.secrets.redact import Redactor
from promptdeck.core.text.rawjson import members, unescaped
from tests.secret_samples import TOKENS

REDACTOR = Redactor()
NAMES = st.sampled_from(["a", "credentials", "mcp_servers", 'q"', "é", "\\", ",", "{:[", ""])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.floats(-9, 9) | NAMES | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=12,
)
DEEPEST = 3


def parsed(value, path=()):
    """Path and value of each member of objects, down to the third level."""
    for key, item in value.items() if isinstance(value, dict) else ():
        if len(path) < DEEPEST:
            yield (*path, key), item
            yield from parsed(item, (*path, key))
    for item in value if isinstance(value, list) else ():
        yield from parsed(item, (*path, ""))


def plain(found):
    return sorted((path, json.dumps(value)) for path, value in found)


@given(VALUES, st.sampled_from([None, 0, 2]), st.booleans())
def test_the_members_of_json_are_those_that_a_parser_finds(value, indent, ascii_only):
    text = json.dumps(value, indent=indent, ensure_ascii=ascii_only).encode()
    found = (
        (tuple(json.loads(key) if key else "" for key in path), json.loads(text[begin:end]))
        for path, begin, end in members(text)
    )
    assert plain(found) == plain(
        (path, item) for path, item in parsed(value) if len(path) <= DEEPEST
    )


@given(st.binary(max_size=60) | st.text('{}[]:,"\\ 1é', max_size=60).map(str.encode))
def test_in_any_bytes_values_lie_within_the_text(text):
    assert all(0 <= begin <= end <= len(text) for _, begin, end in members(text))


@given(VALUES, st.sampled_from(["", "}", "]", ", 2", '"', "NaN"]))
def test_what_follows_a_value_takes_no_member_away(value, more):
    text = json.dumps(value).encode()
    found = list(members(text))
    assert list(members(text + more.encode()))[: len(found)] == found


@given(st.binary(max_size=60), st.sampled_from(TOKENS), st.booleans())
def test_what_is_cleared_stays_as_it_is_when_it_is_cleared_again(around, token, chat):
    _, secret = token
    cleared, count = without_secrets(
        around + b" " + secret.encode() + b" " + around, REDACTOR, chat=chat
    )
    assert secret.encode() not in cleared
    assert count
    assert without_secrets(cleared, REDACTOR, chat=chat) == (cleared, 0)


@given(st.text(max_size=20), st.sampled_from(['{"a":1,', '{"mcp_servers":[{']), st.data())
def test_a_string_that_is_cut_off_hides_nothing_behind_a_bracket(text, begin, data):
    whole = json.dumps("s3cret ]} ,:{[ " + text)
    cut = whole[: data.draw(st.integers(8, len(whole) - 1))]
    cleared, _ = without_secrets((begin + '"credentials":' + cut).encode(), Redactor(), chat=True)
    assert cleared == (begin + '"credentials":null').encode()


LETTERS = st.text(st.characters(exclude_categories=["Cs"]) | st.sampled_from('"\\/<\n\x7f'))


def escaped(text, chance):
    """JSON text in which any character may be written as an escape."""
    shown = []
    for letter in text:
        plain = json.dumps(letter, ensure_ascii=False)[1:-1]
        units = letter.encode("utf-16-be").hex()
        codes = "".join(f"\\u{units[at : at + 4]}" for at in range(0, len(units), 4))
        shown.append(chance.choice([plain, codes, codes.upper().replace("\\U", "\\u")]))
    return '"' + "".join(shown).replace("/", chance.choice(["/", "\\/"])) + '"'


@given(LETTERS, st.randoms(use_true_random=False))
def test_unescaped_text_has_each_letter_of_ascii_as_itself(text, chance):
    told = b"".join(unescaped(escaped(text, chance).encode()))
    plain = json.loads(told.decode("latin-1"), strict=False)
    ascii_only = [letter for letter in text if letter.isascii()]
    assert [letter for letter in plain if letter.isascii()] == ascii_only


@pytest.mark.parametrize("ending", ["", "\\\\", '\\"', " ", "\\\\" * 1500])
def test_long_text_is_unescaped_in_parts_that_overlap(ending):
    numbers = range(2_500_000 // (len(ending) + 25))
    parts = [*unescaped("".join(f"{n} \\u0041\\\\u0042{ending}" for n in numbers).encode())]
    whole = "".join(f"{n} A\\\\u0042{ending}" for n in numbers).encode()
    assert len(parts) > 1
    at = 0
    for part in parts:  # each begins before the one before it ends, maybe within an escape
        inner = part[12:] if at else part
        begin = whole.index(inner[:3000], max(0, at - 9000))
        assert begin <= at
        assert whole.startswith(inner, begin)
        at = begin + len(inner)
    assert at == len(whole)


def test_text_of_backslashes_alone_comes_to_an_end():
    assert len([*unescaped(b"\\" * 3_000_000)]) > 1
