"""What streams of all protocols are made of: events of JSON objects, texts dealt out in words.

Every function takes JSON of any shape; what cannot be read without loss is Unfaithful.
"""

import json  # noqa: TID251  orjson refuses half an emoji
import re
from collections.abc import Callable, Iterable, Iterator
from itertools import chain

from promptdeck.core.text import sse
from promptdeck.core.text.jsontext import JSON, JSONObject, Unfaithful, compact, parse

# A word with the space before it, as models speak; two characters of a script that has no
# spaces, with the marks and stops after them; JSON is cut behind its quotes.
_CJK = r"\u3040-\u30ff\u3400-\u9fff\uac00-\ud7a3\U00020000-\U0003ffff"
_WORD = rf'\s*(?:[{_CJK}]{{1,2}}[^\w\s]*|[^\s"{_CJK}]+"?|")|\s+'

OTHER_EVENTS = "other_events"
"""Where a message that a stream adds up to has the events that nobody here has heard of.

Readers of messages pass over what they do not know, and nothing is lost that way: `cut` puts
them back into a stream.
"""

# An escape of half a character of two (UTF-16): a model's token may be no more than that.
_HALF = re.compile(r"\\u[dD][89a-fA-F]")


def as_object(value: JSON) -> JSONObject:
    """`value` if it is an object, else an empty one."""
    return value if isinstance(value, dict) else {}


def as_list(value: JSON) -> list[JSON]:
    """`value` if it is a list, else an empty one."""
    return value if isinstance(value, list) else []


def objects_in(lists: Iterable[JSON]) -> list[JSONObject]:
    """The objects in those of the values that are lists, in their order."""
    items = chain.from_iterable(value for value in lists if isinstance(value, list))
    return [item for item in items if isinstance(item, dict)]


def index_of(item: JSONObject, otherwise: int, key: str = "index") -> int:
    """The item's own number under `key` if that is an integer, else the number given."""
    index = item.get(key)
    return index if isinstance(index, int) else otherwise


Deals = Callable[[str], list[str]]
"""Cuts a text into the pieces that events have one each; joined they are the text."""


def words(text: str) -> list[str]:
    """`text` in the pieces of which its stream would have one each; joined they are `text`."""
    return re.findall(_WORD, text)  # compiled by the first call, not by each start


def at_once(text: str) -> list[str]:
    """`text` in one piece, for a stream that nobody reads word by word; none where it is empty."""
    return [text] if text else []


def chunk(frame: bytes) -> JSONObject:
    """The JSON object that a frame holds; an empty one for comments, `[DONE]` and other JSON.

    Unfaithful if its data is not JSON, or not without loss. Half an emoji is read as such: its
    other half comes with the next chunk.
    """
    data = (sse.parse(frame).data or "").strip()
    return {} if data in ("", sse.DONE) else as_object(_value(data))


def _value(data: str) -> JSON:
    try:
        return parse(data)
    except Unfaithful:
        if not _HALF.search(data):
            raise
    try:
        return json.loads(data)
    except (ValueError, RecursionError) as error:
        raise Unfaithful(str(error)) from None


def typed(frames: Iterable[bytes]) -> Iterator[tuple[str, JSONObject]]:
    """Each event of a stream whose events have a type, with it; others are left out.

    The type is a member of the data. Unfaithful as `chunk`.
    """
    for frame in frames:
        value = chunk(frame)
        if isinstance(kind := value.get("type"), str):
            yield kind, value


def event(value: JSONObject) -> bytes:
    """The frame of an event that is named for the type in its data."""
    return sse.encode(compact(value), event=value["type"])


def written(value: JSON) -> bytes:
    """A value as compact JSON: with escapes where halves of an emoji came apart, which then meet.

    Unfaithful where it is nested too deeply to be written.
    """
    try:
        return compact(value)
    except TypeError:  # orjson's JSONEncodeError
        pass
    try:
        return json.dumps(value, separators=(",", ":")).encode()
    except (ValueError, RecursionError) as error:
        raise Unfaithful(str(error)) from None


_HALVES = re.compile("[\ud800-\udfff]")


def whole_characters(text: str) -> str:
    """Text in which halves of an emoji that came apart meet; U+FFFD for one that is left alone."""
    if text.isascii() or not _HALVES.search(text):
        return text
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def labelled(label: str, text: JSON) -> Iterator[str]:
    """`text` behind its label, if there is one; nothing where there is no text."""
    if isinstance(text, str) and text:
        yield f"[{label}] {text}" if label else text


def called(name: JSON, arguments: JSON) -> str:
    """A call as people read it, `name(arguments)`, whose arguments are text or JSON."""
    text = arguments if isinstance(arguments, str) else written(arguments).decode()
    return f"{name or ''}({text})"
