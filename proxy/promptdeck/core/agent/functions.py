"""`functions`, which came before `tools`: a client's own, of which a turn calls at most one.

Servers' tools can only be offered as tools, and no provider takes both. So a run asks with tools
alone, and gives the client its call as it expects one.
"""

from promptdeck.core.dialects.pieces import as_list, as_object
from promptdeck.core.text.jsontext import JSON, JSONObject


def as_tools(body: JSONObject) -> JSONObject:
    """A request with tools in place of its functions; itself where it has none."""
    if not (body.get("functions") or body.get("function_call")):
        return body
    old = ("functions", "function_call")
    asked = {key: item for key, item in body.items() if key not in old}
    tools = [*as_list(body.get("tools"))]
    names = {as_object(as_object(one).get("function")).get("name") for one in tools}
    tools += (
        {"type": "function", "function": one}
        for one in as_list(body.get("functions"))
        if as_object(one).get("name") not in names
    )
    if tools:
        # An answer has room for one call of this kind.
        asked |= {"tools": tools, "parallel_tool_calls": False}
    if choice := _choice(body.get("function_call")):
        asked.setdefault("tool_choice", choice)
    return asked


def _choice(call: JSON) -> JSON:
    """A `function_call` of a request as the `tool_choice` that it is."""
    if call in (None, "none", "auto"):
        return call
    name = as_object(call).get("name") if isinstance(call, dict) else call
    return {"type": "function", "function": {"name": name}}


def wants_functions(body: JSONObject) -> bool:
    """True for a client that knows no other calls than these."""
    return bool(body.get("functions")) and not body.get("tools")


def as_function_call(call: JSONObject) -> JSONObject:
    """A call as the member `function_call` of a message."""
    function = as_object(call.get("function"))
    return {"name": function.get("name"), "arguments": function.get("arguments") or ""}
