"""trip: model after model until one answers; what leads on, what does not; retries and breakers."""

import asyncio
from typing import Any

import orjson
import pytest

from promptdeck.core.routing.upstreams import Declared
from promptdeck.errors import Unsendable, UpstreamError
from tests.scripted_upstream import chunk, chunks

from .scripted import (
    ERROR_EVENT,
    ROLE,
    SLOW,
    UNREACHABLE,
    Got,
    Reply,
    ScriptedWay,
    Time,
    answer,
    asking,
    failing,
    raising,
    routing,
    said,
    spoken,
    streamed,
)

LIST = ["a/x", "b/y"]

LEADING: dict[str, Reply] = {
    "unreachable": raising(UNREACHABLE),
    "slow": raising(SLOW),
    **{str(status): failing(status) for status in (408, 429, 500, 502, 503, 504, 529)},
    "error in a whole answer": said(b'{"error":{"message":"overloaded"}}'),
    "a web page": said(b"<html>down</html>"),
    "nothing": said(b""),
}
LEADING_STREAMS: dict[str, Reply] = {
    "error event": streamed(ERROR_EVENT),
    "error event behind the role": streamed(ROLE, ERROR_EVENT),
    "cut before content": streamed(ROLE),
    "lost before content": streamed(ROLE, UpstreamError("cut", code="upstream_cut")),
    "empty": streamed(),
}
FINAL = [400, 401, 403, 404, 413, 422]


async def text_of(got: Got) -> Any:
    return orjson.loads(got.body)["choices"][0]["message"]["content"]


@pytest.mark.parametrize("why", LEADING)
async def test_what_may_go_better_elsewhere_leads_to_the_next(why: str) -> None:
    ways = {"a": ScriptedWay(LEADING[why]), "b": ScriptedWay(answer("from b"))}
    got = Got()
    await routing(ways).fly(asking(LIST), got)
    assert (got.status, await text_of(got)) == (200, "from b")
    assert got.headers["x-promptdeck-served"] == "b/y; dialect=chat"
    assert got.route.startswith('"a/x"; failed=')
    assert got.route.endswith(', "b/y"')
    assert (ways["a"].models, ways["b"].models) == (["x"], ["y"])


@pytest.mark.parametrize("why", LEADING_STREAMS)
async def test_a_stream_that_fails_before_any_content_leads_to_the_next(why: str) -> None:
    ways = {"a": ScriptedWay(LEADING_STREAMS[why]), "b": ScriptedWay(spoken("from b"))}
    got = Got()
    await routing(ways).fly(asking(LIST, stream=True), got)
    assert got.body == b"".join(chunks("from b"))
    assert got.headers["x-promptdeck-served"] == "b/y; dialect=chat"


@pytest.mark.parametrize("status", FINAL)
async def test_what_is_wrong_with_the_request_does_not(status: int) -> None:
    ways = {"a": ScriptedWay(failing(status, "wrong")), "b": ScriptedWay(answer("from b"))}
    got = Got()
    await routing(ways, retries=3).fly(asking(LIST), got)
    assert (got.status, orjson.loads(got.body)["error"]["message"]) == (status, "wrong")
    assert got.headers["x-promptdeck-served"] == "a/x; dialect=chat"
    assert (len(ways["a"].seen), ways["b"].seen) == (1, [])


async def test_a_refusal_by_content_does_not() -> None:
    message = {"role": "assistant", "content": None}
    refused = {"choices": [{"index": 0, "finish_reason": "content_filter", "message": message}]}
    frames = [ROLE, chunk({}, "content_filter")]
    for stream, reply in ((False, said(orjson.dumps(refused))), (True, streamed(*frames))):
        ways = {"a": ScriptedWay(reply), "b": ScriptedWay(answer("from b"))}
        got = Got()
        await routing(ways).fly(asking(LIST, stream=stream), got)
        assert b"content_filter" in got.body
        assert not ways["b"].seen


async def test_after_the_first_content_nothing_leads_on() -> None:
    cut = UpstreamError("cut", code="upstream_cut")
    ways = {
        "a": ScriptedWay(streamed(*chunks("some text")[:3], cut)),
        "b": ScriptedWay(spoken("b")),
    }
    got = Got()
    with pytest.raises(UpstreamError, match="cut"):
        await routing(ways).fly(asking(LIST, stream=True), got)
    assert b"some" in got.body
    assert not ways["b"].seen


