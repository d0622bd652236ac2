"""Requests to MCP servers as recordings have them: a method, its parameters, and who asked.

A call that a model asked for names the request whose answer asked for it, and the how manyth call
of that answer it was. Two conversations that call the same tool so never get each other's answer,
and calls that are made at once may end in any order.
"""

from typing import NamedTuple
from urllib.parse import quote, unquote

from promptdeck.core.dialects.base import Dialect, Dropped, value_of
from promptdeck.core.dialects.pieces import as_object, called, written
from promptdeck.core.interaction import Request, Response
from promptdeck.core.text.jsontext import JSON, JSONObject, compact

from . import results

PREFIX = "/v1/mcp/"

_OUTCOMES = ("result", "error", "trouble")
"""What an answer is: what the server gave, its refusal, or why it could not be asked."""


class CalledBy(NamedTuple):
    """The call of an answer that a request to a server comes from."""

    key: str
    """The fingerprint of the request to the model."""
    turn: str
    """Its conversation and turn, as ids of recordings begin: the call's own begins so, too."""
    number: int
    """Which call of the answer it is, counted from 0."""
    id: str
    """The call's own id: a link for people, which does not count."""


def listing(server: str) -> Request:
    """The request for all tools of a server."""
    return _request(server, {"method": "tools/list"})


def calling(server: str, tool: str, arguments: JSONObject, asker: CalledBy | None) -> Request:
    """The request for a call. Without an asker calls of one kind are told apart by their order."""
    body: JSONObject = {
        "method": "tools/call",
        "params": {"name": tool, "arguments": arguments},
    }
    if asker:
        body["asked_by"] = {"request": asker.key, "turn": asker.turn, "call": asker.number}
        body["call_id"] = asker.id
    return _request(server, body)


INFO = "server/info"
"""Of our own: what a server says of itself, in either era's greeting."""


def asking(server: str, method: str, params: JSONObject) -> Request:
    """Any request to a server, of a client that asks it itself; what is about its message goes."""
    said = {key: item for key, item in params.items() if key != "_meta"}
    return _request(server, {"method": method, **({"params": said} if said else {})})


def _request(server: str, body: JSONObject) -> Request:
    return Request("POST", PREFIX + quote(server, safe=""), "application/json", compact(body))


class ToolsDialect(Dialect):
    """Answers are kept as they are, failures too: what a model says next hangs on them."""

    name = "mcp"
    is_model = True
    whole = "a result, a refusal or a trouble"
    state = "never"

    def is_stateful(self, body: JSON) -> bool:
        """False for what a run asked, which is known by its place in that; else by its method."""
        if not isinstance(body, dict):
            return True
        method = str(body.get("method"))
        return "asked_by" not in body and method != INFO and not method.endswith("/list")

    def counting(self, body: dict[str, JSON], dropped: list[Dropped]) -> dict[str, JSON]:
        if "call_id" not in body:
            return body
        dropped.append(Dropped("$.call_id", "links a call to the answer that asked for it"))
        return {key: item for key, item in body.items() if key != "call_id"}

    def says(self, response: Response) -> str:
        value = value_of(response.body)
        if not isinstance(value, dict):
            return ""
        if isinstance(result := value.get("result"), dict):
            if "content" not in result and "tools" not in result:
                return written(result).decode()
            if isinstance(tools := result.get("tools"), list):
                return "\n".join(_described(as_object(tool)) for tool in tools)
            label = "[failed] " if results.is_failure(result) else ""
            return label + results.text_in(result)
        wrong = as_object(value.get("error", value.get("trouble")))
        return f"[failed] {wrong.get('message') or ''}"

    def turns(self, body: JSON) -> list[tuple[str, str]]:
        asked = as_object(body)
        params = as_object(asked.get("params"))
        if asked.get("method") != "tools/call":
            told = called(asked.get("method"), params) if params else str(asked.get("method"))
            return [("mcp", told)]
        return [("tool", called(params.get("name"), params.get("arguments")))]

    def _problem_with_body(self, kind: str, body: bytes) -> str | None:
        del kind
        value = value_of(body)
        known = isinstance(value, dict) and not value.keys().isdisjoint(_OUTCOMES)
        return None if known else "there is no result"


def _described(tool: JSONObject) -> str:
    about = tool.get("description")
    return f"{tool.get('name')}: {about}" if about else str(tool.get("name"))


def outcome(
    *, result: JSON = None, error: JSON = None, trouble: JSON = None, took_ms: int | None = None
) -> bytes:
    """The body of an answer: what the server gave, its refusal, or why it could not be asked.

    The time that it took is in it, as an answer tells it to the client: live and replayed alike.
    """
    told = {"result": result, "error": error, "trouble": trouble, "took_ms": took_ms}
    return written({key: item for key, item in told.items() if item is not None})


def server_in(target: str) -> str:
    """The server's name in a target of ours."""
    return unquote(target.partition("?")[0].removeprefix(PREFIX))


TOOLS = ToolsDialect()
