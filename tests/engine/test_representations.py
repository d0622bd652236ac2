"""What else in a request's head chooses its answer: Range, Accept, and what `Vary` names."""

import asyncio
from typing import Any

import orjson
import pytest
from aiohttp import web

from promptdeck.stores.cassettes.file import path_of, read
from promptdeck.stores.cassettes.verify import verify
from tests.conftest import Got, Start
from tests.recordings import REDACTOR
from tests.scripted_upstream import Seen, Upstream, completion

FAST = pytest.mark.parametrize("fast", [True, False])
MODES = pytest.mark.parametrize("mode", ["cache", "record-missing"])
FILE = "/v1/files/f1/content"
PURE = {"PROMPTDECK_MATCH_PURE": "[files/*/content, things]"}
WHOLE = bytes(range(100))


async def partly(seen: Seen, request: web.Request) -> web.StreamResponse:
    """A file of which parts can be asked for, in the type that is asked for."""
    wanted = request.headers.get("Range")
    csv = request.headers.get("Accept") == "text/csv"
    data = b"a,b" if csv else WHOLE
    kind = "text/csv" if csv else "application/octet-stream"
    if wanted:
        begin, _, end = wanted.removeprefix("bytes=").partition("-")
        part = data[int(begin) : int(end) + 1]
        return web.Response(status=206, body=part, content_type=kind)
    return web.Response(body=data, content_type=kind)


def by_header(vary: str, name: str) -> Any:
    """An answer that says what the request sent under a name, and in `Vary` on what it hangs."""

    async def answer(seen: Seen, request: web.Request) -> web.StreamResponse:
        said = completion(request.headers.get(name, "nothing"))
        return web.Response(
            body=orjson.dumps(said), headers={"Content-Type": "application/json", "Vary": vary}
        )

    return answer


def text(got: Got) -> str:
    return str(got.json["choices"][0]["message"]["content"])


@FAST
@MODES
@pytest.mark.parametrize(
    ("asked", "status", "expected"),
    [
        ({"Range": "bytes=0-3"}, 206, WHOLE[:4]),
        ({"Range": "bytes=4-7"}, 206, WHOLE[4:8]),
        ({"Accept": "text/csv"}, 200, b"a,b"),
        ({"Accept": "text/csv", "Range": "bytes=0-0"}, 206, b"a"),
        ({"Accept": "application/binary"}, 200, WHOLE),
        ({}, 200, WHOLE),
    ],
)
async def test_a_part_or_another_type_is_none_of_the_whole(
    start: Start,
    provider: Upstream,
    mode: str,
    fast: bool,
    asked: dict[str, str],
    status: int,
    expected: bytes,
) -> None:
    provider.answers = [partly] * 9
    deck = await start(PURE, mode=mode, cassette="x" if mode != "cache" else None, fast=fast)
    for headers in ({"Range": "bytes=0-3"}, {}, {"Accept": "text/csv"}):
        await deck.request("GET", FILE, **headers)
        await deck.idle()
    for _ in range(3):
        got = await deck.request("GET", FILE, **asked)
        assert (got.status, got.body) == (status, expected)
        await deck.idle()


async def test_a_part_is_recorded_and_replayed_as_one(start: Start, provider: Upstream) -> None:
    provider.answers = [partly] * 2
    deck = await start(mode="record", cassette="x")
    await deck.request("GET", FILE, Range="bytes=0-3")
    await deck.request("GET", FILE)
    for fast in (True, False):
        replay = await start(mode="replay", cassette="x", fast=fast)
        assert (await replay.request("GET", FILE, Range="bytes=0-3")).body == WHOLE[:4]
        assert (await replay.request("GET", FILE)).body == WHOLE
        missed = await replay.request("GET", FILE, Range="bytes=0-4")
        assert missed.status == 404
        assert "range=bytes=0-4" in missed.json["error"]["message"]
    path = path_of(start.folder / "cassettes", "x")
    assert verify(path, REDACTOR) == []
    assert {item.request.selecting for item in read(path)} == {(("range", "bytes=0-3"),), ()}


