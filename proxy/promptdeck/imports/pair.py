"""One pair of request and response, in the words of whichever tool wrote it.

vcrpy and its relatives agree on what is told and differ in the words: `uri` or `url`, a
status as number, text or mapping, headers as mapping or list, a body as text, bytes,
base64, chunks, or as the JSON that it is. Bodies may be packed or not, depending on the
HTTP client that was patched, with the header left in place; streams are one text.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from promptdeck.core.interaction import Headers, header
from promptdeck.core.text.jsontext import JSON, compact

from .entry import Elided, Imported, came, framed, moment, sent, text_of, unbase64, utf8


def imported(place: str, entry: JSON) -> Imported:
    """The request and answer of an entry, a mapping with `request` and `response`, at `place`.

    Elided if it cannot be carried; LookupError or TypeError if it is laid out otherwise.
    """
    request, response = entry["request"], entry["response"]
    headers = header_pairs(request.get("headers"))
    asked, body = sent(headers, _body(request, header(headers, "content-type")))
    told = header_pairs(response.get("headers"))
    headers, answer = came(told, _body(response, header(told, "content-type")))
    return Imported(
        place,
        text_of(request.get("method"), "method").lstrip(":").upper(),
        _url(request),
        asked,
        body,
        _status(response),
        headers,
        framed(headers, answer),
        _recorded_at(entry.get("recorded_at", entry.get("recordedAt"))),
    )


def _url(request: dict[str, JSON]) -> str:
    """The URL that was asked, with its query where that is told apart. Elided."""
    url = text_of(request.get("uri", request.get("url")), "uri")
    query = request.get("query_string")
    return f"{url}?{query}" if isinstance(query, str) and query and "?" not in url else url


def header_pairs(value: JSON) -> Headers:
    """Headers as pairs: of a mapping in which a name has one value or a list of them, or a list.

    A list has pairs, or mappings with `name` (or `key`) and `value`, or names and values by
    turns.
    """
    found: list[tuple[str, str]] = []
    for name, values in _items(value or {}):
        values = values if isinstance(values, list) else [values]
        found += [(name, _header_text(item)) for item in values]
    return tuple(found)


def _items(value: JSON) -> Iterable[tuple[str, JSON]]:
    if isinstance(value, dict):
        return value.items()
    if value and isinstance(value[0], str):
        return zip(value[::2], value[1::2], strict=True)
    return [_named(item) for item in value]


def _named(item: Any) -> tuple[str, JSON]:
    if isinstance(item, dict):
        return item["name"] if "name" in item else item["key"], item["value"]
    name, value = item
    return name, value


def _header_text(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return value.decode("latin-1") if isinstance(value, bytes) else str(value)


def _body(message: JSON, kind: str = "") -> bytes:
    """The body of a request or a response, in any of the forms. Elided.

    `kind` is its content type: a form may be kept as its fields, a stream as its pieces.
    """
    # Made by several projects' own serializers, for the sake of readable reviews.
    for key in ("parsed_body", "body_json"):
        if key in message:
            return compact(message[key])
    if "body_blob" in message:
        return unbase64(text_of(message["body_blob"], "body"))
    # vcrpy before 6 kept the answers to httpx in this form.
    key = "content" if "content" in message else "body"
    body = message.get(key) or message.get("request_body") or message.get("post_fields")
    is_form = "post_fields" in message or "x-www-form-urlencoded" in kind
    if is_form and isinstance(body, dict) and not body.keys() & _HOLDS_TEXT:
        return urlencode(body, doseq=True).encode()
    is_stream = "event-stream" in kind
    if is_stream and isinstance(body, list) and all(isinstance(one, str) for one in body):
        return utf8("".join(body))
    return as_bytes(body)


_TEXT = frozenset(["string", "encoding"])
_HOLDS_TEXT = frozenset(["string", "base64_string"])


def as_bytes(body: Any) -> bytes:
    """A body that is text, bytes, nothing, one of these in a mapping, or JSON. Elided."""
    if isinstance(body, dict) and "base64_string" in body:
        return unbase64(text_of(body["base64_string"], "body"))
    if isinstance(body, dict) and "string" in body and body.keys() <= _TEXT:
        return _encoded(body["string"], body.get("encoding"))
    if body is None or isinstance(body, bytes):
        return body or b""
    if isinstance(body, list) and body and all(isinstance(item, bytes) for item in body):
        return b"".join(body)
    if isinstance(body, dict | list):
        return compact(body)
    if not isinstance(body, str):
        raise Elided(f"a body that is neither text nor bytes but {type(body).__name__}")
    return utf8(body)


def _encoded(text: Any, encoding: Any) -> bytes:
    """A body's bytes in the encoding that Ruby's VCR read them in; ASCII-8BIT is none."""
    if not isinstance(text, str) or not isinstance(encoding, str):
        return as_bytes(text)
    try:
        return text.encode(encoding)
    except (LookupError, UnicodeEncodeError):
        return utf8(text)


def _status(response: JSON) -> int:
    """An answer's status: a number, `200 OK`, or a mapping that has it."""
    status = response.get("status")
    code: Any = status["code"] if isinstance(status, dict) else status
    for other in ("status_code", "statusCode", "code"):
        code = response.get(other, code)
    return int(code.split()[0]) if isinstance(code, str) else int(code)


def _recorded_at(value: Any) -> float | None:
    """A time that YAML read as one, or as text; None for anything else."""
    if isinstance(value, datetime):
        value = value.isoformat()
    return moment(value) if isinstance(value, str) else None
