"""The outline of JSON text: short, and JSON if and only if the whole is."""

import json  # noqa: TID251  styles

import orjson
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from promptdeck.core.text.outline import outlined

ODD = [
    "\\",
    '"',
    "é",
    "漢",
    "😀",
    "\n",
    "\x7f",
    "\u2028",
    "a",
    " ",
    "/",
    "\\u0041",
    "\ud83d",
    "\x01",
]
LONG = st.builds(
    lambda parts, times: "".join(parts) * times,
    st.lists(st.sampled_from(ODD) | st.text(max_size=20), min_size=1, max_size=8),
    st.integers(1, 9000),
)
NUMBERS = st.builds(
    lambda some, times: some * times,
    st.lists(st.integers() | st.floats(allow_nan=False, allow_infinity=False), max_size=5),
    st.integers(1, 3000),
)
VALUES = st.recursive(
    LONG | NUMBERS | st.none() | st.integers(),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=4,
)


def read(text: bytes):
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return None


def shape(value):
    """A value but for what may be cut short."""
    match value:
        case dict():
            return {key: shape(item) for key, item in value.items()}
        case list():
            return [shape(item) for item in value if not isinstance(item, int | float)]
        case str():
            return value[:50]
    return value


@given(VALUES, st.booleans(), st.sampled_from([None, 2]))
def test_an_outline_says_the_same_but_for_what_is_long(value, ascii_only, indent):
    text = json.dumps(value, ensure_ascii=ascii_only, indent=indent).encode(
        "utf-8", "surrogatepass"
    )
    whole, short = read(text), read(outlined(text))
    assert (whole is None) == (short is None)
    assert shape(whole) == shape(short)


@given(VALUES, st.booleans(), st.data())
def test_what_is_no_json_has_no_outline_that_is(value, ascii_only, data):
    text = bytearray(
        json.dumps([value, 1], ensure_ascii=ascii_only).encode("utf-8", "surrogatepass")
    )
    at = data.draw(st.integers(0, len(text) - 1))
    text[at : at + data.draw(st.integers(0, 2))] = data.draw(
        st.sampled_from(
            [b"", b'"', b"\\", b"\n", b"\xff", b"\xc3", b",", b"]", b"\\u12", b"\\ud800"]
        )
    )
    text = bytes(text)
    assert (read(text) is None) == (read(outlined(text)) is None)


@given(st.binary(max_size=300) | st.text().map(str.encode))
@example(b"")
@example(b'"')
def test_short_text_is_itself(text):
    assert outlined(text) is text


@pytest.mark.parametrize(
    "value",
    [
        "x" * 10**6,
        "\\" * 10**6,
        "\n漢" * 10**5,
        "😀" * 10**5,
        [0.25] * 10**5,
        [[7] * 10**5, "x" * 10**5],
    ],
)
@pytest.mark.parametrize("ascii_only", [False, True])
def test_an_outline_is_short(value, ascii_only):
    text = json.dumps({"a": value, "end": True}, ensure_ascii=ascii_only).encode()
    assert len(outlined(text)) < 3000
    assert read(outlined(text))["end"]


def test_what_stands_around_json_is_left():
    frame = b'event: done\ndata: {"b64":"%b","type":"done"}\n\n' % (b"A" * 10**5)
    short = outlined(frame)
    assert len(short) < 3000
    assert short.startswith(b'event: done\ndata: {"b64":"AAA')
    assert short.endswith(b'AAA","type":"done"}\n\n')
