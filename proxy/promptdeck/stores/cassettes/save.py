"""Recordings put into a cassette's file.

`save` takes the folder's lock, reads the file as it is now, puts the new
interactions where their ids sort, and replaces the file in one step. The text
of all other interactions, with whatever people wrote around it, stays as it was.
"""

import os
import re
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import accumulate, chain, pairwise
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from promptdeck.core.interaction import Interaction
from promptdeck.core.matching.fingerprint import order, recording_id
from promptdeck.core.text.yamltext import flow

from .file import Signature, decoded, digest, locked, rewrite
from .progress import Progress, silently

if TYPE_CHECKING:
    from .load import Entry

_COMMENTS = r"(?:(?:#[^\n]*)?\n)*"
"""Any number of lines that are comments or empty."""
# The layout that `dump` gives. Text: only who writes needs it compiled.
_HEADER = (
    rf"\ufeff?{_COMMENTS}promptdeck: 1 *\n{_COMMENTS}(?:match:[^\n]*\n(?:(?:[ #][^\n]*)?\n)*)?"
    rf"interactions: *\n(?={_COMMENTS}(?:- |\Z))"
)
# What stands at a line's start: an interaction or, without the dash, something foreign.
_START = re.compile(r"\n(?:(- )|[^\s#])")
_FIELD = re.compile(r"\n(?:- |  )(id|key|variant): [\"']?([^\s\"']+)[\"']? *(?=\n)")


class New(NamedTuple):
    """A recording on its way into a file."""

    interaction: Interaction
    base: bytes
    """Its canonical form without user rules, which its id is made of."""
    replace: bool
    """Whether older recordings of the same request and variant leave the file."""
    once: str = ""
    """The key of its request in a file of 0.1.0, where that was another."""
    same: frozenset[str] = frozenset()
    """With `replace`, the ids of those that are of the same request by the rules that apply."""


class Saved(NamedTuple):
    """The outcome of a save."""

    before: str
    """Digest of the file as it was found."""
    after: str
    """Digest of the file as it was written."""
    gone: list[str]
    """Ids that left."""
    interactions: list[Interaction]
    """The new ones, with their ids, in the order given."""
    signature: Signature
    """Of the file as it was written."""


class Item(NamedTuple):
    """One interaction's text with the comments above it, and what its first lines say.

    An item has all of its fields; one that is empty was not found.
    """

    id: str
    key: str
    variant: str
    text: str


def save(path: Path, news: Sequence[New], step: Progress = silently) -> Saved:
    """Put recordings into a cassette file, made with its folder where there is none.

    OSError or CassetteError leave the file as it was.
    """
    # PyYAML is needed only where a file is written.
    from .dump import HEADER, is_large

    path = Path(os.path.realpath(path))  # a link stays one
    path.parent.mkdir(parents=True, exist_ok=True)
    with locked(path.parent):
        data = path.read_bytes() if path.exists() else b""
        before = digest(data)
        header, items = split(decoded(data, path), path) if data else (HEADER, [])
        del data  # the file may be large
        items, gone = _without_replaced(items, news)
        named = _put(items, news, step)
        large = {one.id: one for one in named if is_large(one)}
        written = rewrite(path, chain([header.encode()], chain.from_iterable(_texts(items, large))))
    return Saved(before, written.digest, gone, named, written.signature)


def _texts(items: Iterable["Item"], large: Mapping[str, Interaction]) -> Iterator[Iterable[bytes]]:
    """The text of each item in pieces: of the `large` ones, that have none yet, as it is made."""
    from .large import pieces

    for item in items:
        one = large.get(item.id)
        yield chain([b"\n"], pieces(one)) if one else [item.text.encode()]


def _without_replaced(items: Sequence[Item], news: Sequence[New]) -> tuple[list[Item], list[str]]:
    """The items that stay, and the ids of those that a new recording replaces."""
    replaced = {
        (key, new.interaction.variant)
        for new in news
        if new.replace
        for key in (new.interaction.key, new.once)
    }
    same = {name for new in news for name in new.same}
    kept, gone = [], []
    for item in items:
        if item.id in same or (item.key, item.variant) in replaced:
            gone.append(item.id)
        else:
            kept.append(item)
    return kept, gone