async def test_the_head_waits_for_content_and_no_longer_than_it_may() -> None:
    gate = asyncio.Event()
    ways = {"a": ScriptedWay(streamed(ROLE, gate, *chunks("late")[2:]))}
    got = Got()
    flying = asyncio.gather(routing(ways, hold_back=0.03).fly(asking("a/x", stream=True), got))
    await asyncio.sleep(0.01)
    assert got.status == 0
    await asyncio.sleep(0.04)
    # Now its client can be kept company.
    assert (got.status, got.body) == (200, ROLE)
    gate.set()
    await flying
    assert b"late" in got.body


async def test_another_model_does_not_wait_for_ever_for_the_first_byte() -> None:
    async def silent(incoming: Any, sink: Any) -> None:
        await asyncio.Event().wait()

    ways = {"a": ScriptedWay(silent), "b": ScriptedWay(answer("from b"))}
    got = Got()
    await routing(ways, first_byte=0.02).fly(asking(LIST), got)
    assert got.headers["x-promptdeck-served"] == "b/y; dialect=chat"
    assert "no byte of an answer came within 0.02 s" in got.route
    # Where none is left, only the upstream's own timeout counts.
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await routing(ways, first_byte=0.02).fly(asking("a/x"), Got())


async def test_the_last_ones_status_comes_with_all_attempts() -> None:
    ways = {
        "a": ScriptedWay(failing(503, "down")),
        "b": ScriptedWay(raising(UNREACHABLE)),
        "c": ScriptedWay(failing(429, "slow down", Retry_After="40")),
    }
    got = Got()
    await routing(ways).fly(asking(["a/x", "b/y", "c/z"]), got)
    error = orjson.loads(got.body)["error"]
    assert (got.status, error["message"]) == (429, "slow down")
    assert got.headers["retry-after"] == "40"
    assert [
        (one["model"], one["status"], one["error"]) for one in error["details"]["attempts"]
    ] == [
        ("a/x", 503, "down"),
        ("b/y", 502, "cannot reach it"),
        ("c/z", 429, "slow down"),
    ]
    assert got.route.count("failed=") == 3
    # Nobody has answered: it is in the client's own dialect.
    assert "x-promptdeck-served" not in got.headers


@pytest.mark.parametrize("length", [1, 3000])
async def test_however_many_are_tried_the_head_can_be_read(length: int) -> None:
    name = "n" * length
    names = [f"a/{name}{number}" for number in range(100)]
    ways = {"a": ScriptedWay(failing(503, 'so "long" \r\n' * 50)), "b": ScriptedWay(answer("b"))}
    got = Got()
    await routing(ways, breaker=999).fly(asking([*names[:99], "b/y"]), got)
    assert len(got.route) <= 4000
    assert got.route.endswith('"b/y"')
    assert got.route.isprintable()


async def test_a_model_of_a_very_long_name_holds_nobody_up() -> None:
    got = Got()
    ways = {"a": ScriptedWay(answer("a"))}
    await routing(ways).fly(asking(["a/" + "n" * 9000, "a/b"]), got)
    assert len(got.route) == 4000


async def test_where_the_last_one_gave_no_answer_there_is_none() -> None:
    ways = {"a": ScriptedWay(failing(503, "down")), "b": ScriptedWay(raising(SLOW))}
    with pytest.raises(UpstreamError) as caught:
        await routing(ways).fly(asking(LIST), Got())
    error = caught.value
    assert (error.status, error.code) == (504, "upstream_timeout")
    assert error.details
    assert [one["status"] for one in error.details["attempts"]] == [503, 504]
    assert error.headers["X-Promptdeck-Route"].count("failed=") == 2


async def test_a_single_models_error_is_passed_on_as_it_came() -> None:
    got = Got()
    ways = {"a": ScriptedWay(failing(503, "down", X_Own="1"))}
    await routing(ways, retries=1).fly(asking("a/x"), got)
    assert (got.status, got.body) == (503, b'{"error":{"message":"down"}}')
    assert got.headers["x-own"] == "1"
    assert got.headers["x-promptdeck-served"] == "a/x; dialect=chat"
    assert len(ways["a"].seen) == 2


