"""Chat streams and chat messages, each made from the other.

`fold` adds up the deltas of a stream to the message that the same answer
would have been without `stream`; `cut` deals a message out as a stream, word
by word. Folding what was cut gives the message back. Nothing a provider adds
of its own is lost on either way, known to us or not.
"""

import re
from collections.abc import Iterable, Iterator

from promptdeck.core.interaction import Frame, Headers, Response
from promptdeck.core.text import sse
from promptdeck.core.text.jsontext import JSON, Unfaithful, compact, parse

from .deltas import JSONObject, as_object, gathered, index_of, joined, joined_calls, objects_in

# Azure's first chunk has these empty: the first that says something counts.
_NAMING = ("id", "created", "model")
# Padding against traffic analysis: of each chunk, not of the answer.
_PADDING = ("obfuscation",)


def fold(frames: Iterable[bytes]) -> JSONObject:
    """The chat completion that a stream adds up to; Unfaithful if a chunk's JSON is."""
    folded = {
        key: _joined_top(key, values)
        for key, values in gathered(map(_chunk, frames)).items()
        if key not in _PADDING
    }
    return {"object": "chat.completion", "choices": []} | folded


def _chunk(frame: bytes) -> JSONObject:
    """The object in a frame; an empty one for comments, `[DONE]` and JSON of any other kind."""
    data = (sse.parse(frame).data or "").strip()
    return {} if data in ("", sse.DONE) else as_object(parse(data))


def _joined_top(key: str, values: list[JSON]) -> JSON:
    if key == "object":
        return "chat.completion"
    if key == "choices":
        return _choices(objects_in(values))
    if key in _NAMING:
        return next(filter(None, values), values[0])
    return next((value for value in reversed(values) if value is not None), None)


def _choices(pieces: Iterable[JSONObject]) -> list[JSONObject]:
    by_index: dict[int, list[JSONObject]] = {}
    for piece in pieces:
        by_index.setdefault(index_of(piece, 0), []).append(piece)
    return [_choice(index, by_index[index]) for index in sorted(by_index)]


def _choice(index: int, pieces: list[JSONObject]) -> JSONObject:
    # Perplexity sends the message so far beside each delta; some servers send it instead of one.
    deltas = [as_object(piece.get("delta", piece.get("message"))) for piece in pieces]
    rest = {
        key: joined(key, values, grows=False)
        for key, values in gathered(pieces).items()
        if key not in ("index", "delta", "message")
    }
    return {"index": index, "message": _message(deltas), "finish_reason": None} | rest


def _message(deltas: Iterable[JSONObject]) -> JSONObject:
    # The SDKs' strict mode wants content and refusal, if only as null.
    message: JSONObject = {"role": None, "content": None, "refusal": None}
    for key, values in gathered(deltas).items():
        calls = key == "tool_calls" and any(isinstance(value, list) for value in values)
        message[key] = (
            joined_calls(objects_in(values)) if calls else joined(key, values, grows=True)
        )
    return message | {"role": message["role"] or "assistant"}


_ON_EVERY_CHUNK = ("id", "object", "created", "model", "system_fingerprint", "service_tier")
_OPENING = ("role", "content", "refusal")
_SAID = ("reasoning_content", "reasoning", "content", "refusal")
_ARGUMENTS = (("function", "arguments"), ("custom", "input"), ("function_call", "arguments"))

# A word with the space before it, as models speak; two characters of a script that has no
# spaces, with the marks and stops after them; JSON is cut behind its quotes.
_CJK = r"\u3040-\u30ff\u3400-\u9fff\uac00-\ud7a3\U00020000-\U0003ffff"
_WORD = rf'\s*(?:[{_CJK}]{{1,2}}[^\w\s]*|[^\s"{_CJK}]+"?|")|\s+'


