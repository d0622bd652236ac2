"""Secrets are taken out of everything that is kept, logged or shown.

What `shapes` lists, what a user adds and what is known literally becomes
`[redacted:NAME]`: in text, in JSON values, in bodies of any bytes and in request
targets; `answers` does the same for streams and whole responses. Nothing is found
twice: redacting what was redacted changes nothing.
"""

import json  # noqa: TID251  orjson refuses lone surrogates and rounds long numbers
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import repeat
from typing import NamedTuple
from urllib.parse import unquote

import xxhash

from promptdeck.core.text import jsontext
from promptdeck.core.text.expressions import PLAINLY, Expressions, Place
from promptdeck.core.text.jsontext import JSON
from promptdeck.core.text.rawjson import unescaped

from . import search
from .places import Span
from .shapes import DIGEST

_PLACEHOLDER = re.compile(r"\[redacted:[a-z0-9-]+\]|\(redacted\)")
_SHORTEST_CREDENTIAL = 12
"""In characters. What is sent as a key to a local server may be any word (`EMPTY`, `dummy`,
`not-needed`), and that word may stand anywhere in a conversation."""
_ESCAPED = re.compile(rb"\\u00[2-7]|\\/")
"""A character of the kind that tokens are made of, written as an escape."""
_LARGE = 1024 * 1024
"""Bytes from which a body is not decoded: its text may take four times as much."""

# Texts: `re` compiles them for the first target with a query, as a start need not wait for that.
# Some servers take `;` for `&`.
_PARAMETER = r"[?&;]([^=&;\#]*)="
_CREDENTIAL_NAME = r"""(?ix) \$? (?:
        (?:x-)?(?:goog-|subscription-)?key
      | (?:[a-z0-9]+[-_.])*(?:access|api|private|secret|subscription)[-_]?key | awsaccesskeyid
      | (?:(?:access|auth|api|bearer|id|oauth|refresh|security|session)[-_]?)?token | jwt
      | (?:client[-_]?)?secret | passw(?:or)?d | pwd | auth(?:orization)? | credentials?
      | sig(?:nature)? | x-(?:amz|goog)-(?:signature|credential|security-token)
    )"""


def _without_credentials(target: str) -> str:
    """A target with `redacted` for each value whose name, however it is encoded, is a secret's."""
    kept, at = [], 0
    for found in re.finditer(_PARAMETER, target):
        # A credential may hold what looks like the next parameter's name.
        if found.start() < at or not re.fullmatch(_CREDENTIAL_NAME, unquote(found[1])):
            continue
        if value := re.compile(r"[^&\#]+").match(target, found.end()):
            kept += [target[at : value.start()], "redacted"]
            at = value.end()
    return "".join(kept) + target[at:]


class UserPattern(NamedTuple):
    """A user's kind of secret."""

    name: str
    pattern: str

    @classmethod
    def build(cls, name: str, pattern: str) -> "UserPattern":
        """Compile a pattern; ValueError if the name or the expression will not do, and why."""
        if not re.fullmatch("[a-z0-9-]+", name):
            raise ValueError(f"a name is made of a-z, 0-9 and -, not {name!r}")
        try:
            compiled = re.compile(pattern)
        except re.error as error:
            raise ValueError(f"{pattern!r} is not a regular expression: {error}") from None
        if compiled.search(""):
            raise ValueError(f"{pattern!r} matches the empty text, and so everywhere")
        return cls(name, pattern)


