"""A request's body, and its names: short cuts to a canonical form that is known already.

Two requests of one name differ only in what can change nothing: in how they are written,
in the order of their members, or in fields that only name who asks, which are their
dialect's to say. So whatever was found out about the one holds for the other, as long as
that one was read faithfully, held no secret and nothing odd (`normalize.Examined.plain`).
"""

import re
from collections.abc import Callable, Collection, Iterator
from functools import lru_cache

import orjson
import xxhash

from promptdeck.core.counts import SEED
from promptdeck.core.dialects.base import Dialect
from promptdeck.core.text.jsontext import JSON, Unfaithful, load

from .repeated import LONGEST, SHORTEST, Cut, Repeated

_LONGEST = 100
"""Bytes of a label with its key, as `_is_naming` has it, at most."""

_QUOTE = ord('"')

BodyName = bytes
"""A digest, of another seed for each kind of name, and what was left out; no two processes have
the same."""

_BARE, _DEEP, _DEEP_OF_LONG = (SEED ^ kind for kind in (1, 2, 3))


class Body:
    """A body, what it says and its names: each found when it is first asked for, and once.

    With `repeated`, what was read before of a long chat is not read again.
    """

    __slots__ = ("_cut", "_names", "_repeated", "_tried", "_value", "data", "dialect")

    def __init__(self, data: bytes, dialect: Dialect, repeated: Repeated | None = None) -> None:
        self.data = data
        self.dialect = dialect
        self._repeated = repeated
        self._cut: Cut | None = None
        self._value: list[JSON] = []
        self._names: list[BodyName] = []
        self._tried = 0

    @property
    def cut(self) -> Cut | None:
        """What is left of a long chat to be read; None for a body that must be read whole."""
        if self._cut is None and self._repeated:
            self._cut = self._repeated.cut(self.data)
        return self._cut

    @property
    def is_news(self) -> bool:
        """True for a body that was cut to find a name of it, and of which nothing was known."""
        return self._cut is not None and not self._cut.runs

    def learn(self) -> None:
        """Have the objects of this body known again where another one says them.

        Only for a body in which nothing is odd: what is known again is not judged again.
        """
        if self._repeated and (cut := self.cut):
            self._repeated.learn(cut)

    def value(self) -> JSON:
        """As JSON, half read (see `jsontext.load`): Unfaithful. Nobody may change it."""
        if not self._value:
            self._value.append(load(self.data))
        return self._value[0]

    def names(self) -> Iterator[BodyName]:
        """The cheapest first."""
        yield from self._names
        for find in _KINDS[self._tried :]:
            self._tried += 1
            if name := find(self):
                self._names.append(name)
                yield name


def bare(body: Body) -> BodyName | None:
    """The name of a body that ends in labels: all but their values. Others have none.

    In JSON, what ends in `"user":"plain"}` ends in a member of the outermost object.
    """
    data = body.data
    if not data.endswith(b'"}'):
        return None
    end = len(data) - 1
    names = []
    is_naming = _is_naming(body.dialect.naming)
    # A label's value is text: what does not end so is not looked at closely.
    while data[end - 1] == _QUOTE and (
        found := is_naming(data, data.rfind(b",", max(0, end - _LONGEST), end), end)
    ):
        names.append(found[1])
        end = found.start()
    if not names:
        return None
    # In one call each, which take a quarter of the time of one digest that is updated.
    left_out = b",".join(names)
    if len(left_out) > _LONGEST:
        left_out = xxhash.xxh3_128_digest(left_out, _BARE)
    return xxhash.xxh3_128_digest(memoryview(data)[:end], _BARE) + left_out


def deep(body: Body) -> BodyName | None:
    """The name of a JSON object by what it says, in whatever order and however it is written.

    orjson alters what it cannot hold: a number of more digits, all but the last of the
    members of one key. So it does for the canonical form, and for the contract: what they
    find out is about what was read. What orjson reads differently it writes differently.
    """
    size = len(body.data)
    if size > LONGEST:
        return None
    long = size >= SHORTEST
    dialect = body.dialect
    cut = (body.cut or Cut(body.data, dialect.lists, {}, (), ())) if long else None
    try:
        value = load(cut.rest) if cut and cut.runs else body.value()
        if type(value) is not dict or not dialect.effects.isdisjoint(value):
            return None
        # Of a long one the name is made of names, so that what was read before need not be read.
        counted = cut.names(value) if cut else value.copy()
        for key in dialect.naming.intersection(value):
            if dialect.is_naming(value[key]):
                del counted[key]
        text = orjson.dumps(counted, option=orjson.OPT_SORT_KEYS)
    except (Unfaithful, orjson.JSONEncodeError):  # or it is nested too deeply
        return None
    return xxhash.xxh3_128_digest(text, _DEEP_OF_LONG if long else _DEEP)


@lru_cache
def _is_naming(names: Collection[str]) -> Callable[[bytes, int, int], re.Match[bytes] | None]:
    """What matches a comma and one of these labels behind it, between two places of a body.

    Its value has nothing but ASCII, no escapes, and is no longer than the contract of chats has
    any of them. Whoever looks for the comma before such a member finds no other one.
    """
    keys = "|".join(map(re.escape, sorted(names))).encode()
    return re.compile(rb', ?"(%b)": ?"[ !#-+\--\[\]-~]{0,64}"' % keys).fullmatch


_KINDS = (bare, deep)
