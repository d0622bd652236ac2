"""Runs of a stream's events that are alike but for their texts, read as one.

Nearly all events of an answer differ in a word or two. What stands before the
first text that differs and behind the last is the same in all of them, and what is
between, cut at its quotes, makes a table: a row for each event, a column for each text.
Columns are compared and joined at once; parsing one event after the other and walking
its value takes 14 times as long (200 events: 1300 us for 90). Whatever is not so plain
makes a run of its own. `said` puts together what goes on from event to event.
"""

import json  # noqa: TID251  what orjson refuses
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain, repeat
from typing import Any, NamedTuple, TypeVar

import orjson

from . import sse
from .jsontext import JSON, Unfaithful, parse
from .lines import data_of

LeafPath = tuple[str | int, ...]
"""Where in an event's JSON a text stands: keys and places, and `index=N` for what is numbered."""
_Element = TypeVar("_Element")


class Run(NamedTuple):
    """Frames one after the other whose JSON differs in texts only; or one frame of any kind."""

    first: bytes
    """The first frame, whose JSON is that of all others but for the texts in it."""
    texts: dict[LeafPath, list[str]] | None = None
    """The texts at each path of `leaves`, one a frame; None where there is but one frame."""
    written: bytes = b""
    """The texts that differ, as they are written, each between quotes."""
    leads: tuple[bytes, ...] = ()
    """What stands in the first frame before each of the texts that differ."""


class _Mould(NamedTuple):
    """The first frame of a run, cut at its quotes: every other part is within a string."""

    parts: list[bytes]
    data_at: int
    """Where in the frame its JSON begins."""
    strings: list[int]
    """Which parts are texts, and no keys."""
    first: int
    """Which part is the first text that differs."""
    last: int
    """Which part is the last text that differs."""

    @property
    def head(self) -> bytes:
        """The common beginning of all frames of the run, up to the quote before the first text."""
        return self.before(self.first)

    @property
    def tail(self) -> bytes:
        """The common end of all frames of the run, from the quote behind the last text on."""
        return b'"' + b'"'.join(self.parts[self.last + 1 :])

    def before(self, at: int) -> bytes:
        """The frame up to a part, with the quote that opens it."""
        return b'"'.join([*self.parts[:at], b""])


_FEW = 8
"""Frames that are tried at first, eight times as many then. Where hardly any are alike more
would be in vain; any number from 1 to 64 measures the same."""
_RUN = 1024 * 1024
"""Bytes of frames after which a run ends, though what follows is alike: a few more runs say the
same, and what is put together to read one is no larger than some of these."""

# Texts that say what kind of event it is, and whether it is the last. Events that differ in
# one are judged one by one: `completeness` looks at the first of each run only.
_TELLING = frozenset(["type", "finish_reason"])

# What goes on in a member of another name: a block of Messages begins in the one, and may have
# text there already, and goes on in the other.
_GOES_ON_IN = {"content_block": "delta"}


def runs(frames: Sequence[bytes]) -> list[Run]:
    """Put all frames into runs, in their order.

    Frames that cannot be told to be alike without parsing each of them make runs of one.
    """
    # Lines may end in CRs at other places in each frame, and NUL is needed as a mask.
    whole = b"".join(frames)
    if b"\r" in whole or b"\0" in whole:
        return [Run(frame) for frame in frames]
    masked = [*map(_masked, frames)] if b"\\" in whole else frames
    del whole
    found: list[Run] = []
    at = 0
    while at < len(frames):
        mould = _mould(masked[at], masked[at + 1]) if at + 1 < len(frames) else None
        middles = _middles(masked, at, mould) if mould else [b""]
        run = _run(frames[at], mould, middles) if mould else None
        found += [run] if run else [Run(frame) for frame in frames[at : at + len(middles)]]
        at += len(middles)
    return found


def windows(sizes: Sequence[int], size: int, again: int = 0) -> list[tuple[int, int]]:
    """Windows over what has these sizes, each about `size` together, by begin and end.

    Each but the first begins with what the one before ends with, about `again` of it.
    """
    found: list[tuple[int, int]] = []
    begin, held = 0, 0
    for n, one in enumerate(sizes, 1):
        held += one
        if held >= size or n == len(sizes):
            found.append((begin, n))
            begin, held = n, 0
            while again > held and begin > found[-1][0] + 1:
                begin -= 1
                held += sizes[begin]
    return found


def _masked(frame: bytes) -> bytes:
    """The frame with each escaped quote as NUL and a byte, so that it can be cut at its quotes.

    It stays as long as it was; JSON has no NUL. `_unmasked` is the way back.
    """
    if b"\\" not in frame:
        return frame
    return frame.replace(b"\\\\", b"\0\0").replace(b'\\"', b"\0\1")


def _unmasked(text: bytes) -> bytes:
    """The inverse of `_masked`."""
    return text.replace(b"\0\1", b'\\"').replace(b"\0\0", b"\\\\") if b"\0" in text else text


