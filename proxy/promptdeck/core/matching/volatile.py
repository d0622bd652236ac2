"""What a preset is made of: places that name what varies, and what such values look like."""

import re
from collections.abc import Mapping
from functools import cache
from typing import NamedTuple

from .rules import RulePath, parse_path


class Spot(NamedTuple):
    """A place in the text of a request that names something volatile."""

    name: str
    """What it stands for: `cwd` becomes ⟨cwd⟩ in the canonical form."""
    about: str
    pattern: re.Pattern[str]
    """Matches from a hint on; its first group that takes part is the value."""
    hints: tuple[str, ...]
    """Texts, in lower case, at which the pattern is tried, and nowhere else."""
    spreads: bool = False
    """Whether the value is renamed wherever else the request says it, too."""
    in_results: bool = False
    """Whether what tools and the model said is searched, too; else only what the agent wrote."""
    behind: re.Pattern[str] | None = None
    """Where the hint stands behind the value: what it begins. The pattern ends before it."""


class Token(NamedTuple):
    """A kind of text that is random wherever it stands: each gets a number by first appearance."""

    name: str
    hint: re.Pattern[str]
    """What begins with a letter or sign that is looked for fast: near it `pattern` is tried."""
    pattern: re.Pattern[str]
    about: str


class Identity(NamedTuple):
    """Places in the JSON of a request that hold random names: numbered by first appearance."""

    name: str
    paths: tuple[RulePath, ...]
    written: tuple[str, ...]
    """The paths as people write them."""
    about: str


class Parameter(NamedTuple):
    """Keys of objects, and parameters of queries and forms, that tell what their value is."""

    name: str
    keys: tuple[str, ...]
    """In words: `session id` is also `session_id`, `sessionId`, `X-Session-ID`."""
    pattern: re.Pattern[str]
    """What a value looks like, from end to end."""
    about: str


class Left(NamedTuple):
    """A place in the JSON of a request that does not count at all."""

    path: RulePath
    written: str
    about: str


class Preset(NamedTuple):
    """What one kind of client says differently in each run."""

    name: str
    about: str
    source: str
    """The real runs that it was made from, and is tested with."""
    includes: tuple[str, ...] = ()
    """Other presets that it brings along."""
    left: tuple[Left, ...] = ()
    identities: tuple[Identity, ...] = ()
    spots: tuple[Spot, ...] = ()
    tokens: tuple[Token, ...] = ()
    told: tuple[Parameter, ...] = ()

    @property
    def fields(self) -> Mapping[str, Parameter]:
        """The entries of `told` by each spelling of their keys."""
        return _by_spelling(self.told)

    @property
    def said(self) -> tuple[object, ...]:
        """All of it that decides on what is renamed, to be told from another's."""
        spots = [
            (spot.name, spot.pattern.pattern, *spot[3:-1], spot.behind and spot.behind.pattern)
            for spot in self.spots
        ]
        tokens = [(token.name, token.hint.pattern, token.pattern.pattern) for token in self.tokens]
        identities = [(item.name, item.written) for item in self.identities]
        told = [(field.name, field.keys, field.pattern.pattern) for field in self.told]
        return [left.written for left in self.left], identities, spots, tokens, told


@cache
def _by_spelling(told: tuple[Parameter, ...]) -> Mapping[str, Parameter]:
    """Fields by `session_id`, `session-id`, `sessionId`, `SessionId`, `sessionid`, `SESSION_ID`."""
    found: dict[str, Parameter] = {}
    for field in told:
        for words in (key.split() for key in field.keys):
            titled = [word.title() for word in words]
            camel = "".join([words[0], *titled[1:]])
            for key in ("_".join(words), "-".join(words), "".join(words), camel, "".join(titled)):
                found[key] = found[f"x-{key}"] = field
            found["_".join(words).upper()] = found["-".join(titled)] = field
    return found


def parameter(name: str, about: str, pattern: str, *keys: str) -> Parameter:
    return Parameter(name, keys, re.compile(pattern), about)


def left(path: str, about: str) -> Left:
    return Left(parse_path(path), path, about)


def identity(name: str, about: str, *paths: str) -> Identity:
    return Identity(name, tuple(map(parse_path, paths)), paths, about)


def spot(
    name: str,
    about: str,
    pattern: str,
    *hints: str,
    spreads: bool = False,
    in_results: bool = False,
    behind: str = "",
) -> Spot:
    backwards = re.compile(behind) if behind else None
    return Spot(name, about, re.compile(pattern), hints, spreads, in_results, backwards)


def token(name: str, hint: str, pattern: str, about: str) -> Token:
    return Token(name, re.compile(hint), re.compile(pattern), about)
