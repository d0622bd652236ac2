"""The names under which servers' tools are offered to a model.

MCP lets a name have 128 characters and dots; OpenAI and Anthropic take 64 of `[a-zA-Z0-9_-]`. A
tool keeps its name where it can; a tool of the client's always does.
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import xxhash

from promptdeck.core.dialects.pieces import as_object
from promptdeck.core.text.jsontext import JSON, JSONObject

_VALID = re.compile(r"[a-zA-Z0-9_-]{1,64}")
_ODD = re.compile(r"[^a-zA-Z0-9_-]")
_LONGEST = 64


class Offered(NamedTuple):
    """A tool of a server's, as the model is told of it."""

    server: str
    """The server's name."""
    tool: str
    """The tool's own name there."""
    spec: JSONObject
    """As a tool of a chat completion's request."""
    reads_only: bool = False
    """True where the server says that a call changes nothing."""


def offered(
    tools: Sequence[tuple[str, Sequence[JSONObject]]], taken: Iterable[str]
) -> dict[str, Offered]:
    """The tools of all servers by the names that the model gets; `taken` are the client's tools'.

    `tools` are each server's name and tools, as MCP lists them.
    """
    listed = [
        (server, tool, name)
        for server, those in tools
        for tool in those
        if isinstance(name := tool.get("name"), str) and name
    ]
    count = Counter(name for _, _, name in listed)
    used = set(taken)
    alone = {name for name, times in count.items() if times == 1 and _VALID.fullmatch(name)} - used
    used |= alone
    named: dict[str, Offered] = {}
    for server, tool, name in listed:
        called = name if name in alone else _prefixed(server, name, used)
        used.add(called)
        reads_only = as_object(tool.get("annotations")).get("readOnlyHint") is True
        named[called] = Offered(server, name, _spec(called, tool), reads_only)
    return named


def _prefixed(server: str, name: str, used: set[str]) -> str:
    """A name with its server's in front, that nobody has: cut in the middle where it is too long.

    Cut at the end, long names of one server would become the same.
    """
    whole = f"{server}__{name}"
    plain = _ODD.sub("_", whole)
    if len(plain) <= _LONGEST and plain not in used:
        return plain
    digest = xxhash.xxh3_64_hexdigest(whole.encode("utf-8", "surrogatepass"))[:8]
    room = _LONGEST - len(digest) - 1
    kept = plain if len(plain) <= room else plain[: room // 2] + plain[-(room - room // 2) :]
    return f"{kept}_{digest}"


def _spec(name: str, tool: JSONObject) -> JSONObject:
    function: JSONObject = {"name": name}
    if isinstance(described := tool.get("description"), str):
        function["description"] = described
    schema = tool.get("inputSchema")
    function["parameters"] = schema or {"type": "object", "properties": {}}
    return {"type": "function", "function": function}


def choice_of(choice: JSON, tools: Mapping[str, Offered]) -> JSON:
    """A request's `tool_choice` by the names that are offered, where it names a server's own."""
    name = as_object(as_object(choice).get("function")).get("name")
    if not isinstance(name, str) or name in tools:
        return choice
    found = next((called for called, one in tools.items() if one.tool == name), None)
    return {"type": "function", "function": {"name": found}} if found else choice
