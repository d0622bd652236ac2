"""Deferred completions: the receipt, the collection, restarts, replay."""

import asyncio
from pathlib import Path

import dedalus_labs
import openai
import orjson
import pytest

from tests.command import serve
from tests.conftest import Deck, Got, Start
from tests.scripted_upstream import Upstream, chunks, plain, raw

PATH = "/v1/chat/deferred-completion/"


async def collect(deck: Deck, name: str) -> Got:
    """Ask until it is no longer pending."""
    while (got := await deck.request("GET", PATH + name)).status == 202:
        await asyncio.sleep(0.001)
    return got


async def receipt(deck: Deck, prompt: str = "hi") -> str:
    answer = await deck.chat(prompt, deferred=True)
    assert answer.status == 200
    assert answer.json["choices"] == []
    return str(answer.json["request_id"])


async def test_pending_is_202_and_done_is_200_once(start: Start) -> None:
    deck = await start(mode="cache")
    gate = asyncio.Event()

    async def slow(seen, request):  # type: ignore[no-untyped-def]
        await gate.wait()
        return await plain("at last")(seen, request)

    deck.upstream.answers = [slow]
    url = f"{deck.server.base_url}/chat/completions"
    async with deck.session.post(url, json={"model": "m", "deferred": True}) as response:
        name = (await response.json())["request_id"]
    async with deck.session.get(deck.server.root + PATH + name) as pending:
        assert (pending.status, await pending.read()) == (202, b"")
    gate.set()
    await deck.idle()
    done = await collect(deck, name)
    assert done.json["choices"][0]["message"]["content"] == "at last"
    gone = await collect(deck, name)
    assert (gone.status, gone.json["code"]) == (404, "not_found")


async def test_upstream_is_asked_without_the_flag(start: Start) -> None:
    deck = await start(mode="cache")
    await receipt(deck)
    assert "deferred" not in deck.upstream.seen[0].json


async def test_with_stream_the_flag_does_not_count(start: Start) -> None:
    deck = await start(mode="cache")
    streamed = await deck.chat(deferred=True, stream=True)
    assert streamed.body == b"".join(chunks("answer 1"))


async def test_it_is_recorded_and_replays_without_a_network(start: Start) -> None:
    recording = await start(mode="record", cassette="c")
    first = await collect(recording, await receipt(recording))
    replaying = await start(mode="replay", cassette="c")
    again = await collect(replaying, await receipt(replaying))
    assert again.body == first.body
    assert replaying.server.counts().upstream_calls == 0
    missed = await replaying.chat("something else", deferred=True)
    assert (missed.status, missed.json["code"]) == (400, "cassette_miss")


async def test_an_upstream_error_is_what_is_collected(start: Start) -> None:
    deck = await start(mode="cache")
    deck.upstream.answers = [raw(b'{"error":{"message":"no"}}', status=400)]
    refused = await collect(deck, await receipt(deck))
    assert (refused.status, refused.json) == (400, {"error": {"message": "no"}})


async def test_both_sdks_read_the_receipt(start: Start) -> None:
    deck = await start(mode="cache")
    extra = {"deferred": True}
    async with openai.AsyncOpenAI(base_url=deck.server.base_url, api_key="k") as client:
        answer = await client.chat.completions.create(model="m", messages=[], extra_body=extra)
        assert answer.request_id  # type: ignore[attr-defined]
    async with dedalus_labs.AsyncDedalus(base_url=deck.server.root, api_key="k") as dedalus:
        receipt = await dedalus.chat.completions.create(model="m", deferred=True)
        assert receipt.choices == []


async def test_a_finished_one_survives_a_restart(provider: Upstream, tmp_path: Path) -> None:
    async with serve(tmp_path, "--upstream", provider.url) as server:
        name = await _ask(server.base_url)
        while (await _get(server.base_url, name))[0] == 202:
            await asyncio.sleep(0.01)
        name = await _ask(server.base_url)
        await asyncio.sleep(0.2)
        await server.stop(15)
    async with serve(tmp_path, "--upstream", provider.url) as again:
        assert (await _get(again.base_url, name))[0] == 200
        assert (await _get(again.base_url, name))[0] == 404


async def test_one_pending_when_the_proxy_is_killed_says_that_it_is_lost(
    provider: Upstream, tmp_path: Path
) -> None:

    provider.answers = [_hang]
    async with serve(tmp_path, "--upstream", provider.url) as server:
        name = await _ask(server.base_url)
        assert (await _get(server.base_url, name))[0] == 202
        server.process.kill()
        await server.process.wait()
    async with serve(tmp_path, "--upstream", provider.url) as again:
        status, body = await _get(again.base_url, name)
        assert (status, body["code"]) == (410, "deferred_lost")


async def _hang(seen, request):  # type: ignore[no-untyped-def]
    await asyncio.sleep(30)


async def _ask(base_url: str) -> str:
    body = {"model": "m", "messages": [{"role": "user", "content": "hi"}], "deferred": True}
    status, told = await _call("POST", f"{base_url}/chat/completions", body)
    assert status == 200
    return str(told["request_id"])


async def _get(base_url: str, name: str) -> tuple[int, dict[str, str]]:
    return await _call("GET", f"{base_url}/chat/deferred-completion/{name}", None)


async def _call(method: str, url: str, body: object) -> tuple[int, dict[str, str]]:
    import aiohttp

    async with (
        aiohttp.ClientSession() as session,
        session.request(method, url, json=body) as response,
    ):
        data = await response.read()
        return response.status, orjson.loads(data) if data else {}


@pytest.mark.parametrize("name", ["unknown", "a%20b", "0" * 300])
async def test_an_unknown_id_is_404(start: Start, name: str) -> None:
    deck = await start(mode="replay")
    assert (await collect(deck, name)).status == 404


async def test_secrets_in_an_answer_do_not_wait_on_disk(start: Start) -> None:
    secret, key = "sk-" + "proj-" + "a1B2" * 12, "a-key-of-no-known-shape"
    deck = await start(mode="cache")
    deck.upstream.answers = [plain(f"you sent {key}, not {secret}")]
    headers = {"Authorization": f"Bearer {key}"}
    name = (await deck.chat("whoami", deferred=True, headers=headers)).json["request_id"]
    found = await collect(deck, name)
    assert found.json["choices"][0]["message"]["content"] == (
        "you sent [redacted:credential], not [redacted:openai]"
    )
    for file in start.folder.glob("store.db*"):
        assert secret.encode() not in file.read_bytes()
        assert key.encode() not in file.read_bytes()


async def test_an_answer_too_large_to_be_kept_is_given_up_and_says_so(start: Start) -> None:
    deck = await start({"PROMPTDECK_RECORD_MAX_BYTES": "20 KiB"}, mode="cache")
    deck.upstream.answers = [raw(b'{"choices": [], "pad": "' + b"x" * 10**6 + b'"}')]
    got = await collect(deck, await receipt(deck))
    assert got.status == 502
    assert "record.max_bytes (20480 bytes)" in got.json["error"]["message"]
    assert len(got.body) < 1000
