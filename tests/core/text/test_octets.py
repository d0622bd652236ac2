"""Text of any bytes as a JSON value, and back."""

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptdeck.core.text.octets import as_json, from_json
from tests.recordings import OCTETS, STRINGS


@given(OCTETS | STRINGS)
def test_every_text_that_stands_for_bytes_comes_back(text):
    assert from_json(orjson.loads(orjson.dumps(as_json(text)))) == text


@given(STRINGS)
def test_text_stays_text(text):
    assert as_json(text) == text


def test_bytes_are_shown_as_the_letters_that_they_are_in_latin_1():
    assert as_json("mod\udce8le é") == {"latin-1": "modèle \xc3\xa9"}


@pytest.mark.parametrize("text", ["\ud83d", "a\ude00", "\udcc3\udca9"])
def test_what_no_bytes_are_read_as_is_refused(text):
    with pytest.raises(ValueError, match="no bytes are read as"):
        as_json(text)


@given(
    st.none() | st.integers() | st.dictionaries(st.sampled_from(["latin-1", "x"]), st.integers())
)
def test_nothing_else_is_text(value):
    assert from_json(value) is None


def test_letters_beyond_latin_1_are_no_bytes():
    assert from_json({"latin-1": "漢"}) is None
