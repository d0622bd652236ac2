"""An answer of Google's as signals: each rule of its own, and never an exception."""

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from promptdeck.core.dialects.gemini.dialect import GEMINI
from promptdeck.core.dialects.translate.aim import Aim
from promptdeck.core.dialects.translate.gemini.hears import GeminiHearing, broken_of
from promptdeck.core.dialects.translate.neutral import (
    Aside,
    Broke,
    CallClosed,
    CallOpened,
    CallSaid,
    Cited,
    Declined,
    Finished,
    Foreign,
    Marked,
    Metered,
    Mused,
    Opened,
    Sealed,
    Signed,
    Spoken,
    Thought,
    Usage,
    Weighed,
)
from promptdeck.core.dialects.translate.signing import sealed
from promptdeck.core.text import sse
from tests.chats import ANY_JSON
from tests.core.dialects.translate.strategies import added_up

AIM = Aim("google", "gemini", "gemini-3-pro", "google")
SIGNED = Signed("google", "gemini-3-pro", "c2ln")


def frame(*parts, reason=None, index=None, **more):
    candidate = {"content": {"role": "model", "parts": [*parts]}} if parts else {}
    candidate |= {"finishReason": reason} if reason else {}
    candidate |= {"index": index} if index is not None else {}
    extra = {
        key: more.pop(key) for key in [*more] if key in ("groundingMetadata", "logprobsResult")
    }
    return {"candidates": [candidate | extra], "responseId": "r1", "modelVersion": "m", **more}


def hear(*frames):
    hearing = GeminiHearing(AIM)
    events = [sse.parse(b"data: %b\r\n\r\n" % orjson.dumps(one)) for one in frames]
    heard = [signal for event in events for signal in hearing.hear(event)]
    return [*heard, *hearing.end()]


def heard(*frames):
    """The signals between the first and the end of the only choice."""
    first, *between, last = hear(*frames)
    assert first == Opened("r1", "m")
    assert isinstance(last, Finished)
    return between


def one(*frames):
    """All that the only choice says."""
    return added_up(hear(*frames))["choices"][0]


def call(name, args=None, **more):
    return {"functionCall": {"name": name, **({} if args is None else {"args": args}), **more}}


def test_text_comes_in_pieces():
    assert hear(frame({"text": "a"}), frame({"text": "b"}, reason="STOP")) == [
        Opened("r1", "m"),
        Spoken("a"),
        Spoken("b"),
        Finished("stop", "STOP"),
    ]


def test_a_body_that_is_whole_says_the_same():
    answer = {**frame({"text": "a b c"}, call("f", {"a": 1}), reason="STOP")}
    hearing = GeminiHearing(AIM)
    events = map(sse.parse, GEMINI.cut(answer))
    told = added_up([*(s for event in events for s in hearing.hear(event)), *hearing.end()])
    assert told == added_up(hear(answer))


def test_parallel_calls_one_a_chunk_are_counted_across_the_stream():
    told = one(
        frame(call("f", {"a": 1}, id="x") | {"thoughtSignature": "c2ln"}),
        frame(call("f", {"a": 2}, id="y")),
        frame(call("g")),
        frame({"text": ""}, reason="STOP"),
    )
    assert [[*one[:3], one[4], one[5]] for one in told["calls"].values()] == [
        ["x", "f", SIGNED, '{"a":1}', True],
        ["y", "f", None, '{"a":2}', True],
        [told["calls"][2][0], "g", None, "{}", True],
    ]
    assert [*told["calls"]] == [0, 1, 2]
    assert told["finished"] == ["tool_calls"]


def test_a_call_has_the_name_that_the_client_knows():
    assert one(frame(call("_2fa"), call("_f"), reason="stop"))["calls"][0][1] == "2fa"
    assert one(frame(call("_2fa"), call("_f"), reason="stop"))["calls"][1][1] == "_f"


def test_a_call_without_an_id_gets_the_same_each_time_and_another_than_the_next():
    frames = [frame(call("f"), call("f"), reason="STOP")]
    [first, second] = [one[0] for one in one(*frames)["calls"].values()]
    assert first != second
    assert first == one(*frames)["calls"][0][0]
    elsewhere = [{**frames[0], "responseId": "r2"}]
    assert added_up(hear(*elsewhere))["choices"][0]["calls"][0][0] not in (first, second)


