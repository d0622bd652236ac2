"""The text of a chat answer for people: in cassettes, in lists and where two differ."""

import re
from collections.abc import Iterator

from promptdeck.core.interaction import Response
from promptdeck.core.text.jsontext import JSON, Unfaithful, parse

from .deltas import JSONObject, as_object, index_of, objects_in
from .fold import fold


def says(response: Response) -> str:
    """The text that the model said, JSON or stream alike; empty for what is no chat answer.

    Content stands alone; reasoning, refusals and what was spoken have a label, calls are
    written `name(arguments)`, and several choices are numbered. Raises nothing.
    """
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
        return _whole_characters("".join(text for _, text in texts))
    return _whole_characters("\n\n".join(f"[choice {index}]\n{text}" for index, text in texts))


def _whole_characters(text: str) -> str:
    """Text in which halves of an emoji that came apart meet; U+FFFD for one that is left alone."""
    if text.isascii() or not _HALVES.search(text):
        return text
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


_HALVES = re.compile("[\ud800-\udfff]")


def _lines(message: JSONObject) -> Iterator[str]:
    """All that a message says, a line or more for each thing."""
    # One thing under two names: whoever sends both sends it twice.
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
    """`text` behind its label, if there is one; nothing where there is no text."""
    if isinstance(text, str) and text:
        yield f"[{label}] {text}" if label else text


def _text(part: JSON) -> str:
    """The text in a part of the content: Mistral nests a list of parts in `thinking`."""
    if isinstance(part, list):
        return "".join(map(_text, part))
    if isinstance(part, dict):
        return _text(part.get("text", part.get("thinking")))
    return part if isinstance(part, str) else ""


def _called(call: JSON, arguments: str) -> Iterator[str]:
    """`name(arguments)` of a call's body, whose arguments stand under that key; or nothing."""
    if call := as_object(call):
        yield f"{call.get('name', '')}({call.get(arguments, '')})"
