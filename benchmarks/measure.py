"""Rounds: every side of a case is measured in turn, again and again, and each against the first."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from statistics import median
from typing import NamedTuple

Row = tuple[float, ...]
"""A value for each figure."""


class Figure(NamedTuple):
    name: str
    digits: int = 0
    against: str = ""
    """How a side is compared with the first: `x` a ratio, `+` a difference, or not at all."""
    spread: bool = False
    """Whether least and most are shown."""


class Summary(NamedTuple):
    value: float
    least: float
    most: float
    against: float | None
    """Median of the rounds' ratios or differences; None for the first side."""


@dataclass(frozen=True)
class Case:
    name: str
    figures: tuple[Figure, ...]
    sides: dict[str, list[Row]]
    """A row for each round."""

    def summary(self, side: str, column: int) -> Summary:
        values = [row[column] for row in self.sides[side]]
        base = [row[column] for row in next(iter(self.sides.values()))]
        against = self.figures[column].against
        pairs = list(zip(values, base, strict=True))
        differences = [a / b if against == "x" else a - b for a, b in pairs]
        first = side == next(iter(self.sides))
        compared = median(differences) if against and not first else None
        return Summary(median(values), min(values), max(values), compared)


@dataclass(frozen=True)
class Size:
    """How much is measured."""

    rounds: int
    seconds: float
    """Of load, for each side in each round."""
    streams: int
    """Read one after the other, for each side in each round."""
    starts: int
    """Rounds of starting."""
    recordings: int
    """In the cassette that a start finds."""


FULL = Size(rounds=7, seconds=0.45, streams=6, starts=5, recordings=5000)
QUICK = Size(rounds=2, seconds=0.15, streams=2, starts=2, recordings=300)


def alternate(rounds: int, sides: Mapping[str, Callable[[], Row]]) -> dict[str, list[Row]]:
    """Every other round goes through the sides backwards."""
    rows: dict[str, list[Row]] = {name: [] for name in sides}
    for number in range(rounds):
        for name in list(sides)[:: -1 if number % 2 else 1]:
            rows[name].append(sides[name]())
    return rows
