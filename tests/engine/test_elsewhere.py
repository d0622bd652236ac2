"""In replay, what was asked in one dialect answers a client of another who asks the same."""

import asyncio
import os

import pytest

from promptdeck.core.dialects.table import TRANSLATED
from promptdeck.core.interaction import Request, Response, Variant, frames_of
from promptdeck.core.matching.fingerprint import fingerprint
from promptdeck.core.text import sse
from promptdeck.server.answers.rendering import is_events
from promptdeck.stores.cassettes.save import New, save
from tests.conftest import Got, Start
from tests.recordings import base_of, interaction, of
from tests.translations import SAME, SPOKEN, given_by, same_asked


def heard(got: Got) -> Response:
    """An answer as a recording would have it."""
    streams = is_events(got.headers["content-type"])
    frames = sse.frames(got.body) if streams else [got.body]
    return Response(got.status, tuple(got.headers.items()), frames_of((0, one) for one in frames))


@pytest.mark.parametrize("client", SAME)
async def test_in_replay_what_was_asked_in_one_dialect_answers_who_asks_it_in_another(
    start: Start, client: str
) -> None:
    path = start.folder / "cassettes" / "c.yaml"
    path.parent.mkdir(exist_ok=True)
    one = of(same_asked(client, stream=True), given_by("messages"), Variant.SSE)
    save(path, [New(one, base_of(one.request), replace=False)])
    os.utime(path, (1, 1))
    deck = await start(mode="replay", cassette="c")
    for other in SAME:
        for stream in (True, False):
            request = same_asked(other, stream=stream)
            for _ in range(2):
                got = await deck.request("POST", request.target, request.body)
                assert got.status == 200, got.body
                assert f"hit; key={deck_key(request)}" in got.cache_status
                assert ("asked-in=" in got.cache_status) == (other != client)
                told = heard(got)
                assert TRANSLATED[other].problem_with(told) is None
                assert SPOKEN["messages"] in TRANSLATED[other].says(told).replace("\n", "")
        # What is asked otherwise is a miss as ever.
        for odd in ({"temperature": 1.5}, {"tools": []}):
            request = same_asked(other, stream=False, **odd)
            assert (await deck.request("POST", request.target, request.body)).status == 400


def deck_key(request: Request) -> str:
    return f'"{fingerprint(base_of(request))}"'


async def test_one_of_another_dialect_is_found_among_many(start: Start) -> None:
    path = start.folder / "cassettes" / "c.yaml"
    path.parent.mkdir(exist_ok=True)
    many = [interaction(f"Question {n}", "answer", model="m") for n in range(60)]
    one = of(same_asked("gemini", stream=True), given_by("messages"), Variant.SSE)
    save(path, [New(each, base_of(each.request), replace=False) for each in [*many, one]])
    os.utime(path, (1, 1))
    deck = await start(mode="replay", cassette="c")
    # What is looked for in vain first must not hide it.
    for prompt, status in (("nothing", 400), ("Question 7", 200), ("else", 400)):
        assert (await deck.chat(prompt)).status == status
    for client in ("chat", "messages", "responses"):
        request = same_asked(client, stream=False)
        got = await deck.request("POST", request.target, request.body)
        assert (got.status, "asked-in=gemini" in got.cache_status) == (200, True)
    # Recorded meanwhile, it is there.
    other = of(same_asked("responses", stream=True, user="u"), given_by("responses"), Variant.SSE)
    changed = other.request._replace(body=other.request.body.replace(b"rain", b"sun"))
    new = of(changed, other.response, Variant.SSE)
    save(path, [New(new, base_of(new.request), replace=False)])
    asked = same_asked("chat", stream=False)
    body = asked.body.replace(b"rain", b"sun")
    await asyncio.sleep(0.3)
    assert (await deck.request("POST", asked.target, body)).status == 200
