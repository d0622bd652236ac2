"""Text of a head whose bytes are no UTF-8, as a JSON value that any writer and reader holds.

Headers and targets may have any bytes (RFC 9110, section 5.5), old servers send Latin-1. In
memory such a byte is half a surrogate pair (`surrogateescape`), which JSON writers and YAML
readers refuse.
"""

import re

from .jsontext import JSON

_LATIN_1 = "latin-1"
"""The key under which bytes stand as the text that they are in Latin-1: any bytes are some."""


_NO_BYTE = re.compile("[\ud800-\udc7f\udd00-\udfff]")
"""The halves that `surrogateescape` does not use: it has those of the bytes 80 to FF."""


def as_json(text: str) -> JSON:
    """The text itself, or `{"latin-1": ...}` where it stands for bytes that are no UTF-8.

    ValueError where it stands for no bytes at all.
    """
    try:
        text.encode()
    except UnicodeEncodeError:
        # Half a surrogate pair of another kind stands for nothing; two bytes that are one
        # character of UTF-8 would come back as that.
        data = text.encode("utf-8", "surrogatepass" if _NO_BYTE.search(text) else "surrogateescape")
        if data.decode("utf-8", "surrogateescape") != text:
            raise ValueError(f"no bytes are read as {text!a}") from None
        return {_LATIN_1: data.decode(_LATIN_1)}
    return text


def from_json(value: JSON) -> str | None:
    """The text of which `as_json` made this value; None for a value that it never makes."""
    if isinstance(value, dict) and value.keys() == {_LATIN_1}:
        held = value[_LATIN_1]
        try:
            data = held.encode(_LATIN_1) if isinstance(held, str) else None
        except UnicodeEncodeError:
            return None
        return None if data is None else data.decode("utf-8", "surrogateescape")
    return value if isinstance(value, str) else None