def test_arguments_in_pieces_are_one_call_that_comes_when_it_ends():
    def piece(path, text, more=True):
        told = {"jsonPath": path, "stringValue": text}
        return told | ({"willContinue": True} if more else {})

    frames = [
        frame(call("paint", id="x", willContinue=True) | {"thoughtSignature": "c2ln"}),
        frame({"functionCall": {"partialArgs": [piece("$.a[0].b", "bl")], "willContinue": True}}),
        frame(
            {
                "functionCall": {
                    "partialArgs": [piece("$.a[0].b", "ue", more=False)],
                    "willContinue": True,
                }
            }
        ),
        frame({"functionCall": {"partialArgs": [{"jsonPath": "$.n", "numberValue": 2}]}}),
        frame({"functionCall": {}}),
        frame(call("g", {"z": 1}), reason="STOP"),
    ]
    assert heard(*frames) == [
        CallOpened(0, "x", "paint", SIGNED),
        CallSaid(0, '{"a":[{"b":"blue"}],"n":2}'),
        CallClosed(0),
        CallOpened(1, one(*frames)["calls"][1][0], "g"),
        CallSaid(1, '{"z":1}'),
        CallClosed(1),
    ]
    # The closing piece may never come.
    cut = [frame(call("f", willContinue=True)), frames[1], frame({"text": "."}, reason="STOP")]
    assert one(*cut)["calls"][0][4] == '{"a":[{"b":"bl"}]}'
    assert one(frames[0], frames[1], frame(reason="STOP"))["calls"][0][4] == '{"a":[{"b":"bl"}]}'


def test_reasoning_is_told_apart_and_sealed_with_its_signature():
    thinking = {"text": "hm", "thought": True}
    assert heard(
        frame(thinking),
        frame(thinking | {"thoughtSignature": "c2ln"}),
        frame({"text": "so", "thoughtSignature": "c2ln"}),
        frame({"text": "", "thoughtSignature": "YQ"}, reason="STOP"),
    ) == [
        Mused("hm", is_summary=True),
        Mused("hm", is_summary=True),
        Sealed(Thought("hmhm", SIGNED, is_summary=True)),
        Spoken("so"),
        Marked(SIGNED),
        Marked(SIGNED._replace(text="YQ")),
    ]


@pytest.mark.parametrize(
    ("reason", "told"),
    [
        ("STOP", "stop"),
        ("MAX_TOKENS", "length"),
        ("CONTINUATION", "length"),
        *((one, "content_filter") for one in "SAFETY RECITATION BLOCKLIST SPII LANGUAGE".split()),
        *((one, "content_filter") for one in "PROHIBITED_CONTENT IMAGE_SAFETY MODEL_ARMOR".split()),
        ("SOMETHING_NEW", "stop"),
    ],
)
def test_reasons(reason, told):
    assert hear(frame(reason=reason))[-1] == Finished(told, reason)


@pytest.mark.parametrize(
    "reason",
    """MALFORMED_FUNCTION_CALL UNEXPECTED_TOOL_CALL MISSING_THOUGHT_SIGNATURE MALFORMED_RESPONSE
    TOO_MANY_TOOL_CALLS OTHER IMAGE_OTHER NO_IMAGE""".split(),
)
def test_reasons_that_are_failures(reason):
    *_, last = hear(frame({"text": "a"}), frame(reason=reason, index=0), frame({"text": "b"}))
    assert isinstance(last, Broke)
    assert (last.status, last.code) == (502, reason)


def test_a_blocked_prompt_is_no_answer_but_no_failure():
    blocked = {"promptFeedback": {"blockReason": "JAILBREAK"}, "responseId": "r1"}
    assert hear(blocked)[-1] == Finished("content_filter", "JAILBREAK")
    blocked["promptFeedback"]["blockReasonMessage"] = "no"
    assert hear(blocked)[1:] == [Declined("no"), Finished("content_filter", "JAILBREAK")]


@pytest.mark.parametrize(
    "frames",
    [
        [],
        [frame({"text": "a"})],
        [frame({"text": "a"}, reason="STOP"), frame({"text": "b"})],
        [frame({"text": "a"}, reason="FINISH_REASON_UNSPECIFIED")],
        [frame({"text": "a"}, reason="STOP"), frame({"text": "b"}, index=1)],
        [{"usageMetadata": {}}],
    ],
)
def test_a_stream_without_its_end_is_cut(frames):
    *_, last = hear(*frames)
    assert isinstance(last, Broke)
    assert last.status == 502


def test_an_end_that_comes_before_the_usage_is_the_end():
    usage = {"usageMetadata": {"promptTokenCount": 1, "totalTokenCount": 1}}
    *_, metered, last = hear(frame({"text": "a"}, reason="STOP"), usage)
    assert metered == Metered(Usage(1, 0, 1))
    assert last == Finished("stop", "STOP")


