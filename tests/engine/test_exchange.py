"""One request from fingerprint to answer, in every mode, over a real socket."""

import asyncio
import re
import time
from pathlib import Path
from typing import Any

import orjson
import pytest

from promptdeck.app import serving
from promptdeck.config import load
from promptdeck.core.interaction import Request
from promptdeck.core.matching.fingerprint import fingerprint
from promptdeck.core.matching.normalize import normalize
from promptdeck.core.matching.rules import Rules
from promptdeck.core.secrets.redact import Redactor
from promptdeck.errors import CassetteError
from promptdeck.stores.cassettes.file import read
from promptdeck.stores.cassettes.save import New, save
from promptdeck.stores.cassettes.shelf import Shelf
from tests.conftest import Start
from tests.scripted_upstream import DONE, chunk, chunks, completion, plain, raw, stream

pytestmark = pytest.mark.usefixtures("provider")


# cache


async def test_cache_answers_the_second_identical_call_itself(start: Start) -> None:
    deck = await start(mode="cache")
    first, second = await deck.chat(), await deck.chat()
    assert first.body == second.body
    assert len(deck.upstream.seen) == 1
    assert first.cache_status.startswith("promptdeck; fwd=uri-miss; stored; key=")
    assert second.cache_status.startswith("promptdeck; hit; key=")
    assert second.headers["Age"] == "0"


async def test_a_streamed_hit_is_byte_equal(start: Start) -> None:
    deck = await start(mode="cache")
    deck.upstream.answers.append(stream(chunks("Grüße an alle 🎉")))
    first, second = await deck.chat(stream=True), await deck.chat(stream=True)
    assert first.body == second.body == b"".join(chunks("Grüße an alle 🎉"))
    assert first.headers["Content-Type"] == second.headers["Content-Type"] == "text/event-stream"
    assert len(deck.upstream.seen) == 1


async def test_what_is_equal_by_the_contract_hits(start: Start) -> None:
    deck = await start(mode="cache")
    await deck.chat(temperature=0, user="ann", tools=[], stop="x")
    again = await deck.chat(stop=["x"], metadata={"run": "2"}, temperature=0.0, seed=None)
    assert "hit" in again.cache_status


async def test_the_cache_outlives_the_proxy(start: Start) -> None:
    first = await (await start(mode="cache")).chat()
    again = await start(mode="cache")
    assert (await again.chat()).body == first.body
    assert len(again.upstream.seen) == 1


async def test_an_entry_past_its_ttl_is_asked_again_and_replaced(start: Start) -> None:
    deck = await start(mode="cache", environ={"PROMPTDECK_STORE_TTL": "1ms"})
    await deck.chat()
    await asyncio.sleep(0.01)
    again = await deck.chat()
    assert again.json["choices"][0]["message"]["content"] == "answer 2"
    assert "fwd=stale; stored" in again.cache_status


async def test_prompt_cache_retention_of_a_day_outlives_a_short_ttl(start: Start) -> None:
    deck = await start(mode="cache", environ={"PROMPTDECK_STORE_TTL": "1ms"})
    await deck.chat(prompt_cache_retention="24h")
    await asyncio.sleep(0.01)
    assert "hit" in (await deck.chat()).cache_status


async def test_no_cache_asks_again_and_the_newest_answer_is_served_from_then_on(
    start: Start,
) -> None:
    deck = await start(mode="cache")
    await deck.chat()
    fresh = await deck.chat(headers={"Cache_Control": "no-cache"})
    assert "fwd=request; stored" in fresh.cache_status
    assert (await deck.chat()).body == fresh.body


async def test_max_age_accepts_only_answers_that_are_younger(start: Start) -> None:
    deck = await start(mode="cache")
    await deck.chat()
    assert "hit" in (await deck.chat(headers={"Cache_Control": "max-age=60"})).cache_status
    await asyncio.sleep(0.01)
    older = await deck.chat(headers={"Cache_Control": "max-age=0"})
    assert "fwd=request" in older.cache_status


async def test_no_store_is_not_kept(start: Start) -> None:
    deck = await start(mode="cache")
    first = await deck.chat(headers={"Cache_Control": "no-store"})
    assert "stored" not in first.cache_status
    assert "hit" not in (await deck.chat()).cache_status


