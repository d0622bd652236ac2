"""Durations, sizes and pace as people write them: `24h`, `64 MiB`, `2x`; moments told apart.

Each `parse_` has a `format_` that writes what it reads back to the same value.
The parsers raise a bare ValueError: who asked knows better what to say.
"""

import math
import re
from collections.abc import Mapping

_MILLISECONDS = {
    "ms": 1,
    "s": 1_000,
    "m": 60_000,
    "h": 3_600_000,
    "d": 86_400_000,
}

# SI and IEC 80000-13: only the i makes it 1024.
_BYTES = {
    "kB": 10**3,
    "KiB": 2**10,
    "MB": 10**6,
    "MiB": 2**20,
    "GB": 10**9,
    "GiB": 2**30,
}
_SIZE_SUFFIXES = {"": 1, "b": 1} | {
    suffix: size
    for name, size in _BYTES.items()
    for suffix in (name.lower(), name.lower().removesuffix("b"))
}

# In milliseconds or bytes. Beyond it a float no longer holds every integer, and no clock or
# disk reaches it.
_LARGEST = 2**53

# Sixteen digits reach it, and nine of a fraction are a millisecond of any unit and more.
_AMOUNT = re.compile(r"([0-9]{1,16})(?:\.([0-9]{1,9}))? ?([A-Za-z]*)")
_FACTOR = re.compile(r"([0-9]{1,4}(?:\.[0-9]{1,3})?)x")


def parse_duration(text: str) -> float:
    """Seconds, in whole milliseconds: `90`, `1.5s`, `10m`, `24h`, `7d`."""
    return _amount(text, _MILLISECONDS | {"": 1_000}) / 1_000


def format_duration(seconds: float) -> str:
    """Seconds, to the millisecond, in the largest unit that writes them whole: `90s`, `10m`."""
    return _written(round(seconds * 1_000), _MILLISECONDS) or "0"


def parse_size(text: str) -> int:
    """Bytes: `1048576`, `64 MiB`, `64MB`, `10k`; upper and lower case are the same."""
    return _amount(text.lower(), _SIZE_SUFFIXES)


def format_size(size: int) -> str:
    """Bytes in the largest unit that writes them whole: `64 MiB`; a bare number if none does."""
    return _written(size, _BYTES, space=" ") or str(size)


def parse_pace(text: str) -> float:
    """The number that recorded delays are divided by: `instant` infinity, `recorded` 1, `2x` 2."""
    if text == "instant":
        return math.inf
    if text == "recorded":
        return 1.0
    match = _FACTOR.fullmatch(text)
    if match is None or not float(match[1]):
        raise ValueError
    return float(match[1])


def format_pace(pace: float) -> str:
    """A pace as `parse_pace` reads it: `instant` for infinity, `recorded` for 1, `2x` for 2."""
    # Seven digits are all that the parser takes: four before the point and three behind.
    if pace == math.inf:
        return "instant"
    return "recorded" if pace == 1 else f"{pace:.7g}x"


def _amount(text: str, units: Mapping[str, int]) -> int:
    """A number and a unit as a number of the smallest; ValueError if it is none or too large.

    What is less than one of the smallest is cut off. In integers, as floats would round.
    """
    match = _AMOUNT.fullmatch(text)
    if match is None or match[3] not in units:
        raise ValueError
    fraction = match[2] or ""
    amount: int = int(match[1] + fraction) * units[match[3]] // 10 ** len(fraction)
    if amount > _LARGEST:
        raise ValueError
    return amount


def _written(amount: int, units: Mapping[str, int], space: str = "") -> str:
    """An amount in the largest unit that divides it; the empty string for 0 and if none does."""
    fitting = [name for name, size in units.items() if amount and amount % size == 0]
    return f"{amount // units[fitting[-1]]}{space}{fitting[-1]}" if fitting else ""


class Moments:
    """Gives recordings milliseconds: the asked one, or the first after it of no other request.

    Replay plays by time, and what is of one time by id, which sorts by a hash. Recordings of the
    same millisecond, or that came without a time, would be played in no order at all where a
    rule makes their requests equal. Those of one request are numbered, and may share a moment.
    """

    def __init__(self) -> None:
        self._owners: dict[int, str] = {}
        """By moment: the key of the request that has it."""
        self._last: dict[int, int] = {}
        """By moment that was asked for: one from which on all up to the last are given."""

    def free(self, moment: float, key: str) -> float:
        """The moment for a recording of the request `key`: later than those given to others.

        `moment` and result are seconds since the epoch, the result in whole milliseconds, as
        exact as a cassette holds it.
        """
        asked = round(moment * 1000)
        given = self._last.get(asked, asked)
        while given in self._owners and given + 1 in self._owners:
            given += 1
        if self._owners.setdefault(given, key) != key:
            given += 1
            self._owners[given] = key
        self._last[asked] = given
        return given / 1000
