"""How answers reach a client: plain chat streams, company in silence, ends."""

import asyncio

from tests.conftest import Start
from tests.scripted_upstream import DONE, chunk, chunks, stream

NAMED = [b"event: chunk\nid: 1\n" + frame for frame in chunks("with names")[1:]]
PLAIN = b"".join(chunks("with names")[1:])


async def test_event_names_and_ids_are_kept_in_the_recording_and_not_sent(start: Start) -> None:
    deck = await start(mode="record", cassette="c")
    deck.upstream.answers = [stream(NAMED)]
    assert (await deck.chat(stream=True)).body == PLAIN
    for pace in ("instant", "1000x"):
        replaying = await start(mode="replay", cassette="c", pace=pace)
        assert (await replaying.chat(stream=True)).body == PLAIN
    kept = (start.folder / "cassettes" / "c.yaml").read_text()
    assert "event: chunk" in kept


async def test_other_endpoints_keep_their_event_names(start: Start) -> None:
    deck = await start(mode="cache")
    events = [b"event: response.created\ndata: {}\n\n", b"event: response.completed\ndata: {}\n\n"]
    deck.upstream.answers = [stream(events)]
    got = await deck.request("POST", "/v1/responses", b'{"stream": true}')
    again = await deck.request("POST", "/v1/responses", b'{"stream": true}')
    assert got.body == again.body == b"".join(events)
    assert "hit" in again.cache_status


async def test_a_silent_upstream_is_bridged_with_comments_that_are_not_recorded(
    start: Start,
) -> None:
    deck = await start(mode="cache", environ={"PROMPTDECK_SERVER_KEEP_ALIVE": "20ms"})
    gate = asyncio.Event()
    frames = chunks("after a while")
    deck.upstream.answers = [stream(frames, gate=gate, before_gate=2)]
    url, got = f"{deck.server.base_url}/chat/completions", b""
    body = {"model": "m", "messages": [{"role": "user", "content": "hi"}], "stream": True}
    async with deck.session.post(url, json=body) as response:
        while not got.endswith(b": keep-alive\n\n: keep-alive\n\n"):
            got += await response.content.readany()
        gate.set()
        got += await response.content.read()
    await deck.idle()
    assert got.replace(b": keep-alive\n\n", b"") == b"".join(frames)
    assert (await deck.chat(stream=True)).body == b"".join(frames)


async def test_no_comment_falls_into_the_middle_of_a_frame(start: Start) -> None:
    deck = await start(mode="cache", environ={"PROMPTDECK_SERVER_KEEP_ALIVE": "20ms"})
    gate = asyncio.Event()
    frame = chunk({"content": "cut"}, "stop")
    pieces = [frame[:30], frame[30:], DONE]
    deck.upstream.answers = [stream(pieces, gate=gate)]
    asking = asyncio.get_running_loop().create_task(deck.chat(stream=True))
    await asyncio.sleep(0.1)
    gate.set()
    assert (await asking).body == frame + DONE


async def test_health_and_one_model_are_served(start: Start) -> None:
    recording = await start(mode="record", cassette="c")
    await recording.chat(model="openai/gpt")
    assert (await recording.request("GET", "/health")).json == {"status": "ok"}
    deck = await start(mode="replay", cassette="c")
    found = await deck.request("GET", "/v1/models/openai/gpt")
    assert (found.json["id"], found.json["object"]) == ("openai/gpt", "model")
    assert (await deck.request("GET", "/v1/models/other")).status == 404