class Redactor(NamedTuple):
    """Puts `[redacted:NAME]` in the place of each secret and counts them by name.

    `extra` are secrets known literally, such as the key a client sent; those
    shorter than 12 characters are left alone. What the user adds is run by `expressions`,
    each of its methods but `suspicious` and `may_change` then may raise PatternError.
    """

    users: tuple[UserPattern, ...] = ()
    expressions: Expressions = PLAINLY

    @classmethod
    def build(cls, patterns: Iterable[Mapping[str, str]] = ()) -> "Redactor":
        """Take the user's `{name, pattern}` entries; ValueError says what is wrong with one."""
        entries = list(patterns)
        if any(set(entry) != {"name", "pattern"} for entry in entries):
            raise ValueError("wants the two keys `name` and `pattern`")
        return cls(tuple(UserPattern.build(entry["name"], entry["pattern"]) for entry in entries))

    @property
    def digest(self) -> str:
        """Names all that is recognised: under another digest other secrets are taken out."""
        users = [(shape.name, shape.pattern) for shape in self.users]
        return xxhash.xxh3_64_hexdigest(f"{DIGEST} {users}".encode())

    @property
    def waits(self) -> bool:
        """True where a user's expression is to be waited for: no loop may have it redact."""
        return bool(self.users)

    def suspicious(self, data: bytes, extra: Sequence[str] = ()) -> bool:
        """True if these bytes may hold a secret as they are written; False is a promise.

        An escaped letter may hide one: see `may_change`.
        """
        # Latin-1 takes any bytes, and shapes are ASCII: nothing is lost by it.
        return (
            bool(self.users)
            or search.hit(data.decode("latin-1"))
            or any(known.encode("utf-8", "surrogateescape") in data for known in literals(extra))
        )

    def may_change(self, data: bytes, extra: Sequence[str] = ()) -> bool:
        """True if `body` may find anything in these bytes or in any part of them."""
        return self.suspicious(data, extra) or self._hides(data, extra)

    def _hides(self, data: bytes, extra: Sequence[str]) -> bool:
        """True if escaped letters of JSON may hide a secret; False is a promise."""
        if _ESCAPED.search(data) is None:
            return False
        return any(self.suspicious(part, extra) for part in unescaped(data))

    def text(self, text: str, extra: Sequence[str] = ()) -> tuple[str, Counter[str]]:
        """The text without its secrets, and how many of each name were taken out."""
        [cleared], counts = self.texts([text], extra)
        return cleared, counts

    def texts(
        self, texts: Sequence[str], extra: Sequence[str] = ()
    ) -> tuple[list[str], Counter[str]]:
        """Texts, each by itself, without their secrets, and how many of each name they held."""
        counts: Counter[str] = Counter()
        cleared = list(texts)
        left = list(range(len(cleared)))
        # What is left of one may hold a secret that only now stands at the edge of a word.
        while left:
            places = self._places([cleared[number] for number in left], extra)
            found = [(number, spans) for number, spans in zip(left, places, strict=True) if spans]
            for number, spans in found:
                counts.update(span.name for span in spans)
                cleared[number] = without(cleared[number], spans, 0, len(cleared[number]))
            left = [number for number, _ in found]
        return cleared, counts

    def value(self, value: JSON, extra: Sequence[str] = ()) -> tuple[JSON, Counter[str]]:
        """A JSON value without secrets in its strings and keys, and the counts by name.

        It is the same object where nothing was found.
        """
        text = jsontext.render(value, "compact")
        if not self.suspicious(text.encode("utf-8", "surrogatepass"), extra):
            return value, Counter()
        # The JSON text shows more than its strings: a key may say that its value is a secret.
        text, counts = BUILT_IN.text(text, extra)
        cleared = json.loads(text) if counts else value
        if self.users:
            # Each string and key by itself: a user's pattern may run on over a quote.
            texts, more = self.texts([*jsontext.strings(cleared, keys=True)])
            counts += more
            cleared = jsontext.with_strings(cleared, iter(texts), keys=True)
        return (cleared if counts else value), counts

    def body(self, data: bytes, extra: Sequence[str] = ()) -> tuple[bytes, Counter[str]]:
        """A body without secrets, and the counts by name.

        It may be any bytes, JSON or not, UTF-8 or not: those that are no secret stay as
        they are. Only JSON in which an escape hid a secret is written anew, in its style.
        """
        if not self.may_change(data, extra):
            return data, Counter()
        if len(data) > _LARGE and not self.users and not self._hides(data, extra):
            return _cut_out(data, [key.decode("latin-1") for key in own_keys(extra)])
        text = data.decode("utf-8", "surrogateescape")
        # An escaped letter hides a secret from who sees the JSON text, not from who parses it.
        value = parsed_or_none(text) if self.users or _ESCAPED.search(data) else None
        # A user's pattern may run on over a quote: it sees the strings, not the JSON text.
        cleared, counts = (self if value is None else BUILT_IN).text(text, extra)
        if value is not None:
            value, more = self.value(parsed_or_none(cleared) if counts else value, extra)
            cleared = rendered_like(cleared, value) if more else cleared
            counts += more
        return (cleared.encode("utf-8", "surrogateescape") if counts else data), counts

    def query(self, target: str) -> str:
        """A request target, with `redacted` as the value of each parameter that names a secret.

        Any other secret becomes `(redacted)`, which stands apart and needs no encoding.
        """
        if not (self.users or "=" in target or "redacted" in target or search.hit(target)):
            return target
        target = _without_credentials(target)
        while spans := self.spans(target):
            target = without(target, spans, 0, len(target), "(redacted)")
        return target

    def spans(self, text: str, extra: Sequence[str] = ()) -> list[Span]:
        """The places of secrets, in order; those that overlap are one, by the name of the first.

        Placeholders are left alone: no secret is found in one or across one.
        """
        [spans] = self._places([text], extra)
        return spans

    def _places(self, texts: Sequence[str], extra: Sequence[str]) -> Iterator[list[Span]]:
        """The `spans` of each of the texts; the user's patterns are asked for all at once."""
        ranges = [*map(_between_placeholders, texts)]
        mine: Iterable[Sequence[Place]] = repeat(())
        if self.users:
            patterns = [shape.pattern for shape in self.users]
            mine = self.expressions.found(patterns, [*zip(texts, ranges, strict=True)])
        known = literals(extra)
        for text, some, places in zip(texts, ranges, mine, strict=False):
            found = [span for part in some for span in _built_in(text, *part, known)]
            found += [Span(begin, end, self.users[n].name) for begin, end, n in places]
            yield _apart(found)


