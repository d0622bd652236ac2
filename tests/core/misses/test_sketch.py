"""The nearest of many recordings, found by sketches without reading them."""

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptdeck.core.misses.sketch import models_of, shortlist, sketch

LONG = " ".join(f"word{n}" for n in range(2000))


def form(body, line="POST /v1/chat/completions"):
    return line.encode() + b"\n" + orjson.dumps(body)


def chat(*said, **more):
    messages = [{"role": "user", "content": text} for text in said]
    return form({"model": "m", "messages": messages, **more})


def best(asked, recorded, most=1):
    sketches = [(n, sketch(one).data) for n, one in enumerate(recorded)]
    return shortlist(asked, sketches, most)


@pytest.mark.parametrize(
    "template",
    [
        lambda n: chat(f"Question {n} of a test"),
        lambda n: chat(LONG, f"Question {n} of a test"),
        lambda n: chat(f"{LONG} Question: what of {n}x?"),
        lambda n: chat(f"Today is day{n} of the year. {LONG}", "What day is it?"),
        lambda n: chat(" ".join(f"w{n * 7 + m}" for m in range(300)), "Sum it up"),
        lambda n: form({"model": "m", "input": f"{LONG} is number {n}"}, "POST /v1/responses"),
        lambda n: form({"model": "e", "input": [f"text {n}"]}, "POST /v1/embeddings"),
        lambda n: form({"query": f"number {n}", "documents": [LONG]}, "POST /v1/rerank"),
        lambda n: b"POST /v1/upload\nplain bytes \xff of file %d" % n,
    ],
)
def test_of_one_template_the_one_with_another_setting_or_word_is_among_the_best(template):
    recorded = [template(n) for n in range(300)]
    asked = template(217).replace(b'"model":"m"', b'"model":"other"').replace(b" of ", b" in ")
    assert 217 in best(asked, recorded, 20)
    assert best(recorded[101], recorded) == [101]


def test_of_an_agents_turns_the_same_turn_is_best():
    steps = [f"step {n} of it" for n in range(200)]
    recorded = [chat(*steps[:n]) for n in range(1, 200)]
    asked = chat(*steps[:149], "another step in its place")
    assert set(best(asked, recorded, 3)) & {148, 149}


def test_another_endpoint_is_given_only_where_there_is_nothing_else():
    here, there, far = chat("a"), form({"model": "m"}, "POST /v1/x"), form([], "GET /v1/y")
    assert best(chat("b"), [there, here, far], 3) == [1]
    assert sorted(best(chat("b"), [there, far, *[there] * 9], 2))[:2] == [0, 1]


@given(st.binary(), st.lists(st.binary(), max_size=5))
def test_any_bytes_have_a_sketch_and_equal_ones_are_found(asked, others):
    assert len(others) in best(asked, [*others, asked], len(others) + 1)


def test_a_sketch_is_small_whatever_it_is_of():
    huge = chat(*[LONG] * 500, **{f"field {n}": n for n in range(500)})
    assert len(sketch(huge).data) < 2000


def test_the_model_is_told():
    assert sketch(chat("a")).model == "m"
    assert [sketch(one).model for one in (b"", form([]), form({"model": 1}))] == [None] * 3
    assert models_of([chat("a"), form({"model": "n"}), b"x"]) == {"m", "n"}
