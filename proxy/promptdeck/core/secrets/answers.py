"""Secrets out of answers: whole ones, and streams over whose frames one may be spread.

A model says a key in pieces, a few letters a frame. So what goes on from frame to frame
is put together, searched as one text, and cut out of the frames in which it stands; only
then is each frame cleared by itself.
"""

import json  # noqa: TID251  tells the encoding of JSON
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from promptdeck.core.interaction import Frame, Headers, Response
from promptdeck.core.text import sse
from promptdeck.core.text.jsontext import JSON
from promptdeck.core.text.lines import is_line
from promptdeck.core.text.outline import outlined
from promptdeck.core.text.runs import (
    LeafPath,
    Run,
    alike,
    event_value,
    leaves,
    runs,
    said,
    shifted,
    windows,
)

from . import search
from .redact import BUILT_IN, Redactor, literals, parsed_or_none, rendered_like, without
from .shapes import LONGEST_HEAD
from .tokens import clear_tokens

_Searched = TypeVar("_Searched", str, bytes)


def cleared_response(
    redactor: Redactor,
    response: Response,
    extra: Sequence[str] = (),
    in_runs: Sequence[Run] | None = None,
) -> tuple[Response, Counter[str]]:
    """A response without secrets, and how many of each name its body or frames held.

    Headers lose theirs too, which are not counted. `extra` are secrets known literally;
    `in_runs` are the frames as `runs` puts them together, if that has been done.
    """
    if response.is_stream:
        frames, counts = cleared_frames(redactor, response.frames, extra, in_runs)
    else:
        [frame] = response.frames
        data, counts = cleared_body(redactor, frame.data, extra)
        frames = (Frame(frame.offset_ms, data),) if counts else response.frames
    headers = _cleared_headers(redactor, response.headers, extra)
    if not counts and headers is response.headers:
        return response, counts
    return Response(response.status, headers, frames), counts


_TOKENS = re.compile(rb'"(?:token_)?logprobs?"\s*+:(?!\s*+(?:null|\[\s*+\]|\{\s*+\}))')
"""A list of tokens, which most answers have none in the place of."""


def cleared_body(
    redactor: Redactor, data: bytes, extra: Sequence[str] = ()
) -> tuple[bytes, Counter[str]]:
    """The body of a whole answer without secrets, also where its tokens are listed beside it.

    Of JSON in UTF-16 or UTF-32, too, in which no letter of a secret stands beside the next.
    """
    counts: Counter[str] = Counter()
    encoding = json.detect_encoding(data[:64]) if b"\0" in data[:64] else "utf-8"
    if not encoding.startswith("utf-8"):
        try:
            text = data.decode(encoding)
        except UnicodeDecodeError:
            return redactor.body(data, extra)
        cleared, counts = cleared_body(redactor, text.encode(), extra)
        return (cleared.decode().encode(encoding) if counts else data), counts
    if _TOKENS.search(data):
        text = data.decode("utf-8", "surrogateescape")
        value = parsed_or_none(text)
        if clear_tokens(redactor, [value], extra, counts):
            data = rendered_like(text, value).encode("utf-8", "surrogateescape")
    data, more = redactor.body(data, extra)
    return data, counts + more


def cleared_frames(
    redactor: Redactor,
    frames: Sequence[Frame],
    extra: Sequence[str] = (),
    in_runs: Sequence[Run] | None = None,
) -> tuple[tuple[Frame, ...], Counter[str]]:
    """SSE frames without secrets, also those spread over several, and the counts by name.

    The placeholder stands in the frame in which the secret begins. Frames that hold none
    are the same objects, and no frame is dropped.
    """
    sizes = [len(frame.data) for frame in frames]
    if sum(sizes) <= _LARGE:
        if not _may_change(redactor, frames, extra, in_runs):
            return tuple(frames), Counter()
        return _cleared(redactor, frames, extra)
    cleared, counts = [*frames], Counter[str]()
    for begin, end in _regions(redactor, frames, sizes, extra):
        cleared[begin:end], more = _cleared(redactor, frames[begin:end], extra)
        counts += more
    return (tuple(cleared) if counts else tuple(frames)), counts


