"""What a request of Cohere's asks and an answer of it says, for people."""

from collections.abc import Iterator, Sequence

from promptdeck.core.dialects.pieces import as_object, called, labelled, objects_in
from promptdeck.core.dialects.streamed import TextLeaf
from promptdeck.core.text.jsontext import JSONObject


def text_of(answer: JSONObject) -> str:
    """All that an answer says, a line or more for each thing."""
    return "\n".join(_lines(as_object(answer.get("message"))))


def turns(body: JSONObject) -> Iterator[tuple[str, str]]:
    """Who says what in a request: role and text of each turn."""
    for one in objects_in([body.get("messages")]):
        yield str(one.get("role", "?")), "\n".join(_lines(one))


def _lines(message: JSONObject) -> Iterator[str]:
    """All that a message says, a line or more for each thing."""
    yield from labelled("plan", message.get("tool_plan"))
    content = message.get("content")
    yield from labelled("", content)
    for part in objects_in([content]):
        yield from labelled("reasoning", part.get("thinking"))
        text = part.get("text", "" if "thinking" in part else f"[{part.get('type', '?')}]")
        yield from labelled("", text)
    for call in objects_in([message.get("tool_calls")]):
        function = as_object(call.get("function"))
        yield called(function.get("name"), function.get("arguments", ""))


_TEXTS = ("thinking", "text")


def texts(answer: JSONObject) -> Iterator[TextLeaf]:
    """The texts of an answer: its plan, and what its blocks say by their numbers."""
    message = as_object(answer.get("message"))
    if isinstance(message.get("tool_plan"), str):
        yield TextLeaf("plan", message, "tool_plan")
    content = message.get("content")
    for index, block in enumerate(content if isinstance(content, list) else ()):
        for key in _TEXTS:
            if isinstance(as_object(block).get(key), str):
                yield TextLeaf((index, key), block, key)


def dealt(values: Sequence[JSONObject]) -> Iterator[tuple[int, TextLeaf]]:
    """The same texts in the events of a stream, and what blocks begin with."""
    for n, value in enumerate(values):
        message = as_object(as_object(value.get("delta")).get("message"))
        alone = str(value.get("type")).endswith("-delta")
        if isinstance(message.get("tool_plan"), str):
            yield n, TextLeaf("plan", message, "tool_plan", alone=alone)
        content = as_object(message.get("content"))
        for key in _TEXTS:
            if key in content:
                yield n, TextLeaf((value.get("index"), key), content, key, alone=alone)
