"""Rounds: every side of a case is measured in turn, again and again, and each against the first."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from statistics import median
from typing import NamedTuple

Row = tuple[float, ...]
"""A value for each figure."""


class Figure(NamedTuple):
    """A column of a case's table: something that is measured of every side in every round."""

    name: str
    digits: int = 0
    against: str = ""
    """How a side is compared with the first: `x` a ratio, `+` a difference, or not at all."""
    spread: bool = False
    """Whether least and most are shown."""


class Summary(NamedTuple):
    """A figure of one side over all rounds; `value` is their median."""

    value: float
    least: float
    most: float
    against: float | None
    """Median of the rounds' ratios or differences; None for the first side."""


class Target(NamedTuple):
    """A row of the table of targets that a case answers: `top` over `bottom`, in each round."""

    row: int
    what: str
    figure: str
    top: str
    bottom: str
    """Nothing, where the figure itself is judged."""
    least: float | None = None
    most: float | None = None
    less: str = ""
    """A side that is taken off both."""

    @property
    def bound(self) -> str:
        """The bound in writing: `>= 4`."""
        return f">= {self.least:g}" if self.most is None else f"<= {self.most:g}"

    def met(self, value: float) -> bool:
        """Whether a measured value is within the bound."""
        return value >= (self.least or 0) if self.most is None else value <= self.most


@dataclass(frozen=True)
class Case:
    """What was measured of several sides, and the targets that are judged by it.

    The others are compared with the first side.
    """

    name: str
    figures: tuple[Figure, ...]
    sides: dict[str, list[Row]]
    """A row for each round."""
    targets: tuple[Target, ...] = ()
    notes: tuple[str, ...] = ()

    def summary(self, side: str, column: int) -> Summary:
        """The figure of a column for one side."""
        values = [row[column] for row in self.sides[side]]
        base = [row[column] for row in next(iter(self.sides.values()))]
        against = self.figures[column].against
        pairs = list(zip(values, base, strict=True))
        differences = [a / (b or 1e-9) if against == "x" else a - b for a, b in pairs]
        first = side == next(iter(self.sides))
        compared = median(differences) if against and not first else None
        return Summary(median(values), min(values), max(values), compared)

    def value(self, target: Target) -> float | None:
        """The median of what a target asks for; None if a side of it was not measured."""
        if not {target.top, target.bottom, target.less} - {""} <= self.sides.keys():
            return None
        column = [figure.name for figure in self.figures].index(target.figure)

        def rounds(side: str) -> list[float]:
            return [row[column] for row in self.sides[side]]

        top = rounds(target.top)
        if not target.bottom:
            return median(top)
        bottom = rounds(target.bottom)
        if target.less:
            # What is left may be next to nothing in a single round.
            less = median(rounds(target.less))
            return (median(top) - less) / max(median(bottom) - less, 1e-9)
        return median(a / (b or 1e-9) for a, b in zip(top, bottom, strict=True))


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
    many: int
    """Streams at once, where memory is measured."""
    entries: tuple[int, int]
    """Interactions in the small and in the large store."""
    kept: int
    """Interactions in the stores whose bytes on disk are counted."""


FULL = Size(
    rounds=5,
    seconds=0.3,
    streams=12,
    starts=9,
    recordings=5000,
    many=500,
    entries=(10_000, 1_000_000),
    kept=5000,
)
QUICK = Size(
    rounds=2,
    seconds=0.1,
    streams=2,
    starts=2,
    recordings=300,
    many=50,
    entries=(1000, 10_000),
    kept=200,
)


def alternate(rounds: int, sides: Mapping[str, Callable[[], Row]]) -> dict[str, list[Row]]:
    """Measure all sides in turn, `rounds` times; each is called for its row.

    Every other round goes through them backwards, so that a machine that gets slower does not
    harm the last one.
    """
    rows: dict[str, list[Row]] = {name: [] for name in sides}
    for number in range(rounds):
        for name in list(sides)[:: -1 if number % 2 else 1]:
            rows[name].append(sides[name]())
    return rows
