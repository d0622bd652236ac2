"""Half an emoji in a chunk, as models' tokens are cut: recorded, replayed, and put together."""

import orjson
import pytest

from tests.conftest import Start
from tests.scripted_upstream import DONE, Upstream, chunk, raw, stream

HALVES = [b'"hi "', b'"\\ud83d"', b'"\\ude00"']


def frames() -> list[bytes]:
    pieces = [chunk({"content": "@"}).replace(b'"@"', half) for half in HALVES]
    return [chunk({"role": "assistant"}), *pieces, chunk({}, "stop"), DONE]


@pytest.mark.parametrize("cassette", ["x", None])
async def test_halves_of_an_emoji_are_kept_as_they_came_and_meet_in_json(
    start: Start, provider: Upstream, cassette: str | None
) -> None:
    provider.answers = [stream(frames())]
    record, replay = ("record", "replay") if cassette else ("cache", "cache")
    live = await (await start(mode=record, cassette=cassette)).chat("hi", stream=True)
    assert live.body == b"".join(frames())
    deck = await start(mode=replay, cassette=cassette)
    assert (await deck.chat("hi", stream=True)).body == live.body
    whole = await deck.chat("hi")
    assert whole.json["choices"][0]["message"]["content"] == "hi \N{GRINNING FACE}"
    assert len(provider.seen) == 1


@pytest.mark.parametrize("cassette", ["x", None])
async def test_half_an_emoji_in_a_whole_answer_is_kept_as_it_came(
    start: Start, provider: Upstream, cassette: str | None
) -> None:
    choice = {"index": 0, "message": {"role": "assistant", "content": "@"}, "finish_reason": "stop"}
    body = orjson.dumps({"id": "c", "choices": [choice]}).replace(b'"@"', b'"hi \\ud83d"')
    provider.answers = [raw(body, headers={"Content-Type": "application/json"})]
    record, replay = ("record", "replay") if cassette else ("cache", "cache")
    assert (await (await start(mode=record, cassette=cassette)).chat("hi")).body == body
    deck = await start(mode=replay, cassette=cassette)
    assert (await deck.chat("hi")).body == body
    assert len(provider.seen) == 1