def cut(completion: JSONObject, include_usage: bool) -> list[bytes]:
    """The frames of a stream that folds into `completion`, `[DONE]` and all."""
    envelope = {key: completion[key] for key in _ON_EVERY_CHUNK if key in completion}
    envelope["object"] = "chat.completion.chunk"
    if include_usage and "usage" in completion:
        envelope["usage"] = None
    choices = enumerate(objects_in([completion.get("choices")]))
    chunks = [
        {**envelope, "choices": [piece]}
        for position, choice in choices
        for piece in _cut_choice(choice, position)
    ] or [{**envelope, "choices": []}]
    # What a provider adds, such as `mcp_tool_results`, is known when all is said.
    known = {*_ON_EVERY_CHUNK, "choices", "usage"}
    chunks[-1] |= {key: value for key, value in completion.items() if key not in known}
    if include_usage and completion.get("usage") is not None:
        chunks.append({**envelope, "choices": [], "usage": completion["usage"]})
    return [*(sse.encode(compact(chunk)) for chunk in chunks), sse.encode(sse.DONE.encode())]


def _cut_choice(choice: JSONObject, position: int) -> list[JSONObject]:
    common: JSONObject = {"index": index_of(choice, position), "delta": {}}
    if "logprobs" in choice:
        common["logprobs"] = None
    common["finish_reason"] = None
    pieces = list(_cut_message(as_object(choice.get("message")), choice.get("logprobs")))
    ending = {key: choice[key] for key in choice if key not in ("index", "message", "delta")}
    if any("logprobs" in piece for piece in pieces):
        del ending["logprobs"]
    return [common | piece for piece in (*pieces, ending)]


def _cut_message(message: JSONObject, logprobs: JSON) -> Iterator[JSONObject]:
    """What each chunk's choice has of its own, in the order in which models speak."""
    rest = {key: message[key] for key in message if key not in _OPENING or message[key] is not None}
    said = {key: rest.pop(key) for key in _SAID if isinstance(rest.get(key), str)}
    role, content = rest.pop("role", "assistant"), "" if "content" in said else None
    yield {"delta": {"role": role, "content": content, "refusal": None}}
    for key, text in said.items():
        if key == "content":
            yield from _cut_content(text, logprobs)
        else:
            yield from ({"delta": {key: word}} for word in _words(text) or [text])
    yield from ({"delta": delta} for delta in _cut_calls(rest))
    if rest:
        yield {"delta": rest}


def _words(text: str) -> list[str]:
    return re.findall(_WORD, text)  # compiled by the first call, not by each start


def _cut_content(text: str, logprobs: JSON) -> Iterator[JSONObject]:
    """Token by token where the log probabilities tell them, else word by word."""
    if tokens := _tokens(text, logprobs):
        shared = logprobs
        for token, entry in zip(tokens, logprobs["content"], strict=True):
            yield {"delta": {"content": token}, "logprobs": shared | {"content": [entry]}}
            shared = dict.fromkeys(logprobs)
        return
    carried: JSONObject = {} if logprobs is None else {"logprobs": logprobs}
    for word in _words(text):
        yield {"delta": {"content": word}} | carried
        carried = {}


def _tokens(text: str, logprobs: JSON) -> list[str]:
    """The tokens of the log probabilities, if they are those of `text`."""
    entries = as_object(logprobs).get("content")
    if not isinstance(entries, list):
        return []
    tokens = [as_object(entry).get("token") for entry in entries]
    words = [token for token in tokens if isinstance(token, str)]
    return words if len(words) == len(tokens) and "".join(words) == text else []


def _cut_calls(rest: JSONObject) -> Iterator[JSONObject]:
    """Deltas of the calls, which leave `rest`."""
    calls = rest.get("tool_calls")
    if isinstance(calls, list) and calls and all(isinstance(call, dict) for call in calls):
        del rest["tool_calls"]
        for index, call in enumerate(calls):
            for delta in _cut_arguments(call):
                yield {"tool_calls": [{"index": index} | delta | {"index": index}]}
    if isinstance(rest.get("function_call"), dict):
        yield from _cut_arguments({"function_call": rest.pop("function_call")})


def _cut_arguments(call: JSONObject) -> list[JSONObject]:
    """First all but the arguments, then the arguments."""
    for kind, name in _ARGUMENTS:
        body = as_object(call.get(kind))
        if isinstance(text := body.get(name), str):
            head = call | {kind: body | {name: ""}}
            return [head, *({kind: {name: word}} for word in _words(text))]
    return [call]


