"""The canonical form of a request: equal requests, and only those, have equal bytes.

What counts of a JSON body is its dialect's to say; key order, white space and escapes do
not matter in any. A body that is not JSON, or holds
numbers that a parser alters, stands for itself byte for byte. Secrets are taken out
first of all (`clean`), so that what is kept of a request has its canonical form.
"""

import re
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import NamedTuple

from promptdeck.core.dialects.base import Dialect, Dropped
from promptdeck.core.dialects.table import dialect_of
from promptdeck.core.interaction import Request, Variant
from promptdeck.core.secrets.redact import Redactor
from promptdeck.core.text.jsontext import JSON, canonical
from promptdeck.core.varying import written

from .clean import chosen_by, clean
from .rules import Rules


class Normalized(NamedTuple):
    """A request's canonical form, and what it asks for beside it."""

    canonical: bytes
    """`METHOD TARGET`, which few headers may follow, a line feed, and the canonical body."""
    variant: Variant
    dialect: Dialect
    """The protocol that the request speaks."""
    stateful: bool
    """True where its answer hangs on more than the request, or the request has effects."""
    dropped: tuple[Dropped, ...]
    """Filled only by `explain=True`: the hot path has no use for it."""
    learnt: Mapping[str, str] = MappingProxyType({})
    """What the names that a preset gave stand for in this very request."""
    aimed: tuple[str, ...] = ()
    """Of these what its target says, where there is no body."""

    @property
    def exact(self) -> tuple[bytes, Mapping[str, str]]:
        """What two requests must have in common to get the very same bytes for an answer."""
        return self.canonical, self.learnt


class Examined(NamedTuple):
    """A canonical form, and how the body was found on the way to it."""

    form: Normalized
    plain: bool
    """Whether the body is JSON that is read faithfully, and holds no secret."""


def normalize(
    request: Request,
    rules: Rules,
    redactor: Redactor,
    *,
    explain: bool = False,
    once: bool = False,
) -> Normalized:
    """Bring a request, as sent or as kept, to its canonical form; no body is too odd for it.

    PatternError where a user's expression takes too long.

    `explain` has the form say which places do not count, and why. `once` gives the form that
    0.1.0 gave the request, for which less had no say.
    """
    return examine(request, rules, redactor, explain=explain, once=once).form


def examine(
    request: Request,
    rules: Rules,
    redactor: Redactor,
    *,
    explain: bool = False,
    once: bool = False,
    inspect: Callable[[JSON], None] | None = None,
    value: Callable[[], JSON] | None = None,
) -> Examined:
    """Do as `normalize` does, and tell how the body was found.

    `inspect` is shown a body that is JSON as it was parsed, which is done once; what it raises
    is raised. `value` gives that body as `jsontext.load` reads it, for who
    has it already, and raises Unfaithful where `load` would.
    """
    dialect = dialect_of(request.method, request.target)
    dropped: list[Dropped] = []
    cleared = clean(request, redactor, dropped, inspect, value, once=once)
    body = cleared.body
    # Of the body without secrets, but with all that does not count: `stream` does not.
    variant, stateful = dialect.variant(body, request.target), dialect.is_stateful(body)
    learnt: Mapping[str, str] = {}
    aimed: tuple[str, ...] = ()
    if isinstance(body, bytes):
        body = _without_boundary(body, request.content_type)
    elif isinstance(body, dict):
        body = dialect.counting_once(body) if once else dialect.counting(body, dropped)
    counted = redactor.query(request.target if once else dialect.counted_target(request.target))
    if rules.preset:
        from .leaves import said_where_named
        from .renaming import by_preset

        raw = counted
        body, counted, learnt = by_preset(body, rules.preset, dropped, counted)
        aimed = () if body else said_where_named(raw, counted)
    # The user's rules see the canonical form: `$.stop[0]`, whether it was sent as a list.
    body, target, ignored = rules.applied(body, counted)
    dropped += (Dropped(path, "named in match.ignore") for path in ignored)
    if not isinstance(body, bytes):
        body = canonical(body, integral=cleared.integral)
    # The method's line says it: by `METHOD TARGET` alone nearly all are told.
    chosen = written(chosen_by(request, redactor)) if request.selecting else ""
    head = f"{request.method} {target}{chosen}\n".encode("utf-8", "surrogatepass")
    why = tuple(dropped) if explain else ()
    form = Normalized(head + body, variant, dialect, stateful, why, learnt, aimed)
    return Examined(form, cleared.faithful and not cleared.secrets)


_BOUNDARY = re.compile(r'(?i)multipart/[^;]+;.*?\bboundary=(?:"([^"]+)"|([^\s;"]+))')


def _without_boundary(body: bytes, content_type: str) -> bytes:
    """A multipart body (RFC 2046, 5.1.1) with one boundary for all: clients draw it at random."""
    match = _BOUNDARY.match(content_type)
    if match is None:
        return body
    return body.replace(
        b"--" + (match[1] or match[2]).encode("utf-8", "surrogateescape"), b"--boundary"
    )
