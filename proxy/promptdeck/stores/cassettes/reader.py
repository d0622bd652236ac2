"""YAML that says no more than JSON can, read strictly, fast and piece by piece.

Values are built straight from the parser's events: several times faster than
PyYAML's loaders, and nothing that JSON lacks gets in. Aliases, anchors, tags,
doubled keys and numbers that JSON would alter are refused with their line;
`no`, `1:30` and dates are text, and so is every key.
"""

import re
from collections.abc import Iterator
from typing import Any

import yaml

from promptdeck.core.text.jsontext import JSON, Unfaithful, parse

# libyaml's parser, several times as fast; PyYAML can be built without it.
_Events: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_CONSTANTS = {"": None, "~": None, "null": None, "true": True, "false": False}
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?")
_MAX_DEPTH = 210
"""Levels of a file's entry: JSON kept as structure has at most 200, some are the entry's own.

Building is recursive: beyond Python's limit of 1000 frames, text could end it with an error
that has no line."""
_TOO_DEEP = f"more than {_MAX_DEPTH} levels, which cassettes do not use"
_CONFLICT = re.compile(r"^(?:<{7}|\|{7}|={7}|>{7})(?: |$)", re.MULTILINE)


class BadYAML(ValueError):
    """A text that is no YAML as cassettes use it; `line` says where, from 1."""

    def __init__(self, line: int, problem: str) -> None:
        super().__init__(problem)
        self.line = line


class YAMLReader:
    """Goes through one text from front to back. Each call may raise BadYAML.

    `pairs` and `entries` stop before each value, which the caller has to take, by `value`
    or `entries`, before going on.
    """

    def __init__(self, text: str) -> None:
        self._text = text
        self._events = _Events(text)

    def pairs(self) -> Iterator[tuple[str, int]]:
        """The root's keys, each with its line; none for an empty text."""
        self._next()
        if isinstance(self._next(), yaml.StreamEndEvent):
            return
        event = self._next()
        if not isinstance(event, yaml.MappingStartEvent):
            raise _refused(event, "a root that is not a mapping")
        for key in self._keys(event):
            yield key.value, _line(key)
        self._next()
        if not isinstance(event := self._next(), yaml.StreamEndEvent):
            raise _refused(event, "a second document")

    def entries(self) -> Iterator[int]:
        """The line of each entry of the list that comes next; none for null."""
        event = self._next()
        if not isinstance(event, yaml.SequenceStartEvent):
            if self._built(event, 1) is not None:
                raise _refused(event, "anything but a list here")
            return
        _check(event)
        while not isinstance(event := self._next(peek=True), yaml.SequenceEndEvent):
            yield _line(event)
        self._next()

    def value(self) -> JSON:
        """The value that comes next, whole."""
        return self._built(self._next(), 1)

    def _next(self, *, peek: bool = False) -> Any:
        try:
            return self._events.peek_event() if peek else self._events.get_event()
        except yaml.YAMLError as error:
            raise _unreadable(error, self._text) from None

    def _keys(self, event: Any) -> Iterator[Any]:
        """The key events of the mapping that `event` begins; stops before each value."""
        _check(event)
        seen: set[str] = set()
        while not isinstance(event := self._next(), yaml.MappingEndEvent):
            _check(event)
            if not isinstance(event, yaml.ScalarEvent):
                raise _refused(event, "a key that is not text")
            if event.value in seen:
                raise _refused(event, f"the key {event.value!r} for the second time")
            seen.add(event.value)
            yield event

    def _built(self, event: Any, depth: int) -> JSON:
        """The value that begins with `event`, so many levels deep."""
        _check(event)
        if isinstance(event, yaml.ScalarEvent):
            return _scalar(event)
        if depth > _MAX_DEPTH:
            raise BadYAML(_line(event), _TOO_DEEP)
        if isinstance(event, yaml.MappingStartEvent):
            mapping = {}
            for key in self._keys(event):
                mapping[key.value] = self._built(self._next(), depth + 1)
            return mapping
        values = []
        while not isinstance(event := self._next(), yaml.SequenceEndEvent):
            values.append(self._built(event, depth + 1))
        return values


def scalar(text: str) -> JSON:
    """The value of a text that is a scalar and no more. BadYAML."""
    [(_, value)] = [
        (key, reader.value())
        for reader in [YAMLReader(f"? text\n: {text}\n")]
        for key in reader.pairs()
    ]
    return value


def _check(event: Any) -> None:
    """BadYAML for what JSON has no word for."""
    if isinstance(event, yaml.AliasEvent) or event.anchor:
        raise _refused(event, "an alias or anchor")
    if event.tag:
        raise _refused(event, f"the tag {event.tag}")


def _scalar(event: Any) -> JSON:
    """The value of a scalar: null, a truth value or a number as JSON writes them; else text."""
    text: str = event.value
    if not event.implicit[0]:
        return text
    if text in _CONSTANTS:
        return _CONSTANTS[text]
    if _NUMBER.fullmatch(text):
        try:
            return parse(text)
        except Unfaithful:
            raise _refused(event, f"the number {text[:40]}, more than 64 bits hold") from None
    return text


def _line(event: Any) -> int:
    return int(event.start_mark.line) + 1


def _refused(event: Any, what: str) -> BadYAML:
    return BadYAML(_line(event), f"{what}, which cassettes do not use")


def unmerged(text: str) -> BadYAML | None:
    """What is wrong with a text that a merge has left git's marks in; None for any other."""
    conflict = _CONFLICT.search(text)
    return conflict and BadYAML(_line_at(text, conflict.start()), "an unresolved git merge")


def _unreadable(error: yaml.YAMLError, text: str) -> BadYAML:
    """PyYAML's error with its line, or as the unresolved merge that it comes from."""
    if left := unmerged(text):
        return left
    if isinstance(error, yaml.reader.ReaderError):
        # libyaml gives the place in bytes.
        before = text.encode()[: error.position].decode(errors="replace")
        return BadYAML(_line_at(before, len(before)), f"the character #x{error.character:02x}")
    mark: Any = getattr(error, "problem_mark", None)
    problem = str(getattr(error, "problem", error))
    # libyaml looks ahead, and its newer versions stop at a depth of their own before we do.
    if "nesting depth" in problem:
        problem = _TOO_DEEP
    return BadYAML(mark.line + 1 if mark else 1, problem)


def _line_at(text: str, position: int) -> int:
    return text.count("\n", 0, position) + 1
