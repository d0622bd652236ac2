"""Ids that a run's answers gave: two runs that do the same are the same."""

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptdeck.core.interaction import Frame, Interaction, Request, Response, Variant
from promptdeck.core.misses.given import by_given, ids_given

IDS = st.from_regex(r"\A(resp|batch|call)_[a-z]{3}[0-9][a-f0-9]{4}\Z")


def answer(body: bytes, target: str = "/v1/responses") -> Interaction:
    response = Response(200, (), tuple(Frame(n, part) for n, part in enumerate(body.split(b"|"))))
    request = Request("POST", target, "application/json", b"{}")
    return Interaction("", "k", Variant.JSON, 1.0, "", request, response)


@pytest.mark.parametrize(
    ("body", "ids"),
    [
        (b'{"id": "resp_a1b2c3", "output": [{"call_id":"call_9"}]}', ("resp_a1b2c3", "call_9")),
        (b'data: {"response":{"id":"resp_|a1b2"}}\n\n', ("resp_a1b2",)),
        (b'{"name": "files/a1b2c3", "uri": "https://x/files/a1b2c3"}', ("files/a1b2c3",)),
        (b'{"responseId": "r-12345678", "id": "short"}', ("r-12345678",)),
        (b'{"name": "get_weather_2", "id": "no-digit-in-it", "idle": "a1b2c3d4"}', ()),
    ],
)
def test_the_ids_of_an_answer_are_found_whole_or_in_a_stream(body: bytes, ids: tuple) -> None:
    found = ids_given(answer(body))
    assert tuple(one for one in found if not one.startswith("https")) == ids


def test_a_list_of_models_gives_no_ids() -> None:
    assert ids_given(answer(b'{"data": [{"id": "claude-opus-5"}]}', "/v1/models")) == ()


def run(ids: list[str]) -> list[tuple[bytes, list[str]]]:
    """A run that is given ids one by one, and goes on to say each in a body and in a path."""
    said = []
    for number, name in enumerate(ids):
        said.append((b"POST /v1/x\n" + orjson.dumps({"n": number}), [name]))
        said.append((f"GET /v1/jobs/{name}/events?after={name}\n".encode(), []))
        body = {"previous_response_id": name, "text": f"See {name}. Not {name}0."}
        said.append((b"POST /v1/x\n" + orjson.dumps(body), []))
    return said


@given(
    st.lists(
        st.tuples(IDS, IDS), min_size=1, max_size=3, unique_by=(lambda p: p[0], lambda p: p[1])
    )
)
def test_two_runs_that_do_the_same_with_ids_of_their_own_are_the_same(pairs) -> None:
    one, other = (list(by_given(run([pair[side] for pair in pairs]))) for side in (0, 1))
    for ours, theirs, (_, name) in zip(
        one[1::3], other[1::3], [(p[0], p[1]) for p in pairs], strict=True
    ):
        assert ours == theirs
        assert name.encode() not in theirs
    assert [b"given" in form for form in one] == [False, True, True] * len(pairs)


def test_what_no_answer_gave_before_stays() -> None:
    forms = [b"GET /v1/jobs/resp_a1b2c3\n", b'POST /v1/x\n{"id":"resp_a1b2c3"}']
    assert list(by_given([(form, []) for form in forms])) == forms
    late = [(forms[0], ["resp_a1b2c3"]), (forms[0], [])]
    assert list(by_given(late)) == [forms[0], "GET /v1/jobs/⟨given-1⟩\n".encode()]


@given(st.binary(max_size=30))
def test_any_bytes_come_back(form: bytes) -> None:
    assert list(by_given([(b"", ["resp_a1b2c3"]), (form, [])]))[1] == form


def test_two_ids_stay_two() -> None:
    ids = ["job_1a2b3c", "job_4d5e6f"]
    polls = [f"GET /v1/jobs/{name}\n".encode() for name in ids]
    straight, crossed = (
        list(by_given([(b"", ids), *((form, []) for form in order)]))
        for order in ([polls[0], polls[1], polls[0]], [polls[0], polls[1], polls[1]])
    )
    assert straight != crossed
