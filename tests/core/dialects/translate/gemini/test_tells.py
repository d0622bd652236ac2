"""Signals as a stream that clients of Google read: whole, in order, and heard again the same."""

import orjson
import pytest
from hypothesis import given, settings

from promptdeck.core.dialects.gemini.dialect import GEMINI
from promptdeck.core.dialects.translate.aim import Aim
from promptdeck.core.dialects.translate.gemini.hears import GeminiHearing
from promptdeck.core.dialects.translate.gemini.reads import prompt_of
from promptdeck.core.dialects.translate.gemini.tells import GeminiTelling
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
from promptdeck.core.interaction import Variant
from promptdeck.core.text import sse
from tests.core.dialects.translate.strategies import added_up, signals, signatures
from tests.dialects import response

OPENED = Opened("r1", "m")
STOP = Finished("stop")
FOREIGN = Signed("anthropic", "claude", "sig")


def tell(*told, variant=Variant.SSE):
    telling = GeminiTelling({}, variant, 0)
    return [*(frame for signal in told for frame in telling.tell(signal)), *telling.end()]


def values(*told):
    return [orjson.loads(sse.parse(frame).data) for frame in tell(*told)]


def whole(*told):
    """The answer of a JSON body, and the parts of its only candidate."""
    answer = GEMINI.fold(tell(OPENED, *told))
    [candidate] = answer["candidates"]
    return candidate["content"]["parts"], candidate, answer


def called(number, name, arguments, signed=None, is_custom=False):
    opened = CallOpened(number, f"c{number}", name, signed, is_custom)
    return [opened, CallSaid(number, arguments), CallClosed(number)]


def test_each_piece_is_an_answer_of_its_own_and_the_last_has_the_end():
    usage = Metered(Usage(5, 3, 8, cached=2, reasoning=1))
    [first, last] = values(OPENED, Spoken("a"), STOP, usage)
    named = {"modelVersion": "m", "responseId": "r1"}
    content = {"role": "model", "parts": [{"text": "a"}]}
    assert first == {"candidates": [{"content": content, "index": 0}], **named}
    assert last == {
        "candidates": [
            {
                "content": {"role": "model", "parts": [{"text": ""}]},
                "finishReason": "STOP",
                "index": 0,
            }
        ],
        "usageMetadata": {
            "promptTokenCount": 5,
            "candidatesTokenCount": 2,
            "thoughtsTokenCount": 1,
            "cachedContentTokenCount": 2,
            "totalTokenCount": 8,
        },
        **named,
    }
    [frame, _] = tell(OPENED, Spoken("a"), STOP)
    assert frame.endswith(b"\r\n\r\n")


@pytest.mark.parametrize(
    ("reason", "told"),
    [
        ("stop", "STOP"),
        ("length", "MAX_TOKENS"),
        ("tool_calls", "STOP"),
        ("content_filter", "SAFETY"),
    ],
)
def test_reasons(reason, told):
    assert whole(Finished(reason))[1]["finishReason"] == told


def test_a_call_comes_whole():
    said = [
        CallOpened(0, "a", "f", FOREIGN),
        CallOpened(1, "b", "g"),
        CallSaid(0, '{"x"'),
        CallSaid(1, ""),
        CallSaid(0, ": 1}"),
        CallClosed(1),
        CallClosed(0),
    ]
    parts, candidate, _ = whole(*said, Finished("tool_calls"))
    assert parts == [
        {"functionCall": {"id": "b", "name": "g", "args": {}}},
        {
            "functionCall": {"id": "a", "name": "f", "args": {"x": 1}},
            "thoughtSignature": sealed(FOREIGN),
        },
    ]
    assert candidate["finishReason"] == "STOP"


def test_a_custom_call_has_its_input_as_its_only_argument():
    parts, *_ = whole(*called(0, "patch", "*** x", is_custom=True), Finished("tool_calls"))
    assert parts[0]["functionCall"]["args"] == {"input": "*** x"}


def test_a_call_that_broke_off_is_none():
    parts, candidate, _ = whole(*called(0, "f", '{"a": '), Finished("tool_calls"))
    assert candidate["finishReason"] == "MALFORMED_FUNCTION_CALL"
    assert parts == [{"text": ""}]
    assert whole(*called(0, "f", '{"a": '), Finished("length"))[1]["finishReason"] == "MAX_TOKENS"


def test_reasoning_and_signatures_stay_apart_and_come_back():
    thought, hidden = Thought("hm", FOREIGN), Thought("", FOREIGN, is_hidden=True)
    parts, *_ = whole(
        Mused("h"), Mused("m"), Sealed(thought), Sealed(hidden), Spoken("so"), Marked(FOREIGN), STOP
    )
    assert [part.get("thought", False) for part in parts] == [True, True, True, False, False]
    prompt = prompt_of(
        {"contents": [{"role": "model", "parts": parts}]}, "/v1/models/m:generateContent"
    )
    [back, other, said, mark] = prompt.turns[0].parts
    assert (back, other) == (thought, hidden)
    assert (said.text, mark.text, mark.signed) == ("so", "", FOREIGN)