@FAST
@MODES
@pytest.mark.parametrize("name", ["Accept-Language", "X-Tenant", "User-Agent", "Accept"])
async def test_an_answer_is_for_requests_that_send_what_its_vary_names(
    start: Start, provider: Upstream, mode: str, fast: bool, name: str
) -> None:
    provider.answers = [by_header(f"Accept-Encoding, {name}", name)] * 99
    deck = await start(mode=mode, cassette="x" if mode != "cache" else None, fast=fast)
    key = name.replace("-", "_")
    for value in ["*/*, de", "*/*, en", "*/*, de", "*/*, de", "*/*, en", "*/*, fr"]:
        for _ in range(3):
            got = await deck.request("POST", "/v1/chat/completions", BODY, **{key: value})
            assert text(got) == value
            await deck.idle()
    if mode == "record-missing":
        assert len(provider.seen) == 3
        for fast in (True, False):
            replay = await start(mode="replay", cassette="x", fast=fast)
            for value in ["*/*, en", "*/*, fr", "*/*, de", "*/*, en", "*/*, de"]:
                got = await replay.request("POST", "/v1/chat/completions", BODY, **{key: value})
                assert text(got) == value
            missed = await replay.request("POST", "/v1/chat/completions", BODY, **{key: "*/*, it"})
            assert missed.json["error"]["details"]["reason"] == "other_representation"


BODY = orjson.dumps({"model": "m", "messages": [{"role": "user", "content": "hi"}]})


@FAST
@pytest.mark.parametrize("vary", ["*", "Accept, *", "Authorization", "cookie"])
async def test_a_cache_gives_no_other_request_what_is_for_one_alone(
    start: Start, provider: Upstream, fast: bool, vary: str
) -> None:
    provider.answers = [by_header(vary, "Authorization")] * 9
    deck = await start(mode="cache", fast=fast)
    for key in ("Bearer one", "Bearer two", "Bearer two"):
        got = await deck.request("POST", "/v1/chat/completions", BODY, Authorization=key)
        assert text(got) == key
        assert "stored" not in got.cache_status
        await deck.idle()


@FAST
async def test_a_cassette_is_for_everyone_with_or_without_a_key(
    start: Start, provider: Upstream, fast: bool
) -> None:
    provider.answers = [by_header("Authorization, Origin", "X-None")]
    deck = await start(mode="record", cassette="x")
    await deck.request("POST", "/v1/chat/completions", BODY, Authorization="Bearer somebody-s-key")
    replay = await start(mode="replay", cassette="x", fast=fast)
    assert text(await replay.request("POST", "/v1/chat/completions", BODY)) == "nothing"


@MODES
async def test_identical_requests_under_way_share_no_answer_that_hangs_on_what_differs(
    start: Start, provider: Upstream, mode: str
) -> None:
    provider.answers = [by_header("Accept-Language", "Accept-Language")] * 9
    deck = await start(mode=mode, cassette="x" if mode != "cache" else None)
    values = ["de", "en", "de", "fr"] * 3
    got = await asyncio.gather(
        *(
            deck.request("POST", "/v1/chat/completions", BODY, Accept_Language=value)
            for value in values
        )
    )
    assert [text(one) for one in got] == values


async def test_those_that_differ_in_what_has_no_say_share_one_call(
    start: Start, provider: Upstream
) -> None:
    deck = await start(mode="cache")
    got = await asyncio.gather(
        *(
            deck.request("POST", "/v1/chat/completions", BODY, X_Attempt=str(number))
            for number in range(9)
        )
    )
    assert {one.status for one in got} == {200}
    assert len(provider.seen) == 1


async def modified(seen: Seen, request: web.Request) -> web.StreamResponse:
    if "If-None-Match" in request.headers:
        return web.Response(status=304)
    return web.Response(body=WHOLE, headers={"ETag": '"e"'})


@pytest.mark.parametrize("mode", ["record", "record-missing"])
async def test_what_a_client_has_already_is_recorded_whole(
    start: Start, provider: Upstream, mode: str
) -> None:
    provider.answers = [modified]
    deck = await start(mode=mode, cassette="x")
    got = await deck.request("GET", FILE, If_None_Match='"e"')
    assert (got.status, got.body) == (200, WHOLE)
    replay = await start(mode="replay", cassette="x")
    for headers in ({}, {"If_None_Match": '"other"'}):
        got = await replay.request("GET", FILE, **headers)
        assert (got.status, got.body) == (200, WHOLE)


async def test_what_is_passed_on_keeps_its_condition(start: Start, provider: Upstream) -> None:
    provider.answers = [modified]
    deck = await start(mode="cache")
    assert (await deck.request("GET", FILE, If_None_Match='"e"')).status == 304
