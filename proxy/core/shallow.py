"""Short cuts to a known canonical form: names of a body that are found without reading all of it.

Two chat completion requests of one name differ only in what can change nothing:
in the order of their top-level members, or in fields that only name who asks. So
whatever was found out about the one holds for the other, as long as that one was
read faithfully, held no secret and nothing odd (`normalize.Examined.plain`).
"""

import re
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import Any

import xxhash

# Of `normalize.EXCLUDED` those that change from call to call and have no effect anywhere.
NAMING = ("user", "safety_identifier", "prompt_cache_key", "correlation_id")
"""Fields that are passed over, where they hold short plain text."""

# Nothing but ASCII, no escapes, and no longer than the contract has any of them. Whoever
# looks for the comma before such a member finds no other one.
_PLAIN = rb'"[ !#-+\--\[\]-~]{0,64}"'
_is_plain = re.compile(_PLAIN).fullmatch
_is_naming = re.compile(rb', ?"(%b)": ?%b' % ("|".join(NAMING).encode(), _PLAIN)).fullmatch
_LONGEST = 100


def names(body: bytes) -> Iterator[tuple[str, bytes]]:
    """All names of a body, each with its kind, the cheapest first."""
    for make in (bare, shallow):
        if name := make(body):
            yield make.__name__, name


def bare(body: bytes) -> bytes | None:
    """The name of a body that ends in naming fields: all but their values. Others have none.

    In JSON, what ends in `"user":"plain"}` ends in a member of the outermost object.
    """
    end = len(body) - 1
    names = []
    if body.endswith(b'"}'):
        while found := _is_naming(body, body.rfind(b",", max(0, end - _LONGEST), end), end):
            names.append(found[1])
            end = found.start()
    if not names:
        return None
    digest = xxhash.xxh3_128(memoryview(body)[:end])
    digest.update(b",".join(names))
    return digest.digest()


def shallow(body: bytes) -> bytes | None:
    """The name of a JSON object: its members as they are written, in the order of their keys.

    None where it is written otherwise than compactly or with one space after each comma and
    colon, repeats a key or escapes one, and always without msgspec, which is not required.
    """
    split = _splitter()
    if split is None:
        return None
    try:
        members = split(body)
    except (ValueError, RecursionError):
        return None
    if not _is_all(body, members):
        return None
    for name in NAMING:
        if name in members and _is_plain(members[name]):
            del members[name]
    keys = sorted(members)
    # No key holds a line end or a quote, and where a JSON value ends is never in doubt.
    texts = ["\n".join(keys).encode(), *map(members.__getitem__, keys)]
    return xxhash.xxh3_128_digest(b"\n".join(texts))


def _is_all(body: bytes, members: Mapping[str, Any]) -> bool:
    """Whether nothing else stands in `body`: no key twice, no escape in a key, no odd space."""
    # Quotes and colon of each member, and commas and braces: any other way of writing is longer.
    texts = sum(map(len, members)) + sum([memoryview(raw).nbytes for raw in members.values()])
    if len(body) == texts + 4 * len(members) + 1:
        return True
    spaced = b", ".join([b'"%b": %b' % (key.encode(), raw) for key, raw in members.items()])
    return body == b"{%b}" % spaced


@cache
def _splitter() -> Callable[[bytes], dict[str, Any]] | None:
    try:
        import msgspec  # of the extra `speed`; the first request that needs it loads it
    except ImportError:
        return None
    return msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