def test_halves_of_an_emoji_meet():
    told = [Spoken("a\ud83d"), Spoken("\ude42b"), Mused("\ud83d"), Mused("x"), Spoken("\ud83d")]
    pieces = [one["candidates"][0]["content"]["parts"] for one in values(OPENED, *told, STOP)]
    assert [part["text"] for [part] in pieces] == ["a", "🙂b", "\ufffdx", "\ufffd"]


def test_what_google_signed_goes_back_as_it_came():
    own = Signed("google", "gemini-3", "c2ln")
    parts, *_ = whole(*called(0, "f", "{}", own), Finished("tool_calls"))
    assert parts[0]["thoughtSignature"] == "c2ln"


def test_citations_are_grounding_and_places_bytes():
    cited = {"url": "https://a", "title": "A", "start_index": 1, "end_index": 3}
    told = Cited({"type": "url_citation", "url_citation": cited})
    *_, answer = whole(Spoken("üb"), Spoken("er"), told, told, STOP)
    assert answer["candidates"][0]["groundingMetadata"] == {
        "groundingChunks": [{"web": {"uri": "https://a", "title": "A"}}],
        "groundingSupports": [
            {
                "segment": {"startIndex": 2, "endIndex": 4, "text": "be"},
                "groundingChunkIndices": [0],
            }
        ]
        * 2,
    }


def test_what_google_alone_has_comes_back_to_its_place():
    code = {"executableCode": {"code": "1"}}
    rest = {"groundingMetadata": {"webSearchQueries": ["q"]}}
    parts, candidate, _ = whole(
        Aside(Foreign("gemini", code)),
        Aside(Foreign("gemini", rest)),
        Aside(Foreign("messages", {"type": "server_tool_use"})),
        STOP,
    )
    assert parts == [code]
    assert candidate["groundingMetadata"] == {"webSearchQueries": ["q"]}


def test_a_refusal_is_text_and_log_probabilities_are_googles():
    token = {"token": "a", "logprob": -1, "bytes": [97], "top_logprobs": []}
    parts, candidate, _ = whole(Declined("no"), Weighed((token,)), Finished("content_filter"))
    assert parts == [{"text": "no"}]
    assert candidate["logprobsResult"] == {
        "chosenCandidates": [{"token": "a", "logProbability": -1}],
        "topCandidates": [{"candidates": []}],
    }


BROKE = Broke(429, "rate_limit_error", "slow", "RESOURCE_EXHAUSTED", retry_after=3.0)


def test_a_failure_is_an_error_with_nothing_behind_it():
    [error] = values(BROKE)
    assert error["error"]["code"] == 429
    assert error["error"]["status"] == "RESOURCE_EXHAUSTED"
    assert {"retryDelay": "3s"}.items() <= error["error"]["details"][1].items()
    assert tell(BROKE)[0].startswith(b'data: {"error":')  # so google-genai 3.6 knows it
    [_, last] = values(OPENED, Spoken("a"), BROKE)
    assert "error" in last


def test_as_a_list_it_is_one_array():
    for told in ([OPENED, Spoken("a"), STOP], [OPENED, Spoken("a"), BROKE], [BROKE], []):
        listed = orjson.loads(b"".join(tell(*told, variant=Variant.LIST)))
        assert listed == values(*told)


@given(signals(signatures("anthropic", "c"), also={"marks", "bare", "citations"}, choices=2))
@settings(max_examples=40)
def test_what_is_told_is_heard_again(told):
    frames = tell(*told)
    assert GEMINI.problem_with(response(frames)) is None
    hearing = GeminiHearing(Aim("google", "gemini", "g", "google"))
    again = [signal for frame in frames for signal in hearing.hear(sse.parse(frame))]
    again += hearing.end()
    expected, heard = added_up(told), added_up(again)
    usage = expected["usage"]
    # Google counts thoughts apart: no more of them than of all.
    if usage.completion < (usage.reasoning or 0):
        del expected["usage"], heard["usage"]
    assert heard == expected


@given(signals(signatures("anthropic", "c"), also={"marks", "bare"}))
@settings(max_examples=25)
def test_whole_it_says_the_same(told):
    hearing = GeminiHearing(Aim("google", "gemini", "g", "google"))
    frames = GEMINI.cut(GEMINI.fold(tell(*told)))
    heard = [signal for frame in frames for signal in hearing.hear(sse.parse(frame))]
    again, expected = added_up([*heard, *hearing.end()]), added_up(told)
    for one in (again, expected):
        del one["usage"]
    assert again == expected