@pytest.mark.parametrize(("at", "status"), [("chat/completions", 503), ("messages", 529)])
async def test_an_overload_is_told_as_its_client_knows_it(at: str, status: int) -> None:
    ways = {"a": ScriptedWay(failing(529))}
    anthropic = Declared("a", url="http://a/v1", dialects=("chat", "messages"))
    got = Got()
    await routing(ways, a=anthropic).fly(asking(["a/x", "a/y"], at=at, max_tokens=5), got)
    assert got.status == status
    assert got.headers["x-should-retry"] == "true"


# Each attempt is made anew


async def test_a_large_request_is_read_and_written_while_others_are_served() -> None:
    way = ScriptedWay(answer("yes"))
    await routing({"a": way}).fly(asking("a/x", user="u" * 300_000), Got())
    assert way.models == ["x"]


async def test_settings_are_the_models_own_and_the_requests_fields_win() -> None:
    ways = {"a": ScriptedWay(failing(503)), "b": ScriptedWay(answer("b"))}
    model = [
        {"model": "a/x", "settings": {"temperature": 0.1, "top_p": 0.3, "seed": None}},
        {"model": "b/y", "settings": {"max_tokens": 9, "extra_args": {"user": "u"}}},
    ]
    await routing(ways).fly(asking(model, temperature=0.7), Got())
    messages = [{"role": "user", "content": "hi"}]
    assert orjson.loads(ways["a"].seen[0].request.body) == {
        "model": "x",
        "temperature": 0.7,
        "top_p": 0.3,
        "messages": messages,
    }
    assert orjson.loads(ways["b"].seen[0].request.body) == {
        "model": "y",
        "temperature": 0.7,
        "max_tokens": 9,
        "user": "u",
        "messages": messages,
    }


async def test_each_is_asked_in_its_own_dialect() -> None:
    ways = {"a": ScriptedWay(failing(503)), "b": ScriptedWay(failing(503))}
    upstreams = {
        "a": Declared("a", url="http://a/v1", dialects=("messages",)),
        "b": Declared("b", url="http://b/v1", dialects=("gemini",)),
    }
    await routing(ways, **upstreams).fly(asking(LIST), Got())
    [first], [second] = ways["a"].seen, ways["b"].seen
    assert first.request.target == "/v1/messages"
    assert orjson.loads(first.request.body)["max_tokens"]
    assert second.request.target == "/v1beta/models/y:generateContent"
    assert "max_tokens" not in orjson.loads(second.request.body)


async def test_what_is_lost_is_a_warning_or_where_it_is_strict_a_refusal() -> None:
    messages = Declared("a", url="http://a/v1", dialects=("messages",))
    reply = said(
        b'{"id":"m","type":"message","role":"assistant","model":"x","content":[{"type":"text",'
        b'"text":"hi"}],"stop_reason":"end_turn","usage":{"input_tokens":1,"output_tokens":1}}'
    )
    got, request = Got(), asking("a/x", seed=7, n=3)
    await routing({"a": ScriptedWay(reply)}, a=messages).fly(request, got)
    warning = got.headers["warning"]
    assert warning.startswith('299 promptdeck "a/x: ')
    assert "$.seed" in warning
    assert "$.n" in warning
    ways = {"a": ScriptedWay(reply)}
    with pytest.raises(Unsendable) as caught:
        await routing(ways, a=messages, strict=True).fly(request, Got())
    assert caught.value.details
    assert {one["path"] for one in caught.value.details["lost"]} == {"$.seed", "$.n"}
    assert (caught.value.status, ways["a"].seen) == (400, [])


async def test_what_nobody_asked_for_is_no_reason_to_refuse() -> None:
    call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    messages = [
        {"role": "user", "content": "q"},
        {"role": "assistant", "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c", "content": "1"},
    ]
    tools = [{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}]
    google = Declared("a", url="http://a/v1", dialects=("gemini",))
    way, got = ScriptedWay(failing(400, "no")), Got()
    request = asking("a/gemini-3-pro", messages=messages, tools=tools)
    await routing({"a": way}, a=google, strict=True).fly(request, got)
    assert len(way.seen) == 1
    assert "no signature came" in got.headers["warning"]


