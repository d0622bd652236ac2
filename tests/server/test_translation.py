"""Answers of four dialects reach the clients of four: live, recorded, and replayed offline."""

import os

import pytest

from promptdeck.core.dialects.interpreted import understood
from promptdeck.core.interaction import Variant
from promptdeck.server.answers.rendering import is_events
from promptdeck.stores.cassettes.save import New, save
from tests.conftest import Start
from tests.raw_client import Got as Heard
from tests.raw_client import Talk, dechunked, talking
from tests.recordings import base_of
from tests.server.fast.test_paced import comparable
from tests.translations import PAIRS, asked_by, recorded

JSON = {"Content-Type": "application/json"}

ALL = [(client, upstream, stream) for client, upstream in PAIRS for stream in (True, False)]


def kept(start: Start) -> None:
    """A cassette `c` with an answer of each dialect to a client of each other one."""
    path = start.folder / "cassettes" / "c.yaml"
    path.parent.mkdir(exist_ok=True)
    found = [recorded(client, upstream, stream=stream) for client, upstream, stream in ALL]
    save(path, [New(one, base_of(one.request), replace=False) for one in found])
    # One that was written just now is looked at again, in the ordinary way.
    os.utime(path, (1, 1))


async def asked(talk: Talk, client: str, upstream: str, *, stream: bool) -> Heard:
    request = asked_by(client, upstream, stream=stream)
    talk.ask(request.body, target=request.target)
    return await talk.answer()


@pytest.mark.parametrize("pace", ["instant", "50x"])
async def test_a_recording_of_any_dialect_answers_a_client_of_any_other(
    start: Start, pace: str
) -> None:
    kept(start)
    told = []
    for fast in (True, False):
        deck = await start(
            mode="replay", cassette="c", pace=pace, fast=fast, store=start.folder / f"{fast}.db"
        )
        got = []
        async with talking(deck.server) as talk:
            for _ in range(2):
                for client, upstream, stream in ALL:
                    got.append(await asked(talk, client, upstream, stream=stream))
        told.append([comparable(one) for one in got])
        for (client, upstream, stream), one in zip(ALL * 2, got, strict=True):
            recording = recorded(client, upstream, stream=stream)
            wanted = understood(recording)
            body = dechunked(one.body) if "transfer-encoding" in one.headers else one.body
            assert (one.status, body) == ("HTTP/1.1 200 OK", wanted.body)
            assert is_events(one.headers["content-type"]) == stream
            assert one.headers["x-promptdeck-served"].endswith(f"; translated-from={upstream}")
            assert "hit" in one.headers["cache-status"]
            assert "converted-from" not in one.headers["cache-status"]
    assert told[0] == told[1]


@pytest.mark.parametrize("fast", [True, False])
async def test_a_recording_answers_in_both_variants(start: Start, fast: bool) -> None:
    path = start.folder / "cassettes" / "c.yaml"
    path.parent.mkdir(exist_ok=True)
    found = [recorded(client, upstream) for client, upstream in PAIRS]
    save(path, [New(one, base_of(one.request), replace=False) for one in found])
    os.utime(path, (1, 1))
    deck = await start(mode="replay", cassette="c", fast=fast)
    async with talking(deck.server) as talk:
        for _ in range(2):
            for client, upstream in PAIRS:
                one = await asked(talk, client, upstream, stream=False)
                wanted = understood(recorded(client, upstream), Variant.JSON)
                assert (one.status, one.body) == ("HTTP/1.1 200 OK", wanted.body)
                assert "converted-from=sse" in one.headers["cache-status"]