def _between_placeholders(text: str) -> list[tuple[int, int]]:
    """The parts of a text in which secrets are looked for, by begin and end."""
    begin, parts = 0, []
    # The expression has no beginning to look for: 16 MB took it 0.2 s, in one call.
    for placeholder in _PLACEHOLDER.finditer(text) if "redacted" in text else ():
        parts.append((begin, placeholder.start()))
        begin = placeholder.end()
    return [*parts, (begin, len(text))]


def _built_in(text: str, begin: int, end: int, known: Sequence[str]) -> Iterator[Span]:
    """The secrets in `text[begin:end]`, which may overlap, but for the user's: literals, shapes."""
    for secret in known:
        for match in re.compile(re.escape(secret)).finditer(text, begin, end):
            yield Span(*match.span(), "credential")
    yield from search.find(text, begin, end)


_NEAR = 64 * 1024
"""Bytes on either side of what was cut out that are searched again."""


def _cut_out(data: bytes, known: Sequence[str]) -> tuple[bytes, Counter[str]]:
    """Bytes without the secrets of the table and those `known`, and the counts by name.

    They are searched as Latin-1, in which each byte is a character: shapes are ASCII. So are the
    literals written. Their text is let go of before others are made of them.
    """
    counts: Counter[str] = Counter()
    near = [(0, len(data))]
    while spans := [span for part in near for span in _spans_in(data, *part, known)]:
        counts.update(span.name for span in spans)
        view, at, size = memoryview(data), 0, 0
        parts: list[bytes | memoryview] = []
        near = []
        for span in spans:
            placeholder = f"[redacted:{span.name}]".encode()
            parts += (view[at : span.start], placeholder)
            at, size = span.end, size + span.start - at + len(placeholder)
            begin = max(0, size - _NEAR)
            if near and begin <= near[-1][1]:
                begin, _ = near.pop()
            near.append((begin, size + _NEAR))
        data = b"".join((*parts, view[at:]))
        del view, parts
    return data, counts


