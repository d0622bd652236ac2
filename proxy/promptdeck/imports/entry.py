"""An entry of another tool's file: a request with its answer, or the reason why it is not carried.

The readers, one for each tool, make `Imported` of what they parse; what they all need for it
is here: text and bytes out of JSON, bodies unpacked, streams cut into frames, and the checks
that any entry has to pass.
"""

import base64
import binascii
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from itertools import chain
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import orjson

from promptdeck.core.codings import BrokenCoding, Codings, UnknownCoding, UnpackedTooLarge
from promptdeck.core.dialects.sockets import OPENING, SWITCHED
from promptdeck.core.interaction import Frame, Headers, Response, header
from promptdeck.core.text.jsontext import JSON
from promptdeck.core.text.lines import cutter

from .lost import known_url, told, typed_answer, typed_request

_MOST = 32 * 1024 * 1024
"""Bytes that one compressed body may unfold to, as in `engine.flights.recorder`."""

_LONGEST = 30 * 24 * 3600 * 1000
"""Milliseconds that an answer may take, a month: what is longer is no duration but a time of
day in the place of one, as edited files have it."""


class NotCarried(NamedTuple):
    """An entry that no cassette can hold."""

    place: str
    """A line number, or a JSON path."""
    reason: str
    mend: str = ""
    """What to do to have it carried, where something can be done."""


class Imported(NamedTuple):
    """A request and its answer, as a tool's file tells them, with their bodies unpacked."""

    place: str
    """A line number, or a JSON path."""
    method: str
    url: str
    """Empty where the file has a placeholder for it."""
    request_headers: Headers
    body: bytes
    status: int
    headers: Headers
    frames: tuple[Frame, ...]
    """Those of a stream, or else the whole body as one."""
    recorded_at: float | None = None
    """Seconds since the epoch; None where the file does not say."""
    target: str = ""
    """What of the URL's end is the target, where the file says so."""


class Elided(ValueError):
    """Why an entry cannot be carried."""


class Unreadable(ValueError):
    """Why a file cannot be read, with the line where it is known."""


def listed(text: str, *keys: str) -> list[tuple[str, JSON]]:
    """The list at `keys` of a JSON text, each entry with its place: `$.log.entries[0]`.

    Unreadable if the text is not JSON or has no list there.
    """
    place = ".".join(("$", *keys))
    try:
        value = orjson.loads(text)
        for key in keys:
            value = value[key]
    except orjson.JSONDecodeError as error:
        raise Unreadable(f"broken JSON: {error}") from None
    except (LookupError, TypeError):
        raise Unreadable(f"it has no {place}") from None
    if not isinstance(value, list):
        raise Unreadable(f"{place} is no list")
    return [(f"{place}[{number}]", entry) for number, entry in enumerate(value)]


def each(
    entries: Iterable[tuple[str, JSON]], imported: Callable[[str, JSON], Imported]
) -> Iterator[Imported | NotCarried]:
    """Each entry as `imported` reads it, or with the reason why it is not carried.

    `imported` gets place and entry, and raises Elided where it knows a reason; the errors of
    an unexpected layout (LookupError, TypeError and the like) are reasons, too.
    """
    for place, entry in entries:
        try:
            yield _checked(imported(place, entry))
        except Elided as reason:
            yield NotCarried(place, str(reason))
        except (LookupError, TypeError, ValueError, AttributeError) as error:
            yield NotCarried(place, f"it is not laid out as expected: {error!r}")


def _checked(found: Imported) -> Imported:
    """An entry as it came, if it is one request and one answer over HTTP. Elided."""
    for text in (found.target, *chain(*found.request_headers, *found.headers)):
        if not isinstance(text, str):
            raise Elided(f"a header or target that is no text but {type(text).__name__}")
    found = found._replace(url=known_url(found.url))
    url = urlsplit(found.url)
    scheme = url.scheme.lower()
    opened = found.status == SWITCHED and found.method != OPENING  # but of our own HAR
    if scheme in ("ws", "wss") or opened:
        raise Elided("it is a WebSocket, not one request and one answer")
    if found.method == "CONNECT" or (found.url and scheme not in ("http", "https")):
        raise Elided(f"it is not HTTP but {scheme or found.method}")
    if found.url and not url.hostname:
        raise Elided("its URL names no host")
    if not 100 <= found.status <= 599:
        raise Elided(f"its status is {found.status}, which HTTP does not have")
    if not all(0 <= frame.offset_ms <= _LONGEST for frame in found.frames):
        raise Elided("its times are not those of an answer")
    if not found.body and header(found.request_headers, "content-length").strip() not in ("", "0"):
        raise Elided("its request had a body, which the file does not hold")
    return found