async def test_only_if_cached_never_goes_upstream(start: Start) -> None:
    deck = await start(mode="cache")
    refused = await deck.chat(headers={"Cache_Control": "only-if-cached"})
    assert (refused.status, refused.json["code"]) == (504, "only_if_cached")
    assert deck.upstream.seen == []


# what is not kept


@pytest.mark.parametrize(
    "frames",
    [
        pytest.param(chunks("cut short")[:-2], id="no end"),
        pytest.param([chunk({"content": "x"}), DONE], id="no finish_reason"),
        pytest.param(
            [*chunks("x")[:-1], b'event: error\ndata: {"error":{"message":"m"}}\n\n', DONE],
            id="an error event",
        ),
        pytest.param(
            [*chunks("x")[:-1], b'data: {"error":{"message":"m"}}\n\n', DONE], id="an error chunk"
        ),
        pytest.param([*chunks("x")[:-1], b"data: {half\n\n", DONE], id="a broken chunk"),
    ],
)
async def test_an_incomplete_stream_passes_through_and_is_not_kept(
    start: Start, frames: list[bytes]
) -> None:
    deck = await start(mode="cache")
    deck.upstream.answers = [stream(frames), plain("whole")]
    assert (await deck.chat(stream=True)).body == b"".join(frames)
    assert (await deck.chat(stream=True)).body == b"".join(chunks("whole"))
    assert len(deck.upstream.seen) == 2


@pytest.mark.parametrize("status", [400, 401, 404, 429, 500, 503])
async def test_errors_pass_through_with_their_headers_and_are_not_kept(
    start: Start, status: int
) -> None:
    deck = await start(mode="cache")
    error = raw(b'{"error":{"message":"no"}}', status=status, headers={"Retry-After": "7"})
    deck.upstream.answers = [error, plain("yes")]
    refused = await deck.chat()
    assert (refused.status, refused.body) == (status, b'{"error":{"message":"no"}}')
    assert refused.headers["Retry-After"] == "7"
    assert (await deck.chat()).status == 200


async def test_json_that_does_not_parse_is_not_kept(start: Start) -> None:
    deck = await start(mode="cache")
    deck.upstream.answers = [raw(b'{"choices": ['), plain("whole")]
    assert (await deck.chat()).body == b'{"choices": ['
    assert "hit" not in (await deck.chat()).cache_status


async def test_an_answer_over_the_size_limit_passes_whole_and_is_not_kept(start: Start) -> None:
    deck = await start(mode="cache", environ={"PROMPTDECK_RECORD_MAX_BYTES": "1000"})
    text = "word " * 1000
    deck.upstream.answers = [stream(chunks(text))]
    assert (await deck.chat(stream=True)).body == b"".join(chunks(text))
    await deck.chat(stream=True)
    assert len(deck.upstream.seen) == 2


async def test_a_cut_stream_ends_in_an_error_event_and_is_not_kept(start: Start) -> None:
    deck = await start(mode="cache")
    frames = chunks("never to be finished")[:3]
    deck.upstream.answers = [stream(frames, cut=True), plain("whole")]
    cut = await deck.chat(stream=True)
    assert cut.body.startswith(b"".join(frames))
    assert b"event: error\ndata: " in cut.body
    error = orjson.loads(cut.body.rpartition(b"data: ")[2])
    assert error["code"] == error["error"]["code"] == "upstream_cut"
    assert (await deck.chat(stream=True)).body == b"".join(chunks("whole"))


# single-flight


async def test_ten_identical_calls_at_once_are_one_upstream_call(start: Start) -> None:
    deck = await start(mode="cache")
    gate = asyncio.Event()
    deck.upstream.answers = [stream(chunks("shared by all"), gate=gate)]
    calls = [asyncio.get_running_loop().create_task(deck.chat(stream=True)) for _ in range(10)]
    while deck.server.counts().collapsed < 9:
        await asyncio.sleep(0.005)
    gate.set()
    answers = await asyncio.gather(*calls)
    assert {answer.body for answer in answers} == {b"".join(chunks("shared by all"))}
    assert len(deck.upstream.seen) == 1
    assert sum("collapsed" in answer.cache_status for answer in answers) == 9


