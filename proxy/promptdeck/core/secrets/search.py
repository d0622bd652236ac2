"""How a text is searched for all shapes of secrets at once.

Every request and answer is searched, and hardly any holds a secret: what counts is how
soon a text is known to have none, however many shapes there are. Nearly every secret has
a run of 16 characters or more of the letters, digits and signs of base64, and hardly any
word has. So these long runs are found first, which takes two passes of C (each of their
characters mapped to one, then sixteen of that looked for): 60 KB of an agent's JSON have
some 80. Each is looked at by itself:

1. Tokens begin at its start or behind one of its signs: the three characters there are
   looked up in a dict of all heads. Only a head that is there has its expression compiled
   and tried, so that a start waits for none.
2. Where the character before it joins parts (`SG.`, `hvs.`), the parts before it are
   looked up, too.
3. The name before it may say that it is a secret (`named`).
4. A few kinds have no head: those that end at a dot, that have a certain length, and what
   is base64 of a text that holds a secret.

What is shorter or stands in a place of its own has an anchor of its own, a character or a
word that `find` looks for at memory speed: `@`, `~`, `w` of `password`, `Basic`, `PRIVATE KEY`.
"""

import re
from binascii import Error, a2b_base64
from bisect import bisect_left
from collections.abc import Iterator

from . import named
from .longruns import JSON_ESCAPE, MOST, Combed, stretches
from .places import Span, anchored, each
from .shapes import (
    AT_DOT,
    BY_KEY,
    PRIVATE_KEY,
    PUTTY_KEY,
    WHOLE,
    WHOLE_LENGTHS,
    SecretKind,
)

_EDGES = re.compile("[ _/+-](?=([A-Za-z0-9]...))", re.DOTALL)
"""The four characters with which a token may begin within a run."""
_KEYS = frozenset(BY_KEY)
_SHORT_KEYS = frozenset(key for key in BY_KEY if len(key) < 4)
_BEFORE_LINE = frozenset("\n\r\\ \t")
_ESCAPE = re.compile(r"(?<=%)[0-9A-Fa-f]{2}|(?<=[;\[])[0-9]*m")
"""An escape that ends within a run: a percent-encoded byte, a terminal's colour."""
_JOINS = frozenset(".:!=~$")
"""Characters that join parts of a token."""
_TELLING = frozenset([*_JOINS, *"\\%;["])
"""Characters before a run that may be part of a token, or end an escape."""
_NEAR = 24
"""Characters before a run that tell whether anything before it has a say."""
_BEARER = ("Bearer ", "bearer ", "BEARER ", "Bearer  ", ": Token ", ": token ")
_BEARER_VALUE = re.compile(
    # RFC 6750: what a bearer token may hold. No sentence goes on so with a digit.
    "(?=[A-Za-z._~+/-]{0,100}+[0-9])[A-Za-z0-9._~+/-]{15,}[A-Za-z0-9_~+/-]=*"
)
_TELEGRAM = re.compile(r"(?<=[0-9]{8}:)A[A-Za-z0-9_-]{34}(?![A-Za-z0-9_-])")
_HOOK = re.compile(
    r"(?:hooks\.slack(?:-gov)?\.com|discord(?:app)?\.com|webhook\.office\.com)\\/[\w\\/@-]*\Z"
)
"""The address of a webhook, whose slashes JSON text may escape."""
_DEEPEST = 2
"""How often one text may be in another as base64 and still be looked at."""


_Sighting = tuple[bool, Span]
"""A secret, and whether it is a token."""


def hit(text: str) -> bool:
    """True if `find` would find anything in the whole text."""
    return next(_all(text, 0, len(text)), None) is not None


_STARTS = re.compile(
    r"(?:(?<![A-Za-z0-9])|(?<=\\[nrtbf])|(?<=\\u[0-9a-fA-F]{4})|(?<=[0-9;\[]m))(?=([\s\S]{1,4}))"
)
"""The four characters with which a token may begin anywhere in a text."""
_NAMES = (
    "key", "token", "secret", "pass", "pwd", "auth", "cred", "cookie", "sess", "sig", "sid",
    "pat", "basic", "bearer", "@", "~", "%",
)  # fmt: skip
"""What a place for secrets has, in lower case."""


def may_hit(text: str) -> bool:
    """True if a text has the head of any secret; without one `find` finds nothing in it, nor
    in many of it one behind the other."""
    for start in set(_STARTS.findall(text)):
        if start in _KEYS or start[:3] in _SHORT_KEYS or start[:2] in _SHORT_KEYS:
            return True
    lower = text.lower()
    return any(name in lower for name in _NAMES) or hit(text)


def find(text: str, begin: int, end: int) -> list[Span]:
    """All secrets in `text[begin:end]`: what is before `begin` is seen, what follows `end` is not.

    Tokens come before places, each sorted by where they start. Spans may overlap, as a
    token does that stands in a place for secrets.
    """
    found = [(not is_token, span) for is_token, span in _all(text, begin, end)]
    return [span for _, span in sorted(found)]


