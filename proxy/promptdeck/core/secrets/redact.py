"""Secrets are taken out of everything that is kept, logged or shown.

What `shapes` lists, what a user adds and what is known literally becomes
`[redacted:NAME]`: in text, in JSON values, in bodies of any bytes, and in streams
also where a secret is spread over several frames. Nothing is found twice:
redacting what was redacted changes nothing.
"""

import json  # noqa: TID251  orjson refuses lone surrogates and rounds long numbers
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import xxhash

from promptdeck.core.interaction import Frame, Headers, Response
from promptdeck.core.text import jsontext, sse
from promptdeck.core.text.jsontext import JSON
from promptdeck.core.text.runs import LeafPath, Run, alike, event_value, leaves, runs, said

from . import search
from .search import Span
from .shapes import DIGEST, LONGEST_HEAD

_PLACEHOLDER = re.compile(r"\[redacted:[a-z0-9-]+\]|\(redacted\)")
_SHORTEST_CREDENTIAL = 12
_ESCAPED = re.compile(rb"\\u00(?:2[bdeBDE]|[3-7])")
"""A character of the kind that tokens are made of, written as an escape."""

# Text: `re` compiles it for the first target with a query, as a start need not wait for it.
_CREDENTIAL_PARAMETER = r"""(?ix) ([?&] (?:
        (?:x-)?(?:goog-|subscription-)?(?:(?:access|api|private|secret)[-_]?)?key | awsaccesskeyid
      | (?:(?:access|auth|api|bearer|id|refresh|security|session)[-_]?)?token | jwt
      | (?:client[-_]?)?secret | passw(?:or)?d | pwd | auth(?:orization)? | credentials?
      | sig(?:nature)? | x-(?:amz|goog)-(?:signature|credential|security-token)
    ) =) [^&\#]+"""


class UserPattern(NamedTuple):
    """A user's kind of secret."""

    name: str
    pattern: re.Pattern[str]

    @classmethod
    def build(cls, name: str, pattern: str) -> "UserPattern":
        if not re.fullmatch("[a-z0-9-]+", name):
            raise ValueError(f"a name is made of a-z, 0-9 and -, not {name!r}")
        try:
            compiled = re.compile(pattern)
        except re.error as error:
            raise ValueError(f"{pattern!r} is not a regular expression: {error}") from None
        if compiled.search(""):
            raise ValueError(f"{pattern!r} matches the empty text, and so everywhere")
        return cls(name, compiled)