_LARGE = 2 * 1024 * 1024
"""Bytes from which a stream is looked at in windows: to read all frames takes several times their
size, and of one that long a few frames may hold anything to take out."""
_AGAIN = 512 * 1024
"""Bytes of frames that two windows have in common: of 250 bytes a frame, 10,000 characters of what
is said, which is more than any secret takes to be known by."""


def _regions(
    redactor: Redactor, frames: Sequence[Frame], sizes: Sequence[int], extra: Sequence[str]
) -> list[tuple[int, int]]:
    """Parts of a stream outside of which there is nothing to take out, by begin and end."""
    found: list[tuple[int, int]] = []
    for begin, end in windows(sizes, _LARGE, _AGAIN):
        if _may_change(redactor, frames[begin:end], extra, None):
            if found and begin <= found[-1][1]:
                begin, _ = found.pop()
            found.append((begin, end))
    return found


def _cleared(
    redactor: Redactor, frames: Sequence[Frame], extra: Sequence[str]
) -> tuple[tuple[Frame, ...], Counter[str]]:
    """Frames without secrets, each read; the counts by name."""
    values = [event_value(frame.data) for frame in frames]
    counts: Counter[str] = Counter()
    # Before the texts, as a token's says what its bytes are to be.
    changed = clear_tokens(redactor, values, extra, counts)
    for channel in channels_of(values):
        changed |= _join(redactor, channel, extra, counts)
    # Only now each frame by itself: a token's first part may look like a whole one.
    cleared = []
    for number, (frame, value) in enumerate(zip(frames, values, strict=True)):
        data = with_value(frame.data, value) if number in changed else frame.data
        data, more = (redactor if value is None else BUILT_IN).body(data, extra)
        counts += more
        cleared.append(frame if data == frame.data else Frame(frame.offset_ms, data))
    return tuple(cleared), counts


def _cleared_headers(redactor: Redactor, headers: Headers, extra: Sequence[str]) -> Headers:
    """Headers without secrets in their values; the same object where they may have none."""
    # A server may send bytes that are no UTF-8; aiohttp gives them as surrogates.
    values = [value.encode("utf-8", "surrogateescape") for _, value in headers]
    # All at once: no secret reaches over a blank line.
    if not redactor.may_change(b"\n\n".join(values), extra):
        return headers
    cleared = [
        redactor.body(value, extra)[0].decode("utf-8", "surrogateescape") for value in values
    ]
    return tuple((name, value) for (name, _), value in zip(headers, cleared, strict=True))


# Whether there is anything to do


def _may_change(
    redactor: Redactor,
    frames: Sequence[Frame],
    extra: Sequence[str],
    in_runs: Sequence[Run] | None,
) -> bool:
    """True if frames may hold anything to take out; False is a promise.

    Texts as they are written are searched many as one, and so are those that go on from frame
    to frame: no secret reaches over a blank line, and a blank line hides none. Of what frames
    have in common the first one's is enough: no secret reaches over a quote, unless what
    stands before it says that a secret follows.
    """
    if redactor.waits:
        return True
    large = [frame.data for frame in frames if len(frame.data) > _AT_ONCE]
    if any(redactor.may_change(data, extra) for data in large):
        return True
    # Of what has been searched by itself only the ends may go on from another, or in another.
    found = in_runs or runs(
        [outlined(frame.data) if len(frame.data) > _AT_ONCE else frame.data for frame in frames]
    )
    if any(search.announced(lead.decode("latin-1")) for run in found for lead in run.leads):
        return True
    known = literals(extra)
    for some in _parts(text for run in found for text in (run.first, run.written)):
        written = b"\n\n".join(some)
        if search.hit(written.decode("latin-1")) or any(
            _is_in(one, frames, written) for one in known
        ):
            return True
    for joined in _parts(_together(found, max([LONGEST_HEAD, *map(len, known)]))):
        together = "\n\n".join(joined)
        if search.hit(together) or any(secret in together for secret in ("redacted", *known)):
            return True
    return False


_AT_ONCE = 1024 * 1024
"""Length of what is searched as one text. A longer text is by itself, and not copied; a call
for each of many short ones would take longer than the search."""


