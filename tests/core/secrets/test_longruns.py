"""Runs that may be secrets are found wherever they stand in a text of any length; data is none."""

import base64
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from promptdeck.core.secrets import search
from promptdeck.core.secrets.longruns import MOST, stretches
from promptdeck.core.secrets.redact import Redactor
from tests.secret_samples import TOKENS

MIB = 1024 * 1024
_, TOKEN = TOKENS[0]
FILLERS = ["lorem ipsum ", "0.123,", "a/b.c=d&", "%20x", "\U0001f600 no", "x"]


def data(size: int, alphabet: bytes) -> str:
    made = base64.b64encode(random.Random(size).randbytes(size * 3 // 4 + 3), alphabet)
    return made[:size].decode()


@pytest.mark.parametrize("alphabet", [b"+/", b"-_"])
def test_data_holds_no_secret(alphabet: bytes) -> None:
    silence = "A" * MIB  # as sound, or as the pixels of an image
    text = f'{{"url":"data:image/png;base64,{data(16 * MIB, alphabet)}","data":"{silence}"}}'
    assert search.find(text, 0, len(text)) == []
    assert not Redactor().may_change(text.encode())


@settings(max_examples=12)
@given(
    st.sampled_from(FILLERS),
    st.sampled_from([MOST, MIB, 2 * MIB]),
    st.integers(-2 * len(TOKEN), 20),
    st.sampled_from(['"', " ", "\n", '="']),
)
def test_a_secret_is_found_at_any_place_of_a_long_text(
    filler: str, size: int, nudge: int, before: str
) -> None:
    lead = (filler * (size // len(filler) + 50))[: size + nudge] + before
    text = f"{lead}{TOKEN}{before} and more of it {filler * 9}"
    [span] = search.find(text, 0, len(text))
    assert text[span.start : span.end] == TOKEN


@pytest.mark.parametrize("size", [MOST + 1, MIB - 1, MIB, MIB + 1, 3 * MIB])
def test_what_begins_data_is_looked_at_and_what_follows_it(size: int) -> None:
    text = f'"{TOKEN}/{data(size, b"+/")}", "{TOKEN}"'
    first, second = search.find(text, 0, len(text))
    assert (first.start, text[second.start : second.end]) == (1, TOKEN)


@given(st.text("ab1 /.\u20ac", max_size=60), st.integers(0, 9), st.integers(0, 9))
def test_no_run_is_outside_of_what_is_looked_at(text: str, begin: int, less: int) -> None:
    end = max(begin, len(text) - less)
    for stretch in stretches(text, begin, end):
        for start, stop, word in stretch.runs:
            assert begin <= start < stop <= end
            assert text[start:stop] == word


@pytest.mark.parametrize("between", [",", ", ", ",\n    "])
def test_the_numbers_of_an_embedding_are_no_runs(between):
    numbers = [
        f"{sign}{whole}.{n:018}" for n in range(50) for sign in ("", "-") for whole in (0, 12)
    ]
    text = f'{{"embedding":[{between.join(numbers)}],"key":"0.123456789012345678"}}'
    [stretch] = stretches(text, 0, len(text))
    assert [run.word for run in stretch.runs] == [
        "123456789012345678"
    ]  # which a name stands before