def test_usage():
    first = {"promptTokenCount": 10, "cachedContentTokenCount": 4, "totalTokenCount": 10}
    last = {
        "promptTokenCount": 10,
        "candidatesTokenCount": 3,
        "thoughtsTokenCount": 20,
        "toolUsePromptTokenCount": 5,
        "totalTokenCount": 38,
        "trafficType": "ON_DEMAND",
    }
    signals = heard(
        frame({"text": "a"}, usageMetadata=first), frame(reason="STOP", usageMetadata=last)
    )
    assert signals == [
        Metered(Usage(10, 0, 10, cached=4)),
        Spoken("a"),
        Metered(Usage(15, 23, 38, 4, None, 20, {"trafficType": "ON_DEMAND"})),
    ]
    by_the_way = {"promptTokenCount": 0, "candidatesTokenCount": 9}
    frames = [frame({"text": "a"}, usageMetadata=last), frame(usageMetadata=by_the_way)]
    counted = signals[-1].usage._replace(cached=None)
    assert heard(*frames, frame(reason="STOP")) == [Metered(counted), Spoken("a")]
    hidden = {"promptTokenCount": 10, "candidatesTokenCount": 3, "totalTokenCount": 40}
    assert heard(frame(reason="STOP", usageMetadata=hidden)) == [Metered(Usage(10, 30, 40))]
    again = heard(
        frame({"text": "a"}, usageMetadata=first), frame(reason="STOP", usageMetadata=first)
    )
    assert again == [Metered(Usage(10, 0, 10, cached=4)), Spoken("a")]


def test_several_candidates():
    frames = [frame({"text": "a"}, index=0), frame({"text": "b"}, index=1)]
    frames += [frame(reason="STOP", index=1), frame(reason="MAX_TOKENS", index=0)]
    told = added_up(hear(*frames))["choices"]
    assert [(one["text"], one["finished"]) for one in told.values()] == [
        ("a", ["length"]),
        ("b", ["stop"]),
    ]


def test_what_google_alone_has_stands_beside():
    image = {"inlineData": {"mimeType": "image/png", "data": "AA=="}}
    code = {"executableCode": {"language": "PYTHON", "code": "1"}, "thoughtSignature": "c2ln"}
    assert heard(frame(image, code, {}), frame(reason="STOP")) == [
        Aside(Foreign("gemini", image)),
        Aside(Foreign("gemini", {**code, "thoughtSignature": sealed(SIGNED)})),
    ]


def test_places_of_citations_are_counted_in_characters():
    metadata = {
        "groundingChunks": [
            {"web": {"uri": "https://a", "title": "A"}},
            {"retrievedContext": {"uri": "gs://b"}},
            {"web": {"uri": "https://c", "title": "C"}},
        ],
        "groundingSupports": [
            {
                "segment": {"startIndex": 3, "endIndex": 7, "text": "zwei"},
                "groundingChunkIndices": [0, 1, 9],
            },
            {"segment": {"startIndex": 1, "endIndex": 3, "text": "end"}},
        ],
        "webSearchQueries": ["q"],
    }
    [*_, first, second, third, beside] = heard(
        frame({"text": "ü z"}), frame({"text": "wei"}, groundingMetadata=metadata, reason="STOP")
    )

    def cited(url, start, end, title=""):
        told = {"url": url, "title": title, "start_index": start, "end_index": end}
        return Cited({"type": "url_citation", "url_citation": told})

    assert first == cited("https://a", 2, 6, "A")
    assert second == cited("gs://b", 2, 6)
    assert third == cited("https://c", 0, 6, "C")
    assert beside == Aside(Foreign("gemini", {"groundingMetadata": {"webSearchQueries": ["q"]}}))


def test_log_probabilities():
    result = {
        "chosenCandidates": [{"token": "ü", "tokenId": 1, "logProbability": -0.5}],
        "topCandidates": [{"candidates": [{"token": "u", "logProbability": -1}]}],
    }
    token = {"token": "ü", "logprob": -0.5, "bytes": [195, 188]}
    token["top_logprobs"] = [{"token": "u", "logprob": -1, "bytes": [117]}]
    assert heard(frame({"text": "ü"}, logprobsResult=result, reason="STOP")) == [
        Spoken("ü"),
        Weighed((token,)),
    ]


def test_what_names_no_answer_gets_the_same_name_each_time():
    nameless = {"candidates": [{"content": {"parts": [{"text": "a"}]}, "finishReason": "STOP"}]}
    assert hear(nameless)[0] == hear(nameless)[0]
    assert hear(nameless)[0].model == "gemini-3-pro"
    assert hear(nameless)[0].id


