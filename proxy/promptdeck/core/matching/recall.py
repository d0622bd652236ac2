"""What was found out about a request, found again by whatever else says the same.

A value is kept under one name, such as the digest of a body, and is found by others
too: another body that says the same in other words has another digest, but a name in
common (see `body`). Two calls do all of it: `find` tries names, the cheapest first,
and `put` keeps what had to be found out. The engine recalls canonical forms so, the
fast path answers.
"""

from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable
from typing import Generic, TypeVar

Value = TypeVar("Value")

# Bytes that one more name takes: 260 were measured for a seed and a digest in a tuple, with
# its place in an ordered dict of 20,000.
_NAME = 260


class Recall(Generic[Value]):
    """Values by name, bounded by what they weigh: the least recently used go first.

    `weigh` gives the bytes that a value keeps alive, `most_bytes` bounds their sum and that
    of the other names. `most_names` bounds those by themselves, the oldest go first; a name
    whose value has gone finds nothing.
    """

    def __init__(self, weigh: Callable[[Value], int], *, most_bytes: int, most_names: int) -> None:
        self._weigh = weigh
        self._most_bytes = most_bytes
        self._most_names = most_names
        self._values: OrderedDict[Hashable, Value] = OrderedDict()
        self._first: OrderedDict[Hashable, Hashable] = OrderedDict()
        """Under which name the value of another name is kept."""
        self.bytes = 0
        """What all values and their other names weigh now."""

    def get(self, name: Hashable) -> Value | None:
        """The value that is kept under just this name."""
        value = self._values.get(name)
        if value is not None:
            self._values.move_to_end(name)
        return value

    def find(self, names: Iterable[Hashable]) -> Value | None:
        """The value of the first name that is known; the ones before it are its names, too.

        `names` may be lazy: none is asked for after the one that is known, nor, while no
        value has other names, after the first.
        """
        values, others = self._values, self._first
        missed: list[Hashable] = []
        for name in names:
            first = others.get(name, name)
            value = values.get(first)
            if value is not None:
                values.move_to_end(first)
                if missed:
                    self._add(missed, first)
                return value
            if not others:
                return None
            missed.append(name)
        return None

    def put(self, value: Value, names: Iterable[Hashable]) -> None:
        """Keep a value under the first of the names, to be found by the others as well."""
        first, *others = names
        self._remove(first)
        if self._first.pop(first, None) is not None:
            self.bytes -= _NAME
        self._values[first] = value
        self.bytes += self._weigh(value)
        self._add(others, first)
        # The last one stays, whatever it weighs: it is about to be used.
        while self.bytes > self._most_bytes and len(self._values) > 1:
            self.shed()

    def name(self, names: Iterable[Hashable], known: Hashable) -> None:
        """Let the value of a `known` name be found by others, too."""
        self._add(names, self._first.get(known, known))

    def drop(self, name: Hashable) -> None:
        """Forget the value that has this name, if there is one."""
        self._remove(self._first.get(name, name))

    def shed(self) -> bool:
        """Forget what was used longest ago, or where there is no value a name; False if empty."""
        if self._values:
            self._remove(next(iter(self._values)))
        elif self._first:
            self._first.popitem(last=False)
            self.bytes -= _NAME
        return bool(self._values or self._first)

    def clear(self) -> None:
        """Forget everything."""
        self._values.clear()
        self._first.clear()
        self.bytes = 0

    def _remove(self, first: Hashable) -> None:
        value = self._values.pop(first, None)
        if value is not None:
            self.bytes -= self._weigh(value)

    def _add(self, names: Iterable[Hashable], first: Hashable) -> None:
        for name in names:
            if name != first:
                if name in self._first:
                    self._first.move_to_end(name)
                else:
                    self.bytes += _NAME
                self._first[name] = first
        while len(self._first) > self._most_names:
            self._first.popitem(last=False)
            self.bytes -= _NAME