def _put(items: list[Item], news: Sequence[New], step: Progress) -> list[Interaction]:
    """Insert recordings into `items`, each under the next id of its stem, where that sorts.

    Returns them with their ids. Items of large ones have no text.
    """
    from .dump import dump, is_large

    numbers = Numbers(item.id for item in items)
    # The greatest so far: it rises even where somebody has moved items about.
    greatest = list(accumulate((order(item.id) for item in items), max))
    named: list[Interaction] = []
    for count, new in enumerate(news, 1):
        stem = recording_id(new.base, new.interaction.key, 0).removesuffix("0")
        one = new.interaction._replace(id=numbers.next(stem))
        place = bisect_right(greatest, order(one.id))
        greatest.insert(place, order(one.id))
        text = "" if is_large(one) else "\n" + dump(one)
        items.insert(place, Item(one.id, one.key, one.variant, text))
        named.append(one)
        step(count / len(news))
    return named


def split(text: str, path: Path, *, as_is: bool = False) -> tuple[str, list[Item]]:
    """Cut a file's text into header and items, without reading YAML where `dump` wrote it.

    Another layout is laid anew, which loses its comments. CassetteError names `path` and line;
    in another layout also for a recording that was altered, unless all are wanted `as_is`.
    """
    if "\r" in text:
        text = text.replace("\r\n", "\n")
    text = text if text.endswith("\n") else text + "\n"
    if header := re.match(_HEADER, text):
        starts = list(_START.finditer(text, header.end() - 1))
        cuts = [*(with_comments(text, match.start() + 1) for match in starts), len(text)]
        items = [_item(text[a:b]) for a, b in pairwise(cuts)]
        if all(match[1] for match in starts) and all(map(all, items)):
            return text[: cuts[0]], items
    from .dump import header_with
    from .load import each_entry, unaltered
    from .section import section_of

    each = each_entry(text, str(path))
    found = each if as_is else unaltered(each, str(path))
    items = [_item(laid_anew(entry)) for entry in found]
    return header_with(section_of(text)), items


def laid_anew(entry: "Entry") -> str:
    """An entry of another layout as `dump` writes it, with the digests that it has."""
    from .dump import dump

    text = "\n" + dump(entry.interaction)
    if entry.digests and not entry.altered:
        return text
    body, _, _ = text.removesuffix("\n").rpartition("\n")
    return f"{body}\n  digest: {flow(entry.digests)}\n" if entry.digests else f"{body}\n"


def with_comments(text: str, start: int) -> int:
    """The place where the comments and blank lines above the line at `start` begin."""
    while start > 0:
        above = text.rfind("\n", 0, start - 1) + 1
        if text[above] not in "\n#":
            break
        start = above
    return start


def _item(text: str) -> Item:
    """An item by its text; a field that is not found is empty."""
    # The fields stand at the top unless somebody moved them.
    head = "\n" + text.partition("\n  request:")[0] + "\n"
    fields = dict(_FIELD.findall(head))
    if len(fields) < len(Item._fields) - 1:
        fields = dict(reversed(_FIELD.findall("\n" + text)))
    return Item(fields.get("id", ""), fields.get("key", ""), fields.get("variant", ""), text)


class Numbers:
    """Gives ids: a stem and the next number, by the last one given under each stem."""

    def __init__(self, ids: Iterable[str]) -> None:
        self._last: dict[str, int] = defaultdict(int)
        self._taken: set[str] = set()
        for name in ids:
            self.take(name)

    def take(self, name: str) -> bool:
        """Note that an id is in use; False if it was already."""
        stem, number = cut_number(name)
        self._last[stem] = max(self._last[stem], number)
        free = name not in self._taken
        self._taken.add(name)
        return free

    def next(self, stem: str) -> str:
        """The next id on a stem, which is in use then."""
        self._last[stem] += 1
        name = f"{stem}{self._last[stem]}"
        self._taken.add(name)
        return name


def cut_number(name: str) -> tuple[str, int]:
    """An id's stem and number: `x-` and 3 of `x-3`, `x-` and 0 of an `x` without a number."""
    match = _NUMBERED.fullmatch(name)
    return (match[1], int(match[2])) if match else (name + "-", 0)


# 18 digits are a number of 64 bits; what has more is somebody's own text.
_NUMBERED = re.compile(r"(.*-)([0-9]{1,18})", re.DOTALL)