async def test_a_refusal_for_a_signature_is_tried_once_more_without() -> None:
    messages = Declared("a", url="http://a/v1", dialects=("messages",))
    refusal = failing(400, "messages.1.content.0: Invalid `signature` in `thinking` block")
    way = ScriptedWay(refusal)
    body: dict[str, Any] = {
        "max_tokens": 9,
        "messages": [
            {"role": "user", "content": "q"},
            {
                "role": "assistant",
                "content": [
                    {"type": "thinking", "thinking": "hm", "signature": "c2ln"},
                    {"type": "text", "text": "a"},
                ],
            },
            {"role": "user", "content": "q"},
        ],
    }
    got = Got()
    await routing({"a": way}, a=messages).fly(asking("a/x", at="messages", **body), got)
    first, second = (orjson.loads(one.request.body) for one in way.seen)
    assert "thinking" in str(first)
    assert "signature" not in str(second)
    assert got.status == 400
    # Where there is nothing signed, there is nothing to try.
    way.seen.clear()
    await routing({"a": way}, a=messages).fly(asking("a/x", at="messages", max_tokens=9), Got())
    assert len(way.seen) == 1


# Retries


async def test_with_further_models_it_goes_on_rather_than_wait() -> None:
    time = Time()
    ways = {
        "a": ScriptedWay(failing(429, Retry_After="3"), answer("a at last")),
        "b": ScriptedWay(failing(503)),
    }
    got = Got()
    await routing(ways, time=time, retries=2).fly(asking(LIST), got)
    # One that asks for nothing is waited for less long than one that asks for three seconds.
    assert (ways["a"].models, ways["b"].models) == (["x", "x"], ["y", "y", "y"])
    assert sum(time.slept) < 5.0


async def test_retries_have_jitter_and_respect_what_is_asked_for() -> None:
    time = Time(iter([0.5, 0.25, 1.0]))
    way = ScriptedWay(failing(500), failing(500), failing(429, Retry_After="5"), answer("yes"))
    got = Got()
    await routing({"a": way}, time=time, retries=3, breaker=9).fly(asking("a/x"), got)
    assert time.slept == [0.25, 0.25, 5.0]
    assert got.status == 200
    assert got.route.count("failed=") == 3


async def test_one_budget_holds_for_the_whole_list() -> None:
    time = Time()
    names = "abcd"
    ways = {name: ScriptedWay(failing(429, Retry_After="4")) for name in names}
    models = [f"{name}/m" for name in names]
    await routing(ways, time=time, retries=5, budget=10, breaker=99).fly(asking(models), Got())
    assert sum(time.slept) <= 10


async def test_nobody_waits_longer_than_its_client() -> None:
    time = Time()
    way = ScriptedWay(failing(429, Retry_After="4"))
    got = Got()
    patient = asking("a/x", ("x-stainless-read-timeout", "3"))
    await routing({"a": way}, time=time, retries=5).fly(patient, got)
    assert (got.status, time.slept, len(way.seen)) == (429, [], 1)


async def test_a_later_try_is_told_what_time_its_client_has_left() -> None:
    time = Time(iter([1.0]))
    way = ScriptedWay(failing(500), answer("yes"))
    patient = asking("a/x", ("x-stainless-read-timeout", "3"))
    await routing({"a": way}, time=time, retries=1).fly(patient, Got())
    told = [dict(one.headers)["x-stainless-read-timeout"] for one in way.seen]
    assert told == ["3", "2.500"]


async def test_an_upstream_may_be_asked_again_as_often_as_is_set_for_it() -> None:
    way = ScriptedWay(failing(500))
    once = Declared("a", url="http://a/v1", retries=0)
    await routing({"a": way}, retries=5, a=once).fly(asking("a/x"), Got())
    assert len(way.seen) == 1


