"""What a request of Ollama's asks and an answer of it says, for people."""

from collections.abc import Iterator, Sequence

from promptdeck.core.dialects.pieces import as_list, as_object, called, labelled, objects_in
from promptdeck.core.dialects.streamed import TextLeaf
from promptdeck.core.text.jsontext import JSONObject

from .fold import TEXTS


def text_of(answer: JSONObject) -> str:
    """All that an answer says, a line or more for each thing."""
    # Of `/api/chat` in a message, of `/api/generate` at the top.
    said = as_object(answer.get("message")) or answer
    lines = [
        *labelled("reasoning", said.get("thinking")),
        *labelled("", said.get("content")),
        *labelled("", said.get("response")),
    ]
    return "\n".join([*lines, *map(_called, objects_in([said.get("tool_calls")]))])


def turns(body: JSONObject) -> Iterator[tuple[str, str]]:
    """Who says what in a request: role and text of each turn."""
    for key, role in (("system", "system"), ("prompt", "user")):
        if isinstance(text := body.get(key), str):
            yield role, text
    yield from map(_turn, objects_in([body.get("messages")]))


def texts(answer: JSONObject) -> Iterator[TextLeaf]:
    """The texts of an answer, or of a line of a stream, by their names."""
    holder = as_object(answer.get("message")) or answer
    for key in TEXTS:
        if isinstance(holder.get(key), str):
            yield TextLeaf(key, holder, key)


def dealt(values: Sequence[JSONObject]) -> Iterator[tuple[int, TextLeaf]]:
    """The same texts in the lines of a stream, each with the number of its line."""
    for n, value in enumerate(values):
        leaves = [*texts(value)]
        only = value.get("done") is False and sum(bool(leaf.text) for leaf in leaves) == 1
        alone = only and not any("tool_calls" in leaf.holder for leaf in leaves)
        yield from ((n, leaf._replace(alone=alone)) for leaf in leaves)


def _turn(message: JSONObject) -> tuple[str, str]:
    """Who says what in a message of a request."""
    lines = [
        *labelled("reasoning", message.get("thinking")),
        *labelled("", message.get("content")),
        *("[image]" for _ in as_list(message.get("images"))),
        *map(_called, objects_in([message.get("tool_calls")])),
    ]
    return str(message.get("role", "?")), "\n".join(lines)


def _called(call: JSONObject) -> str:
    function = as_object(call.get("function"))
    return called(function.get("name"), function.get("arguments", {}))
