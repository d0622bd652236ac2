"""Recordings of nock, for Node.js: a list of definitions, each with a scope and a path.

JSON bodies are kept parsed; what is imported has the same values, written compactly. An
answer that came packed is a list of its chunks in hexadecimal.
"""

from collections.abc import Iterator
from urllib.parse import urlsplit

from promptdeck.core.interaction import Headers
from promptdeck.core.text.jsontext import JSON

from .entry import Elided, Imported, NotCarried, came, each, framed, listed, sent, text_of
from .pair import as_bytes, header_pairs


def read(text: str) -> Iterator[Imported | NotCarried]:
    """Every definition, in order. Unreadable for what is no list."""
    return each(listed(text), _imported)


def is_definitions(value: JSON) -> bool:
    """True if the JSON of a file is a list of nock's definitions."""
    first = value[0] if isinstance(value, list) and value else None
    return isinstance(first, dict) and {"scope", "path"} <= first.keys()


def _imported(place: str, entry: JSON) -> Imported:
    """One definition. Elided, or the errors of an unexpected layout."""
    if not isinstance(entry["path"], str):
        raise Elided("its path is a pattern, not what was asked")
    scope = urlsplit(text_of(entry["scope"], "scope"))
    default = {"https": 443, "http": 80}.get(scope.scheme)
    host = scope.netloc.removesuffix(f":{default}")
    asked, body = sent(header_pairs(entry.get("reqheaders")), as_bytes(entry.get("body")))
    headers, answer = came(_headers(entry), _answer(entry.get("response")))
    return Imported(
        place,
        text_of(entry.get("method", "GET"), "method").upper(),
        f"{scope.scheme}://{host}{entry['path']}",
        # The length is that of another spelling of the same JSON, or of nothing: of none.
        tuple(item for item in asked if item[0].lower() != "content-length"),
        body,
        int(entry.get("status", 200)),
        headers,
        framed(headers, answer),
    )


def _headers(entry: JSON) -> Headers:
    return header_pairs(entry.get("rawHeaders", entry.get("headers")))


def _answer(response: JSON) -> bytes:
    """An answer's body: text, JSON, or chunks in hexadecimal."""
    # A JSON list of such texts is nothing that an API answers with.
    if isinstance(response, list) and response and all(map(_is_hex, response)):
        return b"".join(map(bytes.fromhex, response))
    return bytes.fromhex(response) if _is_packed(response) else as_bytes(response)


def _is_hex(item: JSON) -> bool:
    if not isinstance(item, str) or not item or len(item) % 2:
        return False
    return not item.lower().strip("0123456789abcdef")


def _is_packed(item: JSON) -> bool:
    """True for one chunk of gzip in hexadecimal."""
    return _is_hex(item) and item.lower().startswith("1f8b08")