async def test_a_json_and_a_streamed_call_do_not_share_a_flight(start: Start) -> None:
    deck = await start(mode="cache")
    both = await asyncio.gather(deck.chat(), deck.chat(stream=True))
    assert len(deck.upstream.seen) == 2
    assert both[0].json["object"] == "chat.completion"


async def test_record_mode_shares_nothing(start: Start) -> None:
    deck = await start(mode="record", cassette="c")
    await asyncio.gather(*(deck.chat() for _ in range(4)))
    assert len(deck.upstream.seen) == 4


async def test_the_first_client_leaving_kills_nobodys_answer(start: Start) -> None:
    deck = await start(mode="cache")
    gate = asyncio.Event()
    deck.upstream.answers = [stream(chunks("for the other"), gate=gate)]
    loop = asyncio.get_running_loop()
    first = loop.create_task(deck.chat(stream=True))
    while not deck.upstream.seen:
        await asyncio.sleep(0.005)
    second = loop.create_task(deck.chat(stream=True))
    while deck.server.counts().collapsed < 1:
        await asyncio.sleep(0.005)
    first.cancel()
    await asyncio.sleep(0.02)
    gate.set()
    assert (await second).body == b"".join(chunks("for the other"))
    await deck.idle()


async def test_a_recording_finishes_when_its_only_client_leaves(start: Start) -> None:
    deck = await start(mode="cache")
    gate = asyncio.Event()
    deck.upstream.answers = [stream(chunks("kept all the same"), gate=gate)]
    gone = asyncio.get_running_loop().create_task(deck.chat(stream=True))
    while not deck.upstream.seen:
        await asyncio.sleep(0.005)
    gone.cancel()
    await asyncio.sleep(0.02)
    gate.set()
    await deck.idle()
    assert (await deck.chat(stream=True)).body == b"".join(chunks("kept all the same"))
    assert len(deck.upstream.seen) == 1


async def test_without_that_setting_the_upstream_call_ends_with_its_client(start: Start) -> None:
    environ = {"PROMPTDECK_RECORD_FINISH_AFTER_DISCONNECT": "false"}
    deck = await start(mode="cache", environ=environ)
    gate = asyncio.Event()
    deck.upstream.answers = [stream(chunks("lost"), gate=gate), plain("new")]
    gone = asyncio.get_running_loop().create_task(deck.chat(stream=True))
    while not deck.upstream.seen:
        await asyncio.sleep(0.005)
    gone.cancel()
    await deck.idle()
    gate.set()
    assert (await deck.chat(stream=True)).body == b"".join(chunks("new"))


async def test_the_first_byte_does_not_wait_for_the_last(start: Start) -> None:
    deck = await start(mode="cache")
    gate = asyncio.Event()
    frames = chunks("slow to come")
    deck.upstream.answers = [stream(frames, gate=gate)]
    url = deck.server.base_url + "/chat/completions"
    async with deck.session.post(url, json={"model": "m", "stream": True}) as response:
        assert await response.content.readany() == frames[0]
        gate.set()
        assert await response.content.read() == b"".join(frames[1:])


# record, record-missing, replay


async def test_a_recording_replays_without_an_upstream(start: Start) -> None:
    recording = await start(mode="record", cassette="c")
    first = await recording.chat()
    replaying = await start(mode="replay", cassette="c", upstream="http://127.0.0.1:9/v1")
    second = await replaying.chat()
    assert second.body == first.body
    assert replaying.server.counts().upstream_calls == 0
    assert len(recording.upstream.seen) == 1


async def test_identical_requests_replay_in_recorded_order_and_the_last_repeats(
    start: Start,
) -> None:
    recording = await start(mode="record", cassette="c")
    recorded = [(await recording.chat()).body for _ in range(12)]
    replaying = await start(mode="replay", cassette="c")
    assert [(await replaying.chat()).body for _ in range(13)] == [*recorded, recorded[-1]]


async def test_after_the_last_recording_replay_can_refuse(start: Start) -> None:
    await (await start(mode="record", cassette="c")).chat()
    environ = {"PROMPTDECK_REPLAY_AFTER_LAST": "refuse"}
    deck = await start(mode="replay", cassette="c", environ=environ)
    assert (await deck.chat()).status == 200
    refused = await deck.chat()
    assert (refused.status, refused.json["details"]["reason"]) == (400, "consumed")
    assert "recorded once and has been played once" in refused.json["message"]


