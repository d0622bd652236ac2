"""Journals and fixtures of aimock: what was asked of it, and what it was to answer.

A fixture says what a request must resemble, not what was asked, so no recording
can be made of it: each is named, with what it knows. A journal, which
`GET /__aimock/journal` gives, has whole requests, and with each the fixture that
answered: of these a recording can be made. aimock gives its answers a new id and
the time each time; here the id is the journal's. Usage that the fixture does not
have aimock counts itself; here there is none. What the provider answered while
aimock recorded is in neither.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import orjson

from promptdeck.core.dialects.chat.cut import cut
from promptdeck.core.interaction import Frame, Headers
from promptdeck.core.text.jsontext import JSON, compact

from .entry import Elided, Imported, NotCarried, each, listed, text_of

_ANSWERS = ("content", "toolCalls", "blocks", "error", "embedding")
"""What a fixture may answer with, named in the reason why it is not carried."""


def read(text: str) -> Iterator[Imported | NotCarried]:
    """Each entry of a journal, or a reason for every fixture. Unreadable for what is neither."""
    if text.lstrip().startswith("["):
        yield from each(listed(text), _imported)
        return
    for place, fixture in listed(text, "fixtures"):
        yield NotCarried(place, _reason(fixture))


def is_journal(value: JSON) -> bool:
    """True if the JSON of a file is a journal: a list of requests with what was answered."""
    first = value[0] if isinstance(value, list) and value else None
    return isinstance(first, dict) and {"path", "timestamp", "response"} <= first.keys()


def _reason(fixture: JSON) -> str:
    """Why a fixture is not carried, with what it has of a request and of an answer."""
    if not isinstance(fixture, dict):
        return "it is not laid out as expected: no JSON object"
    match, answer = fixture.get("match") or {}, fixture.get("response") or {}
    conditions = ", ".join(match) or "anything"
    kinds = ", ".join(key for key in _ANSWERS if key in answer) or "an answer"
    return (
        f"it holds a matcher ({conditions}) and {kinds}, not the request: run your program against"
        " aimock and import its journal, or record this call again with promptdeck"
    )


# What aimock writes into a request's body for itself.
_OWN = ("_endpointType", "_context", "_videoProvider")


def _imported(place: str, entry: JSON) -> Imported:
    """One entry of the file. Elided, or the errors of an unexpected layout."""
    path, response = text_of(entry.get("path"), "path"), entry["response"]
    asked, answer = _asked(path, entry["body"]), _answer(response)
    completion = _completion(entry, asked, answer)
    headers, frames = _framed(completion, asked)
    return Imported(
        place,
        text_of(entry.get("method"), "method").upper(),
        f"http://{text_of(entry['headers'].get('host'), 'host')}{path}",
        (("content-type", "application/json"),),
        compact({key: value for key, value in asked.items() if key not in _OWN}),
        int(response["status"]),
        headers,
        frames,
        entry["timestamp"] / 1000,
    )


def _asked(path: str, body: JSON) -> dict[str, JSON]:
    """The request's body, if it is a chat completion's and whole. Elided."""
    if not isinstance(body, dict):
        raise Elided("its request had a body, which the journal does not hold")
    if "__aimock_truncated" in body:
        raise Elided("its request was longer than the 64 KB that aimock's journal keeps")
    chat = body.get("_endpointType") == "chat"
    if not (chat and path.partition("?")[0].endswith("/v1/chat/completions")):
        raise Elided(f"it is no chat completion: of {path} the journal keeps another form")
    return body


# Of a fixture's answer, what a chat completion of ours says as aimock's did.
_SAID = frozenset("content toolCalls reasoning".split())
_AROUND = frozenset("id created model usage finishReason role systemFingerprint".split())


def _answer(response: Mapping[str, Any]) -> dict[str, Any]:
    """The fixture's answer, if it says all of what was sent. Elided."""
    if response.get("source") == "proxy":
        raise Elided(
            "the provider answered, and the journal does not keep that: run aimock on what it"
            " recorded, without --record, and import the journal of that run"
        )
    if response.get("interrupted") or response.get("chaosAction") or response.get("error"):
        raise Elided("its answer went wrong, by a fault")
    if response["status"] != 200:
        raise Elided(f"its answer is an error, status {response['status']}")
    answer = (response.get("fixture") or {}).get("response")
    if not isinstance(answer, dict) or not _SAID & answer.keys():
        raise Elided("its answer is not in the journal")
    if unknown := sorted(answer.keys() - _SAID - _AROUND):
        raise Elided(f"its answer has {', '.join(unknown)}, of which aimock makes what it does")
    return answer


def _completion(entry: JSON, asked: dict[str, JSON], answer: dict[str, Any]) -> dict[str, Any]:
    """The chat completion that aimock made of a fixture's answer. Elided."""
    calls = answer.get("toolCalls") or []
    usage = _usage(answer.get("usage"))
    fingerprint = answer.get("systemFingerprint")
    choice = {
        "index": 0,
        "message": _message(answer, calls),
        "logprobs": None,
        "finish_reason": answer.get("finishReason") or ("tool_calls" if calls else "stop"),
    }
    return {
        "id": answer.get("id") or "chatcmpl-" + entry["id"].removeprefix("req-"),
        "object": "chat.completion",
        "created": answer.get("created") or entry["timestamp"] // 1000,
        "model": answer.get("model") or asked["model"],
        "choices": [choice],
        **({"usage": usage} if usage else {}),
        **({"system_fingerprint": fingerprint} if fingerprint else {}),
    }


def _message(answer: dict[str, Any], calls: list[dict[str, Any]]) -> dict[str, Any]:
    """The completion's message. Elided if aimock made up ids for its tool calls."""
    if not all(call.get("id") for call in calls):
        raise Elided("the ids that aimock gave its tool calls are not in the journal")
    told = [
        {
            "id": call["id"],
            "type": "function",
            "function": {"name": call["name"], "arguments": call["arguments"]},
        }
        for call in calls
    ]
    reasoning = answer.get("reasoning")
    return {
        "role": answer.get("role") or "assistant",
        "content": answer.get("content"),
        "refusal": None,
        **({"reasoning_content": reasoning} if reasoning else {}),
        **({"tool_calls": told} if told else {}),
    }


# What a fixture's usage has to have for its total to be right.
_COUNTED = ("prompt_tokens", "completion_tokens")


def _usage(usage: Any) -> dict[str, int] | None:
    """The fixture's own usage with its total; None where aimock counted by itself."""
    if not isinstance(usage, dict) or not all(isinstance(usage.get(key), int) for key in _COUNTED):
        return None
    return {"total_tokens": sum(usage[key] for key in _COUNTED), **usage}


def _framed(
    completion: dict[str, Any], asked: dict[str, JSON]
) -> tuple[Headers, tuple[Frame, ...]]:
    """A completion as it was sent, whole or as a stream: headers and frames. Elided."""
    if asked.get("stream") is not True:
        return (("content-type", "application/json"),), (Frame(0, orjson.dumps(completion)),)
    with_usage = bool((asked.get("stream_options") or {}).get("include_usage"))
    if with_usage and "usage" not in completion:
        raise Elided("it asked for its usage, which the fixture does not have")
    frames = cut(completion, with_usage)
    return (("content-type", "text/event-stream"),), tuple(Frame(0, data) for data in frames)
