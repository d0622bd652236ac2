"""Shapes made of shapes: lists, maps, objects, a choice of several, and one seen otherwise.

Each asks the `sure` of what it holds before it checks a value: a long list of
sound strings costs a look at each one's type.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from promptdeck.core.text.jsontext import JSON

from .schema import (
    ANYTHING,
    MOST,
    NULL,
    SOUND,
    Absent,
    Enum,
    JSONSchema,
    Problem,
    Problems,
    Schema,
    Secret,
    nearest,
)

# Where a search ends, so that a million mistakes cost little more than the 22 ms of a thousand.
# Well beyond what is told: behind much advice there may be a problem that is enforced.
_ENOUGH = 10 * MOST


def _gathered(found: Problems, key: str | int, problems: Problems) -> Problems:
    """`found`, and behind it `problems` of the value under `key`; no more advice than is told."""
    if len(found) > MOST:
        problems = tuple(problem for problem in problems if problem.enforced)
    return found + tuple(problem._replace(path=(key, *problem.path)) for problem in problems)


@dataclass(eq=False, repr=False)
class ListOf(Schema):
    """A list whose items all have one shape; how many there are is documented, not enforced."""

    item: Schema
    least: int = field(default=0, kw_only=True)
    most: int | None = field(default=None, kw_only=True)
    kinds = frozenset([list])
    words = "a list"

    def inside(self, value: JSON) -> Problems:
        found = SOUND
        sure, check = self.item.sure, self.item.check
        for index, item in enumerate(value):
            if type(item) in sure:
                continue
            if problems := check(item):
                found = _gathered(found, index, problems)
                if len(found) > _ENOUGH:
                    break
        if len(value) < self.least or (self.most is not None and len(value) > self.most):
            found += self._advised(value)
        return found

    @property
    def advice(self) -> str:
        if self.most is not None:
            return f"at most {self.most} of them"
        return f"at least {self.least} of them" if self.least else ""

    def hint(self, value: JSON) -> str:
        return "a list of it" if self.item.check(value) == SOUND else ""

    def _bare(self, shapes: dict[str, JSONSchema]) -> JSONSchema:
        return {"type": "array", "items": self.item.shape(shapes)}


@dataclass(eq=False, repr=False)
class MapOf(Schema):
    """An object of any keys, whose values all have one shape.

    How many keys there are and how long they are is documented and not enforced.
    """

    item: Schema
    most: int | None = field(default=None, kw_only=True)
    longest_key: int | None = field(default=None, kw_only=True)
    kinds = frozenset([dict])
    words = "an object"

    @property
    def sure(self) -> frozenset[type]:
        return self.kinds if self.item is ANYTHING and not self.advice else frozenset()

    def inside(self, value: JSON) -> Problems:
        found = SOUND
        sure, check = self.item.sure, self.item.check
        for key, item in value.items():
            if type(item) in sure:
                continue
            if problems := check(item):
                found = _gathered(found, key, problems)
                if len(found) > _ENOUGH:
                    break
        many = self.most is not None and len(value) > self.most
        longest = self.longest_key
        if many or (longest is not None and any(len(key) > longest for key in value)):
            found += self._advised(value)
        return found

    @property
    def advice(self) -> str:
        keys = f"at most {self.most} keys" if self.most is not None else ""
        longest = f"keys of at most {self.longest_key} characters" if self.longest_key else ""
        return ", ".join(filter(None, [keys, longest]))

    def _bare(self, shapes: dict[str, JSONSchema]) -> JSONSchema:
        return {"type": "object", "additionalProperties": self.item.shape(shapes)}


@dataclass(eq=False, repr=False)
class Object(Schema):
    """An object of known keys, each with its shape; other keys pass unless it is `closed`."""

    required: Mapping[str, Schema]
    optional: Mapping[str, Schema] = field(default_factory=dict)
    asked: Sequence[str] = field(default=(), kw_only=True)
    """Optional keys that are documented as required: without one there is advice."""
    closed: bool = field(default=False, kw_only=True)
    kinds = frozenset([dict])
    words = "an object"

    def __post_init__(self) -> None:
        self.fields = {**self.required, **self.optional}
        other = Unknown(tuple(self.fields)) if self.closed else ANYTHING
        self._other = other.sure, other.check
        self._checks = {key: (schema.sure, schema.check) for key, schema in self.fields.items()}

    def inside(self, value: JSON) -> Problems:
        found = SOUND
        checks, other = self._checks, self._other
        for key, item in value.items():
            sure, check = checks.get(key, other)
            if type(item) in sure:
                continue
            if problems := check(item):
                found = _gathered(found, key, problems)
                if len(found) > _ENOUGH:
                    break
        for key in self.required:
            if key not in value:
                found += self._missing(key, value, enforced=True)
        for key in self.asked:
            if key not in value:
                found += self._missing(key, value, enforced=False)
        return found

    def _missing(self, key: str, value: JSON, *, enforced: bool) -> Problems:
        """The problem that `value` has no `key`."""
        # The strays are bounded: each costs difflib a look.
        stray = nearest(key, [other for other in value if other not in self.fields][:MOST])
        schema = self.fields[key]
        return (Problem((key,), schema.words, Absent(stray), schema, enforced),)

    @property
    def advice(self) -> str:
        return f"{' and '.join(self.asked)} required" if self.asked else ""

    def _bare(self, shapes: dict[str, JSONSchema]) -> JSONSchema:
        properties = {key: schema.shape(shapes) for key, schema in self.fields.items()}
        return {
            "type": "object",
            **({"properties": properties} if properties else {}),
            **({"required": [*self.required]} if self.required else {}),
            "additionalProperties": not self.closed,
        }


@dataclass(eq=False, repr=False)
class Unknown(Schema):
    """Stands for the values of keys that a closed object does not have: none has this shape."""

    keys: Sequence[str]
    """The keys that the object has, for a guess at what was meant."""
    words = "no such name"

    def check(self, value: JSON) -> Problems:
        # It may be a secret that was put in the wrong place.
        return self._refused(Secret(type(value)))


@dataclass(eq=False, repr=False)
class Tagged(Schema):
    """Objects of several shapes, told apart by a tag: the string under `key`."""

    key: str
    known: Mapping[str, Object]
    """The shape of the objects of each tag, without the tag itself."""
    others: Sequence[str] = field(default=(), kw_only=True)
    """Tags under which any object passes, and draws advice."""
    open: bool = field(default=False, kw_only=True)
    """True if any object passes, with advice, under every tag that is not known."""
    default: str = field(default="", kw_only=True)
    """The tag where there is none, or null; empty where one is required."""
    kinds = frozenset([dict])
    words = "an object"

    def __post_init__(self) -> None:
        self.branches = {tag: self._with_tag(tag, branch) for tag, branch in self.known.items()}
        self._tag = Enum(tuple(self.known))

    def _with_tag(self, tag: str, branch: Object) -> Object:
        """The shape of a tag's objects with the tag itself; the default one may leave it out."""
        if tag == self.default:
            own: Schema = nullable(Enum([tag]))
            return replace(branch, optional={self.key: own, **branch.optional})
        return replace(branch, required={self.key: Enum([tag]), **branch.required})

    def inside(self, value: JSON) -> Problems:
        tag = value.get(self.key)
        if tag is None and self.default:
            tag = self.default
        branch = self.branches.get(tag) if type(tag) is str else None
        return branch.inside(value) if branch else self._unknown(tag, value)

    def _unknown(self, tag: JSON, value: JSON) -> Problems:
        """The problem that the tag of `value` is none that is known, or no string, or missing."""
        passes = type(tag) is str and (self.open or tag in self.others)
        shown = tag if self.key in value else Absent("")
        return (Problem((self.key,), self._tag.words, shown, self._tag, not passes),)

    def _bare(self, shapes: dict[str, JSONSchema]) -> JSONSchema:
        branches = [branch.shape(shapes) for branch in self.branches.values()]
        if self.open:
            branches.append(self._other({"type": "string", "not": {"enum": [*self.known]}}))
        elif self.others:
            branches.append(self._other({"type": "string", "enum": [*self.others]}))
        return {"anyOf": branches} if len(branches) > 1 else branches[0]

    def _other(self, tag: JSONSchema) -> JSONSchema:
        """As JSON Schema, the objects of which only the tag is known."""
        return {"type": "object", "properties": {self.key: tag}, "required": [self.key]}


