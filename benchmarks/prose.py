"""English of which there is enough on every machine: the documentation that Python ships.

Where bytes on disk are counted, words drawn at random would not do: no text
that a model reads or writes has so few of them, or so little grammar.
"""

import zlib
from functools import cache
from pydoc_data.topics import topics


@cache
def _all() -> str:
    return " ".join(" ".join(topics[name].split()) for name in sorted(topics))


def piece(size: int, seed: bytes) -> str:
    """`size` characters from somewhere; the same for the same seed."""
    whole = _all()
    start = zlib.crc32(seed) % (len(whole) - size)
    return whole[start : start + size]
