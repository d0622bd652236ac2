"""A request without its secrets: what a recording keeps of it, and what is brought to a form.

Both are made from the same cleared body, so that what is kept has the canonical form of
what was sent.
"""

from collections.abc import Callable
from typing import NamedTuple

from promptdeck.core.dialects.base import Dropped, essence, is_json
from promptdeck.core.dialects.chat.counting import without_credentials
from promptdeck.core.dialects.chat.dialect import CHAT
from promptdeck.core.dialects.table import dialect_of
from promptdeck.core.interaction import Headers, Request
from promptdeck.core.secrets.redact import Redactor
from promptdeck.core.text import rawjson
from promptdeck.core.text.jsontext import JSON, Unfaithful, compact, has_integral, load
from promptdeck.core.varying import EVENTS


class Clean(NamedTuple):
    """A body without secrets."""

    body: JSON
    """Parsed, or else as bytes."""
    secrets: int
    """How many were taken out, credentials of MCP servers not among them."""
    text: bytes | None
    """The body written compactly, or as it is; None where it has yet to be written."""
    faithful: bool
    """Whether it was JSON as it came."""
    integral: bool
    """Whether there may be numbers like 1.0 in it."""


def keepable(request: Request, redactor: Redactor) -> tuple[Request, int]:
    """The request as a recording keeps it, and how many secrets were taken out of it.

    Its canonical form is that of the request as sent, and it is kept as it is when it is
    given again.
    """
    cleared = clean(request, redactor, [])
    kept = compact(cleared.body) if cleared.text is None else cleared.text
    request = request._replace(
        target=redactor.query(request.target), body=kept, selecting=chosen_by(request, redactor)
    )
    return request, cleared.secrets


def chosen_by(request: Request, redactor: Redactor) -> Headers:
    """The headers by which a request chooses a representation, without secrets in them."""
    found = request.selecting
    if found and dialect_of(request.method, request.target).is_model:
        found = tuple(item for item in found if item != EVENTS)
    return tuple((name, redactor.text(value)[0]) for name, value in found)


def clean(
    request: Request,
    redactor: Redactor,
    dropped: list[Dropped],
    inspect: Callable[[JSON], None] | None = None,
    value: Callable[[], JSON] | None = None,
    *,
    once: bool = False,
) -> Clean:
    """Parse a body and take secrets out of it, and credentials out of a chat completion's.

    Appends to `dropped` the credentials. `inspect` and `value` are those of `examine`.
    A chat completion's is read as JSON whatever its type is declared to be, that of another
    model's endpoint where it looks like it, as no form and no upload does; any other where it is
    declared JSON, or looks like it and nothing is declared. With `once`, a declared type
    counted, as it did in 0.1.0.
    """
    dialect = dialect_of(request.method, request.target)
    chat = dialect is CHAT
    as_json = chat or is_json(kind := essence(request.content_type))
    if not as_json and (not kind or (dialect.is_model and not once)):
        as_json = request.body.lstrip()[:1] in (b"{", b"[")
    body, integral = _parsed(request.body, value) if as_json else (request.body, True)
    faithful = not isinstance(body, bytes)
    if inspect and faithful:
        inspect(body)
    count = 0
    if isinstance(body, bytes):
        text, count = raw_without_secrets(body, redactor, chat=chat)
        # What kept it from being parsed may have been in a secret.
        body, integral = _parsed(text) if as_json else (text, True)
        if isinstance(body, bytes):
            return Clean(body, count, text, faithful, integral)
    if chat and isinstance(body, dict):
        body = without_credentials(body, dropped)
    # The compact form is searched, not the body as it came: what is compact has no escapes
    # that could hide a secret, and it is what will be kept.
    text = compact(body)
    if redactor.suspicious(text):
        body, found = redactor.value(body)
        if found:
            return Clean(body, count + found.total(), None, faithful, integral=True)
    return Clean(body, count, text, faithful, integral)


def _parsed(body: bytes, value: Callable[[], JSON] | None = None) -> tuple[JSON, bool]:
    """JSON, or the bytes themselves where a parser would alter it; whether it may hold a 1.0.

    `value` gives the body as `load` reads it, for who has that already.
    """
    try:
        found = value() if value else load(body)
        return found, has_integral(found)
    except Unfaithful:
        return body, True


_CREDENTIALS: frozenset[rawjson.RawPath] = frozenset(
    [
        (b'"credentials"',),
        (b'"mcp_servers"', b'"credentials"'),
        (b'"mcp_servers"', b"", b'"credentials"'),
    ]
)


def raw_without_secrets(body: bytes, redactor: Redactor, *, chat: bool) -> tuple[bytes, int]:
    """A body of any bytes without secrets, and how many were taken out.

    With `chat` the values of `credentials` become null where a chat completion has them;
    they are not counted.
    """
    count = 0
    while True:
        cleared, found = redactor.body(_without_credentials(body) if chat else body)
        count += found.total()
        # A user's pattern may take a quote or a brace along: what is left reads differently.
        if cleared == body:
            return body, count
        body = cleared


def _without_credentials(text: bytes) -> bytes:
    """JSON text, or what is left of one, with null for each value of `credentials`."""
    kept: list[bytes] = []
    done = 0
    for path, begin, end in rawjson.members(text):
        if path in _CREDENTIALS:
            kept += text[done:begin], b"null"
            done = end
    return b"".join([*kept, text[done:]])
