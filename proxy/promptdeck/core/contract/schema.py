"""Shapes of JSON, declared once: values are checked against them, JSON Schema is written from them.

What breaks a type is enforced. What breaks a documented range, length or list
of values is advice, as providers go by their documentation more or less. All
problems are found at once. A sound value costs the walk and nothing else: a
problem learns its path from its parents on the way back.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from re import fullmatch
from typing import ClassVar, NamedTuple

from promptdeck.core.text.jsontext import JSON, Unfaithful, compact, parse

JSONSchema = dict[str, JSON]
"""JSON Schema, dialect 2020-12."""

MOST = 100
"""Problems of a kind that anyone reads: further advice is dropped."""


class Problem(NamedTuple):
    """What is wrong at a place below the value that was checked."""

    path: tuple[str | int, ...]
    expected: str
    value: JSON
    schema: "Schema"
    enforced: bool = True


Problems = tuple[Problem, ...]
SOUND: Problems = ()


class Absent(NamedTuple):
    """Stands for the value of a key that is not there; `stray` may be its misspelling."""

    stray: str


class Secret(NamedTuple):
    """Stands for a value that no message may show."""

    kind: type


# All of these are made at each start: a repr that nobody reads would take 0.1 ms for each.
@dataclass(eq=False, repr=False)
class Schema:
    """A shape: `check` judges any value, `inside` one whose type is among the `kinds`."""

    name: str = field(default="", kw_only=True)
    """Under which the OpenAPI document defines it; without a name it is written in place."""
    about: str = field(default="", kw_only=True)
    kinds: frozenset[type] = field(default=frozenset(), init=False)
    words: str = field(default="", init=False)
    """What is expected, as in: expected a number."""
    json_type: ClassVar[str] = ""
    """Its name in JSON Schema, where one says it all."""

    @property
    def sure(self) -> frozenset[type]:
        """The kinds in which nothing can be wrong: containers need not even ask."""
        return frozenset()

    def check(self, value: JSON) -> Problems:
        if type(value) in self.kinds:
            return self.inside(value)
        return self._refused(value)

    def inside(self, value: JSON) -> Problems:
        del value
        return SOUND

    @property
    def advice(self) -> str:
        """What the documentation asks for beyond the type."""
        return ""

    @property
    def description(self) -> str:
        documented = f"Documented: {self.advice}." if self.advice else ""
        return f"{self.about} {documented}".strip()

    def hint(self, value: JSON) -> str:
        """What was probably meant: here, a number or a boolean that stands in quotes."""
        if not isinstance(value, str) or len(value) > _LONGEST_GUESSED:
            return ""
        try:
            meant = parse(value.lower())
        except Unfaithful:
            return ""
        plain = isinstance(meant, bool | int | float)
        return compact(meant).decode() if plain and self.check(meant) == SOUND else ""

    def shape(self, shapes: dict[str, JSONSchema]) -> JSONSchema:
        """As JSON Schema; what has a name is put into `shapes` and referred to."""
        if not self.name:
            return self._described(shapes)
        if self.name not in shapes:
            shapes[self.name] = {}  # keeps its place before what it refers to
            shapes[self.name] = self._described(shapes)
        return {"$ref": f"#/components/schemas/{self.name}"}

    def _described(self, shapes: dict[str, JSONSchema]) -> JSONSchema:
        bare = self._bare(shapes)
        text = f"{self.description} {bare.get('description', '')}".strip()
        return {**bare, "description": text} if text else bare

    def _bare(self, shapes: dict[str, JSONSchema]) -> JSONSchema:
        del shapes
        return {"type": self.json_type} if self.json_type else {}

    def _refused(self, value: JSON) -> Problems:
        return (Problem((), self.words, value, self),)

    def _advised(self, value: JSON) -> Problems:
        return (Problem((), self.advice, value, self, enforced=False),)


class _Plain(Schema):
    """Has nothing inside that could be wrong but what is documented."""

    @property
    def sure(self) -> frozenset[type]:
        return frozenset() if self.advice else self.kinds


class Anything(_Plain):
    kinds = frozenset([dict, list, str, int, float, bool, type(None)])


ANYTHING = Anything()


class Null(_Plain):
    kinds = frozenset([type(None)])
    words = "null"
    json_type = "null"


class Boolean(_Plain):
    kinds = frozenset([bool])
    words = "true or false"
    json_type = "boolean"


@dataclass(eq=False, repr=False)
class Number(_Plain):
    least: float | None = None
    most: float | None = None
    kinds = frozenset([int, float])
    words = "a number"
    json_type = "number"

    def inside(self, value: JSON) -> Problems:
        low = self.least is not None and value < self.least
        high = self.most is not None and value > self.most
        return self._advised(value) if low or high else SOUND

    @property
    def advice(self) -> str:
        if self.least is None:
            return ""
        if self.most is None:
            return f"{self.words}, at least {self.least}"
        return f"{self.words} from {self.least} to {self.most}"


class Integer(Number):
    """As JSON Schema has it: 1.0 is one, true is none."""

    words = "an integer"
    json_type = "integer"

    @property
    def sure(self) -> frozenset[type]:
        return frozenset() if self.advice else frozenset([int])

    def inside(self, value: JSON) -> Problems:
        if type(value) is float and not value.is_integer():
            return self._refused(value)
        return super().inside(value)


@dataclass(eq=False, repr=False)
class Text(_Plain):
    """Any string; what else is said of it is documented and not enforced."""

    values: Sequence[str] = ()
    pattern: str = field(default="", kw_only=True)
    longest: int | None = field(default=None, kw_only=True)
    kinds = frozenset([str])
    words = "a string"

    def inside(self, value: JSON) -> Problems:
        if self.values and value not in self.values:
            return self._advised(value)
        if self.longest is not None and len(value) > self.longest:
            return self._advised(value)
        if self.pattern and not fullmatch(self.pattern, value):
            return self._advised(value)
        return SOUND

    @property
    def advice(self) -> str:
        if self.values:
            return one_of(self.values)
        if self.longest is not None:
            return f"a string of at most {self.longest} characters"
        return f"a string like {self.pattern}" if self.pattern else ""

    def hint(self, value: JSON) -> str:
        return nearest(value, self.values)

    def _bare(self, shapes: dict[str, JSONSchema]) -> JSONSchema:
        del shapes
        return {"type": "string", **({"examples": [*self.values]} if self.values else {})}


@dataclass(eq=False, repr=False)
class Enum(Schema):
    """One of these strings and no other."""

    values: Sequence[str]
    kinds = frozenset([str])

    def __post_init__(self) -> None:
        self.words = one_of(self.values)

    def inside(self, value: JSON) -> Problems:
        return SOUND if value in self.values else self._refused(value)

    def hint(self, value: JSON) -> str:
        return nearest(value, self.values)

    def _bare(self, shapes: dict[str, JSONSchema]) -> JSONSchema:
        del shapes
        return {"type": "string", "enum": [*self.values]}


@dataclass(eq=False, repr=False)
class Advised(Schema):
    """Documented and not enforced at all: whatever is wrong inside is advice."""

    inner: Schema

    def check(self, value: JSON) -> Problems:
        problems = self.inner.check(value)
        return tuple(found._replace(enforced=False) for found in problems) if problems else SOUND

    @property
    def advice(self) -> str:
        return self.inner.advice or self.inner.words


@dataclass(eq=False, repr=False)
class Hidden(Schema):
    """Holds secrets: no message shows what was found."""

    inner: Schema

    def __post_init__(self) -> None:
        self.kinds, self.words = self.inner.kinds, self.inner.words

    @property
    def sure(self) -> frozenset[type]:
        return self.inner.sure

    def check(self, value: JSON) -> Problems:
        return tuple(_veiled(problem) for problem in self.inner.check(value))

    inside = check

    def _bare(self, shapes: dict[str, JSONSchema]) -> JSONSchema:
        return {**self.inner.shape(shapes), "writeOnly": True}


def _veiled(problem: Problem) -> Problem:
    if isinstance(problem.value, Absent):
        return problem
    return problem._replace(value=Secret(type(problem.value)))


# difflib takes its time over long words.
_LONGEST_GUESSED = 40


def nearest(word: JSON, names: Iterable[str]) -> str:
    """The one of `names` that `word` may be a misspelling of, or the empty string."""
    if not isinstance(word, str) or len(word) > _LONGEST_GUESSED:
        return ""
    from difflib import get_close_matches  # only a mistake needs it

    spelled = {name.lower(): name for name in names}
    close = get_close_matches(word.lower(), spelled, n=1, cutoff=0.75)
    return spelled[close[0]] if close else ""


def one_of(values: Sequence[str]) -> str:
    return f"one of {', '.join(values)}" if len(values) > 1 else values[0]


def label(shape: JSONSchema) -> str:
    """A JSON Schema in a few words, null left out: `list of Message`."""
    if "$ref" in shape:
        return str(shape["$ref"]).rpartition("/")[2]
    if "enum" in shape:
        return " or ".join(compact(value).decode() for value in shape["enum"] if value is not None)
    if "anyOf" in shape:
        return " or ".join(label(option) for option in shape["anyOf"] if option != _NULL_SHAPE)
    kind = shape.get("type", "anything")
    kind = kind[0] if isinstance(kind, list) else kind
    if kind == "array":
        item = label(shape["items"])
        return f"list of ({item})" if " or " in item else f"list of {item}"
    others = shape.get("additionalProperties")
    item = label(others) if isinstance(others, dict) else "anything"
    return str(kind) if item == "anything" else f"map of {item}"


_NULL_SHAPE = {"type": "null"}