async def aged(start: Start, times: int = 1) -> bytes:
    """Record an answer so many times, as if long ago; the last of the answers."""
    deck = await start(mode="record", cassette="c")
    answers = [(await deck.chat()).body for _ in range(times)]
    path = start.folder / "cassettes" / "c.yaml"
    path.write_text(
        re.sub(r"(?m)^  recorded: .*", "  recorded: 2020-01-01T00:00:00Z", path.read_text())
    )
    return answers[-1]


def expiring(on_expired: str) -> dict[str, str]:
    return {"PROMPTDECK_REPLAY_EXPIRES": "30d", "PROMPTDECK_REPLAY_ON_EXPIRED": on_expired}


@pytest.mark.parametrize("on_expired", ["warn", "record"])
async def test_replay_serves_an_expired_recording_with_a_warning(
    start: Start, caplog: pytest.LogCaptureFixture, on_expired: str
) -> None:
    recorded = await aged(start)
    deck = await start(mode="replay", cassette="c", environ=expiring(on_expired))
    assert [(await deck.chat()).body for _ in range(2)] == [recorded] * 2
    assert caplog.text.count("is older than replay.expires") == 1
    assert deck.server.counts().upstream_calls == 0


async def test_replay_can_refuse_an_expired_recording(start: Start) -> None:
    await aged(start)
    deck = await start(mode="replay", cassette="c", environ=expiring("fail"))
    got = await deck.chat()
    assert (got.status, got.json["details"]["reason"]) == (400, "expired")
    assert "has expired. Record it again" in got.json["message"]


