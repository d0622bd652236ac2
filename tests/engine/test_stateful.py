"""Calls with state: cached never, recorded in their order, replayed in it, by whatever way."""

import orjson
import pytest

from tests.conftest import Start
from tests.scripted_upstream import Upstream, raw

JSON = {"Content-Type": "application/json"}
WRITES = [
    ("POST", "/v1/threads"),
    ("POST", "/v1/conversations"),
    ("POST", "/v1/batches"),
    ("DELETE", "/v1/files/f"),
    ("PUT", "/v1/skills/s"),
    ("PATCH", "/v1/things/t"),
]
FAST = pytest.mark.parametrize("fast", [True, False], ids=["fast", "ordinary"])


def said(**value: object) -> object:
    return raw(orjson.dumps(value), headers=JSON)


@FAST
@pytest.mark.parametrize(("method", "path"), WRITES)
async def test_a_cache_answers_no_write(
    start: Start, provider: Upstream, method: str, path: str, fast: bool
) -> None:
    deck = await start(mode="cache", fast=fast)
    provider.answers = [said(id=n) for n in range(3)]
    data = None if method == "DELETE" else b"{}"
    got = [await deck.request(method, path, data) for _ in range(3)]
    assert [one.json["id"] for one in got] == [0, 1, 2]
    assert all("hit" not in one.cache_status and "stored" not in one.cache_status for one in got)
    assert len(provider.seen) == 3


@FAST
async def test_a_poll_comes_to_its_end_in_a_cache(
    start: Start, provider: Upstream, fast: bool
) -> None:
    deck = await start(mode="cache", fast=fast)
    states = ["validating", "in_progress", "completed"]
    provider.answers = [said(status=state) for state in states]
    assert [(await deck.request("GET", "/v1/batches/b")).json["status"] for _ in states] == states


@FAST
async def test_a_poll_is_recorded_in_its_order_and_replays_so_staying_at_the_last(
    start: Start, provider: Upstream, fast: bool
) -> None:
    states = ["validating", "in_progress", "completed"]
    provider.answers = [said(status=state) for state in states]

    async def poll(mode: str, times: int) -> list[str]:
        deck = await start(mode=mode, cassette="job", fast=fast)
        got = [await deck.request("GET", "/v1/batches/b") for _ in range(times)]
        return [one.json["status"] for one in got]

    assert await poll("record-missing", 3) == states
    assert await poll("replay", 5) == [*states, "completed", "completed"]
    # What was recorded is played in its order; what is asked beyond it is recorded.
    provider.answers = [said(status="archived")]
    assert await poll("record-missing", 4) == [*states, "archived"]
    assert await poll("replay", 5) == [*states, "archived", "archived"]


async def test_what_is_created_twice_replays_as_two(start: Start, provider: Upstream) -> None:
    provider.answers = [said(id=1), said(id=2)]
    for mode in ("record-missing", "replay"):
        deck = await start(mode=mode, cassette="two")
        got = [await deck.request("POST", "/v1/threads", b"{}") for _ in range(2)]
        assert [one.json["id"] for one in got] == [1, 2]
    assert len(provider.seen) == 2


@pytest.mark.parametrize(
    ("name", "value"),
    [("background", True), ("previous_response_id", "r_1"), ("conversation", {"id": "c"})],
)
async def test_a_response_that_names_state_is_not_kept(
    start: Start, provider: Upstream, name: str, value: object
) -> None:
    deck = await start(mode="cache")
    answer = {"id": "r", "status": "completed", "output": []}
    provider.answers = [said(**answer, n=n) for n in range(4)]
    plain = {"model": "m", "input": "hi"}
    for body, different in ((plain, False), ({**plain, name: value}, True)):
        data = orjson.dumps(body)
        one, two = [await deck.request("POST", "/v1/responses", data) for _ in range(2)]
        assert (one.json["n"] != two.json["n"]) == different


@pytest.mark.parametrize("fast", [True, False])
async def test_half_an_answer_of_any_model_is_asked_for_again(
    start: Start, provider: Upstream, fast: bool
) -> None:
    deck = await start(mode="cache", fast=fast)
    events = {"Content-Type": "text/event-stream"}
    half = b'event: response.created\ndata: {"type":"response.created","response":{}}\n\n'
    end = b'event: response.completed\ndata: {"type":"response.completed","response":{}}\n\n'
    provider.answers = [raw(half, headers=events), raw(half + end, headers=events)]
    data = b'{"model":"m","input":"hi","stream":true}'
    got = [await deck.request("POST", "/v1/responses", data) for _ in range(3)]
    assert [one.body for one in got] == [half, half + end, half + end]
    assert ["hit" in one.cache_status for one in got] == [False, False, True]


@pytest.mark.parametrize("fast", [True, False])
async def test_a_setting_adds_and_removes_paths(
    start: Start, provider: Upstream, fast: bool
) -> None:
    environ = {
        "PROMPTDECK_MATCH_PURE": '["summaries/*"]',
        "PROMPTDECK_MATCH_STATEFUL": '["/v1/embeddings", "audio/*"]',
    }
    deck = await start(environ, mode="cache", fast=fast)
    provider.answers = [said(n=n) for n in range(20)]
    for path, pure in [
        ("/v1/summaries/a?x=1", True),
        ("/v1/summaries", False),
        ("/v1/embeddings", False),
        ("/v1/audio/speech", False),
        ("/v1/moderations", True),
    ]:
        one, two = [(await deck.request("POST", path, b"{}")).json["n"] for _ in range(2)]
        assert (one == two) == pure, path