def _parts(texts: Iterable[_Searched]) -> Iterator[list[_Searched]]:
    """Texts in their order, as many together as are to be searched at once."""
    some: list[_Searched] = []
    length = 0
    for text in texts:
        if some and length + len(text) > _AT_ONCE:
            yield some
            some, length = [], 0
        some.append(text)
        length += len(text)
    yield some


def _together(in_runs: Iterable[Run], longest: int) -> Iterator[str]:
    """All texts of the frames, each that goes on from frame to frame joined.

    What only says the same again and again, as ids and names of models do, is repeated just
    often enough to show what is up to `longest` characters long, unless a head of a secret
    is in it.
    """
    same: list[list[str]] = []
    others: list[list[str]] = []
    for texts in said(in_runs):
        (same if texts.count(texts[0]) == len(texts) else others).append(texts)
    repeated = "\n\n".join([_few(texts, longest) for texts in same])
    if search.may_hit(repeated):
        others += same
    yield repeated
    yield from map("".join, others)


def _few(texts: list[str], longest: int) -> str:
    """Equal texts joined, but no more of them than show each part of `longest` characters."""
    # One more than they fill, as the part may begin anywhere in the first.
    return texts[0] * min(len(texts), 2 + longest // max(1, len(texts[0])))


def _is_in(secret: str, frames: Sequence[Frame], written: bytes) -> bool:
    """True if a literal is in any of the frames, whose `written` lacks what repeats."""
    data = secret.encode("utf-8", "surrogateescape")
    # Only one that has a quote itself may be neither in a text nor in what all have in common.
    return data in written or (b'"' in data and any(data in frame.data for frame in frames))


# What goes on from frame to frame


@dataclass(slots=True, eq=False, repr=False)
class FrameLeaf:
    """A string in the JSON of a frame, which can be replaced there."""

    frame: int
    """The frame's number."""
    holder: Any
    """The object or list in which the string stands, under `key`."""
    key: str | int

    @property
    def text(self) -> str:
        """The string as it is now."""
        text: str = self.holder[self.key]
        return text

    @text.setter
    def text(self, text: str) -> None:
        self.holder[self.key] = text


def channels_of(values: Sequence[JSON]) -> list[list[FrameLeaf]]:
    """The texts in the JSON of all frames of a stream: in each list those that go on in turn.

    A text may be in two lists: where nobody knows whether its index counts events, and where
    it may go on at another place of a list.
    """
    channels: dict[LeafPath, list[FrameLeaf]] = defaultdict(list)
    events: list[list[tuple[LeafPath, FrameLeaf]]] = []
    for number, value in enumerate(values):
        found = [(path, FrameLeaf(number, holder, key)) for path, holder, key in leaves(value)]
        events.append(found)
        for path, leaf in found:
            channels[path].append(leaf)
    return [*channels.values(), *_counted(channels), *shifted(channels, events)]


def _counted(channels: Mapping[LeafPath, list[FrameLeaf]]) -> Iterator[list[FrameLeaf]]:
    """Leaves, together, whose index no other event has: a count of events, no place in a list."""
    for each in alike(channels).values():
        if len(each) > 1 and all(len(channel) == 1 for channel in each):
            yield [leaf for [leaf] in each]


def _join(
    redactor: Redactor, leaves: Sequence[FrameLeaf], extra: Sequence[str], counts: Counter[str]
) -> set[int]:
    """Clear what the leaves say together; gives the numbers of the frames that changed.

    Adds to `counts`.
    """
    changed: set[int] = set()
    while spans := redactor.spans(text := "".join(leaf.text for leaf in leaves), extra):
        counts.update(span.name for span in spans)
        begin = 0
        for leaf in leaves:
            old = leaf.text
            leaf.text = without(text, spans, begin, begin + len(old))
            begin += len(old)
            if leaf.text != old:
                changed.add(leaf.frame)
    return changed


_LINE = re.compile(r"([^\r\n]*)(\r\n|\r|\n|\Z)")


def with_value(frame: bytes, value: JSON) -> bytes:
    """The frame with other data, in the style and lines of the old; every other line stays."""
    if is_line(frame):
        text = frame.decode()
        said = text.strip()
        return text.replace(said, rendered_like(said, value), 1).encode()
    lines = iter(rendered_like(sse.parse(frame).data or "", value).split("\n"))
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
