"""What a long request says again: the objects in it that were read before are not read again.

An agent sends the messages and tools of all its turns with each request, in lists that have
other names in each dialect. A text is
cut where one object of a list ends and the next begins; those that are known in these
very bytes are left out, and a number that no client can know stands in for each run of
them. Where that number is found as an item of a list, the text was cut there and not
within a string: the rest is then read by itself, and in what is made of it each number
is replaced by what the objects came to.
"""

import re
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain, repeat
from typing import NamedTuple, TypeVar

import orjson
import xxhash

from promptdeck.core.counts import SEED
from promptdeck.core.text.jsontext import JSON, Unfaithful, load

SHORTEST, LONGEST = 8 * 1024, 256 * 1024
"""Bytes of a text. A shorter one is read as fast, with a longer one others do not wait."""
_MOST_BYTES = 16 * 1024 * 1024
_OVERHEAD = 300

_split = re.compile(rb"\}(,\s*+)\{").split
_split_at_numbers = re.compile(rb"(1[0-9]{18})").split

WriteItem = Callable[[str, JSON], bytes]
"""Writes an object of one of the lists, as it is to stand in the whole."""

_Part = TypeVar("_Part")
_Runs = dict[int, list[_Part]]
"""By the numbers that stand in for them."""


class _Heard(NamedTuple):
    place: str
    """The list in which it was found."""
    text: bytes
    name: str


class Cut(NamedTuple):
    """A text without what is known of it."""

    rest: bytes
    lists: Sequence[str]
    """The lists whose objects are known again, by their keys."""
    runs: "_Runs[_Heard]"
    parts: Sequence[bytes]
    """What stands before, in and after the objects of the text, and every other time between."""
    digests: Sequence[bytes]
    """Of what stands in each of them."""

    def read(self, value: JSON) -> JSON:
        """What the rest says, without the numbers. Unfaithful if it was cut elsewhere."""
        found = list(_found(value, self.lists, self.runs))
        right = all(known.place == place for place, run in found for known in run)
        if len(found) < len(self.runs) or not right:
            raise Unfaithful("not cut between objects of one list")
        numbers = self.runs.keys()
        lists = {
            name: [item for item in value[name] if type(item) is not int or item not in numbers]
            for name in self.lists
            if isinstance(value.get(name), list)
        }
        return {**value, **lists}

    def names(self, value: dict[str, JSON]) -> dict[str, JSON]:
        """What the rest says, with the names of all that is in the lists; Unfaithful as `read`."""
        left = len(self.runs)
        lists: dict[str, JSON] = {}
        for place in self.lists:
            if isinstance(items := value.get(place), list):
                names = lists[place] = list[str]()
                for item in items:
                    run = self.runs.get(item) if type(item) is int else None
                    if run is None:
                        names.append(name_of(item))
                    else:
                        left -= 1
                        names += [known.name for known in run]
        if left:
            raise Unfaithful("not cut between objects of one list")
        return {**value, **lists}

    def whole(self, text: bytes) -> bytes:
        """What was written of the rest, with what is known in it."""
        # As a number of this length is all but one of ours, so it is looked up.
        parts = _split_at_numbers(text)
        for at in range(1, len(parts), 2):
            if run := self.runs.get(int(parts[at])):
                parts[at] = b",".join([known.text for known in run])
        return b"".join(parts)


class Repeated:
    """The objects of some lists of requests that were read before, found where they are said again.

    `secret`, of 60 bits, must be known to nobody else: from it come the numbers that stand
    in for objects, and a client that knew them could have its own text read as others'.
    `write` gives the bytes that an object of one of the `lists` comes to in the whole.
    """

    def __init__(self, secret: int, lists: Sequence[str], write: WriteItem) -> None:
        # As many digits for each number, so that none is the beginning of another one.
        self._first = 10**18 + secret % 10**18
        self._lists = lists
        self._write = write
        self._known: OrderedDict[bytes, _Heard] = OrderedDict()
        self._bytes = 0

    def cut(self, text: bytes) -> Cut | None:
        """None for a text that is not worth it."""
        if not SHORTEST <= len(text) <= LONGEST:
            return None
        parts = _split(text)
        digests = [*map(xxhash.xxh3_128_digest, parts[2:-1:2], repeat(SEED))]
        rest, runs = self._without(parts, map(self._known.get, digests))
        return Cut(rest, self._lists, runs, parts, digests)

    def learn(self, cut: Cut) -> None:
        """Know its objects again. All that is found out about each must hold wherever it stands."""
        inner = zip(cut.digests, cut.parts[2:-1:2], strict=True)
        objects = [self._object(digest, part) for digest, part in inner]
        if not any(found and found[1] for found in objects):
            return
        rest, runs = self._without(cut.parts, objects)
        try:
            value = load(rest)
        except Unfaithful:
            return
        for place, run in _found(value, self._lists, runs):
            for digest, item in run:
                if item:
                    self._keep(digest, _Heard(place, self._write(place, item), name_of(item)))

    def _object(self, digest: bytes, part: bytes) -> tuple[bytes, JSON] | None:
        """What a part says if it is one object; nothing if that is known already."""
        if digest in self._known:
            return digest, None
        try:
            return digest, load(b"{%b}" % part)
        except Unfaithful:
            return None

    def _without(
        self, parts: Sequence[bytes], inner: Iterable[_Part | None]
    ) -> "tuple[bytes, _Runs[_Part]]":
        """The text of the parts without those of the inner ones of which something is known."""
        runs: _Runs[_Part] = {}
        rest: list[bytes] = [parts[0]]
        run: list[_Part] = []
        # What comes first and last holds more than one object, or is all there is.
        ahead = zip(parts[1::2], parts[2::2], chain(inner, (None,)), strict=False)
        for between, part, found in ahead:
            if found is not None:
                run.append(found)
                continue
            if run:
                stand_in = self._first + len(runs)
                runs[stand_in] = run
                rest.append(b"},%d,{" % stand_in)
                run = []
            else:
                rest += b"}", between, b"{"
            rest.append(part)
        return b"".join(rest), runs

    def _keep(self, digest: bytes, known: _Heard) -> None:
        # Twice in one text is once here.
        if digest in self._known:
            return
        self._known[digest] = known
        self._bytes += len(known.text) + _OVERHEAD
        while self._bytes > _MOST_BYTES:
            _, old = self._known.popitem(last=False)
            self._bytes -= len(old.text) + _OVERHEAD


def name_of(item: JSON) -> str:
    """One for all that say the same, in this process."""
    return xxhash.xxh3_128_hexdigest(orjson.dumps(item, option=orjson.OPT_SORT_KEYS), SEED)


def _found(
    value: JSON, lists: Sequence[str], runs: "_Runs[_Part]"
) -> Iterator[tuple[str, list[_Part]]]:
    """The runs whose numbers are items of one of the lists, each with the list's name."""
    if isinstance(value, dict):
        for name in lists:
            items = value.get(name)
            for item in items if isinstance(items, list) else ():
                if type(item) is int and item in runs:
                    yield name, runs[item]