class Redactor(NamedTuple):
    """Puts `[redacted:NAME]` in the place of each secret and counts them by name.

    `extra` are secrets known literally, such as the key a client sent; those
    shorter than 12 characters are left alone.
    """

    users: tuple[UserPattern, ...] = ()

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
        users = [(shape.name, shape.pattern.pattern) for shape in self.users]
        return xxhash.xxh3_64_hexdigest(f"{DIGEST} {users}".encode())

    def suspicious(self, data: bytes, extra: Sequence[str] = ()) -> bool:
        """Whether there may be anything to take out; False is a promise."""
        return (
            bool(self.users)
            or search.hit(data.decode("latin-1"))
            or any(known.encode("utf-8", "surrogateescape") in data for known in _literals(extra))
        )

    def text(self, text: str, extra: Sequence[str] = ()) -> tuple[str, Counter[str]]:
        counts: Counter[str] = Counter()
        # What is left may hold a secret that only now stands at the edge of a word.
        while spans := self._spans(text, extra):
            counts.update(span.name for span in spans)
            text = _without(text, spans, 0, len(text))
        return text, counts

    def value(self, value: JSON, extra: Sequence[str] = ()) -> tuple[JSON, Counter[str]]:
        """All strings and keys of a JSON value; the same object where nothing was found."""
        text = jsontext.render(value, "compact")
        if not self.suspicious(text.encode("utf-8", "surrogatepass"), extra):
            return value, Counter()
        # The JSON text shows more than its strings: a key may say that its value is a secret.
        text, counts = _BUILT_IN.text(text, extra)
        cleared = json.loads(text) if counts else value
        if self.users:
            cleared = self._walk(cleared, counts)
        return (cleared if counts else value), counts

    def body(self, data: bytes, extra: Sequence[str] = ()) -> tuple[bytes, Counter[str]]:
        """Any bytes. Those that are no secret stay as they are, whatever they are."""
        if not self._may_change(data, extra):
            return data, Counter()
        text = data.decode("utf-8", "surrogateescape")
        # An escaped letter hides a secret from who sees the JSON text, not from who parses it.
        value = _parsed(text) if self.users or _ESCAPED.search(data) else None
        # A user's pattern may run on over a quote: it sees the strings, not the JSON text.
        cleared, counts = (self if value is None else _BUILT_IN).text(text, extra)
        if value is not None:
            value, more = self.value(_parsed(cleared) if counts else value, extra)
            cleared = _rendered_like(cleared, value) if more else cleared
            counts += more
        return (cleared.encode("utf-8", "surrogateescape") if counts else data), counts

    def stream(
        self,
        frames: Sequence[Frame],
        extra: Sequence[str] = (),
        in_runs: Sequence[Run] | None = None,
    ) -> tuple[tuple[Frame, ...], Counter[str]]:
        """SSE frames, also where a secret is spread over the deltas of several of them.

        `in_runs` are the frames as `runs` puts them together, if that has been done.
        """
        if not self._stream_is_suspicious(frames, extra, in_runs):
            return tuple(frames), Counter()
        values = [event_value(frame.data) for frame in frames]
        channels: dict[LeafPath, list[_FrameLeaf]] = defaultdict(list)
        for number, value in enumerate(values):
            for path, holder, key in leaves(value):
                channels[path].append(_FrameLeaf(number, holder, key))
        counts: Counter[str] = Counter()
        changed: set[int] = set()
        for channel in (*channels.values(), *_counted(channels)):
            changed |= self._join(channel, extra, counts)
        # Only now each frame by itself: a token's first part may look like a whole one.
        cleared = []
        for number, (frame, value) in enumerate(zip(frames, values, strict=True)):
            data = _with_value(frame.data, value) if number in changed else frame.data
            redactor = self if value is None else _BUILT_IN
            data, more = redactor.body(data, extra)
            counts += more
            cleared.append(frame if data == frame.data else Frame(frame.offset_ms, data))
        return tuple(cleared), counts

    def response(
        self,
        response: Response,
        extra: Sequence[str] = (),
        in_runs: Sequence[Run] | None = None,
    ) -> tuple[Response, Counter[str]]:
        """Body or frames, and the values of headers, which are not counted."""
        if response.is_stream:
            frames, counts = self.stream(response.frames, extra, in_runs)
        else:
            [frame] = response.frames
            data, counts = self.body(frame.data, extra)
            frames = (Frame(frame.offset_ms, data),) if counts else response.frames
        headers = self._headers(response.headers, extra)
        if not counts and headers is response.headers:
            return response, counts
        return Response(response.status, headers, frames), counts

    def _headers(self, headers: Headers, extra: Sequence[str]) -> Headers:
        # A server may send bytes that are no UTF-8; aiohttp gives them as surrogates.
        values = [value.encode("utf-8", "surrogateescape") for _, value in headers]
        if not self._may_change(b"\n\n".join(values), extra):
            return headers
        cleared = [
            self.body(value, extra)[0].decode("utf-8", "surrogateescape") for value in values
        ]
        return tuple((name, value) for (name, _), value in zip(headers, cleared, strict=True))

    def _may_change(self, data: bytes, extra: Sequence[str]) -> bool:
        """Whether `body` may find anything in these bytes, or in any part of them."""
        return _ESCAPED.search(data) is not None or self.suspicious(data, extra)

    def _stream_is_suspicious(
        self, frames: Sequence[Frame], extra: Sequence[str], in_runs: Sequence[Run] | None
    ) -> bool:
        """Whether there may be anything to take out; False is a promise.

        All texts, as they are written and as they go on from frame to frame, are searched as
        one: no secret reaches over a blank line, and a blank line hides none. Of what frames
        have in common the first one's is enough: no secret reaches over a quote, unless what
        stands before it says that a secret follows.
        """
        if self.users:
            return True
        found = in_runs or runs([frame.data for frame in frames])
        if any(search.announced(lead.decode("latin-1")) for run in found for lead in run.leads):
            return True
        known = _literals(extra)
        written = b"\n\n".join([text for run in found for text in (run.first, run.written)])
        together = _together(found, max([LONGEST_HEAD, *map(len, known)]))
        return (
            search.hit(f"{written.decode('latin-1')}\n\n{together}")
            or any(secret in together for secret in ("redacted", *known))
            or any(_is_in(secret, frames, written) for secret in known)
        )

    def query(self, target: str) -> str:
        """A request target, with `redacted` as the value of each parameter that names a secret.

        Any other secret becomes `(redacted)`, which stands apart and needs no encoding.
        """
        if not (self.users or "=" in target or "redacted" in target or search.hit(target)):
            return target
        target = re.sub(_CREDENTIAL_PARAMETER, r"\1redacted", target)
        while spans := self._spans(target, ()):
            target = _without(target, spans, 0, len(target), "(redacted)")
        return target

    def _spans(self, text: str, extra: Sequence[str]) -> list[Span]:
        """Where secrets are, in order; two that overlap are one. Placeholders are left alone."""
        found: list[Span] = []
        begin = 0
        for placeholder in _PLACEHOLDER.finditer(text):
            found += self._found(text, begin, placeholder.start(), extra)
            begin = placeholder.end()
        found += self._found(text, begin, len(text), extra)
        found.sort(key=lambda span: span.start)
        spans: list[Span] = []
        for span in found:
            if spans and span.start < spans[-1].end:
                spans[-1] = spans[-1]._replace(end=max(span.end, spans[-1].end))
            else:
                spans.append(span)
        return spans

    def _found(self, text: str, begin: int, end: int, extra: Sequence[str]) -> Iterator[Span]:
        for secret in _literals(extra):
            for match in re.compile(re.escape(secret)).finditer(text, begin, end):
                yield Span(*match.span(), "credential")
        yield from search.find(text, begin, end)
        for shape in self.users:
            for match in shape.pattern.finditer(text, begin, end):
                if match[0]:
                    yield Span(*match.span(), shape.name)

    def _walk(self, value: JSON, counts: Counter[str]) -> JSON:
        if isinstance(value, str):
            text, found = self.text(value)
            counts += found
            return text
        if isinstance(value, dict):
            items = value.items()
            return {self._walk(key, counts): self._walk(item, counts) for key, item in items}
        if isinstance(value, list):
            return [self._walk(item, counts) for item in value]
        return value

    def _join(
        self, leaves: Sequence["_FrameLeaf"], extra: Sequence[str], counts: Counter[str]
    ) -> set[int]:
        """Clear what the leaves say together; gives the numbers of the frames that changed."""
        changed: set[int] = set()
        while spans := self._spans(text := "".join(leaf.text for leaf in leaves), extra):
            counts.update(span.name for span in spans)
            begin = 0
            for leaf in leaves:
                old = leaf.text
                leaf.text = _without(text, spans, begin, begin + len(old))
                begin += len(old)
                if leaf.text != old:
                    changed.add(leaf.frame)
        return changed


