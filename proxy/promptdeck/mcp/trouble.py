"""Why an MCP server cannot be used: for people in words, for programs by a code."""

from typing import Literal

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
    """A server that cannot be reached, or says what no MCP server says.

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


class SessionLost(Exception):
    """A server that does not know the session any more: what was asked has not been done."""


class NoSuchTransport(Exception):
    """A URL at which nobody takes messages as they were sent: another transport may."""

    def __init__(self, status: int) -> None:
        super().__init__(f"HTTP {status}")
        self.status = status
