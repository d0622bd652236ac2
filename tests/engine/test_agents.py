"""Agents under a preset: a run recorded in one folder is played in another, with its own paths."""

import asyncio

import orjson
import pytest

from tests.conftest import Deck, Start
from tests.raw_client import Got
from tests.scripted_upstream import DONE, chunk, raw, stream

pytestmark = pytest.mark.usefixtures("provider")
AGENT = {"PROMPTDECK_MATCH_PRESET": "agent"}


async def ask(deck: Deck, cwd: str, *more: dict, date: str = "2026-11-28", **body) -> Got:
    system = f"<env>\n  Working directory: {cwd}\n  Today's date: {date}\n</env>"
    messages = [{"role": "system", "content": system}, {"role": "user", "content": "read"}, *more]
    value = {"model": "m", "messages": messages, **body}
    return await deck.request("POST", "/v1/chat/completions", orjson.dumps(value))


def calling(cwd: str, name: str = "call_a1") -> dict:
    arguments = orjson.dumps({"path": f"{cwd}/notes.txt"}).decode()
    call = {"id": name, "type": "function", "function": {"name": "read", "arguments": arguments}}
    return {"role": "assistant", "content": None, "tool_calls": [call]}


def answer(message: dict) -> bytes:
    choice = {"index": 0, "message": message, "finish_reason": "tool_calls"}
    return orjson.dumps(
        {"id": "c", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice]}
    )


async def test_a_recorded_answer_has_the_paths_of_who_asks(start: Start) -> None:
    deck = await start(AGENT, mode="record-missing", cassette="run")
    deck.upstream.answers.append(raw(answer(calling("/home/ann/proj"))))
    await ask(deck, "/home/ann/proj")
    replaying = await start(AGENT, mode="replay", cassette="run")
    for cwd in ("/srv/bob/x", "/home/ann/proj", "/w", "/srv/bob/x", "/srv/bob/x"):
        got = await ask(replaying, cwd, date="2027-01-02")
        [call] = orjson.loads(got.body)["choices"][0]["message"]["tool_calls"]
        assert orjson.loads(call["function"]["arguments"]) == {"path": f"{cwd}/notes.txt"}
        assert ("renamed=cwd" in got.cache_status) == (cwd != "/home/ann/proj")
        assert "hit" in got.cache_status
    assert len(deck.upstream.seen) == 1


async def test_a_streamed_one_too_where_a_path_is_in_pieces(start: Start) -> None:
    deck = await start(AGENT, mode="cache")
    pieces = ["See /home/a", "nn/pro", "j/notes.txt", "."]
    deck.upstream.answers.append(
        stream([*(chunk({"content": text}) for text in pieces), chunk({}, "stop"), DONE])
    )
    await ask(deck, "/home/ann/proj", stream=True)
    for _ in range(3):
        got = await ask(deck, "/srv/bob", stream=True)
        events = [line[6:] for line in got.body.split(b"\n") if line.startswith(b"data: {")]
        said = [orjson.loads(event)["choices"][0]["delta"].get("content", "") for event in events]
        assert "".join(said) == "See /srv/bob/notes.txt."
    assert len(deck.upstream.seen) == 1


async def test_the_next_turn_hits_by_the_names_of_its_own_run(start: Start) -> None:
    deck = await start(AGENT, mode="record-missing", cassette="run")
    done = {"role": "tool", "tool_call_id": "call_a1", "content": "/home/ann/proj/notes.txt: hello"}
    await ask(deck, "/home/ann/proj", calling("/home/ann/proj"), done)
    replaying = await start(AGENT, mode="replay", cassette="run")
    mine = {"role": "tool", "tool_call_id": "call_z9", "content": "/srv/x/notes.txt: hello"}
    assert (
        "hit" in (await ask(replaying, "/srv/x", calling("/srv/x", "call_z9"), mine)).cache_status
    )
    other = {**mine, "content": "/srv/x/notes.txt: goodbye"}
    assert (await ask(replaying, "/srv/x", calling("/srv/x", "call_z9"), other)).status == 400
    crossed = {**mine, "tool_call_id": "call_other"}
    assert (await ask(replaying, "/srv/x", calling("/srv/x", "call_z9"), crossed)).status == 400


async def test_two_folders_at_once_share_no_flight(start: Start) -> None:
    deck = await start(AGENT, mode="cache")
    for cwd in ("/a1", "/b2"):
        deck.upstream.answers.append(raw(answer(calling(cwd))))
    await asyncio.gather(ask(deck, "/a1"), ask(deck, "/b2"))
    assert len(deck.upstream.seen) == 2
    await asyncio.gather(ask(deck, "/c3"), ask(deck, "/c3"))
    assert len(deck.upstream.seen) == 2
