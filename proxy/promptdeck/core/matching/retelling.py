"""A recorded answer by the names of the run that asks for it now.

A model that was told of a folder answers with paths in it. Played in another folder
they would lead nowhere, and where a call id or a session of the recorded run stands, a
client waits for its own. So what a preset learnt of the recorded request, and learnt
otherwise of this one, is put right in the answer, across the frames of a stream, too.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from promptdeck.core.interaction import Frame, Response
from promptdeck.core.secrets.answers import FrameLeaf, channels_of, with_value
from promptdeck.core.secrets.redact import rendered_like
from promptdeck.core.text.jsontext import JSON, Unfaithful, parse, strings
from promptdeck.core.text.runs import event_value

from .leaves import Leaves, Placed, copied
from .renaming import NOT_BEFORE, NOT_BEHIND, Learnt
from .spellings import Spelling, fitting, written, written_forms


class Retold(NamedTuple):
    """A response by the names of another run."""

    response: Response
    """The same object where nothing had to be put right."""
    names: tuple[str, ...]
    """The names whose values were put right: `cwd`."""


def retold(response: Response, recorded: Learnt, asked: Learnt) -> Retold:
    """A response in which the values of `recorded` became those of `asked`.

    Each where it stands by itself or leads a path; all else, and every frame without one,
    stays as it is.
    """
    pairs = _pairs(recorded, asked)
    if not pairs:
        return Retold(response, ())
    values = _Values(pairs)
    if response.is_stream:
        frames = _frames(response.frames, values)
    else:
        [frame] = response.frames
        data = _body(frame.data, values)
        frames = response.frames if data == frame.data else (frame._replace(data=data),)
    names = tuple(sorted(values.used))
    return Retold(response._replace(frames=frames) if names else response, names)


class _Righted(NamedTuple):
    begin: int
    end: int
    text: str


class _Renewal(NamedTuple):
    """What is to stand in the place of a form of a recorded value."""

    value: str
    how: Spelling
    name: str


def _pairs(recorded: Learnt, asked: Learnt) -> dict[str, _Renewal]:
    """The values that differ, in all forms in which a text may say them."""
    pairs: dict[str, _Renewal] = {}
    for name, old in recorded.items():
        new = asked.get(name, old)
        if new != old:
            for form, how in written_forms(old).items():
                pairs.setdefault(form, _Renewal(new, how, name[1:-1]))
    return pairs


class _Values:
    """Values to be put right, found in texts; `used` are the names of those that were there."""

    def __init__(self, pairs: dict[str, _Renewal]) -> None:
        self._pairs = pairs
        self._search: re.Pattern[str] | None = None
        self.used: set[str] = set()

    def look_for_those_in(self, texts: Iterable[str]) -> None:
        """Search from now on for what is in these texts at all.

        A long run has hundreds of ids, of which an answer says none or one.
        """
        whole = "\n".join(texts)
        there = sorted((value for value in self._pairs if value in whole), key=len, reverse=True)
        either = "|".join(map(re.escape, there))
        self._search = (
            re.compile(rf"(?<!{NOT_BEFORE})(?:{either})(?!{NOT_BEHIND})") if there else None
        )

    def spans(self, text: str, key: str | int = "") -> list[_Righted]:
        """Where a text, held under `key`, says one of the values, and what is to stand there."""
        found = []
        for match in self._search.finditer(text) if self._search else ():
            new = self._pairs[match[0]]
            self.used.add(new.name)
            how = fitting(new.how, text, match.start(), key)
            found.append(_Righted(match.start(), match.end(), written(new.value, how)))
        return found

    def put_right(self, text: str, key: str | int = "") -> str:
        """A text with every value put right."""
        return _cut(text, self.spans(text, key), 0, len(text))


def _cut(text: str, spans: list[_Righted], begin: int, end: int) -> str:
    """A part of a text with spans replaced: a replacement stands where its span begins."""
    parts: list[str] = []
    at = begin
    for span in spans:
        if span.end <= begin or span.begin >= end:
            continue
        if span.begin >= begin:
            parts += text[at : span.begin], span.text
        at = min(span.end, end)
    return "".join([*parts, text[at:end]])


def _within(spans: list[_Righted], begin: int, end: int) -> Iterator[_Righted]:
    """The spans as they stand in a part of their text: the replacement where each begins."""
    for span in spans:
        if span.begin < end and span.end > begin:
            text = span.text if span.begin >= begin else ""
            yield _Righted(max(span.begin, begin) - begin, min(span.end, end) - begin, text)


def _apart(spans: Iterable[_Righted]) -> list[_Righted]:
    """Spans in their order, without those that begin within another."""
    apart: list[_Righted] = []
    for span in sorted(spans, key=lambda span: (span.begin, -span.end)):
        if not apart or span.begin >= apart[-1].end:
            apart.append(span)
    return apart


def _body(data: bytes, values: _Values) -> bytes:
    """A whole body: of JSON its strings, of other text all of it, anything else as it is."""
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return data
    try:
        value = parse(text)
    except Unfaithful:
        values.look_for_those_in([text])
        return values.put_right(text).encode()
    values.look_for_those_in(strings(value))
    found = Leaves([], [])
    root: list[JSON] = [copied(value, found)]
    if isinstance(value, str):
        found.told.append(Placed(root, 0, value))
    changed = False
    for leaf in (*found.told, *found.results):
        right = values.put_right(leaf.text, leaf.name)
        if right != leaf.text:
            leaf.put(right)
            changed = True
    return rendered_like(text, root[0]).encode() if changed else data


def _frames(frames: tuple[Frame, ...], values: _Values) -> tuple[Frame, ...]:
    """The frames of a stream, where a value may be spread over several."""
    parsed = [event_value(frame.data) for frame in frames]
    changed: set[int] = set()
    channels = channels_of(parsed)
    texts = ["".join([leaf.text for leaf in channel]) for channel in channels]
    values.look_for_those_in(texts)
    # All that is found before any is changed, as a text may be in two channels.
    found: dict[FrameLeaf, set[_Righted]] = defaultdict(set)
    unsure: dict[FrameLeaf, set[_Righted]] = defaultdict(set)
    """Of these, what ends with its text, which may go on in another channel."""
    joined: dict[FrameLeaf, list[set[_Righted]]] = defaultdict(list)
    """What is found of a text by each channel in which it goes on."""
    for channel, text in zip(channels, texts, strict=True):
        spans = values.spans(text, channel[0].key) if channel else []
        begin = 0
        for leaf in channel:
            end = begin + len(leaf.text)
            within = set(_within(spans, begin, end)) if spans else set()
            found[leaf] |= within
            if any(span.end == end for span in spans):
                unsure[leaf] |= {right for right in within if right.end == len(leaf.text)}
            if leaf is not channel[-1]:
                joined[leaf].append(within)
            begin = end
    for leaf, rights in found.items():
        old = leaf.text
        # A value at the end of a text may be the beginning of a longer one that is none.
        sure = [
            right
            for right in rights
            if right not in unsure[leaf] or all(right in some for some in joined[leaf])
        ]
        leaf.text = _cut(old, _apart(sure), 0, len(old))
        if leaf.text != old:
            changed.add(leaf.frame)
    return tuple(
        frame._replace(data=with_value(frame.data, parsed[number])) if number in changed else frame
        for number, frame in enumerate(frames)
    )
