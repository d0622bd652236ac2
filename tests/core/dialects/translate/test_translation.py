"""The door: what goes through it in pieces, and whole."""

import subprocess
import sys
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from promptdeck.core.dialects.chat.dialect import CHAT
from promptdeck.core.dialects.messages.dialect import MESSAGES
from promptdeck.core.dialects.translate.aim import Aim, Untranslatable
from promptdeck.core.dialects.translate.chat.tells import ChatTelling
from promptdeck.core.dialects.translate.neutral import Broke, Opened, Signal, Spoken
from promptdeck.core.dialects.translate.translation import Translation, answered, heading, written
from promptdeck.core.interaction import Frame, Request, Response, Variant
from promptdeck.core.text import sse

from .strategies import signals

AIM = Aim("local", "chat", "m-1")
NOW = 1700000000


def stream(answer: list[Signal]) -> list[bytes]:
    telling = ChatTelling({}, Variant.SSE_USAGE, NOW)
    return [*(one for signal in answer for one in telling.tell(signal)), *telling.end()]


def translation(variant: Variant = Variant.SSE_USAGE) -> Translation:
    return Translation(CHAT, CHAT, variant, {}, AIM, NOW)


def response(frames: list[bytes], status: int = 200, kind: str = "text/event-stream") -> Response:
    heads = (("content-type", kind), ("request-id", "r"), ("content-length", "1"))
    return Response(status, heads, tuple(Frame(n, one) for n, one in enumerate(frames)))


@settings(max_examples=40)
@given(signals(), st.data())
def test_every_cut_gives_the_same(answer: list[Signal], data: st.DataObject) -> None:
    body = b"".join(stream(answer))
    if data.draw(st.booleans()):
        body = body.replace(b"\n", b"\r\n")
    whole = translation()
    expected = whole.feed(body) + whole.rest()
    at = data.draw(st.lists(st.integers(0, len(body)), max_size=6).map(sorted))
    cut = translation()
    found = [cut.feed(body[a:b]) for a, b in zip([0, *at], [*at, len(body)], strict=True)]
    assert b"".join(found) + cut.rest() == expected


def test_each_event_goes_on_as_soon_as_it_has_come() -> None:
    frames = stream([Opened("a", "m"), Spoken("one"), Spoken("two")])
    whole = translation()
    assert [whole.feed(frame).count(b"data:") for frame in frames[:3]] == [0, 2, 1]
    letters = translation()
    assert sum(bool(letters.feed(bytes([one]))) for one in frames[1]) == 1


def test_an_end_that_never_came_is_an_error_and_no_end() -> None:
    cut = translation()
    said = sse.frames(cut.feed(b"".join(stream([Opened("a", "m"), Spoken("one")])[:2])))
    ending = sse.frames(cut.rest())
    assert [sse.parse(frame).event for frame in [*said, *ending]] == ["", "", "error"]
    assert b'"one"' in said[1]
    assert not any(b"stop" in frame for frame in said)


@given(signals(choices=2))
@settings(max_examples=30)
def test_whole_answers_say_the_same_in_every_form(answer: list[Signal]) -> None:
    streamed = response(stream(answer))
    whole = answered(streamed, CHAT, CHAT, Variant.JSON, {}, AIM, NOW)
    again = answered(whole, CHAT, CHAT, Variant.SSE_USAGE, {}, AIM, NOW)
    assert whole.content_type == "application/json"
    assert again.is_stream
    assert CHAT.message(again) == CHAT.message(whole) == orjson.loads(whole.body)
    live = translation()
    fed = b"".join(live.feed(frame.data) for frame in streamed.frames) + live.rest()
    told = answered(streamed, CHAT, CHAT, Variant.SSE_USAGE, {}, AIM, NOW)
    assert told.body == fed
    assert [frame.offset_ms for frame in told.frames] == sorted(
        frame.offset_ms for frame in told.frames
    )


