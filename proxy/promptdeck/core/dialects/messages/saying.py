"""What a request of this protocol asks and a message of it says, for people."""

from collections.abc import Iterator, Sequence
from itertools import groupby

from promptdeck.core.dialects.pieces import as_list, as_object, called, labelled
from promptdeck.core.dialects.streamed import TextLeaf
from promptdeck.core.text.jsontext import JSON, JSONObject


def text_of(message: JSONObject) -> str:
    """All that a message says, a line or more for each thing."""
    return "\n".join(lines(message))


def lines(message: JSONObject) -> Iterator[str]:
    """All that a message says, a line or more for each thing."""
    return _blocks(message.get("content"))


def turns(body: JSONObject) -> Iterator[tuple[str, str]]:
    """Who says what in a request: role and text of each turn."""
    if system := body.get("system"):
        yield "system", "\n".join(_blocks(system))
    for turn in map(as_object, as_list(body.get("messages"))):
        yield str(turn.get("role", "?")), "\n".join(_blocks(turn.get("content")))


def _blocks(content: JSON) -> Iterator[str]:
    """The lines of content: a text, or blocks."""
    if isinstance(content, str):
        yield content
    # One sentence is many blocks where it cites: texts in a row are one.
    for is_text, run in groupby(map(as_object, as_list(content)), _is_text):
        if is_text:
            yield from labelled("", "".join(str(block["text"]) for block in run))
        else:
            for block in run:
                yield from _line(block)


def _is_text(block: JSONObject) -> bool:
    return block.get("type") == "text" and isinstance(block.get("text"), str)


def _line(block: JSONObject) -> Iterator[str]:
    """The lines of a block that is no text."""
    kind = str(block.get("type", "?"))
    if kind == "thinking":
        yield from labelled("reasoning", block.get("thinking"))
    elif kind.endswith("tool_use"):
        yield called(block.get("name"), block.get("input"))
    elif kind.endswith("tool_result"):
        yield f"[{kind}] " + "\n".join(_blocks(block.get("content")))
    else:
        yield f"[{kind}]"


_TEXTS = ("text", "thinking")


def texts(message: JSONObject) -> Iterator[TextLeaf]:
    """The texts of a message: the number of a block, and the key in it."""
    for index, block in enumerate(map(as_object, as_list(message.get("content")))):
        if (kind := block.get("type")) in _TEXTS:
            yield TextLeaf((index, kind), block, str(kind))


def dealt(values: Sequence[JSONObject]) -> Iterator[tuple[int, TextLeaf]]:
    """The same texts in the deltas of a stream, and what blocks begin with."""
    for n, value in enumerate(values):
        holder = as_object(value.get("delta", value.get("content_block")))
        for key in _TEXTS:
            if key in holder:
                yield n, TextLeaf((value.get("index"), key), holder, key, alone="delta" in value)
