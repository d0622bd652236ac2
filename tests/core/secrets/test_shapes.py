"""Each kind of secret is known by its shape, and nothing that only looks like one."""

import base64
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptdeck.core.secrets import search, shapes
from tests.secret_samples import LOOKALIKES, SAMPLES, placeholder, redacted


@pytest.mark.parametrize(("name", "before", "secret", "after"), SAMPLES)
def test_each_kind_of_secret_is_found_and_nothing_around_it(name, before, secret, after):
    assert redacted(before + secret + after) == before + placeholder(name) + after


def test_every_pattern_has_a_sample():
    assert {name for name, *_ in SAMPLES} == set(shapes.NAMES)


@pytest.mark.parametrize("text", LOOKALIKES)
def test_what_only_looks_like_a_secret_is_none(text):
    assert not search.find(text, 0, len(text))


@given(st.binary(max_size=3000))
def test_base64_is_no_secret(data):
    text = "data:image/png;base64," + base64.b64encode(data).decode()
    assert not search.hit(text)


@pytest.mark.parametrize("kind", shapes.PLACES, ids=lambda kind: kind.name)
def test_a_place_says_which_part_of_it_is_the_secret(kind):
    assert re.compile(kind.tail, re.ASCII).groups == 1


@pytest.mark.parametrize("kind", shapes.TOKENS, ids=lambda kind: kind.name)
def test_a_token_is_the_secret_as_a_whole(kind):
    assert re.compile(kind.tail, re.ASCII).groups == 0
