"""The revisions of MCP, and where the newest tells which one a message is of.

https://modelcontextprotocol.io/specification/2026-07-28
"""

MODERN = "2026-07-28"
"""The revision without a handshake: each request stands for itself."""
OLD = ("2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05")
"""Those that begin with one, the newest first: it is what a handshake offers."""

_META = "io.modelcontextprotocol/"
VERSION = f"{_META}protocolVersion"
CLIENT_INFO = f"{_META}clientInfo"
CLIENT_CAPABILITIES = f"{_META}clientCapabilities"
SERVER_INFO = f"{_META}serverInfo"
"""Members of `_meta`, of requests but for the last: in that a server names itself."""