async def test_record_missing_records_an_expired_sequence_again(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CI", raising=False)
    await aged(start, times=2)
    deck = await start(mode="record-missing", cassette="c", environ=expiring("record"))
    renewed = [(await deck.chat()).body for _ in range(3)]
    assert len(deck.upstream.seen) == 4
    assert renewed[0] != renewed[1] == renewed[2]
    replaying = await start(mode="replay", cassette="c", environ=expiring("fail"))
    assert [(await replaying.chat()).body for _ in range(2)] == renewed[:2]
    assert "2020" not in (start.folder / "cassettes" / "c.yaml").read_text()


@pytest.mark.parametrize(("on_expired", "ci"), [("record", "true"), ("warn", ""), ("fail", "")])
async def test_record_missing_serves_what_expired_in_ci_or_if_not_told_to_record(
    start: Start, monkeypatch: pytest.MonkeyPatch, on_expired: str, ci: str
) -> None:
    monkeypatch.setenv("CI", ci)
    recorded = await aged(start)
    deck = await start(mode="record-missing", cassette="c", environ=expiring(on_expired))
    assert (await deck.chat()).body == recorded
    assert len(deck.upstream.seen) == 1


async def test_the_cache_knows_no_expired_recordings(
    start: Start, caplog: pytest.LogCaptureFixture
) -> None:
    recorded = await aged(start)
    deck = await start(mode="cache", cassette="c", environ=expiring("fail"))
    assert (await deck.chat()).body == recorded
    assert "replay.expires" not in caplog.text


async def test_recording_again_replaces_what_an_earlier_run_recorded(start: Start) -> None:
    first = await start(mode="record", cassette="c")
    for _ in range(3):
        await first.chat()
    second = await start(mode="record", cassette="c")
    again = [(await second.chat()).body for _ in range(2)]
    replaying = await start(mode="replay", cassette="c")
    assert [(await replaying.chat()).body for _ in range(2)] == again
    assert len((await replaying.request("GET", "/_deck/cassettes/c/report")).json["played"]) == 2


async def test_record_missing_serves_what_is_there_and_records_the_rest(start: Start) -> None:
    await (await start(mode="record", cassette="c")).chat("known")
    deck = await start(mode="record-missing", cassette="c")
    assert "hit" in (await deck.chat("known")).cache_status
    assert "stored" in (await deck.chat("new")).cache_status
    replaying = await start(mode="replay", cassette="c")
    assert (await replaying.chat("new")).status == 200


async def test_errors_are_facts_only_where_the_setting_says_so(start: Start) -> None:
    environ = {"PROMPTDECK_RECORD_ERRORS": "true"}
    deck = await start(mode="record", cassette="c", environ=environ)
    deck.upstream.answers = [
        raw(b'{"error":{"message":"slow down"}}', status=429, headers={"Retry-After": "1"}),
        plain("at last"),
    ]
    await deck.chat(stream=True)
    await deck.chat(stream=True)
    replaying = await start(mode="replay", cassette="c")
    first, second = await replaying.chat(stream=True), await replaying.chat(stream=True)
    assert (first.status, first.headers["Retry-After"]) == (429, "1")
    assert second.body == b"".join(chunks("at last"))


async def test_replay_converts_a_stream_for_who_wants_json(start: Start) -> None:
    await (await start(mode="record", cassette="c")).chat(stream=True)
    deck = await start(mode="replay", cassette="c")
    whole = await deck.chat()
    assert whole.json["choices"][0]["message"]["content"] == "answer 1"
    assert whole.json["choices"][0]["finish_reason"] == "stop"
    assert "converted-from=sse" in whole.cache_status
    assert whole.headers["Content-Type"] == "application/json"


async def test_replay_converts_json_for_who_wants_a_stream_with_usage(start: Start) -> None:
    await (await start(mode="record", cassette="c")).chat()
    deck = await start(mode="replay", cassette="c")
    streamed = await deck.chat(stream=True, stream_options={"include_usage": True})
    assert streamed.body.endswith(DONE)
    assert b'"total_tokens":7' in streamed.body
    assert "converted-from=json" in streamed.cache_status
    bare = await deck.chat(stream=True)
    assert b"total_tokens" not in bare.body


async def test_a_stream_without_usage_does_not_pass_for_one_with_it(start: Start) -> None:
    await (await start(mode="record", cassette="c")).chat(stream=True)
    deck = await start(mode="replay", cassette="c")
    refused = await deck.chat(stream=True, stream_options={"include_usage": True})
    assert refused.status == 400
    assert "another form" in refused.json["message"]


async def test_a_miss_names_what_differs_and_is_not_retried(start: Start) -> None:
    await (await start(mode="record", cassette="c")).chat("Name three rivers in Europe")
    deck = await start(mode="replay", cassette="c")
    miss = await deck.chat("Name three lakes in Europe")
    assert (miss.status, miss.headers["x-should-retry"]) == (400, "false")
    body = miss.json
    assert body["code"] == body["error"]["code"] == "cassette_miss"
    assert body["param"] == body["error"]["param"] == "$.messages[0].content"
    assert "rivers -> lakes" in body["message"]
    assert body["details"]["reason"] == "not_recorded"
    assert '+      "content": "Name three lakes in Europe"' in body["details"]["diff"]
    assert miss.headers["X-Request-Id"].startswith("req_")


async def test_a_missing_cassette_is_its_own_reason(start: Start) -> None:
    deck = await start(mode="replay", cassette="nowhere")
    miss = await deck.chat()
    assert miss.json["details"]["reason"] == "cassette_missing"
    assert "nowhere" in miss.json["message"]


async def test_replay_without_a_name_plays_every_cassette(start: Start) -> None:
    await (await start(mode="record", cassette="a")).chat("one")
    await (await start(mode="record", cassette="folder/b")).chat("two")
    deck = await start(mode="replay")
    assert (await deck.chat("one")).status == (await deck.chat("two")).status == 200


async def test_replay_follows_a_cassette_that_changes_while_it_serves(start: Start) -> None:
    replaying = await start(mode="replay")
    assert (await replaying.chat("new")).status == 400
    await (await start(mode="record", cassette="later")).chat("new")
    assert (await replaying.chat("new")).status == 200


async def test_match_rules_apply_to_recording_and_matching_alike(start: Start) -> None:
    environ = {
        "PROMPTDECK_MATCH_REPLACE": '["uuid"]',
        "PROMPTDECK_MATCH_IGNORE": '["$.seed"]',
    }
    recording = await start(mode="record", cassette="c", environ=environ)
    await recording.chat("job 01234567-89ab-cdef-0123-456789abcdef", seed=1)
    with_rules = await start(mode="replay", cassette="c", environ=environ)
    other = "job fedcba98-89ab-cdef-0123-456789abcdef"
    assert (await with_rules.chat(other, seed=2)).status == 200
    without = await start(mode="replay", cassette="c")
    assert (await without.chat(other)).status == 400


async def test_secrets_never_reach_the_cassette_and_another_key_still_matches(
    start: Start,
) -> None:
    def key(letter: str) -> str:
        return "sk-" + "proj-" + f"{letter}1" * 24

    recording = await start(mode="record", cassette="c")
    recording.upstream.answers = [stream([*chunks(f"your key is {key('A')}")])]
    await recording.chat(
        f"my key: {key('A')}", stream=True, headers={"Authorization": f"Bearer {key('A')}"}
    )
    [seen] = recording.upstream.seen
    assert seen.headers["Authorization"] == f"Bearer {key('A')}"
    replaying = await start(mode="replay", cassette="c")
    answer = await replaying.chat(f"my key: {key('B')}", stream=True)
    assert answer.status == 200
    assert key("A").encode() not in answer.body
    assert recording.server.counts().redacted == 2


async def test_passthrough_changes_and_keeps_nothing(start: Start) -> None:
    deck = await start(mode="passthrough")
    first, second = await deck.chat(), await deck.chat()
    assert first.body != second.body
    assert first.cache_status == "promptdeck; fwd=bypass"
    assert deck.server.counts().recorded == 0


async def test_a_request_that_is_not_json_still_reaches_upstream(start: Start) -> None:
    deck = await start(mode="cache")
    deck.upstream.answers = [raw(b'{"error":{"message":"not JSON"}}', status=400)]
    got = await deck.request("POST", "/v1/chat/completions", b"{nonsense")
    assert got.status == 400
    assert deck.upstream.seen[0].body == b"{nonsense"


async def test_other_endpoints_record_and_replay_byte_for_byte(start: Start) -> None:
    recording = await start(mode="record", cassette="c")
    sound = bytes(range(256)) * 4
    recording.upstream.answers = [raw(sound, headers={"Content-Type": "audio/mpeg"})]
    body = b'{"model": "tts", "input": "hi"}'
    first = await recording.request("POST", "/v1/audio/speech?a=1", body)
    assert first.body == sound
    replaying = await start(mode="replay", cassette="c")
    again = await replaying.request("POST", "/v1/audio/speech?a=1", b'{"input":"hi","model":"tts"}')
    assert (again.body, again.headers["Content-Type"]) == (sound, "audio/mpeg")
    assert (await replaying.request("POST", "/v1/audio/speech?a=2", body)).status == 400


async def test_models_in_replay_come_from_a_recording_or_else_from_the_requests(
    start: Start,
) -> None:
    recording = await start(mode="record", cassette="c")
    await recording.chat(model="beta")
    await recording.chat(model=["alpha"])
    replaying = await start(mode="replay", cassette="c")
    listed = await replaying.request("GET", "/v1/models")
    assert [model["id"] for model in listed.json["data"]] == ["alpha", "beta"]
    recording.upstream.answers = [raw(b'{"object":"list","data":[]}')]
    await recording.request("GET", "/v1/models")
    assert (await replaying.request("GET", "/v1/models")).json["data"] == []


async def test_recorded_pace_keeps_the_recorded_times(start: Start) -> None:
    recording = await start(mode="record", cassette="c")
    gate = asyncio.Event()
    recording.upstream.answers = [stream(chunks("in its own time"), gate=gate)]
    call = asyncio.get_running_loop().create_task(recording.chat(stream=True))
    while not recording.upstream.seen:
        await asyncio.sleep(0.005)
    await asyncio.sleep(0.3)
    gate.set()
    await call
    paced = await start(mode="replay", cassette="c", pace="recorded")
    started = time.perf_counter()
    answer = await paced.chat(stream=True)
    assert time.perf_counter() - started > 0.2
    assert answer.body == b"".join(chunks("in its own time"))


async def test_completion_extras_survive_in_both_forms(start: Start) -> None:
    deck = await start(mode="cache")
    deck.upstream.answers = [
        raw(orjson.dumps(completion("x", mcp_tool_results=[{"tool_name": "t"}], odd={"a": [1]})))
    ]
    first, second = await deck.chat(), await deck.chat()
    assert first.json["odd"] == second.json["odd"] == {"a": [1]}


async def test_a_secret_in_a_target_is_in_no_log_and_no_report(
    start: Start, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "promptdeck")
    secret, key = "sk-" + "proj-" + "a1B2" * 12, "a-key-of-no-known-shape"
    (start.folder / "cassettes").mkdir()
    replaying = await start(mode="replay", cassette="c")
    await replaying.request("GET", f"/v1/files/{secret}?api_key={key}")
    report = await replaying.request("GET", "/_deck/cassettes/c/report")
    assert b"api_key=redacted" in report.body
    told = "\n".join(caplog.messages) + report.body.decode()
    assert secret not in told
    assert key not in told


@pytest.mark.parametrize("fast", [True, False])
async def test_what_is_recorded_is_reachable_whatever_the_contract_thinks_of_its_request(
    start: Start, fast: bool
) -> None:
    odd = {"model": "m", "messages": [], "thinking": {"clear_thinking": True}}
    data = orjson.dumps(odd)
    recorder = await start(mode="record", cassette="odd", environ={})
    refused = await recorder.request("POST", "/v1/chat/completions", data)
    assert refused.status == 400  # nothing is recorded yet
    # As an import or an older promptdeck brings it.
    plain = await recorder.chat("hi")
    path = start.folder / "cassettes" / "odd.yaml"
    asked = Request("POST", "/v1/chat/completions", "application/json", data)
    [recorded] = read(path)
    form = normalize(asked, Rules(), Redactor())
    path.unlink()
    brought = recorded._replace(request=asked, key=fingerprint(form.canonical))
    save(path, [New(brought, form.canonical, replace=True)])
    replay = await start(mode="replay", cassette="odd", fast=fast)
    for _ in range(3):
        got = await replay.request("POST", "/v1/chat/completions", data)
        assert (got.status, got.body) == (200, plain.body)


# While many cassettes are indexed


@pytest.fixture
def indexing(monkeypatch: pytest.MonkeyPatch) -> asyncio.Event:
    """Any cassettes are many, and a folder's are indexed when this is set; others are sooner."""
    go_on, index = asyncio.Event(), Shelf._index

    async def stopped(self: Shelf, *args: Any) -> None:
        await go_on.wait()
        await index(self, *args)

    monkeypatch.setattr(Shelf, "_index", stopped)
    monkeypatch.setattr("promptdeck.app._LITTLE", -1)
    return go_on


async def test_a_server_listens_before_its_cassettes_are_indexed(
    start: Start, indexing: asyncio.Event
) -> None:
    recorded = {}
    for name in ("a", "b"):
        recording = await start(mode="record", cassette=name)
        recorded[name] = await recording.chat(f"of {name}")
    deck = await start(mode="replay")
    assert (await deck.request("GET", "/_deck/health")).status == 200
    for name in ("b", "a"):
        assert (await deck.chat(f"of {name}")).body == recorded[name].body
        assert (await deck.chat(f"of {name}", at=f"/cassette/{name}")).body == recorded[name].body
    calls = asyncio.gather(deck.chat("of none"), deck.request("GET", "/v1/models"))
    waiting = asyncio.gather(deck.server.ready())
    assert (await deck.chat("of b")).body == recorded["b"].body
    assert not calls.done()
    assert not waiting.done()
    indexing.set()
    missed, listed = await calls
    assert missed.json["code"] == "cassette_miss"
    assert [model["id"] for model in listed.json["data"]] == ["m"]
    await waiting
    assert len(deck.server.report()["played"]) == 2


async def test_a_server_whose_cassettes_cannot_be_read_stops(
    indexing: asyncio.Event, tmp_path: Path
) -> None:
    folder = tmp_path / "cassettes"
    folder.mkdir()
    (folder / "bad.yaml").write_text("promptdeck: [\n")
    settings = {"port": 0, "mode": "replay", "store": tmp_path / "s.db", "cassettes": folder}
    config = load(settings, {}, cwd=tmp_path)
    with pytest.raises(CassetteError, match=r"bad\.yaml"):
        async with serving(config.config):
            indexing.set()
            await asyncio.Event().wait()


async def test_a_server_that_is_stopped_while_it_indexes_ends(
    start: Start, indexing: asyncio.Event
) -> None:
    await (await start(mode="record", cassette="a")).chat()
    await start(mode="replay")
    assert not indexing.is_set()
