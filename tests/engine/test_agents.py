"""Agents under a preset: a run recorded in one folder is played in another, with its own paths."""

import asyncio

import orjson
import pytest

from promptdeck.stores.cassettes.file import path_of, read
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


async def test_jobs_of_ones_own_are_polled_side_by_side_each_with_its_own_answers(
    start: Start,
) -> None:
    """Ids that clients make themselves and put into paths, in another run and another order."""
    ids = [f"{n}f1c2a52-0000-4000-8000-0123456789ab" for n in range(4)]

    def state(job: str, word: str) -> object:
        return raw(orjson.dumps({"id": job, "state": word}))

    async def poll(deck: Deck, job: str) -> tuple[str, str]:
        got = await deck.request("GET", f"/v1/jobs/{job}?session_id=ses_{job[0]}12345")
        return (got.json["id"], got.json["state"]) if got.status == 200 else ("", "miss")

    deck = await start(AGENT, mode="record", cassette="jobs")
    for word in ("queued", "done"):
        for job in ids[:2]:
            deck.upstream.answers.append(state(job, f"{word} {job[0]}"))
    assert [(await poll(deck, job))[0] for job in ids[:2] * 2] == ids[:2] * 2
    for fast in (True, False):
        replaying = await start(AGENT, mode="replay", cassette="jobs", fast=fast)
        new, newer, last = ids[2], ids[3], "5" + ids[0][1:]
        asked = [new, newer, newer, new, new, newer, last, ids[0]]
        assert [await poll(replaying, job) for job in asked] == [
            (new, "queued 0"),
            (newer, "queued 1"),
            (newer, "done 1"),
            (new, "done 0"),
            (new, "done 0"),
            (newer, "done 1"),
            ("", "miss"),
            (ids[0], "done 0"),
        ]


async def test_uploads_and_forms_of_another_run_hit(start: Start) -> None:
    def upload(boundary: str, session: str, name: str, sound: bytes) -> bytes:
        head = f"--{boundary}\r\nContent-Disposition: form-data; name="
        return (
            f'{head}"session_id"\r\n\r\n{session}\r\n{head}"file"; filename="{name}.wav"\r\n'
            "Content-Type: audio/wav\r\n\r\n"
        ).encode() + sound + f"\r\n--{boundary}--\r\n".encode()  # fmt: skip

    async def ask(deck: Deck, boundary: str, *parts: object) -> Got:
        mime = f"multipart/form-data; boundary={boundary}"
        target = "/v1/audio/transcriptions"
        return await deck.request("POST", target, upload(boundary, *parts), Content_Type=mime)  # type: ignore[arg-type]

    deck = await start(AGENT, mode="record", cassette="sound")
    deck.upstream.answers.append(raw(b'{"text":"hello"}'))
    await ask(deck, "b1", "ses_12ab34", "tmpab12cd3_", b"RIFF\xff\x00")
    replaying = await start(AGENT, mode="replay", cassette="sound")
    got = await ask(replaying, "other", "ses_zz99zz", "tmpzz99yy8a", b"RIFF\xff\x00")
    assert got.json == {"text": "hello"}
    got = await ask(replaying, "other", "ses_zz99zz", "tmpzz99yy8a", b"RIFF\xff\x01")
    assert got.status == 400


async def test_what_is_recorded_anew_elsewhere_replaces_what_was_recorded(start: Start) -> None:
    """By the rules it is one request, whatever the file calls it."""
    job = "GET", "/v1/jobs/7f1c2a52-0000-4000-8000-0123456789a{}"
    for cwd in ("/home/ann/proj", "/srv/bob"):
        deck = await start(AGENT, mode="record", cassette="run")
        said = [{"role": "assistant", "content": f"in {cwd}, {n}"} for n in range(2)]
        deck.upstream.answers = [*(raw(answer(one)) for one in said), raw(b"{}"), raw(b"{}")]
        for _ in said:
            await ask(deck, cwd)
        for n in range(2):
            await deck.request(job[0], job[1].format(n))
    found = read(path_of(start.folder / "cassettes", "run"))
    assert sum(b"/srv/bob" in item.response.body for item in found) == 2
    assert sum(item.request.method == "GET" for item in found) == 2
    assert len(found) == 4
    replaying = await start(AGENT, mode="replay", cassette="run")
    for n in (0, 1, 1):
        assert f"in /w, {n}".encode() in (await ask(replaying, "/w")).body