def test_numbers_of_arguments_stay_as_they_are():
    hearing = GeminiHearing(AIM)
    data = '{"candidates":[{"content":{"parts":[{"functionCall":{"name":"f","args":{"n":'
    data += '12345678901234567890123,"x":1.0}}}]},"finishReason":"STOP"}]}'
    told = [*hearing.hear(sse.Event("", data)), *hearing.end()]
    assert told[2].text in (
        '{"n":12345678901234567890123,"x":1.0}',
        '{"n": 12345678901234567890123, "x": 1.0}',
    )


# Failures


def error(code, status, *details, message="m"):
    return {"error": {"code": code, "message": message, "status": status, "details": [*details]}}


RETRY = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "3.5s"}


def test_an_error_within_a_stream():
    told = hear(frame({"text": "a"}), error(503, "UNAVAILABLE"), frame({"text": "b"}))
    assert told[2:] == [Broke(503, "server_error", "m", "UNAVAILABLE")]
    assert hear(error(429, "RESOURCE_EXHAUSTED", RETRY))[0].retry_after == 3.5
    assert hear({"error": "x"})[0].status == 502


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, "invalid_request_error"),
        (401, "authentication_error"),
        (403, "permission_error"),
        (404, "not_found_error"),
        (429, "rate_limit_error"),
        (500, "server_error"),
        (503, "server_error"),
    ],
)
def test_an_error_keeps_its_status_alone_or_in_a_list(status, kind):
    body = error(status, "WORD", RETRY)
    for value in (body, [body]):
        broke = broken_of(status, (), orjson.dumps(value))
        assert broke == Broke(status, kind, "m", "WORD", None, 3.5, [RETRY])


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "the upstream answered 502"),
        (b"<html>bad", "<html>bad"),
        (b'{"message": "no"}', "no"),
        (b'{"error": "no"}', "no"),
        (b'{"error": {"code": "x"}}', "the upstream answered 502"),
        (b"[[]]", "[[]]"),
        (b"\xff", "\ufffd"),
    ],
)
def test_errors_of_other_shapes(body, message):
    broke = broken_of(502, (("Retry-After", "7"),), body)
    assert (broke.status, broke.message, broke.retry_after) == (502, message, 7.0)


def test_the_field_that_is_wrong():
    wrong = {"@type": "x/google.rpc.BadRequest", "fieldViolations": [{"field": "contents[0]"}]}
    assert broken_of(400, (), orjson.dumps(error(400, "W", wrong))).param == "contents[0]"


PARTS = st.dictionaries(
    st.sampled_from("text thought thoughtSignature functionCall inlineData x".split()),
    ANY_JSON
    | st.dictionaries(st.sampled_from("name args id partialArgs willContinue".split()), ANY_JSON),
    max_size=3,
)
CANDIDATES = st.dictionaries(
    st.sampled_from(
        "content finishReason index groundingMetadata citationMetadata logprobsResult".split()
    ),
    st.fixed_dictionaries({"parts": st.lists(PARTS, max_size=3)})
    | st.sampled_from(["STOP", "OTHER", 1])
    | st.dictionaries(
        st.sampled_from("groundingChunks groundingSupports chosenCandidates topCandidates".split()),
        ANY_JSON | st.lists(ANY_JSON, max_size=2),
    ),
)
EVENTS = ANY_JSON | st.fixed_dictionaries(
    {},
    optional={
        "candidates": st.lists(CANDIDATES, max_size=2) | ANY_JSON,
        "usageMetadata": ANY_JSON,
        "promptFeedback": ANY_JSON,
        "error": ANY_JSON,
        "responseId": ANY_JSON,
    },
)


@given(st.lists(EVENTS, max_size=4))
@settings(max_examples=60)
def test_no_bytes_are_an_exception_and_each_answer_ends_once(events):
    told = hear(*events)
    broke = [at for at, signal in enumerate(told) if isinstance(signal, Broke)]
    assert broke in ([], [len(told) - 1])
    opened = [at for at, signal in enumerate(told) if isinstance(signal, Opened)]
    assert opened in ([], [0])
    ends = [signal.choice for signal in told if isinstance(signal, Finished)]
    assert len(ends) == len(set(ends))
    if not broke:
        assert ends
        added_up(told)


@given(st.binary(max_size=60))
def test_no_error_body_is_an_exception(body):
    assert broken_of(500, (), body).status == 500
