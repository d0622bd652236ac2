"""What a schema found wrong, as people read it.

Paths are JSON paths as `rules` writes them, values are shown short or, where
they are secret, not at all.
"""

from collections.abc import Iterable
from functools import reduce
from itertools import islice
from typing import NamedTuple

from promptdeck.core.matching.rules import child_path
from promptdeck.core.text.jsontext import JSON, compact

from .compound import Unknown
from .schema import MOST, Absent, Problem, Problems, Secret, nearest


class Violation(NamedTuple):
    """One thing that is not as it should be."""

    path: str
    """A JSON path as `rules` writes it."""
    expected: str
    found: str
    """Short JSON, or `nothing`."""
    hint: str = ""
    """What was probably meant: the nearest value or key."""

    def __str__(self) -> str:
        text = f"{self.path}: expected {self.expected}, found {self.found}"
        return f"{text}; did you mean {self.hint}?" if self.hint else text


class Checked(NamedTuple):
    """What was found wrong; of either kind the first hundred."""

    violations: tuple[Violation, ...] = ()
    warnings: tuple[Violation, ...] = ()


def judge(problems: Problems, *, strict: bool = False) -> Checked:
    """Problems as people read them; `strict` makes violations of what is only documented."""
    if not problems:
        return NOTHING_WRONG
    hard = [found for found in problems if found.enforced or strict]
    soft = [found for found in problems if not (found.enforced or strict)]
    return Checked(_violations(hard), _violations(soft))


NOTHING_WRONG = Checked()


def _violations(problems: Iterable[Problem]) -> tuple[Violation, ...]:
    return tuple(_violation(found) for found in [*problems][:MOST])


def _violation(problem: Problem) -> Violation:
    path = reduce(child_path, problem.path, "$")
    return Violation(path, problem.expected, _shown(problem.value), _hint(problem))


def _hint(problem: Problem) -> str:
    schema, value = problem.schema, problem.value
    if isinstance(value, Absent):
        return str(problem.path[-1]) if value.stray else ""
    if isinstance(schema, Unknown):
        return nearest(problem.path[-1], schema.keys)
    return "" if isinstance(value, Secret) else schema.hint(value)


_ITEMS = 3
_LONGEST = 60
_KINDS = {dict: "an object", list: "a list", str: "a string", bool: "a boolean", type(None): "null"}


def _shown(value: JSON) -> str:
    if isinstance(value, Absent):
        return f'nothing but "{value.stray}"' if value.stray else "nothing"
    if isinstance(value, Secret):
        return _KINDS.get(value.kind, "a number")
    if isinstance(value, dict):
        parts = [f"{_scalar(key)}: {_part(item)}" for key, item in islice(value.items(), _ITEMS)]
        return f"{{{_listed(parts, len(value))}}}"
    if isinstance(value, list):
        return f"[{_listed([_part(item) for item in value[:_ITEMS]], len(value))}]"
    return _scalar(value)


def _listed(parts: list[str], count: int) -> str:
    from promptdeck.core.text.wording import (
        cut,  # with difflib 7 ms, and only where something is wrong
    )

    return cut(", ".join([*parts, "…"] if count > len(parts) else parts), _LONGEST)


def _part(value: JSON) -> str:
    if isinstance(value, dict | list):
        return ("[…]" if isinstance(value, list) else "{…}") if value else compact(value).decode()
    return _scalar(value)


def _scalar(value: JSON) -> str:
    from promptdeck.core.text.wording import cut, quoted

    if isinstance(value, str):
        # What JSON's parser never lets through, such as half a surrogate pair, must not raise here.
        value = cut(value, _LONGEST).encode(errors="replace").decode()
        return quoted(value)
    if value is None or isinstance(value, bool):
        return compact(value).decode()
    return str(value)
