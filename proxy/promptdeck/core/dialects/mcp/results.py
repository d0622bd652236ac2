"""What a tool gave: as text for the model, as a value for the client.

All of it is the tool's word, and untrusted: text, and never more.
"""

from collections.abc import Iterator

from promptdeck.core.dialects.base import value_of
from promptdeck.core.dialects.pieces import as_list, as_object, written
from promptdeck.core.text.jsontext import JSON, JSONObject

LONGEST = 100_000
"""Characters of a result that a model is told, some 25,000 tokens."""


def is_failure(result: JSONObject) -> bool:
    """True for a result by which the tool says that it failed."""
    return result.get("isError") is True


def failure(text: str) -> JSONObject:
    """A result that says that there is none, and why."""
    return {"content": [{"type": "text", "text": text}], "isError": True}


def value_in(result: JSONObject) -> JSON:
    """A result as the client gets it: what is structured, else its one text, else its blocks."""
    if (structured := result.get("structuredContent")) is not None:
        return structured
    blocks = [block for block in as_list(result.get("content")) if isinstance(block, dict)]
    if len(blocks) == 1 and isinstance(text := blocks[0].get("text"), str):
        value = value_of(text.encode("utf-8", "surrogatepass")) if text[:1] in ("{", "[") else None
        return value if isinstance(value, dict | list) else text
    return blocks


def text_in(result: JSONObject) -> str:
    """A result as the model is told of it, cut where it is longer than any model reads."""
    text = "\n".join(_lines(result))
    if not text and (structured := result.get("structuredContent")) is not None:
        text = written(structured).decode()
    if len(text) <= LONGEST:
        return text
    return f"{text[:LONGEST]}\n[cut here: {len(text)} characters, {LONGEST} are shown]"


def _lines(result: JSONObject) -> Iterator[str]:
    for block in as_list(result.get("content")):
        one = as_object(block)
        kind, resource = one.get("type"), as_object(one.get("resource"))
        if isinstance(text := one.get("text", resource.get("text")), str):
            if text:
                yield text
        elif kind == "resource_link":
            yield f"[resource {one.get('name') or ''} {one.get('uri')}]"
        elif kind == "resource":
            yield _described("resource", resource.get("mimeType"), resource.get("blob"))
        elif isinstance(kind, str):
            yield _described(kind, one.get("mimeType"), one.get("data"))


def _described(kind: str, mime: JSON, data: JSON) -> str:
    """What cannot be told in text: `[image image/png, 12 KB]`."""
    size = len(data) * 3 // 4 if isinstance(data, str) else 0
    told = f"{size // 1024} KB" if size >= 1024 else f"{size} bytes"
    return f"[{kind} {mime or 'of no type'}, {told}]"