_BUILT_IN = Redactor()


def _counted(channels: Mapping[LeafPath, list["_FrameLeaf"]]) -> Iterator[list["_FrameLeaf"]]:
    """What stands under an index that no other event has: a count of events, no place in a list."""
    for each in alike(channels).values():
        if len(each) > 1 and all(len(channel) == 1 for channel in each):
            yield [leaf for [leaf] in each]


def _literals(extra: Sequence[str]) -> list[str]:
    """Known secrets as they are, and as JSON text writes them."""
    known = [secret for secret in extra if len(secret) >= _SHORTEST_CREDENTIAL]
    odd = [item for item in known if not item.isprintable() or '"' in item or "\\" in item]
    return list(dict.fromkeys([*known, *(jsontext.render(item, "compact")[1:-1] for item in odd)]))


def _without(
    text: str, spans: Sequence[Span], begin: int, end: int, placeholder: str = "[redacted:{}]"
) -> str:
    """`text[begin:end]` with a placeholder where a span starts and without the rest of it."""
    parts = []
    for span in spans:
        if span.end <= begin or span.start >= end:
            continue
        parts.append(text[begin : span.start])
        if span.start >= begin:
            parts.append(placeholder.format(span.name))
        begin = min(span.end, end)
    return "".join(parts) + text[begin:end]


def _together(in_runs: Iterable[Run], longest: int) -> str:
    """What the frames say together, each text that goes on by itself.

    What only says the same again and again is repeated just often enough to show what is up
    to `longest` characters long, unless a head of a secret is in it.
    """
    same: list[list[str]] = []
    others: list[list[str]] = []
    for texts in said(in_runs):
        (same if texts.count(texts[0]) == len(texts) else others).append(texts)
    repeated = "\n\n".join([_few(texts, longest) for texts in same])
    if search.may_hit(repeated):
        others += same
    return "\n\n".join([repeated, *map("".join, others)])


def _few(texts: list[str], longest: int) -> str:
    return texts[0] * min(len(texts), 2 + longest // max(1, len(texts[0])))


def _is_in(secret: str, frames: Sequence[Frame], written: bytes) -> bool:
    """Whether a literal is in any of the frames, whose `written` lacks what repeats."""
    data = secret.encode("utf-8", "surrogateescape")
    # Only one that has a quote itself may be neither in a text nor in what all have in common.
    return data in written or (b'"' in data and any(data in frame.data for frame in frames))


@dataclass(slots=True, eq=False, repr=False)
class _FrameLeaf:
    """A string in the JSON of a frame."""

    frame: int
    holder: Any
    key: str | int

    @property
    def text(self) -> str:
        text: str = self.holder[self.key]
        return text

    @text.setter
    def text(self, text: str) -> None:
        self.holder[self.key] = text


def _parsed(text: str) -> JSON:
    try:
        return jsontext.parse(text)
    except jsontext.Unfaithful:
        return None


def _rendered_like(text: str, value: JSON) -> str:
    read = _parsed(text)
    # What we refused is written so that all can read it.
    style = jsontext.style_of(text, read) if read is not None else "compact ascii"
    return jsontext.render(value, style or "compact")


_LINE = re.compile(r"([^\r\n]*)(\r\n|\r|\n|\Z)")


def _with_value(frame: bytes, value: JSON) -> bytes:
    """The frame with other data; every other line stays."""
    lines = iter(_rendered_like(sse.parse(frame).data or "", value).split("\n"))
    kept = []
    written = False
    for line, end in _LINE.findall(frame.decode()):
        field = re.match("\ufeff?data: ?", line)
        if field is None:
            kept.append(line + end)
        elif not written:
            written = True
            between = (end or "\n") + field[0].removeprefix("\ufeff")
            kept.append(field[0] + between.join(lines) + end)
    return "".join(kept).encode()