def _all(text: str, begin: int, end: int) -> Iterator[_Sighting]:
    """All secrets of a part of a text, in no order, and whether each is a token."""
    yield from _in_runs(text, begin, end)
    for span in anchored(text, begin, end):
        yield False, span
    if text.find("%", begin, end) >= 0:
        yield from _in_percent(text, begin, end)


def announced(text: str) -> bool:
    """True if `text` ends in what says that a secret follows: `"API_KEY":"`.

    Only behind such a name may a secret stand in quotes of its own; no other reaches over
    a quote, so that what is between two quotes can be searched by itself.
    """
    return named.announced(text)


# Long runs


def _in_runs(text: str, begin: int, end: int, depth: int = 0) -> Iterator[_Sighting]:
    """The secrets at long runs of a part of a text."""
    for stretch in stretches(text, begin, end):
        yield from _in_stretch(text, stretch, end, depth)


def _in_stretch(text: str, stretch: Combed, end: int, depth: int) -> Iterator[_Sighting]:
    """The secrets at the runs of one part."""
    # What a head begins is looked up for all of them at once.
    together = " " + " ".join([run.word for run in stretch.runs])
    keys = _KEYS.intersection(_EDGES.findall(together))
    heads = {kind.head for key in keys for kind in BY_KEY[key] if kind.head in together}
    done = -1
    for start, stop, word in stretch.runs:
        if heads and any(head in word for head in heads):
            yield from _tokens(text, _edges(text, start, stop), end)
        before = text[max(0, start - _NEAR) : start]
        if before[-1:] in _TELLING or _says(before):
            yield from _joined(text, stretch, start, stop, end)
        if len(word) >= 24:
            # Ids that nobody means to hide have an underline: `call_...`.
            plain = "_" not in word or len(word) in WHOLE_LENGTHS or text[stop : stop + 1] == "."
            if plain and (stop == end or text[stop] in _AFTER):
                yield from _headless(text, start, stop, end, depth)
            if len(word) >= 40 and start > done and not _BEFORE_LINE.isdisjoint(before[-2:]):
                for span in _private_key(text, start, end):
                    yield False, span
                    done = span.end


def _says(before: str) -> bool:
    """True if what stands before a run may say that it is a secret."""
    bare = before.rstrip(named.IS)
    says = before[len(bare) :]
    if "=" in says or ":" in says or ">" in says:
        return bare[-10:].lower().endswith(named.ENDS)
    return says == " " and bare.endswith(("earer", "EARER", "oken", " is"))


def _edges(text: str, start: int, stop: int) -> list[int]:
    """The places in a run at which a token may begin: in data at its start alone."""
    if stop - start > MOST:
        return [start]
    return [start, *(match.end() for match in _EDGES.finditer(text, start, stop))]


def _joined(text: str, stretch: Combed, start: int, stop: int, end: int) -> Iterator[_Sighting]:
    """The secrets at a run that hang on what stands before it."""
    before = text[start - 1]
    value = start
    if before in _TELLING:
        joined = _before(stretch.mask, stretch.begin, text, start) if before in _JOINS else []
        yield from _behind(text, start, stop, joined, end)
        # A value may begin before the run, but no name ends within one.
        for place in joined[1:]:
            if text[value - 1] in "=:":
                break
            value = place
    yield from _valued(text, value, end)


def _valued(text: str, value: int, end: int) -> Iterator[_Sighting]:
    """The value that begins at a place, if what stands before it says that it is a secret."""
    if text[value - 1 : value] == " " and text.endswith(_BEARER, 0, value):
        if match := _BEARER_VALUE.match(text, value, end):
            yield False, Span(*match.span(), "bearer")
    elif span := named.value_at(text, 0, value, end):
        yield False, Span(*span, "assigned")


def _private_key(text: str, line: int, end: int) -> Iterator[Span]:
    """The body of a private key whose first line begins at `line`, or one before it."""
    for head, back, key in (("PRIVATE KEY", 400, PRIVATE_KEY), ("Private-Lines", 40, PUTTY_KEY)):
        at = text.rfind(head, max(0, line - back), line)
        if at >= 0 and (match := key.match(text, at, end)) and match.end() > line:
            yield Span(*match.span(1), "private-key")


def _behind(text: str, start: int, stop: int, joined: list[int], end: int) -> Iterator[_Sighting]:
    """The secrets at a run that begins behind an escape, or a sign that joins it to others.

    `joined` are the places of all these, its own first.
    """
    if joined:
        edges = _EDGES.finditer(text, joined[-1], start + 3)
        places = [*joined[1:], *(match.end() for match in edges)]
        places += [escape.end() for place in joined[1:] if (escape := _ESCAPE.match(text, place))]
        if at := [place for place in sorted(places) if _may_begin(text, place)]:
            yield from _tokens(text, at, end)
        if text[start - 1] == ":" and (match := _TELEGRAM.match(text, start, end)):
            yield False, Span(*match.span(), "telegram")
        return
    if escape := _ESCAPE.match(text, start):
        yield from _tokens(text, [escape.end()], end)
    if text[start] == "/" and _HOOK.search(text, max(0, start - 120), start):
        yield False, Span(start + 1, stop, "webhook")