def _spans_in(data: bytes, begin: int, end: int, known: Sequence[str]) -> list[Span]:
    """The secrets in `data[begin:end]`, in order and apart."""
    text = data[begin:end].decode("latin-1")
    parts = _between_placeholders(text)
    found = _apart([span for part in parts for span in _built_in(text, *part, known)])
    return [Span(begin + span.start, begin + span.end, span.name) for span in found]


def _apart(found: list[Span]) -> list[Span]:
    """Spans in order; those that overlap are one, by the name of the first."""
    # A stable sort: of those that start together what is known literally names it, then
    # tokens, then the places where they stand, then what the user calls it.
    found.sort(key=lambda span: span.start)
    spans: list[Span] = []
    for span in found:
        if spans and span.start < spans[-1].end:
            spans[-1] = spans[-1]._replace(end=max(span.end, spans[-1].end))
        else:
            spans.append(span)
    return spans


BUILT_IN = Redactor()
"""Knows the table alone. It may be shown JSON text, whose quotes a user's pattern may cross."""


def literals(extra: Sequence[str]) -> list[str]:
    """Known secrets of 12 characters or more, as they are and as JSON text writes them."""
    known = [secret for secret in extra if len(secret) >= _SHORTEST_CREDENTIAL]
    odd = [item for item in known if not item.isprintable() or '"' in item or "\\" in item]
    return list(dict.fromkeys([*known, *(jsontext.render(item, "compact")[1:-1] for item in odd)]))


def own_keys(extra: Sequence[str]) -> tuple[bytes, ...]:
    """`literals` as bytes of a body, to be looked for in it."""
    return tuple(one.encode("utf-8", "surrogateescape") for one in literals(extra))


def without_keys(body: bytes, keys: Sequence[bytes]) -> bytes:
    """A body with a placeholder for each of these keys, whatever its shape; itself without any.

    One of a known shape stays where every redactor finds it by that, and has that shape's
    placeholder elsewhere: who asks the same with another key then sends an equal body.
    """
    for key in keys:
        if key not in body:
            continue
        shape = _shape_of(key)
        if shape is None or key in BUILT_IN.body(body)[0]:
            body = body.replace(key, f"[redacted:{shape or 'credential'}]".encode())
    return body


def _shape_of(key: bytes) -> str | None:
    """The name of the shape that a key has as a whole; None if that is not known."""
    text = key.decode("utf-8", "surrogateescape")
    match BUILT_IN.spans(text):
        case [Span(start=0, end=end, name=name)] if end == len(text):
            return name
    return None


def without(
    text: str, spans: Sequence[Span], begin: int, end: int, placeholder: str = "[redacted:{}]"
) -> str:
    """`text[begin:end]` with a placeholder where a span starts and without the rest of it.

    `spans` are in order and do not overlap. Of one that starts before `begin` only the end
    is cut off: its placeholder stands in the part where it starts.
    """
    parts = []
    for span in spans:
        if span.end <= begin or span.start >= end:
            continue
        parts.append(text[begin : span.start])
        if span.start >= begin:
            parts.append(placeholder.format(span.name))
        begin = min(span.end, end)
    return "".join(parts) + text[begin:end]


def rendered_like(text: str, value: JSON) -> str:
    """`value` as JSON text in the style of `text`, or compactly where that has none we know."""
    read = parsed_or_none(text)
    # What we refused is written so that all can read it.
    style = jsontext.style_of(text, read) if read is not None else "compact ascii"
    return jsontext.render(value, style or "compact")


def parsed_or_none(text: str) -> JSON:
    """The value of JSON text; None for `null` and for text that is not read faithfully."""
    try:
        return jsontext.parse(text)
    except jsontext.Unfaithful:
        return None