def _mould(one: bytes, next_one: bytes) -> _Mould | None:
    """The mould of two masked frames; None if more than texts in their data differs."""
    data_at = sse.data_at(one)
    if not data_at or not sse.data_at(next_one):
        return None
    # Every other part is within quotes, from the second on: an even number has a quote open.
    parts, others = one.split(b'"'), next_one.split(b'"')
    if len(parts) != len(others) or len(parts) % 2 == 0:
        return None
    differ = [at for at, pair in enumerate(zip(parts, others, strict=True)) if pair[0] != pair[1]]
    if any(at % 2 == 0 for at in differ):
        return None
    strings = [
        at for at in range(1, len(parts), 2) if not parts[at + 1].lstrip(b" \t").startswith(b":")
    ]
    # Two that are the same may begin a run all the same.
    differ = differ or strings[-1:]
    return _Mould(parts, data_at, strings, differ[0], differ[-1]) if differ else None


def _middles(masked: Sequence[bytes], at: int, mould: _Mould) -> list[bytes]:
    """The parts between head and tail of the frames from `at` on, as long as they fit the mould."""
    head, tail = mould.head, mould.tail
    seam = tail + head
    begin, end = len(head), -len(tail)
    found: list[bytes] = []
    size = _FEW
    held = 0
    while held < _RUN and (frames := masked[at + len(found) : at + len(found) + size]):
        middles = [frame[begin:end] for frame in frames]
        # All at once, as nearly always all of them fit.
        if b"".join((head, seam.join(middles), tail)) == b"".join(frames):
            found += middles
            held += sum(map(len, frames))
            size = min(size * 8, 1 + _RUN * size // (8 * sum(map(len, frames))))
        else:
            fit = (head + m + tail == frame for m, frame in zip(middles, frames, strict=True))
            found += middles[: [*fit, False].index(False)]
            break
    # Each has as many texts as the first: quotes of its own would shift the columns.
    quotes = mould.last - mould.first
    if quotes or b'"' in b"".join(found):
        counts = [*map(bytes.count, found, repeat(b'"')), -1]
        found = found[: next(n for n, count in enumerate(counts) if count != quotes)]
    return found


def _run(frame: bytes, mould: _Mould, middles: list[bytes]) -> Run | None:
    """The run of all frames whose middles are given, `frame` the first.

    None where they cannot be read as one: what differs is a key or tells what kind of event it
    is, a text is no JSON, or two texts of a frame are at one path.
    """
    width = mould.last - mould.first + 1
    cells = b'"'.join(middles).split(b'"') if width > 1 else middles
    columns = {mould.first + n: cells[n::width] for n in range(width)}
    varied = [at for at, column in columns.items() if column.count(column[0]) < len(column)]
    places = _places(mould) if set(varied).issubset(mould.strings) else None
    if places is None or any(places[at][-1] in _TELLING for at in varied):
        return None
    try:
        texts = {
            places[at]: _said(columns[at])
            if at in varied
            else _said([mould.parts[at]]) * len(middles)
            for at in mould.strings
        }
    except orjson.JSONDecodeError:
        return None
    # Two that go on in the same frame would have to be joined in turn.
    if len(texts) < len(mould.strings):
        return None
    written = b"\n".join([_written(columns[at]) for at in varied])
    return Run(frame, texts, written, tuple([_unmasked(mould.before(at)) for at in varied]))


def _written(texts: list[bytes]) -> bytes:
    """A JSON list of masked texts."""
    return b'["%b"]' % _unmasked(b'","'.join(texts))


def _said(texts: list[bytes]) -> list[str]:
    """Masked texts as strings; JSONDecodeError if any of them is no JSON by itself."""
    said: list[str] = orjson.loads(_written(texts))
    return said


def _places(mould: _Mould) -> dict[int, LeafPath] | None:
    """The path at which each text of a frame stands, by the number of its part.

    None where the frame holds no JSON that is read faithfully, or a key twice.
    """
    # Each text is put into the JSON as its number, which is then found at its path.
    numbered = [*mould.parts]
    for at in mould.strings:
        numbered[at] = b"%d" % at
    try:
        value = parse(b'"'.join(numbered)[mould.data_at : -2])
    except Unfaithful:
        return None
    places = {int(holder[key]): path for path, holder, key in leaves(value)}
    # Under a key that comes twice there is a text that does not show.
    return places if len(places) == len(mould.strings) else None


Leaf = tuple[LeafPath, Any, str | int]
"""A string in JSON: its path, the object or list that holds it, and its key or place there."""


def leaves(value: JSON) -> list[Leaf]:
    """Every string in an event's JSON, at the path that its continuations in later events share.

    What carries an index continues what carried the same one, wherever in a list it stands.
    """
    found: list[Leaf] = []
    if isinstance(value, dict | list):
        _gather(value, (), found)
    return found


def _gather(holder: dict[str, JSON] | list[JSON], path: LeafPath, found: list[Leaf]) -> None:
    """Append the leaves of an object or list at `path` to `found`."""
    children: Iterable[tuple[str | int, JSON]]
    if isinstance(holder, dict):
        children = holder.items()
        for key, item in holder.items():
            if isinstance(item, int) and key.endswith("index"):
                path = (*path, f"{key}={item}")
    else:
        children = enumerate(holder)
    for place, item in children:
        if isinstance(item, str):
            found.append(((*path, place), holder, place))
        elif isinstance(item, dict | list):
            numbered = isinstance(item, dict) and isinstance(item.get("index"), int)
            step = _GOES_ON_IN.get(place, place) if isinstance(place, str) else place
            inner = path if numbered and isinstance(place, int) else (*path, step)
            _gather(item, inner, found)


def said(in_runs: Iterable[Run]) -> list[list[str]]:
    """Lists of texts that go on from event to event, whole or in pieces: join each to read it.

    One for each path, and one more for those paths together that differ in their indices only,
    as some servers count events in what looks like an index; and `shifted` ones.
    """
    by_path: dict[LeafPath, list[str]] = defaultdict(list)
    events: list[Iterable[tuple[LeafPath, list[str]]]] = []
    for run in in_runs:
        if run.texts is None:
            found = leaves(event_value(run.first))
            events.append([(path, [holder[key]]) for path, holder, key in found])
            for path, holder, key in found:
                by_path[path].append(holder[key])
        else:
            events += _rows(run.texts)
            for path, texts in run.texts.items():
                by_path[path] += texts
    any_index = [[*chain.from_iterable(each)] for each in alike(by_path).values() if len(each) > 1]
    moved = [[*chain.from_iterable(each)] for each in shifted(by_path, events)]
    return [*by_path.values(), *any_index, *moved]


def _rows(texts: Mapping[LeafPath, list[str]]) -> list[Iterable[tuple[LeafPath, list[str]]]]:
    """A run's texts as events: all in one where no two texts of an event may go on in turn."""
    if len({_unplaced(path) for path in texts}) == len(texts):
        return [texts.items()]
    rows = zip(*texts.values(), strict=True)
    return [[(path, [text]) for path, text in zip(texts, row, strict=True)] for row in rows]


def shifted(
    paths: Iterable[LeafPath], events: Iterable[Iterable[tuple[LeafPath, _Element]]]
) -> list[list[_Element]]:
    """What goes on in the next event at another place of a list, together.

    Google's parts do, and its pieces of arguments: the first of an event goes on with the last
    of the one before. `paths` are all that there are; `events` have what stands at them.
    """
    counted = Counter(map(_unplaced, paths))
    under_way: dict[LeafPath, list[tuple[LeafPath, _Element]]] = {}
    found: list[list[tuple[LeafPath, _Element]]] = []
    for event in events if max(counted.values(), default=0) > 1 else ():
        begun: set[LeafPath] = set()
        for path, item in event:
            bare = _unplaced(path)
            if counted[bare] < 2:
                continue
            if bare in begun or bare not in under_way:
                under_way[bare] = []
                found.append(under_way[bare])
            begun.add(bare)
            under_way[bare].append((path, item))
    moved = [each for each in found if len({path for path, _ in each}) > 1]
    return [[item for _, item in each] for each in moved]


def _unplaced(path: LeafPath) -> LeafPath:
    """A path without its places in lists."""
    return tuple([part for part in path if isinstance(part, str)])


def alike(by_path: Mapping[LeafPath, list[_Element]]) -> dict[LeafPath, list[list[_Element]]]:
    """Lists by path, those together whose paths differ in their indices only.

    The keys are the paths without indices.
    """
    found: dict[LeafPath, list[list[_Element]]] = defaultdict(list)
    for path, items in by_path.items():
        bare = [part for part in path if not (isinstance(part, str) and "index=" in part)]
        found[tuple(bare)].append(items)
    return found


def event_value(frame: bytes) -> JSON:
    """The JSON of a frame's data; None for the end marker and for a frame that has none.

    It is read as leniently as clients read it: numbers of any length, half a surrogate pair,
    NaN as a string. A frame that is not UTF-8 has none.
    """
    try:
        frame.decode()
    except UnicodeDecodeError:
        return None
    text = data_of(frame)
    if text == sse.DONE:
        return None
    try:
        return parse(text)
    except Unfaithful:
        return _read_by_others(text)


def _read_by_others(text: str) -> JSON:
    """JSON that `parse` refuses and a client may read; None if it is not even that."""
    # Only objects and lists can hold texts. Nesting is bounded by Python's own stack.
    if not text.startswith(("{", "[")):
        return None
    try:
        return json.loads(text, parse_constant=str)
    except (ValueError, RecursionError):
        return None