class Either(Schema):
    """A value of one of several shapes, told apart by the value's JSON type."""

    def __init__(self, *options: Schema, name: str = "", about: str = "") -> None:
        """ValueError if two options take the same type: then no value tells which one is meant."""
        super().__init__(name=name, about=about)
        self.options = options
        self._by_kind = {kind: option for option in options for kind in option.kinds}
        self.kinds = frozenset(self._by_kind)
        if len(self._by_kind) < sum(len(option.kinds) for option in options):
            raise ValueError("two options of one JSON type")
        # Nobody needs to be told to write null: leaving the field out is simpler.
        spoken = [option.words for option in options if option is not NULL]
        *others, last = dict.fromkeys(spoken)
        self.words = f"{', '.join(others)} or {last}" if others else last

    @property
    def sure(self) -> frozenset[type]:
        return frozenset[type]().union(*(option.sure for option in self.options))

    def inside(self, value: JSON) -> Problems:
        return self._by_kind[type(value)].inside(value)

    @property
    def advice(self) -> str:
        return " or ".join(filter(None, (option.advice for option in self.options)))

    @property
    def description(self) -> str:
        return self.about  # each option speaks for itself

    def hint(self, value: JSON) -> str:
        return next(filter(None, (option.hint(value) for option in self.options)), "")

    def _bare(self, shapes: dict[str, JSONSchema]) -> JSONSchema:
        written = [option.shape(shapes) for option in self.options]
        first = written[0]
        if self.options[1:] == (NULL,) and isinstance(first.get("type"), str):
            values = {"enum": [*first["enum"], None]} if "enum" in first else {}
            return {**first, "type": [first["type"], "null"], **values}
        return {"anyOf": written}


def nullable(schema: Schema) -> Either:
    """`schema`, or null. ValueError if it takes null already."""
    if isinstance(schema, Either) and not schema.name:
        return Either(*schema.options, NULL)
    return Either(schema, NULL)


@dataclass(eq=False, repr=False)
class Advised(Schema):
    """A shape that is documented and not enforced at all: whatever breaks it is advice."""

    inner: Schema

    def check(self, value: JSON) -> Problems:
        problems = self.inner.check(value)
        return tuple(found._replace(enforced=False) for found in problems) if problems else SOUND

    @property
    def advice(self) -> str:
        return self.inner.advice or self.inner.words


@dataclass(eq=False, repr=False)
class Hidden(Schema):
    """A shape that holds secrets: no problem with it shows the value that was found."""

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
    """`problem` without the value that was found; that there is none may be told."""
    if isinstance(problem.value, Absent):
        return problem
    return problem._replace(value=Secret(type(problem.value)))
