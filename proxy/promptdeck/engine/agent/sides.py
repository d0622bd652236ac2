"""The way to MCP servers, as the engine sees it."""

from typing import Literal, Protocol

from promptdeck.core.agent.asked import Named
from promptdeck.core.text.jsontext import JSONObject

Code = Literal[
    "connection_failed",
    "timeout",
    "auth_failed",
    "protocol_error",
    "unknown_server",
    "forbidden_url",
    "credential_unmatched",
]


class MCPTrouble(Exception):
    """A server that cannot be asked, or says what no MCP server says.

    `message` names the server and what happened, `recommendation` what its user can do.
    """

    def __init__(self, code: Code, message: str, recommendation: str = "") -> None:
        super().__init__(message)
        self.code: Code = code
        self.message = message
        self.recommendation = recommendation


class MCPRefusal(Exception):
    """A server that answers a request with an error of JSON-RPC: it lives, and said no."""

    def __init__(self, code: int, message: str, data: object = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.data = data


class ToolWay(Protocol):
    """Something that asks MCP servers. `header` carries a credential of the request's."""

    async def tools(self, server: Named, header: tuple[str, str] | None) -> list[JSONObject]:
        """All tools of a server. MCPTrouble, MCPRefusal."""

    async def call(
        self, server: Named, header: tuple[str, str] | None, tool: str, arguments: JSONObject
    ) -> JSONObject:
        """What a call gives, as MCP has it. MCPTrouble, MCPRefusal."""

    async def ask(self, server: Named, method: str, params: JSONObject) -> JSONObject:
        """The result of any request to a server, as a client of its own has it passed on.

        MCPTrouble, MCPRefusal.
        """

    async def info(self, server: Named) -> JSONObject:
        """What a server says of itself: `capabilities`, `serverInfo`, `instructions`. MCPTrouble"""
