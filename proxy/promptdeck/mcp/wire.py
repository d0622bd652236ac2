"""What is said to an MCP server and what it says, in both eras of the protocol, as values.

Until 2025-11-25 a connection begins with a handshake, `initialize`, and may have a session. Since
2026-07-28 each request stands for itself: it tells the version and the client in `_meta`, and over
HTTP in headers that must agree with the body.
"""

import base64
import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from promptdeck import __version__
from promptdeck.core.dialects.mcp.revisions import (
    CLIENT_CAPABILITIES,
    CLIENT_INFO,
    MODERN,
    OLD,
    VERSION,
)
from promptdeck.core.dialects.pieces import as_object
from promptdeck.core.text.jsontext import JSON, JSONObject

UNKNOWN_METHOD = -32601
UNKNOWN_VERSION = -32022
"""Of a server that speaks none of the revisions asked for; its data names those that it does."""

CLIENT: JSONObject = {"name": "promptdeck", "version": __version__}

# Which member of the parameters stands in the header Mcp-Name.
_NAMED_BY = {"tools/call": "name", "prompts/get": "name", "resources/read": "uri"}
# What a header's value can hold as it is (2026-07-28, Streamable HTTP: standard headers).
_PLAIN_VALUE = re.compile(r"(?:[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?)?")
_ENCODED = re.compile(r"=\?base64\?.*\?=")
_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")


class Era(NamedTuple):
    """How a server is spoken to: by the revision that both know."""

    version: str

    @property
    def is_modern(self) -> bool:
        """True for the era in which each request stands for itself."""
        return self.version == MODERN

    def params(self, params: JSONObject) -> JSONObject:
        """The parameters of a request as they are sent."""
        if not self.is_modern:
            return params
        meta = {
            **as_object(params.get("_meta")),
            VERSION: self.version,
            CLIENT_INFO: CLIENT,
            CLIENT_CAPABILITIES: {},
        }
        return {**params, "_meta": meta}

    def headers(self, method: str, params: JSONObject, schema: JSON = None) -> dict[str, str]:
        """The headers that a request has over HTTP; `schema` is the called tool's, if known."""
        headers = {"MCP-Protocol-Version": self.version}
        if self.is_modern:
            headers["Mcp-Method"] = method
            if isinstance(name := params.get(_NAMED_BY.get(method, "")), str):
                headers["Mcp-Name"] = header_value(name)
            if method == "tools/call":
                headers |= mirrored(schema, params.get("arguments"))
        return headers


HANDSHAKE: JSONObject = {"protocolVersion": OLD[0], "capabilities": {}, "clientInfo": CLIENT}
"""The parameters of `initialize`."""


def header_value(text: str) -> str:
    """A text as the value of a header: as it is, or in base64 where a header cannot hold it."""
    if _PLAIN_VALUE.fullmatch(text) and not _ENCODED.fullmatch(text):
        return text
    return f"=?base64?{base64.b64encode(text.encode('utf-8', 'replace')).decode()}?="


def mirrored(schema: JSON, arguments: JSON) -> dict[str, str]:
    """The headers in which arguments of a call stand again, as the tool's schema marks them.

    Such properties have `x-mcp-header`; only those reached through objects count.
    """
    return {
        f"Mcp-Param-{token}": header_value(text)
        for path, token in _marked(schema, ())
        if (text := _as_header(_at(arguments, path))) is not None
    }


def _marked(schema: JSON, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], str]]:
    """The properties of a schema that are marked: the way to each, and its header's name."""
    for name, one in as_object(as_object(schema).get("properties")).items():
        token = as_object(one).get("x-mcp-header")
        if isinstance(token, str) and _TOKEN.fullmatch(token):
            yield (*path, name), token
        if len(path) < _DEEPEST:
            yield from _marked(one, (*path, name))


# Deeper than any tool's arguments; a schema is its server's word, and may go on for ever.
_DEEPEST = 20


def _at(value: JSON, path: tuple[str, ...]) -> JSON:
    for name in path:
        value = as_object(value).get(name)
    return value


def _as_header(value: JSON) -> str | None:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, str | int | float) else None


def request(number: int, method: str, params: JSONObject) -> JSONObject:
    """A request of JSON-RPC."""
    return {"jsonrpc": "2.0", "id": number, "method": method, "params": params}


def notification(method: str, params: JSONObject | None = None) -> JSONObject:
    """A message that nobody answers."""
    return {"jsonrpc": "2.0", "method": method, **({"params": params} if params else {})}


def answer_to(asked: JSONObject) -> JSONObject:
    """What a server gets for a request of its own: we live, and can do nothing for it.

    Sampling, elicitation and roots are offered to nobody.
    """
    number = asked.get("id")
    if asked.get("method") == "ping":
        return {"jsonrpc": "2.0", "id": number, "result": {}}
    told = {"code": UNKNOWN_METHOD, "message": f"{asked.get('method')} is not offered"}
    return {"jsonrpc": "2.0", "id": number, "error": told}


def is_request(message: JSONObject) -> bool:
    """True for a message that wants an answer."""
    return isinstance(message.get("method"), str) and message.get("id") is not None


def is_answer(message: JSONObject) -> bool:
    """True for a message that is one."""
    return "method" not in message and ("result" in message or "error" in message)


def modern_versions(discovered: Mapping[str, JSON]) -> list[str]:
    """The revisions that a server names as its own, of a discovery or of a refusal of one."""
    versions = discovered.get("supportedVersions", discovered.get("supported"))
    return [one for one in versions if isinstance(one, str)] if isinstance(versions, list) else []
