"""Shapes of JSON, declared once: values are checked against them, JSON Schema is written from them.

Here are what a shape is, and the shapes of values that hold no others: null,
booleans, numbers, strings. What is made of these is in `compound`.

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
"""JSON Schema, dialect 2020-12, which OpenAPI 3.1 has."""

MOST = 100
"""The number of problems of a kind, enforced or advice, that are told: nobody reads more."""


class Problem(NamedTuple):
    """One thing that is wrong with a value that was checked."""

    path: tuple[str | int, ...]
    """Keys and indices, from the value that was checked to the place where it is wrong."""
    expected: str
    """In words, as in: expected a number."""
    value: JSON
    """The value that stands there instead; `Absent` or `Secret` where that cannot be shown."""
    schema: "Schema"
    """The shape that it broke."""
    enforced: bool = True
    """True if a type is broken; else it is advice, which is told and not refused."""


Problems = tuple[Problem, ...]
SOUND: Problems = ()
"""Nothing is wrong."""


class Absent(NamedTuple):
    """Stands for the value of a key that is not there.

    `stray` is a key of the same object that may be its misspelling, or empty.
    """

    stray: str


class Secret(NamedTuple):
    """Stands for a value that no message may show: of it only the Python type is known."""

    kind: type


# All of these are made at each start: a repr that nobody reads would take 0.1 ms for each.
@dataclass(eq=False, repr=False)
class Schema:
    """A shape that JSON values have or break, and that can be written as JSON Schema."""

    name: str = field(default="", kw_only=True)
    """Under which the OpenAPI document defines it; without a name it is written in place."""
    about: str = field(default="", kw_only=True)
    """A sentence for its description in the OpenAPI document."""
    kinds: frozenset[type] = field(default=frozenset(), init=False)
    """The Python types of the values that it takes; a value of any other breaks it."""
    words: str = field(default="", init=False)
    """The expected value in words, as in: expected a number."""
    json_type: ClassVar[str] = ""
    """The `type` that says all of it in JSON Schema; empty if `_bare` has more to say."""

    @property
    def sure(self) -> frozenset[type]:
        """The kinds in which nothing can be wrong: containers need not even ask."""
        return frozenset()

    def check(self, value: JSON) -> Problems:
        """All that is wrong with `value`, whatever it is; `SOUND` if nothing is."""
        if type(value) in self.kinds:
            return self.inside(value)
        return self._refused(value)

    def inside(self, value: JSON) -> Problems:
        """All that is wrong with `value`, whose type is known to be one of the `kinds`."""
        del value
        return SOUND

    @property
    def advice(self) -> str:
        """The documentation's demands beyond the type, in words; empty if there are none."""
        return ""

    @property
    def description(self) -> str:
        """The shape's description in the OpenAPI document: `about`, and the advice."""
        documented = f"Documented: {self.advice}." if self.advice else ""
        return f"{self.about} {documented}".strip()

    def hint(self, value: JSON) -> str:
        """A guess at what was meant by a value that breaks the shape; empty if nobody can tell.

        Any shape knows a number or a boolean that stands in quotes; others know more.
        """
        if not isinstance(value, str) or len(value) > LONGEST_GUESSED:
            return ""
        try:
            meant = parse(value.lower())
        except Unfaithful:
            return ""
        plain = isinstance(meant, bool | int | float)
        return compact(meant).decode() if plain and self.check(meant) == SOUND else ""

    def shape(self, shapes: dict[str, JSONSchema]) -> JSONSchema:
        """The shape as JSON Schema. One with a name is defined in `shapes`, and referred to."""
        if not self.name:
            return self._described(shapes)
        if self.name not in shapes:
            shapes[self.name] = {}  # keeps its place before what it refers to
            shapes[self.name] = self._described(shapes)
        return {"$ref": f"#/components/schemas/{self.name}"}

    def _described(self, shapes: dict[str, JSONSchema]) -> JSONSchema:
        """Its JSON Schema in place, with the description."""
        bare = self._bare(shapes)
        text = f"{self.description} {bare.get('description', '')}".strip()
        return {**bare, "description": text} if text else bare

    def _bare(self, shapes: dict[str, JSONSchema]) -> JSONSchema:
        """Its JSON Schema in place, without the description."""
        del shapes
        return {"type": self.json_type} if self.json_type else {}

    def _refused(self, value: JSON) -> Problems:
        """The problem that `value` breaks the type."""
        return (Problem((), self.words, value, self),)

    def _advised(self, value: JSON) -> Problems:
        """The problem that `value` is not what the documentation asks for."""
        return (Problem((), self.advice, value, self, enforced=False),)


class _Plain(Schema):
    """A shape of values that hold no others: within its kinds only advice can be broken."""

    @property
    def sure(self) -> frozenset[type]:
        return frozenset() if self.advice else self.kinds


class Anything(_Plain):
    """Any JSON at all."""

    kinds = frozenset([dict, list, str, int, float, bool, type(None)])


ANYTHING = Anything()


class Null(_Plain):
    """Null alone; `compound.nullable` makes a shape of another and null."""

    kinds = frozenset([type(None)])
    words = "null"
    json_type = "null"


NULL = Null()


class Boolean(_Plain):
    """True or false, and no number for them."""

    kinds = frozenset([bool])
    words = "true or false"
    json_type = "boolean"


@dataclass(eq=False, repr=False)
class Number(_Plain):
    """A number; the range, where there is one, is documented and not enforced."""

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
    """An integer as JSON Schema defines it: 1.0 is one, true is none."""

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
    """Any string; `values`, `pattern` and `longest` are documented and not enforced."""

    values: Sequence[str] = ()
    pattern: str = field(default="", kw_only=True)
    """A regular expression that the whole string matches."""
    longest: int | None = field(default=None, kw_only=True)
    """In characters."""
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
    """One of these strings and no other: for values that the SDKs' types enforce too."""

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


# No name here is longer than 36 characters, and difflib takes 1 ms over a word of 4,000 and
# ever more over a longer one.
LONGEST_GUESSED = 40
# Of 34 fields that other servers have, difflib's own 0.6 takes 15 for misspellings of ours, with
# `system`, `prompt` and `reasoning`; this takes `top_a` and `models`, and finds all typos still.
_ALIKE = 0.75


def nearest(word: JSON, names: Iterable[str]) -> str:
    """The one of `names` that `word` may be a misspelling of, in any case; or the empty string.

    `word` may be any JSON: what is no string, or a long one, is no misspelling.
    """
    if not isinstance(word, str) or len(word) > LONGEST_GUESSED:
        return ""
    from difflib import get_close_matches  # only a mistake needs it

    spelled = {name.lower(): name for name in names}
    close = get_close_matches(word.lower(), spelled, n=1, cutoff=_ALIKE)
    return spelled[close[0]] if close else ""


def one_of(values: Sequence[str]) -> str:
    """The values in words, as in: expected one of a, b; the value itself if it is the only one."""
    return f"one of {', '.join(values)}" if len(values) > 1 else values[0]


def label(shape: JSONSchema) -> str:
    """A JSON Schema's type in a few words, null left out, as in `list of Message`."""
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