@pytest.mark.parametrize("status", [401, 429, 503, 529])
def test_an_error_keeps_its_status_and_words(status: int) -> None:
    error = b'{"type":"error","error":{"type":"overloaded_error","message":"later"}}'
    failed = response([error], status, "application/json")
    told = answered(failed, CHAT, CHAT, Variant.SSE, {}, AIM, NOW)
    assert told.status == (503 if status == 529 else status)
    assert orjson.loads(told.body)["error"]["message"] == "later"
    assert (("x-should-retry", "true") in told.headers) is (status == 529)


def test_an_answer_that_failed_in_mid_stream_is_an_error_where_it_is_wanted_whole() -> None:
    failed = response(stream([Opened("a", "m"), Spoken("x"), Broke(429, "rate_limit_error", "n")]))
    told = answered(failed, CHAT, CHAT, Variant.JSON, {}, AIM, NOW)
    assert told.status == 502
    assert orjson.loads(told.body)["error"]["message"] == "n"


@pytest.mark.parametrize("body", [b"<html>", b"", b"[1]", b"{}", b'{"choices":[]}'])
def test_what_is_no_answer_is_the_upstream_s_fault(body: bytes) -> None:
    told = answered(response([body], 200, "text/html"), CHAT, CHAT, Variant.JSON, {}, AIM, NOW)
    assert told.status == 502


@pytest.mark.parametrize("variant", [Variant.JSON, Variant.SSE])
@pytest.mark.parametrize(
    ("upstream", "body", "status"),
    [
        (MESSAGES, b'{"type":"error","error":{"type":"overloaded_error","message":"full"}}', 503),
        (MESSAGES, b'{"type":"error","error":{"type":"rate_limit_error","message":"full"}}', 429),
        (CHAT, b'{"error":{"message":"full","code":429}}', 429),
    ],
)
def test_an_error_in_a_good_status_keeps_its_words(
    upstream: Any, body: bytes, status: int, variant: Variant
) -> None:
    given = response([body], kind="application/json")
    aim = Aim("local", upstream.name, "m")
    found = answered(given, upstream, CHAT, variant, {}, aim, 1_700_000_000)
    assert (found.status, orjson.loads(found.body)["error"]["message"]) == (status, "full")


def test_heads_say_what_the_bytes_are_and_whose_the_answer_was() -> None:
    kept = heading((("Content-Encoding", "gzip"), ("request-id", "r"), ("x", "y")), "text/plain")
    assert kept == (("content-type", "text/plain"), ("x-upstream-request-id", "r"), ("x", "y"))


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b'{"model":1e999}'])
def test_a_body_that_is_none_is_the_client_s_fault(body: bytes) -> None:
    request = Request("POST", "/v1/chat/completions", "application/json", body)
    messages = Aim("anthropic", "messages", "m", "anthropic")
    with pytest.raises(Untranslatable):
        written(request, CHAT, messages)


_LATE = """
import sys
import promptdeck.app
from promptdeck.core.dialects.table import dialect_of
here = "promptdeck.core.dialects.translate"
print(*[name for name in sys.modules if name.startswith(here)])
from promptdeck.core.dialects.translate.aim import Aim
from promptdeck.core.dialects.translate.translation import Translation
from promptdeck.core.interaction import Variant
chat, messages = (dialect_of("POST", path) for path in ("/v1/chat/completions", "/v1/messages"))
Translation(messages, chat, Variant.SSE, {}, Aim("anthropic", "messages", "m"), 0).rest()
print(*sorted({name.split(".")[4] for name in sys.modules if name.startswith(here + ".")}))
"""


def test_nothing_is_imported_before_it_is_needed() -> None:
    """A server starts without, and an answer brings in what its two dialects need."""
    said = subprocess.run([sys.executable, "-c", _LATE], capture_output=True, text=True, check=True)
    before, after = said.stdout.splitlines()
    assert before == ""
    assert {"chat", "messages"} <= {*after.split()}
    assert not {"gemini", "responses"} & {*after.split()}
