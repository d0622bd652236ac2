"""Tapes of reel and fixtures of aimock."""

import base64

import orjson
import pytest

from promptdeck.core.interaction import Frame, Variant
from promptdeck.errors import CassetteError
from promptdeck.imports import NotCarried
from tests.other_tools import answer, carried, imported, prompt
from tests.recordings import chunk

META = b'{"_meta":{"match":{"mode":"normalized"}}}'


def line(body=None, response=None, **more):
    """As reel 0.1.0 writes it."""
    return {
        "schema_version": 1,
        "id": "req_1_1fb69b9c",
        "ts": "2023-11-14T22:13:20+00:00",
        "provider": "openai",
        "request": {
            "method": "POST",
            "path": "/v1/chat/completions",
            "fingerprint": "sha256:00",
            "body": orjson.loads(prompt()) if body is None else body,
        },
        "response": {
            "status": 200,
            "headers": {"server": "x", "content-type": "application/json"},
            "body": orjson.loads(answer()),
            "stream_chunks": None,
            **(response or {}),
        },
        "meta": {},
        **more,
    }


def event(data, ms, name=None):
    return {"data": data, "t_offset_ms": ms, "event": name}


def streamed(*events):
    return {
        "headers": {"content-type": "text/event-stream"},
        "body": None,
        "stream_chunks": list(events),
    }


def tape(*lines):
    return b"\n".join([META, *map(orjson.dumps, lines), b""])


def test_a_tape_becomes_recordings_in_order(tmp_path):
    other = line(response={"body": orjson.loads(answer("again"))})
    made = carried(imported(tmp_path / "a.jsonl", tape(line(), other)))
    assert [item.response.body for item in made] == [answer().encode(), answer("again").encode()]
    assert {item.request.body for item in made} == {prompt().encode()}
    assert {(item.upstream, item.recorded_at) for item in made} == {
        ("https://api.openai.com/v1", 1_700_000_000)
    }


def test_a_tape_of_one_line_is_known_for_what_it_is(tmp_path):
    [made] = carried(imported(tmp_path / "a.json", orjson.dumps(line())))
    assert made.response.body == answer().encode()


def test_events_keep_their_times_and_names(tmp_path):
    events = [event(chunk({"content": "Hé"}), 41), event(chunk({}, "stop"), 60, "x")]
    item = line(orjson.loads(prompt(stream=True)), streamed(*events, event("[DONE]", 61)))
    [made] = carried(imported(tmp_path / "a.jsonl", tape(item)))
    assert made.variant is Variant.SSE
    assert [frame.offset_ms for frame in made.response.frames] == [41, 60, 61]
    assert made.response.frames[1].data.startswith(b"event: x\ndata: {")
    assert made.response.frames[2] == Frame(61, b"data: [DONE]\n\n")


def test_bodies_that_are_no_json_are_undone(tmp_path):
    raw = {"__reel_raw_base64__": base64.b64encode(b"\xff\x00").decode()}
    item = line(raw, {"headers": {"content-type": "audio/mpeg"}, "body": raw})
    item["request"]["path"] = "/v1/audio/speech"
    [made] = carried(imported(tmp_path / "a.jsonl", tape(item)))
    assert made.request.body == made.response.body == b"\xff\x00"


def test_another_providers_path_goes_to_its_host(tmp_path):
    item = line(provider="gemini")
    item["request"]["path"] = "/v1beta/models/m:generateContent"
    item["response"]["body"] = {"candidates": [{"content": {}, "finishReason": "STOP"}]}
    [made] = carried(imported(tmp_path / "a.jsonl", tape(item)))
    assert made.upstream == "https://generativelanguage.googleapis.com"
    assert made.request.target == "/v1beta/models/m:generateContent"


def test_what_cannot_be_carried_is_listed_with_its_line(tmp_path):
    big = orjson.dumps(line()).replace(b'"m"', b"1%s" % (b"0" * 30), 1)
    lines = [orjson.dumps(line(provider="acme")), big, b"", orjson.dumps(line(streamed(), {}))]
    cut = orjson.dumps(line(response=streamed(event(chunk({"content": "x"}), 1))))
    made = carried(imported(tmp_path / "a.jsonl", b"\n".join([META, *lines[:3], cut])))
    assert [item.place for item in made] == ["2", "3", "5"]
    assert "the provider only, acme" in made[0].reason
    assert "its JSON would change when read" in made[1].reason
    assert made[2].reason == "choice 0 has no finish_reason"


@pytest.mark.parametrize("broken", [b'{"a":', b"[1]"])
def test_a_broken_line_is_an_error_that_names_it(tmp_path, broken):
    with pytest.raises(CassetteError, match=r"a\.jsonl: line 2: not a line of a reel tape"):
        imported(tmp_path / "a.jsonl", META + b"\n" + broken)


# aimock

FIXTURES = {
    "fixtures": [
        {
            "match": {"userMessage": "hi", "model": "m", "turnIndex": 0, "hasToolResult": False},
            "response": {"content": "Hello"},
            "recordedTimings": {"ttftMs": 2, "interChunkDelaysMs": [20, 1], "totalDurationMs": 23},
        },
        {"match": {}, "response": {"toolCalls": [{"name": "f", "arguments": "{}"}]}},
        "odd",
    ]
}


def test_every_fixture_is_listed_with_what_it_holds(tmp_path):
    first, second, third = imported(tmp_path / "a.json", orjson.dumps(FIXTURES))
    assert first == NotCarried(
        "$.fixtures[0]",
        "it holds a matcher (userMessage, model, turnIndex, hasToolResult) and content,"
        " not the request: run your program against aimock and import its journal, or record"
        " this call again with promptdeck",
    )
    assert "a matcher (anything) and toolCalls" in second.reason
    assert third == NotCarried("$.fixtures[2]", "it is not laid out as expected: no JSON object")


def test_a_file_without_fixtures_is_an_error(tmp_path):
    with pytest.raises(CassetteError, match=r"it has no \$\.fixtures"):
        imported(tmp_path / "a.json", b"{}", "aimock")
