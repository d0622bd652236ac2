"""MCP servers asked again what they offer: a tool that is another than was recorded is named.

A server may change what its tools say of themselves after people have read and trusted it. Calls
are asked again only where the server says that they change nothing.
"""

from collections.abc import Iterator, Mapping

from .core.agent.asked import Named
from .core.dialects.base import value_of
from .core.dialects.mcp.dialect import server_in
from .core.dialects.mcp.results import is_failure, value_in
from .core.dialects.pieces import as_list, as_object
from .core.drift import Drift, Tier
from .core.interaction import Interaction
from .core.text.jsontext import JSON, JSONObject
from .core.text.wording import visible
from .engine.agent.sides import MCPRefusal, MCPTrouble, ToolWay


class ToolAsker:
    """Asks the servers of recorded requests again; what each offers but once."""

    def __init__(self, way: ToolWay) -> None:
        self._way = way
        self._listed: dict[str, dict[str, JSONObject]] = {}

    async def ask(self, old: Interaction) -> Drift | None:
        """How a server departs from a recorded answer of it; None for what is not asked again."""
        name = server_in(old.request.target)
        server = Named(name, url=name) if "://" in name else Named(name, slug=name)
        asked = as_object(value_of(old.request.body))
        result = as_object(value_of(old.response.body)).get("result")
        if not isinstance(result, dict):
            return None
        method, params = asked.get("method"), as_object(asked.get("params"))
        tool = str(params.get("name"))
        try:
            tools = await self._tools(server)
            if method == "tools/list":
                return _of_tools(_by_name(result), tools)
            hints = as_object(as_object(tools.get(tool)).get("annotations"))
            if method != "tools/call" or hints.get("readOnlyHint") is not True:
                return None
            arguments = as_object(params.get("arguments"))
            return _of_results(tool, result, await self._way.call(server, None, tool, arguments))
        except (MCPTrouble, MCPRefusal) as why:
            return Drift(Tier.UNREACHABLE, (visible(why.message),))

    async def _tools(self, server: Named) -> dict[str, JSONObject]:
        if server.name not in self._listed:
            listed = await self._way.tools(server, None)
            self._listed[server.name] = _by_name({"tools": [*listed]})
        return self._listed[server.name]


def _by_name(result: JSONObject) -> dict[str, JSONObject]:
    """The tools of a list by their names."""
    tools = (as_object(one) for one in as_list(result.get("tools")))
    return {str(tool.get("name")): tool for tool in tools}


def _of_tools(old: Mapping[str, JSONObject], new: Mapping[str, JSONObject]) -> Drift:
    notes = [visible(note) for note in _changes(old, new)]
    if any(not note.endswith(_NEW) for note in notes):
        return Drift(Tier.SHAPE, tuple(notes))
    return Drift(Tier.CONTENT if notes else Tier.SAME, tuple(notes))


_NEW = "is new"


def _changes(old: Mapping[str, JSONObject], new: Mapping[str, JSONObject]) -> Iterator[str]:
    """What is another of each tool than it was."""
    for name, tool in old.items():
        if name not in new:
            yield f"{name} is gone"
            continue
        for key, what in _TOLD.items():
            if tool.get(key) != new[name].get(key):
                yield f"{name}: its {what} is another: {_short(new[name].get(key))}"
    yield from (f"{name} {_NEW}" for name in new if name not in old)


_TOLD = {
    "description": "description",
    "inputSchema": "schema of arguments",
    "outputSchema": "schema of results",
    "annotations": "word on what it changes",
}


def _short(value: JSON) -> str:
    text = str(value)
    return text if len(text) <= _MOST_SHOWN else f"{text[:_MOST_SHOWN]}..."


_MOST_SHOWN = 300


def _of_results(tool: str, old: JSONObject, new: JSONObject) -> Drift:
    """How what a tool gives departs from what it gave."""
    if is_failure(new) and not is_failure(old):
        return Drift(Tier.ERROR, (f"{tool} fails: {_short(value_in(new))}",))
    same = value_in(old) == value_in(new)
    return Drift(Tier.SAME if same else Tier.CONTENT, () if same else (f"{tool} gives another",))