@pytest.mark.parametrize("status", [400, 401, 403, 429, 500])
async def test_no_error_tells_the_client_a_key_that_it_did_not_send(status: int) -> None:
    key = "sk-hush-0123456789"
    reply = failing(status, f"Incorrect API key provided: {key}", Content_Length="99")
    ways = {name: ScriptedWay(reply) for name in "ab"}
    secret = {name: Declared(name, url=f"http://{name}/v1", key=key) for name in "ab"}
    for model in ("a/x", LIST):
        got = Got()
        told = ""
        try:
            await routing(ways, **secret).fly(asking(model), got)
            assert got.headers["content-length"] == str(len(got.body))
        except UpstreamError as error:
            told = f"{error.message} {error.details} {error.headers}"
        assert "hush" not in told + got.body.decode() + got.route
        assert "Incorrect" in told + got.body.decode()


# Breakers


async def test_a_model_that_failed_often_is_passed_over_until_one_has_tried_it() -> None:
    time = Time()
    ways = {
        "a": ScriptedWay(*3 * [failing(503)], answer("well again")),
        "b": ScriptedWay(answer("b")),
    }
    way = routing(ways, time=time)
    for _ in range(5):
        await way.fly(asking(LIST), Got())
    assert (len(ways["a"].seen), len(ways["b"].seen)) == (3, 5)
    got = Got()
    await way.fly(asking(LIST), got)
    assert "not asked again" in got.route
    # Another model of the same upstream is asked all the same.
    await way.fly(asking("a/other"), Got())
    time.now += 30
    got = Got()
    await way.fly(asking(LIST), got)
    assert got.headers["x-promptdeck-served"] == "a/x; dialect=chat"


async def test_who_is_passed_over_is_not_waited_for() -> None:
    time = Time()
    ways = {"a": ScriptedWay(failing(503)), "b": ScriptedWay(failing(503))}
    routed = routing(ways, time=time, retries=2, budget=1000, breaker=1)
    await routed.fly(asking("a/x"), Got())
    time.slept.clear()
    await routed.fly(asking(LIST), Got())
    assert sum(time.slept) < 5


async def test_failures_of_fallbacks_count_too() -> None:
    ways = {
        "a": ScriptedWay(failing(503)),
        "b": ScriptedWay(failing(503)),
        "c": ScriptedWay(answer("c")),
    }
    way = routing(ways)
    for _ in range(4):
        await way.fly(asking(["a/x", "b/y", "c/z"]), Got())
    assert [len(ways[name].seen) for name in "abc"] == [3, 3, 4]


@pytest.mark.parametrize("status", [400, 401])
async def test_what_one_caller_is_refused_closes_a_model_to_nobody(status: int) -> None:
    way = ScriptedWay(*50 * [failing(status)], answer("yes"))
    routed = routing({"a": way})
    for _ in range(51):
        got = Got()
        await routed.fly(asking("a/x"), got)
    assert got.status == 200


async def test_a_limit_of_a_callers_own_key_is_that_callers() -> None:
    google = Declared("google", url="http://google/v1", dialects=("gemini", "chat"))
    way = ScriptedWay(failing(429, Retry_After="60"), answer("yes"))
    routed = routing({"google": way}, google=google)
    for key, status in (("one", 429), ("two", 200)):
        got = Got()
        await routed.fly(asking("google/x", ("x-goog-api-key", key)), got)
        assert got.status == status
    got = Got()
    with pytest.raises(UpstreamError, match="not asked again for 60 s") as caught:
        await routed.fly(asking("google/x", ("x-goog-api-key", "one")), got)
    assert caught.value.status == 429


async def test_where_all_are_left_alone_the_client_is_told_when_to_come_back() -> None:
    way = routing({"a": ScriptedWay(failing(503, Retry_After="20"))})
    await way.fly(asking("a/x"), Got())
    with pytest.raises(UpstreamError) as caught:
        await way.fly(asking("a/x"), Got())
    assert (caught.value.status, caught.value.code) == (503, "upstream_paused")
    assert caught.value.headers["retry-after"] == "20"


async def test_who_is_cancelled_while_it_tries_leaves_that_to_the_next() -> None:
    time, gate = Time(), asyncio.Event()

    async def waits(incoming: Any, sink: Any) -> None:
        await gate.wait()

    way = ScriptedWay(failing(503), waits, answer("yes"))
    routed = routing({"a": way}, time=time, breaker=1)
    await routed.fly(asking("a/x"), Got())
    time.now += 30
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await routed.fly(asking("a/x"), Got())
    got = Got()
    await routed.fly(asking("a/x"), got)
    assert got.status == 200
