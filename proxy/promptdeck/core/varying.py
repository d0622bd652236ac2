"""Which representation of an answer is asked for, and whether a recording is of that one.

Two requests with the same target and body may be given different answers by what their
heads say (RFC 9110, section 12): a part of it, another type, or whatever the answer itself
names in `Vary`. The first kind is known when a request is read and is part of its canonical
form; the second is known with the answer: a recording keeps the values that were sent, and
answers requests that send the same.
"""

import re
from collections.abc import Iterable, Sequence
from urllib.parse import quote

from .counts import COUNTED
from .interaction import Headers, Interaction, Request, Response, header

_SELECTING = COUNTED - {"content-type"}
_LENGTHS = frozenset(map(len, _SELECTING))

# Clients that take JSON or any bytes ask so out of habit: SDKs say one of these whatever they
# ask for, other programs another one or nothing.
_USUAL = frozenset(
    "*/* application/* application/json application/octet-stream application/binary".split()
)
UNTOLD: Headers = (("*", "unknown"),)
"""Stands for a recording's selecting headers where nothing is known of them: 0.1.0 did not keep
them, and a file of another tool may have lost them. No header that is sent has this name and
chooses anything, and in a `Vary` it means something else."""

EVENTS = ("accept", "text/event-stream")
"""What some clients of streams send; where the body says whether there is to be one it says
nothing more."""

_NEUTRAL = frozenset(
    """accept-encoding origin x-origin referer content-length host
    access-control-request-method access-control-request-headers""".split()
)
"""Names in `Vary` that have no say here: no compression is asked for whatever a client says, and
which page may read an answer is ours to tell, in headers of our own. Providers name these with
nearly every answer."""


def selecting(headers: Headers) -> Headers:
    """Those of a request's headers that choose a representation, in lower case and order.

    An `Accept` that takes JSON, or anything, does not; `If-Range` does together with `Range`.
    """
    found = [
        (name.lower(), value.strip())
        for name, value in headers
        if len(name) in _LENGTHS and name.lower() in _SELECTING
    ]
    if not found:
        return ()
    ranged = any(name == "range" for name, _ in found)
    return tuple(sorted(item for item in found if _selects(*item, ranged=ranged)))


def _selects(name: str, value: str, *, ranged: bool) -> bool:
    if name != "accept":
        return ranged
    kinds = (kind.partition(";")[0].strip() for kind in value.lower().split(","))
    return _USUAL.isdisjoint(kinds)


def written(chosen: Headers) -> str:
    """Selecting headers in one line of a canonical form; empty for none, as nearly all have."""
    return "".join(
        f" {name}={quote(value, safe='=-/,*;+', errors='surrogateescape')}"
        for name, value in selecting(chosen)
    )


def varies(headers: Headers) -> tuple[str, ...]:
    """The names of request headers on which an answer hangs by its `Vary`, in order; or `*`."""
    if not header(headers, "vary"):
        return ()
    said = ",".join([value for name, value in headers if name.lower() == "vary"])
    names = {name.strip().lower() for name in said.split(",")} - _NEUTRAL - {""}
    return ("*",) if "*" in names else tuple(sorted(names))


def named(headers: Headers, names: Iterable[str]) -> Headers:
    """The values that a request has of these headers; several of one name are joined."""
    found = []
    for name in names:
        values = [value.strip() for key, value in headers if key.lower() == name]
        if values:
            found.append((name, ", ".join(values)))
    return tuple(found)


def with_varied(request: Request, response: Response, sent: Headers) -> Request:
    """A request with the values of the headers that its answer hangs on, of all sent."""
    names = varies(response.headers)
    if not names:
        return request
    chosen = {**dict(request.selecting), **dict(named(sent, names))}
    return request._replace(selecting=tuple(sorted(chosen.items())))


def representation(recording: Interaction) -> str:
    """What a request has to send to be given a recording, as a word; empty for nearly all."""
    names = varies(recording.response.headers)
    return repr(named(recording.request.selecting, names)) if names else ""


def is_untold(recording: Interaction) -> bool:
    """True for a recording that says nothing of the headers that select."""
    return UNTOLD[0] in recording.request.selecting


def suits(recording: Interaction, sent: Headers) -> bool:
    """True if a recording may answer a request with these headers.

    One that says nothing of them does unless its answer is a part that was not asked for.
    """
    if is_untold(recording):
        response = recording.response
        part = header(response.headers, "content-range")
        if (part or response.status in _PARTIAL) and not _is_of(part, header(sent, "range")):
            return False
    return agree(varies(recording.response.headers), recording.request.selecting, sent)


_PARTIAL = frozenset([206, 416])
"""Statuses of answers that only who asks for a part is given."""


def _is_of(part: str, wanted: str) -> bool:
    """True if an answer with this `Content-Range`, or none, may be the one to this `Range`.

    Of several ranges, or of another unit than bytes, nothing is known but that they were asked
    for (RFC 9110, 14.2 to 14.4).
    """
    found, asked = _PART(part.strip().lower()), _RANGE(wanted.strip().lower())
    if found is None or asked is None:
        return bool(wanted)
    begin, end = int(found[1]), int(found[2])
    first, last = asked.groups()
    if found[3] == "*":
        return not first or (int(first) == begin and (not last or end <= int(last)))
    size = int(found[3])
    if not first:
        return (begin, end) == (max(0, size - int(last or 0)), size - 1)
    return (begin, end) == (int(first), min(int(last or size), size - 1))


_PART = re.compile(r"bytes +([0-9]{1,18})-([0-9]{1,18})/([0-9]{1,18}|\*)\Z").match
_RANGE = re.compile(r"bytes *= *([0-9]{0,18})-([0-9]{0,18})\Z").match


def agree(names: Sequence[str], one: Headers, other: Headers) -> bool:
    """True if two requests with these headers are given the same, by the names in a `Vary`."""
    if not names:
        return True
    return names != ("*",) and named(one, names) == named(other, names)
