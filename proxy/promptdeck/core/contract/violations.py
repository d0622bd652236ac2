"""The problems that a shape found with a value, made into what people read.

Paths are JSON paths in the form that `core/matching/rules` reads, values are
shown short or, where they are secret, not at all.
"""

from collections.abc import Iterable
from functools import reduce
from itertools import islice
from typing import NamedTuple

from promptdeck.core.text.jsontext import JSON, compact
from promptdeck.core.text.paths import child_path

from .compound import Unknown
from .schema import MOST, Absent, Problem, Problems, Secret, nearest


class Violation(NamedTuple):
    """One thing that is not as it should be."""

    path: str
    """A JSON path, such as `$.messages[0].role`."""
    expected: str
    """In words."""
    found: str
    """Short JSON, `nothing`, or of a secret its type alone."""
    hint: str = ""
    """A guess at what was meant: the nearest value or key; or empty."""

    def __str__(self) -> str:
        text = f"{self.path}: expected {self.expected}, found {self.found}"
        return f"{text}; did you mean {self.hint}?" if self.hint else text


class Checked(NamedTuple):
    """All that was found wrong with a value; of either kind the first hundred."""

    violations: tuple[Violation, ...] = ()
    warnings: tuple[Violation, ...] = ()


def judge(problems: Problems, *, strict: bool = False) -> Checked:
    """A shape's problems as people read them; `strict` makes violations of what is advice."""
    if not problems:
        return NOTHING_WRONG
    hard = [found for found in problems if found.enforced or strict]
    soft = [found for found in problems if not (found.enforced or strict)]
    return Checked(_violations(hard), _violations(soft))


NOTHING_WRONG = Checked()


def _violations(problems: Iterable[Problem]) -> tuple[Violation, ...]:
    """The first hundred of the problems, as people read them."""
    return tuple(_violation(found) for found in [*problems][:MOST])


def _violation(problem: Problem) -> Violation:
    path = _clear(reduce(child_path, problem.path, "$"))
    return Violation(
        path, problem.expected, _shown(_without_secrets(problem)), _clear(_hint(problem))
    )


def _without_secrets(problem: Problem) -> JSON:
    """The problem's value without secrets, also those that its key says to be one."""
    from promptdeck.core.secrets.redact import BUILT_IN

    value = problem.value
    if not isinstance(value, str | dict | list):
        return value
    key = str(problem.path[-1]) if problem.path else ""
    cleared, _ = BUILT_IN.value([key, {key: value}])
    return next(iter(cleared[1].values())) if isinstance(cleared, list) else None


def _clear(text: str) -> str:
    """A text without secrets: what is said of a request is logged, and sent to who asked."""
    # What it compiles is needed only where something is wrong.
    from promptdeck.core.secrets.redact import BUILT_IN

    return BUILT_IN.text(text)[0]


def _hint(problem: Problem) -> str:
    """A guess at what was meant, or the empty string; nothing is guessed of a secret."""
    schema, value = problem.schema, problem.value
    if isinstance(value, Absent):
        return str(problem.path[-1]) if value.stray else ""
    if isinstance(schema, Unknown):
        return nearest(problem.path[-1], schema.keys)
    return "" if isinstance(value, Secret) else schema.hint(value)


# So much shows which value is meant and fits a line of a log or a `Warning` header: three items
# of a list or an object, and 60 characters of any value.
_ITEMS = 3
_LONGEST = 60
_KINDS = {dict: "an object", list: "a list", str: "a string", bool: "a boolean", type(None): "null"}


def _shown(value: JSON) -> str:
    """A value in at most 60 characters or so, what it holds of lists and objects left out."""
    if isinstance(value, Absent):
        return f'nothing but "{_clear(value.stray)}"' if value.stray else "nothing"
    if isinstance(value, Secret):
        return _KINDS.get(value.kind, "a number")
    if isinstance(value, dict):
        parts = [f"{_scalar(key)}: {_part(item)}" for key, item in islice(value.items(), _ITEMS)]
        return f"{{{_listed(parts, len(value))}}}"
    if isinstance(value, list):
        return f"[{_listed([_part(item) for item in value[:_ITEMS]], len(value))}]"
    return _scalar(value)


def _listed(parts: list[str], count: int) -> str:
    """The first of `count` things, in a line that is cut short."""
    # With difflib this takes 7 ms to import, and is needed only where something is wrong.
    from promptdeck.core.text.wording import cut

    return cut(", ".join([*parts, "…"] if count > len(parts) else parts), _LONGEST)


def _part(value: JSON) -> str:
    """A value inside a list or an object: of those within it only the brackets."""
    if isinstance(value, dict | list):
        return ("[…]" if isinstance(value, list) else "{…}") if value else compact(value).decode()
    return _scalar(value)


def _scalar(value: JSON) -> str:
    """A string in quotes and cut short, or any other scalar as JSON writes it."""
    from promptdeck.core.text.wording import cut, quoted

    if isinstance(value, str):
        # What JSON's parser never lets through, such as half a surrogate pair, must not raise here.
        value = cut(value, _LONGEST).encode(errors="replace").decode()
        return quoted(value)
    if value is None or isinstance(value, bool):
        return compact(value).decode()
    return str(value)
