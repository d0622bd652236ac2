"""A chat completion dealt out as a stream of chunks, word by word.

`fold` gives the completion back: nothing is lost, what a provider adds of its
own included. The order of the chunks is the one in which models speak.
"""

from collections.abc import Iterator

from promptdeck.core.dialects.pieces import Deals, as_object, index_of, objects_in, words
from promptdeck.core.text import sse
from promptdeck.core.text.jsontext import JSON, JSONObject, compact

_ON_EVERY_CHUNK = ("id", "object", "created", "model", "system_fingerprint", "service_tier")
_OPENING = ("role", "content", "refusal")
_SAID = ("reasoning_content", "reasoning", "content", "refusal")
_SIGNED = ("reasoning_details",)
_ARGUMENTS = (("function", "arguments"), ("custom", "input"), ("function_call", "arguments"))


def cut(completion: JSONObject, include_usage: bool, deal: Deals = words) -> list[bytes]:
    """The frames of a stream that folds into `completion`, `[DONE]` and all.

    With `include_usage` the last chunk tells the usage, if the completion does, and every
    chunk before it has a null there, as OpenAI's API reference says; else there is none. `deal`
    cuts the texts.
    """
    envelope = {key: completion[key] for key in _ON_EVERY_CHUNK if key in completion}
    envelope["object"] = "chat.completion.chunk"
    if include_usage and "usage" in completion:
        envelope["usage"] = None
    choices = enumerate(objects_in([completion.get("choices")]))
    chunks = [
        {**envelope, "choices": [piece]}
        for position, choice in choices
        for piece in _cut_choice(choice, position, deal)
    ] or [{**envelope, "choices": []}]
    # What a provider adds, such as `mcp_tool_results`, is known when all is said.
    known = {*_ON_EVERY_CHUNK, "choices", "usage"}
    chunks[-1] |= {key: value for key, value in completion.items() if key not in known}
    if include_usage and completion.get("usage") is not None:
        chunks.append({**envelope, "choices": [], "usage": completion["usage"]})
    return [*(sse.encode(compact(chunk)) for chunk in chunks), sse.encode(sse.DONE.encode())]


def _cut_choice(choice: JSONObject, position: int, deal: Deals) -> list[JSONObject]:
    """A choice as the choices of its chunks: the opening, what is said, then the finish reason."""
    common: JSONObject = {"index": index_of(choice, position), "delta": {}}
    if "logprobs" in choice:
        common["logprobs"] = None
    common["finish_reason"] = None
    pieces = list(_cut_message(as_object(choice.get("message")), choice.get("logprobs"), deal))
    ending = {key: choice[key] for key in choice if key not in ("index", "message", "delta")}
    # Folding adds log probabilities up: told with the words, they are not told again.
    if any("logprobs" in piece for piece in pieces):
        del ending["logprobs"]
    return [common | piece for piece in (*pieces, ending)]


def _cut_message(message: JSONObject, logprobs: JSON, deal: Deals) -> Iterator[JSONObject]:
    """A message as that which each chunk's choice has of its own, in the order of speaking."""
    rest = {key: message[key] for key in message if key not in _OPENING or message[key] is not None}
    said = {key: rest.pop(key) for key in _SAID if isinstance(rest.get(key), str)}
    role, content = rest.pop("role", "assistant"), "" if "content" in said else None
    yield {"delta": {"role": role, "content": content, "refusal": None}}
    # Signed blocks are whole before the model goes on, as OpenRouter sends them.
    signed = {key: rest.pop(key) for key in _SIGNED if key in rest}
    for key, text in said.items():
        if key in _OPENING and signed:
            yield {"delta": signed}
            signed = {}
        if key == "content":
            yield from _cut_content(text, logprobs, deal)
        else:
            yield from ({"delta": {key: word}} for word in deal(text) or [text])
    if signed:
        yield {"delta": signed}
    yield from ({"delta": delta} for delta in _cut_calls(rest, deal))
    if rest:
        yield {"delta": rest}


def _cut_content(text: str, logprobs: JSON, deal: Deals) -> Iterator[JSONObject]:
    """The content token by token where the log probabilities tell them, else word by word."""
    if tokens := _tokens(text, logprobs):
        # What else the log probabilities hold goes with the first token, and is null after it.
        shared = logprobs
        for token, entry in zip(tokens, logprobs["content"], strict=True):
            yield {"delta": {"content": token}, "logprobs": shared | {"content": [entry]}}
            shared = dict.fromkeys(logprobs)
        return
    carried: JSONObject = {} if logprobs is None else {"logprobs": logprobs}
    for word in deal(text):
        yield {"delta": {"content": word}} | carried
        carried = {}


def _tokens(text: str, logprobs: JSON) -> list[str]:
    """The tokens of the log probabilities, if joined they are `text`; else none.

    They need not be: a token that is part of a character stands there as `bytes:\\xf0`.
    """
    entries = as_object(logprobs).get("content")
    if not isinstance(entries, list):
        return []
    tokens = [as_object(entry).get("token") for entry in entries]
    texts = [token for token in tokens if isinstance(token, str)]
    return texts if len(texts) == len(tokens) and "".join(texts) == text else []


def _cut_calls(rest: JSONObject, deal: Deals) -> Iterator[JSONObject]:
    """The deltas of a message's tool and function calls, which are taken out of `rest`."""
    calls = rest.get("tool_calls")
    if isinstance(calls, list) and calls and all(isinstance(call, dict) for call in calls):
        del rest["tool_calls"]
        for index, call in enumerate(calls):
            for delta in _cut_arguments(call, deal):
                # First in the delta, as OpenAI writes it, and no call's own number in its place.
                yield {"tool_calls": [{"index": index} | delta | {"index": index}]}
    if isinstance(rest.get("function_call"), dict):
        yield from _cut_arguments({"function_call": rest.pop("function_call")}, deal)


def _cut_arguments(call: JSONObject, deal: Deals) -> list[JSONObject]:
    """A call in pieces: first all but the arguments, then the arguments word by word."""
    for kind, name in _ARGUMENTS:
        body = as_object(call.get(kind))
        if isinstance(text := body.get(name), str):
            head = call | {kind: body | {name: ""}}
            return [head, *({kind: {name: word}} for word in deal(text))]
    return [call]
