"""The texts of a request, wherever they stand, each of which can be replaced there.

Strings of JSON; the values of a query and of a form, which are written with percent signs; the
parts of a multipart body; the segments of a path; any other body that is text, as one. A body
that is no JSON is told by what it looks like, so that its canonical form says enough.
"""

import re
from collections.abc import Iterator
from typing import Any, NamedTuple
from urllib.parse import quote, quote_plus, unquote, unquote_plus

from promptdeck.core.text.jsontext import JSON

# What a model, or a tool that it called, has said: it teaches nothing of the machine.
_ROLES = frozenset(["assistant", "model", "tool", "function"])
_RESULTS = re.compile(r"(?:_call|_output|tool_result|tool_use|reasoning)\Z").search
_PARTS = frozenset(["functionCall", "functionResponse", "function_call", "function_response"])
_HOLDERS = frozenset([dict, list])


class Placed(NamedTuple):
    """A text at its place, in a copy that it can be replaced in."""

    holder: Any
    """A dict or a list."""
    key: str | int
    text: str
    name: str = ""
    """The key of an object, or the parameter of a query or form, whose value it is."""

    def put(self, text: str) -> None:
        """Put another text into its place."""
        self.holder[self.key] = text


class Leaves(NamedTuple):
    """The texts of a request: those that the agent wrote, and those of tools and the model."""

    told: list[Placed]
    results: list[Placed]


def copied(value: JSON, found: Leaves, *, within: bool = False) -> JSON:
    """A copy of a JSON value; its strings are appended to `found`.

    To what was told, or where they are `within` a result to the results. In the order of keys,
    so that what is numbered by its first appearance has one number however an object is written.
    """
    into = found.results if within else found.told
    if isinstance(value, dict):
        kind, role = value.get("type"), value.get("role")
        within = (
            within
            or (isinstance(role, str) and role in _ROLES)
            or (isinstance(kind, str) and _RESULTS(kind) is not None)
        )
        into = found.results if within else found.told
        copy: dict[str, JSON] = dict(value)
        for key in sorted(value):
            item = value[key]
            if type(item) is str:
                into.append(Placed(copy, key, item, key))
            elif type(item) in _HOLDERS:
                copy[key] = copied(item, found, within=within or key in _PARTS)
        return copy
    if isinstance(value, list):
        items: list[JSON] = list(value)
        for at, item in enumerate(value):
            if type(item) is str:
                into.append(Placed(items, at, item))
            elif type(item) in _HOLDERS:
                items[at] = copied(item, found, within=within)
        return items
    return value


class Pieced:
    """A text that is no JSON in pieces: texts to be replaced, and what stands between them.

    `whole` puts it together again: the same text as long as nothing was replaced.
    """

    def __init__(self) -> None:
        self._written: list[tuple[str, str, str]] = []
        """Of each piece: as it was written, what it says, and how it is encoded."""
        self.texts: list[str] = []
        """What each piece says, to be replaced here."""
        self._names: dict[int, str] = {}

    def fixed(self, text: str) -> None:
        """Add what is not searched."""
        self._add(text, text, _FIXED)

    def plain(self, text: str, name: str = "") -> None:
        """Add a text that says what it reads."""
        self._add(text, text, _PLAIN, name)

    def encoded(self, text: str, encoding: str, name: str = "") -> None:
        """Add a text that is written with percent signs, of a path or of a query."""
        said = (unquote_plus if encoding == _QUERY else unquote)(text, errors="surrogateescape")
        # Bytes that are no text stay as they are.
        whole = said.isascii() or not any("\udc80" <= letter <= "\udcff" for letter in said)
        self._add(text, said if whole else text, encoding if whole else _PLAIN, name)

    def _add(self, written: str, said: str, encoding: str, name: str = "") -> None:
        if name:
            self._names[len(self.texts)] = name
        self._written.append((written, said, encoding))
        self.texts.append(said)

    def leaves(self) -> Iterator[Placed]:
        """The pieces that can be replaced."""
        for at, (_, said, encoding) in enumerate(self._written):
            if said and encoding != _FIXED:
                yield Placed(self.texts, at, said, self._names.get(at, ""))

    def whole(self) -> str:
        """The text with what was replaced, which is encoded as what stood there."""
        return "".join(
            [
                written if now == said else _encoded(now, encoding)
                for (written, said, encoding), now in zip(self._written, self.texts, strict=True)
            ]
        )


_FIXED, _PLAIN, _PATH, _QUERY = "fixed", "plain", "path", "query"


def _encoded(text: str, encoding: str) -> str:
    """A text as it stands in a path or query; the brackets of names are left as they are."""
    if encoding == _PLAIN:
        return text
    # What would begin another piece is written so that it does not.
    told = quote_plus(text, safe="/:") if encoding == _QUERY else quote(text, safe=":@")
    return told.replace("%E2%9F%A8", "⟨").replace("%E2%9F%A9", "⟩")


def target_pieces(target: str) -> Pieced:
    """The segments of a target's path, and the values of its query by their names."""
    found = Pieced()
    path, mark, query = target.partition("?")
    for segment in re.split(r"(/)", path):
        found.encoded(segment, _PATH)
    found.fixed(mark)
    _add_query(found, query)
    return found


def said_where_named(raw: str, named: str) -> tuple[str, ...]:
    """What a target says in the places where the same target by a preset has names."""
    pairs = zip(target_pieces(raw).texts, target_pieces(named).texts, strict=False)
    return tuple(said for said, name in pairs if "⟨" in name)


_FORM = re.compile(r"[\w.~%+*\[\]-]+=[^\s&=]*(?:&[\w.~%+*\[\]-]+=[^\s&=]*)*\Z").match
_BETWEEN = "--boundary"
"""What canonical forms have in place of the boundary that a client draws at random."""
_PART_NAME = re.compile(r'(?i)\bname="([^"]*)"').search


def body_pieces(body: bytes) -> Pieced | None:
    """The pieces of a canonical body that is no JSON; None of one that is no text at all."""
    found = Pieced()
    if body.startswith(_BETWEEN.encode()):
        # As the parts that are files need be no text.
        text = body.decode("utf-8", "surrogateescape")
        for number, part in enumerate(text.split(_BETWEEN)):
            found.fixed(_BETWEEN if number else "")
            _add_part(found, part)
        return found
    try:
        text = body.decode()
    except UnicodeDecodeError:
        return None
    if _FORM(text):
        _add_query(found, text)
    else:
        found.plain(text)
    return found


def _add_query(found: Pieced, query: str) -> None:
    for number, pair in enumerate(query.split("&")):
        name, equals, value = pair.partition("=")
        found.fixed(f"{'&' * bool(number)}{name}{equals}")
        found.encoded(value, _QUERY, name)


def _add_part(found: Pieced, part: str) -> None:
    """Add a part of a multipart body: its header lines, and what it says if that is text."""
    head, blank, content = part.partition("\r\n\r\n")
    name = _PART_NAME(head)
    found.plain(head)
    found.fixed(blank)
    content, end = (content[:-2], "\r\n") if content.endswith("\r\n") else (content, "")
    try:
        content.encode()
    except UnicodeEncodeError:
        found.fixed(content)
    else:
        found.plain(content, name[1] if name else "")
    found.fixed(end)
