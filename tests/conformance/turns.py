"""What the scripted providers have in common: keys, and a model that does as it is told.

The model calls the first tool that it is offered (of an agent's, the one that reads files), and
tells what that returned; otherwise it answers with a number of its own, so that an answer that
was replayed cannot be taken for a new one.
"""

import hashlib
import itertools
import re
import secrets
from typing import Any, NamedTuple

import orjson

JSON = dict[str, Any]

# Of the shapes that the providers' own keys have; none of them is one.
_SHAPES = {
    "openai": "sk-proj-",
    "anthropic": "sk-ant-api03-",
    "google": "AIzaSy",
    "azure": "",
    "cohere": "",
    "ollama": "",
    "mistral": "",
    "groq": "gsk_",
}
KEYS = {
    name: shape + hashlib.sha256(name.encode()).hexdigest()[: 33 if name == "google" else 48]
    for name, shape in _SHAPES.items()
}
"""The one key that each provider takes."""

NUMBERS = itertools.count(1)
CREATED = 1_700_000_000


class Refused(Exception):
    """What a provider does not take, in its words."""


class Call(NamedTuple):
    """A tool that the model calls."""

    name: str
    arguments: JSON

    @property
    def text(self) -> str:
        return orjson.dumps(self.arguments).decode()


class Turn(NamedTuple):
    """What every protocol says in its way: what is asked, with which tools."""

    prompt: str
    """All that the request says."""
    tools: dict[str, JSON]
    """Schemas of the arguments, by name."""
    results: list[str]
    """What tools have returned."""

    def reply(self) -> Call | str:
        """The model's answer."""
        if self.results:
            return f"It says {self.results[-1].strip()} (answer {next(NUMBERS)})"
        readers = [name for name in _READERS if name in self.tools]
        # Agents offer tools for much else, also where they only want a title.
        if name := next(iter(readers or (self.tools if len(self.tools) < 3 else ())), ""):
            return Call(name, _arguments(self.tools[name], _folder(self.prompt)))
        return f"This is answer {next(NUMBERS)}"


_READERS = ("Read", "exec_command", "read_file", "read")
"""What coding agents call the tool with which the file is read."""
_TOLD = re.compile(
    r"(?:[Ww]orking directory|workspace root folder|[Ww]orkspace directories|following directories)"
    r":?\s+(?:- )?(/[^\s<\"'`\\]+)|<cwd>(/[^<]+)</cwd>"
)
"""How agents tell the model where they are."""


def _folder(prompt: str) -> str:
    found = _TOLD.search(prompt)
    return next(filter(None, found.groups())).rstrip(".") if found else "."


def _arguments(schema: JSON, folder: str) -> JSON:
    """What a model would fill in: of paths and commands those that read the notes."""
    notes = f"{folder}/notes.txt"
    known: JSON = {"file_path": notes, "filePath": notes, "path": notes, "cmd": f"head -1 {notes}"}
    properties = schema.get("properties") or {}
    given = {"string": "Zürich", "integer": 2, "number": 1.5, "boolean": True}
    names = schema.get("required") or list(properties)
    return {
        name: known.get(name, given.get(str(properties[name].get("type")).lower()))
        for name in names
    }


def made_id(prefix: str, length: int = 24) -> str:
    return prefix + secrets.token_hex(length // 2)


def pieces(text: str) -> list[str]:
    """A text in three, as deltas have it."""
    third = len(text) // 3 + 1
    return [text[at : at + third] for at in range(0, len(text), third)]


def only(value: JSON, known: str, what: str = "Unrecognized request argument: {}") -> None:
    if unknown := set(value) - set(known.split()):
        raise Refused(what.format(", ".join(sorted(unknown))))


def need(value: JSON, *names: str) -> None:
    for name in names:
        if not value.get(name):
            raise Refused(f"Missing required parameter: '{name}'.")
