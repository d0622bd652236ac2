"""Each kind of secret is known by its shape, and nothing that only looks like one."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptdeck.core.secrets import search, shapes
from tests.innocent_texts import INNOCENT
from tests.secret_samples import LOOKALIKES, SAMPLES, placeholder, published, redacted


@pytest.mark.parametrize(("name", "before", "secret", "after"), SAMPLES)
def test_each_kind_of_secret_is_found_and_nothing_around_it(name, before, secret, after):
    assert redacted(before + secret + after) == before + placeholder(name) + after


@pytest.mark.parametrize("seed", range(3))
def test_each_published_shape_is_found_as_a_whole(seed):
    for name, token in published(seed):
        for before, after in [("Use ", " now"), ('{"a":"', '"}'), (r"\n", r"\n"), ("`", "`.")]:
            text = before + token + after
            found = [
                (text[start:end], kind) for start, end, kind in search.find(text, 0, len(text))
            ]
            assert token in [one for one, _ in found], (name, text, found)


def test_at_least_225_shapes_of_many_issuers_are_published():
    assert len({token.partition(" ")[0][:4] for _, token in published(0)}) > 225
    assert len({name for name, _ in published(0)}) > 150


def test_every_pattern_has_a_sample():
    names = {name for name, *_ in SAMPLES} | {name for name, _ in published(0)}
    assert set(shapes.NAMES) - names == {"webhook", "teams", "wandb"} & set(shapes.NAMES) - names


@pytest.mark.parametrize("text", LOOKALIKES)
def test_what_only_looks_like_a_secret_is_none(text):
    assert not search.find(text, 0, len(text))


@given(st.binary(max_size=3000))
def test_base64_is_no_secret(data):
    text = "data:image/png;base64," + base64.b64encode(data).decode()
    assert not search.hit(text)


@pytest.mark.parametrize("kind", shapes.TOKENS, ids=lambda kind: f"{kind.name}-{kind.head}")
def test_a_place_says_which_part_of_it_is_the_secret(kind):
    assert kind.pattern.groups == kind.place


@pytest.mark.parametrize("text", INNOCENT)
def test_what_is_no_secret_stays(text):
    for one in (text, f"see {text} there", f'{{"a": "{text}"}}'):
        assert not search.find(one, 0, len(one))