def utf8(text: str) -> bytes:
    """The bytes of a text. Elided if it holds half a surrogate pair."""
    try:
        return text.encode()
    except UnicodeEncodeError:
        raise Elided("its text holds half a surrogate pair, so its bytes are lost") from None


def unbase64(text: str) -> bytes:
    """The bytes that base64 stands for, whatever white space is in it. Elided if it is broken."""
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError):
        raise Elided("its base64 is broken") from None


def moment(text: str) -> float | None:
    """Seconds since the epoch of a time of ISO 8601 or of RFC 5322, as in a `Date` header.

    None for what is none. No zone means UTC.
    """
    for read in (datetime.fromisoformat, parsedate_to_datetime):
        try:
            at = read(text)
        except ValueError:
            continue
        break
    else:
        return None
    return (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()


def unpacked(body: bytes, encoding: str) -> bytes:
    """A body without its `Content-Encoding`, which is `encoding`. Elided if it cannot be undone.

    Tools that keep it unpacked often leave the header as it was, so a body that
    does not look packed is taken as it is.
    """
    codings = Codings.of(encoding)
    if body.startswith(b"\x1f\x8b\x08") and not codings.names:
        codings = Codings(("gzip",))  # A filter took the header away: no text begins so.
    if "gzip" in codings.names[-1:]:
        if body.startswith(b"\x1f") and not body.startswith(b"\x1f\x8b"):
            raise Elided("its compressed body was kept as text, which lost bytes")
        looks_packed = body.startswith(b"\x1f\x8b")
    else:
        looks_packed = not _is_text(body)
    if not looks_packed:
        return body
    try:
        return codings.unpacked(body, _MOST)
    except BrokenCoding:
        raise Elided("its compressed body is broken or cut off") from None
    except UnpackedTooLarge:
        raise Elided(f"its compressed body unfolds to more than {_MOST >> 20} MiB") from None
    except UnknownCoding as why:
        raise Elided(f"its body is compressed: {why}") from None


def _is_text(body: bytes) -> bool:
    try:
        body.decode()
    except UnicodeDecodeError:
        return False
    return True


def sent(headers: Headers, body: bytes) -> tuple[Headers, bytes]:
    """A request's headers and body, without placeholders and unpacked. Elided."""
    headers = told(headers)
    body = unpacked(body, header(headers, "content-encoding"))
    return typed_request(headers, body), body


def came(headers: Headers, body: bytes) -> tuple[Headers, bytes]:
    """An answer's headers and body, without placeholders and unpacked, with its type. Elided."""
    headers = told(headers)
    body = unpacked(body, header(headers, "content-encoding"))
    return typed_answer(headers, body), body


def framed(headers: Headers, body: bytes, first_ms: int = 0, last_ms: int = 0) -> tuple[Frame, ...]:
    """A body in frames: those of a stream, or the whole as one at `last_ms`.

    A stream has no times of its own here: they are spread evenly from `first_ms` to `last_ms`.
    """
    whole = Response(200, headers, (Frame(last_ms, body),))
    if not whole.is_stream:
        return whole.frames
    data = cutter(in_lines=whole.in_lines)([body])
    step = (last_ms - first_ms) / max(1, len(data) - 1)
    return tuple(Frame(round(first_ms + n * step), item) for n, item in enumerate(data))


def text_of(value: Any, what: str) -> str:
    """`value`, which has to be text. Elided if it is not; `what` is what to call it."""
    if not isinstance(value, str):
        raise Elided(f"it has no {what}")
    return value
