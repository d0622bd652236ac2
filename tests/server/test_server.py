"""HTTP at the edge: routes, decks by path, errors as JSON."""

import asyncio
from pathlib import Path

import aiohttp
import orjson
import pytest

from promptdeck.core.dialects.table import HTTP
from promptdeck.errors import ClientError, UpstreamError
from tests.conftest import Start
from tests.scripted_upstream import chunks, raw, stream


async def test_health_tells_mode_and_counts(start: Start) -> None:
    deck = await start(mode="cache")
    await deck.chat()
    health = (await deck.request("GET", "/_deck/health")).json
    assert health["status"] == "ok"
    assert (health["mode"], health["upstream_calls"], health["recorded"]) == ("cache", 1, 1)


async def test_a_cassette_path_plays_and_counts_for_itself(start: Start) -> None:
    recording = await start(mode="record")
    await recording.chat(at="/cassette/a")
    await recording.chat(at="/cassette/a")
    await recording.chat(at="/cassette/deep/b")
    deck = await start(mode="replay")
    answers = [
        (await deck.chat(at=at)).json["choices"][0]["message"]["content"]
        for at in ("/cassette/a", "/cassette/deep/b", "/cassette/a")
    ]
    assert answers == ["answer 1", "answer 3", "answer 2"]
    assert (await deck.chat("unknown", at="/cassette/a")).status == 400


async def test_the_report_tells_played_unplayed_missed_and_rewind_starts_over(
    start: Start,
) -> None:
    recording = await start(mode="record", cassette="c")
    for prompt in ("one", "one", "two"):
        await recording.chat(prompt)
    deck = await start(mode="replay", cassette="c")
    first = await deck.chat("one")
    await deck.chat("three")
    report = (await deck.request("GET", "/_deck/cassettes/c/report")).json
    assert len(report["unplayed"]) == 2
    assert list(report["played"].values()) == [1]
    [missed] = report["missed"]
    assert (missed["reason"], missed["differences"][0]["asked"]) == ("not_recorded", "three")
    rewound = (await deck.request("POST", "/_deck/cassettes/c/rewind")).json
    assert (rewound["played"], len(rewound["unplayed"]), rewound["missed"]) == ({}, 3, [])
    assert (await deck.chat("one")).body == first.body


async def test_the_report_of_a_recording_names_what_was_recorded(start: Start) -> None:
    deck = await start(mode="record", cassette="c")
    await deck.chat()
    report = (await deck.request("GET", "/_deck/cassettes/c/report")).json
    assert len(report["recorded"]) == 1


@pytest.mark.parametrize(
    "name", ["..", "a/../b", ".hidden", "%2e%2e", "a%2F..%2Fb", "a%00b", "a%5Cb", "~", "a%20b"]
)
async def test_a_cassette_name_cannot_leave_the_folder(start: Start, name: str) -> None:
    deck = await start(mode="record")
    got = await deck.request("POST", f"/cassette/{name}/v1/chat/completions", b'{"model":"m"}')
    assert got.status in (400, 404)
    assert deck.upstream.seen == []


async def test_a_body_over_the_limit_is_413(start: Start) -> None:
    deck = await start(mode="cache", environ={"PROMPTDECK_SERVER_MAX_BODY": "1k"})
    got = await deck.chat("x" * 2000)
    assert (got.status, got.json["code"]) == (413, "too_large")
    assert "server.max_body" in got.json["message"]


async def test_an_unreachable_upstream_is_502_in_both_sdks_form(start: Start) -> None:
    deck = await start(mode="cache", upstream="http://127.0.0.1:9/v1")
    got = await deck.chat()
    assert (got.status, got.json["error"]["code"]) == (502, "upstream_unreachable")
    assert got.json["message"].startswith("cannot reach http://127.0.0.1:9/v1")
    assert "fwd=uri-miss" in got.cache_status
    assert "stored" not in got.cache_status


async def test_a_silent_upstream_is_504(start: Start) -> None:
    environ = {"PROMPTDECK_UPSTREAM_READ_TIMEOUT": "50ms"}
    deck = await start(mode="cache", environ=environ)
    gate = asyncio.Event()
    deck.upstream.answers = [stream(chunks("never"), gate=gate, before_gate=1)]
    got = await deck.chat(stream=True)
    gate.set()
    assert b"upstream_timeout" in got.body


async def test_a_cut_binary_answer_breaks_the_connection(start: Start) -> None:
    deck = await start(mode="cache")
    deck.upstream.answers = [stream([b"abc", b"def"], cut=True, content_type="audio/mpeg")]
    with pytest.raises(aiohttp.ClientError):
        await deck.request("POST", "/v1/audio/speech", b"{}")


async def test_headers_reach_upstream_less_hop_by_hop_and_compression(start: Start) -> None:
    deck = await start(mode="cache")
    await deck.chat(
        headers={"Authorization": "Bearer k", "X_Custom": "1", "Accept_Encoding": "gzip, br"}
    )
    [seen] = deck.upstream.seen
    assert (seen.headers["Authorization"], seen.headers["X-Custom"]) == ("Bearer k", "1")
    assert seen.headers["Accept-Encoding"] == "identity"
    assert seen.path == "/v1/chat/completions"


async def test_the_body_reaches_upstream_verbatim(start: Start) -> None:
    deck = await start(mode="cache")
    body = b'{ "model":"m",\n "messages": [], "user":"u", "x": 1e2 }'
    await deck.request("POST", "/v1/chat/completions", body)
    assert deck.upstream.seen[0].body == body


async def test_repeated_response_headers_all_reach_the_client(start: Start) -> None:
    deck = await start(mode="cache")
    deck.upstream.answers = [raw(b"{}", headers={"X-Ratelimit-Remaining-Requests": "9"})]
    got = await deck.chat()
    assert got.headers["X-Ratelimit-Remaining-Requests"] == "9"


async def test_a_request_id_of_the_client_is_kept_on_errors(start: Start) -> None:
    deck = await start(mode="replay")
    got = await deck.chat(headers={"X_Request_Id": "mine"})
    assert got.headers["X-Request-Id"] == "mine"


async def test_a_cassette_that_becomes_corrupt_is_an_error_and_the_server_lives(
    start: Start, tmp_path: Path
) -> None:
    await (await start(mode="record", cassette="c")).chat("one")
    deck = await start(mode="replay")
    path = tmp_path / "cassettes" / "c.yaml"
    good = path.read_bytes()
    path.write_bytes(good.replace(b"promptdeck: 1", b"promptdeck: ["))
    broken = await deck.chat("three")
    assert (broken.status, broken.json["code"]) == (500, "unusable")
    assert f"{path}:" in broken.json["message"]
    path.write_bytes(good)
    assert (await deck.chat("one")).status == 200


def test_the_error_body_serves_both_sdks() -> None:
    body = HTTP.error(ClientError("no", param="$.model", details={"a": 1}))
    assert body["error"]["message"] == body["message"] == "no"
    assert body["error"]["param"] == body["param"] == "$.model"
    assert body["details"] == {"a": 1}
    assert orjson.loads(orjson.dumps(HTTP.error(UpstreamError("cut"))))["code"] == (
        "upstream_unreachable"
    )
