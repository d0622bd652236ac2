"""Regular expressions that users wrote: what is done with them, to many texts at once.

`re` cannot be interrupted, and lets no other thread run meanwhile: an expression like
`(a+)+$` stops a whole process for hours. So a server has them run in a process of their own
(`promptdeck.apart`), which imports nothing but this module, and this one nothing but `re`;
`PLAINLY` runs them where it is called.
"""

import re
from collections.abc import Callable, Sequence
from typing import Protocol

Exchanged = tuple[str, str]
"""An expression, and what stands in the place of its matches, as in `re.sub`."""

Ranges = Sequence[tuple[int, int]]
"""Parts of a text, by where they begin and end; what is outside of them is not looked at."""

Place = tuple[int, int, int]
"""Begin and end of a match, and the number of the expression that matches."""

Tell = Callable[[int], object]
"""Is told the number of each expression before it runs; `bool` does nothing with it."""


class Expressions(Protocol):
    """Runs users' expressions. Each call may raise `errors.PatternError`."""

    def replaced(self, rules: Sequence[Exchanged], texts: Sequence[str]) -> list[str]:
        """Each of the texts with each of the rules applied, in their order."""

    def found(
        self, patterns: Sequence[str], texts: Sequence[tuple[str, Ranges]]
    ) -> list[list[Place]]:
        """The matches in each text that are not empty: by part, then by expression."""


def replaced(rules: Sequence[Exchanged], texts: Sequence[str], tell: Tell = bool) -> list[str]:
    """See `Expressions.replaced`."""
    changed = list(texts)
    for number, (pattern, placeholder) in enumerate(rules):
        tell(number)
        expression = re.compile(pattern)
        changed = [expression.sub(placeholder, text) for text in changed]
    return changed


def found(
    patterns: Sequence[str],
    texts: Sequence[tuple[str, Ranges]],
    tell: Tell = bool,
) -> list[list[Place]]:
    """See `Expressions.found`."""
    by_part: list[list[list[Place]]] = [[[] for _ in ranges] for _, ranges in texts]
    for number, pattern in enumerate(patterns):
        tell(number)
        expression = re.compile(pattern)
        for (text, ranges), places in zip(texts, by_part, strict=True):
            for (begin, end), some in zip(ranges, places, strict=True):
                for match in expression.finditer(text, begin, end):
                    if match[0]:
                        some.append((*match.span(), number))
    return [[place for some in places for place in some] for places in by_part]


class Plainly:
    """Runs expressions at once, where it is called: those that are known to take no time."""

    def replaced(self, rules: Sequence[Exchanged], texts: Sequence[str]) -> list[str]:
        """See `Expressions`."""
        return replaced(rules, texts)

    def found(
        self, patterns: Sequence[str], texts: Sequence[tuple[str, Ranges]]
    ) -> list[list[Place]]:
        """See `Expressions`."""
        return found(patterns, texts)


PLAINLY = Plainly()