_NO_CHOICES = re.compile(rb'"choices"\s*:\s*\[\s*\]')


def has_usage(frames: Iterable[bytes]) -> bool:
    """Whether any chunk tells the usage."""
    return any(b'"usage"' in frame and _told(frame).get("usage") is not None for frame in frames)


def without_usage(frames: Iterable[Frame]) -> tuple[Frame, ...]:
    """For a client that did not ask: all frames but those whose chunk has usage and no choices."""
    return tuple(frame for frame in frames if not _is_usage_only(frame.data))


def _is_usage_only(frame: bytes) -> bool:
    if not _NO_CHOICES.search(frame):
        return False
    chunk = _told(frame)
    return chunk.get("choices") == [] and chunk.get("usage") is not None


def _told(frame: bytes) -> JSONObject:
    try:
        return _chunk(frame)
    except Unfaithful:
        return {}


def to_json(response: Response) -> Response:
    """A recorded chat stream as the answer to the same request without `stream`."""
    body = compact(fold(frame.data for frame in response.frames))
    headers = _retyped(response.headers, "application/json")
    return Response(response.status, headers, (Frame(_duration(response), body),))


def to_stream(response: Response, include_usage: bool) -> Response:
    """A recorded chat answer as a stream that takes as long; Unfaithful if it is no JSON object."""
    completion = parse(response.body)
    if not isinstance(completion, dict):
        raise Unfaithful("a chat completion is a JSON object")
    frames = cut(completion, include_usage)
    headers = _retyped(response.headers, "text/event-stream; charset=utf-8")
    pace = _pace(_duration(response), len(frames))
    return Response(response.status, headers, tuple(map(Frame, pace, frames)))


def _retyped(headers: Headers, content_type: str) -> Headers:
    kept = (item for item in headers if item[0].lower() != "content-type")
    return (("content-type", content_type), *kept)


def _duration(response: Response) -> int:
    return response.frames[-1].offset_ms if response.frames else 0


def _pace(total: int, count: int) -> Iterator[int]:
    """Even steps from a model's usual first word, or half-way in a short answer, to the end."""
    first = min(500, total // 2)
    return (first + (total - first) * step // (count - 1) for step in range(count))


def says(response: Response) -> str:
    """What the model said, to be read by people; the empty string for what is no chat answer."""
    try:
        if response.is_stream:
            answer = fold(frame.data for frame in response.frames)
        else:
            answer = as_object(parse(response.body))
    except Unfaithful:
        return ""
    texts = [
        (index_of(choice, position), "\n".join(_lines(as_object(choice.get("message")))))
        for position, choice in enumerate(objects_in([answer.get("choices")]))
    ]
    if len(texts) < 2:
        return "".join(text for _, text in texts)
    return "\n\n".join(f"[choice {index}]\n{text}" for index, text in texts)


def _lines(message: JSONObject) -> Iterator[str]:
    thoughts = message.get("reasoning_content") or message.get("reasoning")
    yield from _labelled("reasoning", thoughts)
    content = message.get("content")
    for part in content if isinstance(content, list) else [content]:
        is_thought = as_object(part).get("type") == "thinking"
        yield from _labelled("reasoning" if is_thought else "", _text(part))
    yield from _labelled("refusal", message.get("refusal"))
    yield from _labelled("audio", as_object(message.get("audio")).get("transcript"))
    for call in objects_in([message.get("tool_calls")]):
        yield from _called(call.get("function"), "arguments")
        yield from _called(call.get("custom"), "input")
    yield from _called(message.get("function_call"), "arguments")


def _labelled(label: str, text: JSON) -> Iterator[str]:
    if isinstance(text, str) and text:
        yield f"[{label}] {text}" if label else text


def _text(part: JSON) -> str:
    if isinstance(part, list):
        return "".join(map(_text, part))
    if isinstance(part, dict):
        return _text(part.get("text", part.get("thinking")))
    return part if isinstance(part, str) else ""


def _called(call: JSON, arguments: str) -> Iterator[str]:
    if call := as_object(call):
        yield f"{call.get('name', '')}({call.get(arguments, '')})"
