"""Marks for prompt caches, left out of messages, parts and tools: they change no answer.

Only where protocols have them: a user's own data may have members of these names.
"""

from promptdeck.core.text.jsontext import JSON

from .base import MARKERS

_TEXTS = frozenset(["text", "input_text"])


def without_marks(item: JSON) -> JSON:
    """An object without the marks among its members; anything else as it is."""
    if not isinstance(item, dict) or MARKERS.keys().isdisjoint(item):
        return item
    return {key: value for key, value in item.items() if key not in MARKERS}


def one_text(content: JSON) -> JSON:
    """Content without marks in its parts; the text itself where that is all there is."""
    if not isinstance(content, list):
        return content
    parts = [parts_without_marks(part) for part in content]
    match parts:
        case [{"type": kind, "text": str(text), **rest}] if kind in _TEXTS and not rest:
            return text
    return parts


def parts_without_marks(item: JSON) -> JSON:
    """A message, part or tool without marks, in it and in the parts of its `content`."""
    bare = without_marks(item)
    if isinstance(bare, dict) and isinstance(bare.get("content"), list):
        bare = {**bare, "content": one_text(bare["content"])}
    return bare
