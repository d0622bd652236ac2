"""Runs of a stream's events that are alike but for their texts, read as one.

Nearly all events of an answer differ in a word or two. Cut at their quotes they
make a table, whose columns are compared and joined at once, where parsing one
event after the other would take ten times as long. Whatever is not so plain
makes a run of its own.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import Any, NamedTuple

import orjson

from . import sse
from .jsontext import JSON, Unfaithful, parse

Path = tuple[str | int, ...]


class Run(NamedTuple):
    first: bytes
    """The first frame, whose JSON is that of all others but for the texts in it."""
    texts: dict[Path, str] | None
    """What the texts at each path of `leaves` say together; None where there is but one frame."""


# Texts that say what kind of event it is, and whether it is the last.
_TELLING = frozenset(["type", "finish_reason"])


def runs(frames: Sequence[bytes]) -> list[Run]:
    """All frames in runs, as long as they can be told to be alike without parsing each of them."""
    whole = b"".join(frames)
    if b"\r" in whole or b"\0" in whole:
        return [Run(frame, None) for frame in frames]
    masked = map(_masked, frames) if b"\\" in whole else frames
    found: list[Run] = []
    for quotes, group in groupby(zip(frames, masked, strict=True), _quotes):
        pairs = list(group)
        texts = _texts([mask for _, mask in pairs]) if quotes and len(pairs) > 1 else None
        firsts = pairs if texts is None else pairs[:1]
        found += [Run(frame, texts) for frame, _ in firsts]
    return found


def _masked(frame: bytes) -> bytes:
    """The frame without escaped quotes; NUL stands in no JSON."""
    if b"\\" not in frame:
        return frame
    return frame.replace(b"\\\\", b"\0\0").replace(b'\\"', b"\0\1")


def _quotes(pair: tuple[bytes, bytes]) -> int:
    """How many quotes there are in a frame of one line of data; 0 for what is no such frame."""
    frame, masked = pair
    quotes = masked.count(b'"') if sse.is_sole_data(frame) else 0
    return 0 if quotes % 2 else quotes


def _texts(masked: list[bytes]) -> dict[Path, str] | None:
    """What frames of as many quotes say at each path together, if all else in them is the same."""
    width = masked[0].count(b'"') + 1
    parts = b'"'.join(masked).split(b'"')
    columns = [parts[at::width] for at in range(width)]
    # Between quotes every other part is within a string, which is a key if a colon follows.
    varied = {at for at, column in enumerate(columns) if column.count(column[0]) < len(masked)}
    strings = [
        at for at in range(1, width, 2) if not columns[at + 1][0].lstrip(b" \t").startswith(b":")
    ]
    if not varied.issubset(strings):
        return None
    places = _places([column[0] for column in columns], strings)
    if places is None or any(places[at][-1] in _TELLING for at in varied):
        return None
    try:
        texts = {places[at]: _said(columns[at], at in varied) for at in strings}
    except orjson.JSONDecodeError:
        return None
    # Two that go on in the same frame would have to be joined in turn.
    return texts if len(texts) == len(strings) else None


def _places(first: list[bytes], strings: list[int]) -> dict[int, Path] | None:
    """At which path each string of the first frame stands."""
    numbered = [*first]
    for at in strings:
        numbered[at] = b"%d" % at
    try:
        value = parse(b'"'.join(numbered)[6:-2])
    except Unfaithful:
        return None
    places = {int(holder[key]): path for path, holder, key in leaves(value)}
    # Under a key that comes twice there is a text that does not show.
    return places if len(places) == len(strings) else None


def _said(column: list[bytes], varied: bool) -> str:
    """What a column's texts say together. JSONDecodeError if any is no JSON by itself."""
    texts = column if varied else column[:1]
    written = b'["%b"]' % b'","'.join(texts)
    if b"\0" in written:
        written = written.replace(b"\0\1", b'\\"').replace(b"\0\0", b"\\\\")
    said: list[str] = orjson.loads(written)
    return "".join(said) if varied else said[0] * len(column)


def leaves(value: JSON, path: Path = ()) -> Iterator[tuple[Path, Any, str | int]]:
    """Every string with the path that its continuations share, its holder and its key there.

    What carries an index continues what carried the same one, wherever in a list it stands.
    """
    children: Iterable[tuple[str | int, JSON]] = ()
    if isinstance(value, dict):
        children = value.items()
        path += tuple(f"{key}={item}" for key, item in children if _is_index(key, item))
    elif isinstance(value, list):
        children = enumerate(value)
    for key, item in children:
        if isinstance(item, str):
            yield (*path, key), value, key
        elif isinstance(item, dict) and isinstance(item.get("index"), int):
            yield from leaves(item, path if isinstance(key, int) else (*path, key))
        else:
            yield from leaves(item, (*path, key))


def _is_index(key: str | int, item: JSON) -> bool:
    return isinstance(item, int) and str(key).endswith("index")
