"""What 0.1.0 recorded is found, verified and replaced, though less counts now than did then."""

import orjson
import pytest

from promptdeck.core.interaction import Interaction, Request
from promptdeck.core.matching.fingerprint import fingerprint
from promptdeck.core.matching.normalize import normalize
from promptdeck.core.matching.rules import Rules
from promptdeck.core.secrets.redact import Redactor
from promptdeck.stores.base import Stored
from promptdeck.stores.cassettes.file import read
from promptdeck.stores.cassettes.save import New, save
from promptdeck.stores.cassettes.verify import verify
from promptdeck.stores.sqlite.database import Database
from promptdeck.stores.sqlite.tape import cache_tape
from tests.conftest import Start
from tests.recordings import REDACTOR
from tests.scripted_upstream import Upstream, raw

JSON = {"Content-Type": "application/json"}
MARK = {"type": "ephemeral"}
TURN = {"role": "user", "content": [{"type": "text", "text": "hi", "cache_control": MARK}]}
CHOICE = {"index": 0, "message": {"content": "hi"}, "finish_reason": "stop"}
# Path, a request of which more counted in 0.1.0, and an answer.
CALLS = [
    ("/v1/chat/completions", {"model": "m", "messages": [TURN]}, {"choices": [CHOICE]}),
    (
        "/v1/chat/completions",
        {"model": "m", "messages": [], "prompt_cache_options": {"ttl": "30m"}},
        {"choices": [CHOICE]},
    ),
    ("/v1/embeddings", {"model": "e", "input": "a", "user": "u"}, {"data": []}),
    (
        "/v1/responses",
        {"model": "m", "input": "a", "metadata": {"run": "1"}, "previous_response_id": None},
        {"status": "completed"},
    ),
    ("/v1/messages", {"messages": [TURN], "max_tokens": 1}, {"stop_reason": "end_turn"}),
]
EACH = pytest.mark.parametrize(("path", "body", "answer"), CALLS)


async def recorded_once(start: Start, provider: Upstream, path: str, body: object) -> Interaction:
    """The call's recording as 0.1.0 made it: with the key of the form that it gave requests."""
    deck = await start(mode="record", cassette="now")
    await deck.request("POST", path, orjson.dumps(body))
    [one] = read(start.folder / "cassettes" / "now.yaml")
    key = fingerprint(once(one.request))
    assert key != one.key
    provider.seen.clear()
    return one._replace(key=key)


def once(request: Request) -> bytes:
    return normalize(request, Rules(), Redactor(), once=True).canonical


@EACH
@pytest.mark.parametrize("fast", [True, False])
async def test_a_cache_of_then_goes_on_to_hit(
    start: Start, provider: Upstream, fast: bool, path: str, body: object, answer: object
) -> None:
    provider.answers = [raw(orjson.dumps(answer), headers=JSON)]
    one = await recorded_once(start, provider, path, body)
    store = start.folder / "old.db"
    async with Database(store, 2**30) as database:
        tape = await cache_tape(database)
        await tape.put(one.key, Stored(one, once(one.request)), replace=True)
    deck = await start(mode="cache", store=store, fast=fast)
    for _ in range(3):
        got = await deck.request("POST", path, orjson.dumps(body))
        assert "hit" in got.cache_status
    assert provider.seen == []


@EACH
async def test_a_cassette_of_then_is_sound_and_is_replaced_by_a_new_recording(
    start: Start, provider: Upstream, path: str, body: object, answer: object
) -> None:
    provider.answers = [raw(orjson.dumps(answer), headers=JSON)]
    one = await recorded_once(start, provider, path, body)
    file = start.folder / "cassettes" / "then.yaml"
    save(file, [New(one, once(one.request), replace=True)])
    assert verify(file, REDACTOR) == []
    replay = await start(mode="replay", cassette="then")
    assert (await replay.request("POST", path, orjson.dumps(body))).status == 200
    recorder = await start(mode="record", cassette="then")
    await recorder.request("POST", path, orjson.dumps(body))
    assert [item.key != one.key for item in read(file)] == [True]
