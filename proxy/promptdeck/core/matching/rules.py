"""What a user says must not count when two requests are compared.

`match.preset` names kinds of clients, `match.ignore` places by JSON path, `match.replace`
text by regular expression; they apply in this order. All change only the canonical form
of a request, never what is kept of it, and apply alike when recording, loading and matching.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

import xxhash

from promptdeck.core.text.expressions import PLAINLY, Expressions
from promptdeck.core.text.jsontext import JSON, Unfaithful, parse, strings, with_strings
from promptdeck.core.text.paths import child_path

if TYPE_CHECKING:  # patterns that take some 30 ms to compile, for who has a preset
    from .volatile import Preset

_SEGMENT = r"""(?x)
        (?: (?P<deep>\.\.) | \.(?!\[) | (?=\[) )
        (?: (?P<name>[^\W\d][\w-]*)
          | \[ (?P<index>0|[1-9][0-9]{0,15}) \]
          | \[ (?P<quoted> '(?:[^'\\]|\\.)*' | "(?:[^"\\]|\\.)*" ) \]
          | \* | \[\*\] )"""
"""Text, as most configurations have no path: compiled when the first is read."""


class PathStep(NamedTuple):
    """One step of a path below a value."""

    at: str | int | None
    """The child's key or index; None for every child."""
    deep: bool = False
    """Whether it leads to such children at any depth (`$..name`)."""


RulePath = tuple[PathStep, ...]
"""A JSON path: the steps from the root, at least one."""


def parse_path(text: str) -> RulePath:
    """Read `$.messages[*].tool_call_id`, `$['a key'][0]` or `$..name` (RFC 9535, without filters).

    Raises ValueError, which says where the text goes wrong.
    """
    if not text.startswith("$") or text == "$":
        raise ValueError(f"a JSON path starts with $ and names something below it, not {text!r}")
    segment = re.compile(_SEGMENT)
    steps: list[PathStep] = []
    position = 1
    while position < len(text):
        match = segment.match(text, position)
        if match is None:
            raise ValueError(f"cannot read {text[position:]!r} in JSON path {text!r}")
        steps.append(_step(match))
        position = match.end()
    return tuple(steps)


def _step(match: re.Match[str]) -> PathStep:
    """The step that a match of `_SEGMENT` writes."""
    at: str | int | None = match["name"]
    if match["index"]:
        at = int(match["index"])
    elif match["quoted"]:
        at = _unquoted(match["quoted"])
    return PathStep(at, deep=bool(match["deep"]))


def _unquoted(literal: str) -> str:
    """The text of a string literal in single or double quotes; ValueError for a bad escape.

    Its escapes are JSON's, but that the other kind of quote needs none.
    """
    as_json = re.sub(r"""\\.|\"""", lambda found: _REQUOTED.get(found[0], found[0]), literal[1:-1])
    try:
        return str(parse(f'"{as_json}"'))
    except Unfaithful:
        raise ValueError(f"cannot read the name {literal} in a JSON path") from None


_REQUOTED = {"\\'": "'", '"': '\\"'}


PRESETS: Mapping[str, tuple[str, str]] = {
    "uuid": (
        r"(?i)\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b",
        "<uuid>",
    ),
    "iso-time": (
        r"\b\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?(?:Z|[+-]\d{2}:?\d{2})?",
        "<time>",
    ),
    "date": (r"\b\d{4}-\d{2}-\d{2}\b", "<date>"),
}
"""Replacements by name: UUIDs, ISO 8601 times, ISO 8601 dates."""


class Replacement(NamedTuple):
    """A rule of `match.replace`."""

    pattern: str
    placeholder: str
    """What stands in the place of each match; it may name groups, as in `re.sub`."""
    built_in: bool
    """True for a preset: one of ours takes no time to speak of, whatever the text."""


def parse_replacement(entry: str | Mapping[str, str]) -> Replacement:
    """Read a preset's name or `{pattern: REGEX, with: TEXT}`; ValueError says what is wrong.

    A user's expression is compiled, and not run: no text is too short for it to take for ever.
    """
    if isinstance(entry, str):
        if entry not in PRESETS:
            raise ValueError(f"no preset {entry!r}; there are {', '.join(PRESETS)}")
        return Replacement(*PRESETS[entry], built_in=True)
    if set(entry) != {"pattern", "with"} or not all(isinstance(v, str) for v in entry.values()):
        raise ValueError("wants a preset's name or the two texts `pattern` and `with`")
    pattern, placeholder = entry["pattern"], entry["with"]
    if len(pattern) > _LONGEST:
        raise ValueError(f"a pattern may have {_LONGEST} characters, not {len(pattern)}")
    try:
        compiled = re.compile(pattern)
    except re.error as error:
        raise ValueError(f"{pattern!r} is not a regular expression: {error}") from None
    names = {number: name for name, number in compiled.groupindex.items()}
    groups = [f"(?P<{names[n]}>)" if n in names else "()" for n in range(1, compiled.groups + 1)]
    try:
        # A bad \\1 would otherwise fail on the first request.
        re.compile("".join(groups)).sub(placeholder, "")
    except (re.error, IndexError) as error:
        raise ValueError(f"{placeholder!r} cannot replace {pattern!r}: {error}") from None
    return Replacement(pattern, placeholder, built_in=False)


# To compile one of this length takes up to 0.05 s, and others wait for it.
_LONGEST = 10_000


@dataclass(frozen=True)
class Rules:
    """The user's rules, ready to apply: what clients vary, places to leave out, text to replace."""

    ignore: tuple[RulePath, ...] = ()
    replace: tuple[Replacement, ...] = ()
    expressions: Expressions = field(default=PLAINLY, compare=False, repr=False)
    """Runs those of `replace` that a user wrote."""
    preset: "Preset | None" = None
    """All presets as one; None for none. `renaming` applies it, before the others."""

    @classmethod
    def build(
        cls,
        ignore: Iterable[str] = (),
        replace: Iterable[str | Mapping[str, str]] = (),
        preset: Iterable[str] = (),
    ) -> "Rules":
        """Read the settings `match.ignore`, `replace` and `preset`; ValueError for a bad entry."""
        names = tuple(preset)
        merged = None
        if names:
            from .presets import merged_presets

            merged = merged_presets(names)
        paths = tuple(map(parse_path, ignore))
        return cls(paths, tuple(map(parse_replacement, replace)), preset=merged)

    def joined(self, own: "Rules") -> "Rules":
        """These rules and further ones behind them, those of a cassette."""
        presets = [one.name for one in (self.preset, own.preset) if one]
        names = [name for joint in presets for name in joint.split("+")]
        merged = None
        if names:
            from .presets import merged_presets

            merged = merged_presets(dict.fromkeys(names))
        return Rules(
            tuple(dict.fromkeys((*self.ignore, *own.ignore))),
            tuple(dict.fromkeys((*self.replace, *own.replace))),
            self.expressions,
            merged,
        )

    @cached_property
    def digest(self) -> str:
        """Names this set of rules; the empty string for none."""
        if not (self.ignore or self.replace or self.preset):
            return ""
        replace = [(item.pattern, item.placeholder) for item in self.replace]
        # What a preset says, not its name: the next version may say something else.
        said = (self.ignore, replace, *([self.preset.said] if self.preset else []))
        return xxhash.xxh3_64_hexdigest(repr(said).encode())

    @cached_property
    def waits(self) -> bool:
        """True where a user's expression is to be waited for: no loop may apply these rules."""
        return not all(item.built_in for item in self.replace)

    def applied(self, value: JSON, target: str) -> tuple[JSON, str, list[str]]:
        """A body and a target as they are compared, and the paths left out of the body.

        Of JSON, what is ignored is left out and text replaced in strings, not in keys; the
        value given is not changed. Of any other body, which is bytes, what is text in it is
        replaced: forms, the header lines of their parts, JSON that no parser reads. Bytes that
        are not UTF-8 match nothing but themselves. PatternError.
        """
        dropped: list[str] = []
        if not isinstance(value, bytes):
            for path in self.ignore:
                value = without_path(value, path, "$", dropped)
        if not self.replace:
            return value, target, dropped
        if isinstance(value, bytes):
            text, target = self._replaced([value.decode("utf-8", "surrogateescape"), target])
            return text.encode("utf-8", "surrogateescape"), target, dropped
        target, *texts = self._replaced([target, *strings(value)])
        return with_strings(value, iter(texts)), target, dropped

    def _replaced(self, texts: list[str]) -> list[str]:
        """Texts with each of `match.replace` applied, in their order: all in one go."""
        rules = [(item.pattern, item.placeholder) for item in self.replace]
        return (self.expressions if self.waits else PLAINLY).replaced(rules, texts)


NO_RULES = Rules()
"""Those of a request that is compared as it is: its own fingerprint goes by them."""


def without_path(value: JSON, path: RulePath, place: str, dropped: list[str]) -> JSON:
    """A copy of a value less what `path` names below it; appends what is left out to `dropped`.

    `place` is the value's own path. A list's item leaves a null in its place, so that the
    others keep their numbers.
    """
    step, rest = path[0], path[1:]
    if isinstance(value, dict):
        children: Iterable[tuple[str | int, JSON]] = value.items()
    elif isinstance(value, list):
        children = enumerate(value)
    else:
        return value
    kept: dict[str | int, JSON] = {}
    for key, item in children:
        here = child_path(place, key)
        # The types too: a step of index 1 is not the key "1".
        if step.at is None or (step.at == key and type(step.at) is type(key)):
            if not rest:
                dropped.append(here)
                if isinstance(value, list):
                    kept[key] = None
                continue
            item = without_path(item, rest, here, dropped)
        if step.deep:
            item = without_path(item, path, here, dropped)
        kept[key] = item
    return kept if isinstance(value, dict) else list(kept.values())
