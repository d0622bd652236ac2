"""Tools in namespaces, which no other protocol has: there they have one long name each."""

from collections.abc import Iterator, Mapping

from xxhash import xxh64_hexdigest

from promptdeck.core.dialects.pieces import as_list, as_object
from promptdeck.core.text.jsontext import JSON, JSONObject

_LONGEST = 64
"""Of a tool's name, where it may have least: at OpenAI, Google and most chat servers."""


def flat(space: JSON, name: JSON) -> str:
    """The name by which a tool of a namespace is known elsewhere; its own where it has none.

    One that would be too long ends in a digest of itself.
    """
    own = name if isinstance(name, str) else ""
    if not isinstance(space, str) or not space:
        return own
    long = f"{space.removesuffix('__')}__{own}"
    if len(long) <= _LONGEST:
        return long
    digest = xxh64_hexdigest(long.encode("utf-8", "surrogatepass"))
    return f"{long[: _LONGEST - len(digest) - 1]}_{digest}"


def tools_in(space: JSONObject) -> Iterator[JSONObject]:
    """The tools of a namespace under the names that they have elsewhere."""
    for tool in map(as_object, as_list(space.get("tools"))):
        yield {**tool, "name": flat(space.get("name"), tool.get("name"))}


def spaces_of(asked: JSONObject) -> Mapping[str, tuple[str, str]]:
    """By the name that a tool has elsewhere: its namespace and its name there, of a request."""
    items = map(as_object, as_list(asked.get("input")))
    lists = (asked.get("tools"), *(one.get("tools") for one in items))
    return {
        flat(space.get("name"), tool.get("name")): (str(space.get("name")), str(tool.get("name")))
        for tools in lists
        for space in map(as_object, as_list(tools))
        if space.get("type") == "namespace"
        for tool in map(as_object, as_list(space.get("tools")))
    }