def _tokens(text: str, places: list[int], end: int) -> Iterator[tuple[bool, Span]]:
    """The tokens that begin at some of these places, or where another one ends."""
    done = 0
    while places:
        at = places.pop(0)
        if at < done:
            continue
        for kind in _kinds_at(text, at):
            if span := kind.span(text, at, end):
                yield not kind.place, Span(*span, kind.name)
                done = span[1]
                # What stands behind it is at the edge of a word when it is gone.
                places.insert(0, done)
                break


def _kinds_at(text: str, at: int) -> Iterator[SecretKind]:
    """The kinds that may begin at a place."""
    for size in (4, 3, 2):
        yield from BY_KEY.get(text[at : at + size], ())


def _may_begin(text: str, at: int) -> bool:
    """True if the first characters at a place are those of a head."""
    return text[at : at + 4] in _KEYS or not _SHORT_KEYS.isdisjoint(
        (text[at : at + 2], text[at : at + 3])
    )


def _before(mask: bytes, begin: int, text: str, start: int) -> list[int]:
    """Where a run begins, and the parts before it that are joined to it, four at most."""
    at = start
    found = [start]
    for _ in range(4):
        if at <= begin or text[at - 1] not in _JOINS:
            break
        at = mask.rfind(b" ", 0, max(0, at - 1 - begin)) + 1 + begin
        if text[at - 1 : at] == "\\" and (escape := JSON_ESCAPE.match(text, at)):
            at = escape.end()
        found.append(at)
    return found


def _headless(text: str, start: int, stop: int, end: int, depth: int) -> Iterator[_Sighting]:
    """The secrets without a head that begin where the run does, and what is base64 of one."""
    following = text[stop : stop + 1] if stop < end else ""
    kinds = AT_DOT if following == "." else WHOLE if stop - start in WHOLE_LENGTHS else ()
    for kind in kinds:
        if span := kind.span(text, start, end):
            yield True, Span(*span, kind.name)
    if depth < _DEEPEST and _may_hide(text[start : start + 24]):
        after = stop
        while after < end and text[after] == "=":
            after += 1
        if _hides(text, start, stop, text[after : min(after + 1, end)], depth):
            yield False, Span(start, after, "encoded")


_AFTER = frozenset(".=\"'`, \r\n\t:\\&;<)]}")
_AROUND = frozenset("\"'`, \r\n\t:=\\")


def _hides(text: str, start: int, stop: int, following: str, depth: int) -> bool:
    """True if a run is base64 of a text that holds a secret, and stands by itself."""
    if start and text[start - 1] not in _AROUND:
        return False
    if following and following not in _AROUND:
        return False
    try:
        inner = _decoded(text[start:stop]).decode()
    except UnicodeDecodeError:
        return False
    size = len(inner)
    return any(True for _ in anchored(inner, 0, size)) or any(
        True for _ in _in_runs(inner, 0, size, depth + 1)
    )


def _may_hide(begin: str) -> bool:
    """False where the first characters of base64 tell that it is of no text, as they mostly do."""
    if "_" in begin or "-" in begin:
        return False
    try:
        return a2b_base64(begin).isascii()
    except Error:
        return False


def _decoded(text: str) -> bytes:
    """What base64 of either alphabet says; what is none gives a byte that is no text."""
    try:
        written = text.replace("-", "+").replace("_", "/")
        return a2b_base64(written + "=" * (-len(written) % 4))
    except Error:
        return b"\xff"


# Percent-encoding

_PERCENT = re.compile("%([0-9A-Fa-f]{2})")
_WORD = re.compile(r"[^\s\"'<>`]*")
_WORD_ENDS = " \n\"'"


def _in_percent(text: str, begin: int, end: int) -> Iterator[_Sighting]:
    """The secrets that show when percent-encoding is taken out, twice at most."""
    done = begin
    for at in each("%", text, begin, end):
        if at < done or not _PERCENT.match(text, at, end):
            continue
        start = max(done, *(text.rfind(sign, done, at) + 1 for sign in _WORD_ENDS))
        word = _WORD.match(text, at, end)
        done = word.end() if word else end
        for first, last, name, is_token in _encoded(text[start:done], depth=2):
            yield is_token, Span(start + first, start + last, name)


def _encoded(word: str, depth: int) -> Iterator[tuple[int, int, str, bool]]:
    """The secrets in a word when it is decoded, by their places in the encoded one."""
    escapes = [match.start() for match in _PERCENT.finditer(word)]
    if not escapes or not depth:
        return
    # Where each escape is when those before it are gone: two characters less for each.
    places = [at - 2 * number for number, at in enumerate(escapes)]
    plain = _PERCENT.sub(lambda match: chr(int(match[1], 16)), word)
    found = [
        (span.start, span.end, span.name, is_token)
        for is_token, span in _in_runs(plain, 0, len(plain))
    ]
    found += [(span.start, span.end, span.name, False) for span in anchored(plain, 0, len(plain))]
    found += _encoded(plain, depth - 1)
    for start, stop, name, is_token in found:
        yield (
            start + 2 * bisect_left(places, start),
            stop + 2 * bisect_left(places, stop),
            name,
            is_token,
        )
