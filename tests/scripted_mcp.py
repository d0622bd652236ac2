"""An MCP server on a real socket or as a process, strict as the specification of either era.

`python tests/scripted_mcp.py ERA` speaks it on its input and output; `tool_server` over HTTP.
"""

import asyncio
import base64
import re
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import orjson

Message = dict[str, Any]

MODERN, OLD = "2026-07-28", "2025-11-25"

TOOLS: list[Message] = [
    {
        "name": "add",
        "description": "Adds two numbers.",
        "inputSchema": {"type": "object", "properties": {"a": {}, "b": {}}},
        "annotations": {"readOnlyHint": True},
    },
    {
        "name": "place",
        "inputSchema": {
            "type": "object",
            "properties": {
                "city": {"type": "string", "x-mcp-header": "City"},
                "near": {
                    "type": "object",
                    "properties": {"much": {"type": "boolean", "x-mcp-header": "Much"}},
                },
            },
        },
    },
    {"name": "fail", "inputSchema": {"type": "object"}},
    {"name": "slow", "inputSchema": {"type": "object"}},
    {"name": "ask", "inputSchema": {"type": "object"}},
]


class Refuse(Exception):
    """An error of JSON-RPC, and the status that it has over HTTP."""

    def __init__(self, code: int, message: str, status: int = 400, **data: Any) -> None:
        super().__init__(message)
        self.error = {"code": code, "message": message, **({"data": data} if data else {})}
        self.status = status


class ToolScript:
    """What a server of one era answers; `tools` may be changed while it runs."""

    def __init__(self, era: str = MODERN) -> None:
        self.era = era
        self.tools = [dict(tool) for tool in TOOLS]
        self.page = 2
        self.calls: list[tuple[str, Message]] = []
        self.greeted = False
        self.results: dict[str, Callable[[Message], Message]] = {}

    def result(self, message: Message, headers: dict[str, str] | None) -> Message:
        """The result of a request. Refuse; headers are HTTP's, in lower case."""
        method, params = message["method"], message.get("params", {})
        if self.era == MODERN:
            self._check_envelope(method, params, headers)
        elif method == "initialize":
            assert "_meta" not in params
            self.greeted = True
            offered = params["protocolVersion"]
            version = min(offered, self.era)
            return {"protocolVersion": version, "capabilities": {"tools": {}}, "serverInfo": {}}
        elif method == "server/discover":
            raise Refuse(-32601, "Method not found", 404)
        elif not self.greeted:
            raise Refuse(-32600, "not initialized")
        if method == "server/discover":
            return {"supportedVersions": [self.era], "capabilities": {"tools": {}}}
        if method == "tools/list":
            begin = int(params.get("cursor") or 0)
            end = begin + self.page
            more = {"nextCursor": str(end)} if end < len(self.tools) else {}
            return {"tools": self.tools[begin:end], **more}
        if method == "tools/call":
            return self._called(params["name"], params.get("arguments", {}), headers)
        raise Refuse(-32601, f"Method not found: {method}", 404)

    def _check_envelope(self, method: str, params: Message, headers: dict[str, str] | None) -> None:
        if method == "initialize":
            raise Refuse(-32022, "Unsupported protocol version", supported=[MODERN])
        meta = params.get("_meta", {})
        version = meta.get("io.modelcontextprotocol/protocolVersion")
        if version != MODERN or "io.modelcontextprotocol/clientCapabilities" not in meta:
            raise Refuse(-32022, "Unsupported protocol version", supported=[MODERN])
        if headers is None:
            return
        name = {"mcp-name": params["name"]} if method == "tools/call" else {}
        for key, value in {
            "mcp-protocol-version": MODERN,
            "mcp-method": method,
            **name,
        }.items():
            if _decoded(headers.get(key)) != value:
                raise Refuse(-32020, f"{key} does not say what the body says")

    def _called(self, name: str, arguments: Message, headers: dict[str, str] | None) -> Message:
        self.calls.append((name, arguments))
        if name in self.results:
            return self.results[name](arguments)
        if name == "add":
            total = arguments["a"] + arguments["b"]
            text = [{"type": "text", "text": str(total)}]
            return {"content": text, "structuredContent": {"result": total}}
        if name == "place":
            if headers is not None and self.era == MODERN:
                told = [_decoded(headers.get(f"mcp-param-{key}")) for key in ("city", "much")]
                much = arguments.get("near", {}).get("much")
                wanted = [arguments.get("city"), None if much is None else str(much).lower()]
                if told != wanted:
                    raise Refuse(-32020, f"the headers say {told}, the body says {wanted}")
            return {"content": [{"type": "text", "text": f"{arguments.get('city')}: 48.8 N"}]}
        if name == "fail":
            return {"content": [{"type": "text", "text": "it failed"}], "isError": True}
        if name == "ask":
            return {"resultType": "input_required", "inputRequests": {}}
        raise Refuse(-32602, f"Unknown tool: {name}")

    def answer(self, message: Message, headers: dict[str, str] | None = None) -> tuple[int, Any]:
        """Status and answer of a message; nothing for one that wants none."""
        if "id" not in message:
            return 202, None
        base = {"jsonrpc": "2.0", "id": message["id"]}
        try:
            return 200, {**base, "result": self.result(message, headers)}
        except Refuse as no:
            return no.status, {**base, "error": no.error}


def _decoded(value: str | None) -> str | None:
    found = re.fullmatch(r"=\?base64\?(.*)\?=", value or "")
    return base64.b64decode(found[1]).decode() if found else value


class ToolServing:
    """A running server and what can be made of it: `how` answers are sent, who may ask."""

    def __init__(self, script: ToolScript, how: str) -> None:
        self.script = script
        self.how = how
        """json, stream, cut (a stream that breaks off and is taken up), events (the oldest)."""
        self.token = ""
        self.pause = 0.0
        """Seconds that each call takes."""
        self.port = 0
        self.sessions: set[str] = set()
        self.gone = 0
        """How many of the next POSTs find their session gone."""
        self._outbox: asyncio.Queue[bytes] = asyncio.Queue()
        self._rest = b""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/{'sse' if self.how == 'events' else 'mcp'}"

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
                method, path, _ = head[0].split(" ")
                headers = {
                    name.lower(): value.strip()
                    for name, _, value in (line.partition(":") for line in head[1:] if line)
                }
                body = await reader.readexactly(int(headers.get("content-length", 0)))
                await self._respond(method, path, headers, body, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def _respond(
        self,
        method: str,
        path: str,
        headers: dict[str, str],
        body: bytes,
        writer: asyncio.StreamWriter,
    ) -> None:
        if self.token and headers.get("authorization") != f"Bearer {self.token}":
            return _write(writer, 401, b"no")
        if self.how == "events":
            return await self._by_events(method, path, body, writer)
        if method == "POST":
            return await self._posted(headers, orjson.loads(body), writer)
        if method == "GET" and self._rest and headers.get("last-event-id") == "7":
            return _write(writer, 200, self._rest, "text/event-stream")
        if method == "DELETE":
            self.sessions.discard(headers.get("mcp-session-id", ""))
            return _write(writer, 200, b"")
        return _write(writer, 405, b"")

    async def _posted(
        self, headers: dict[str, str], message: Message, writer: asyncio.StreamWriter
    ) -> None:
        if "method" not in message:
            return _write(writer, 202, b"")
        extra = self._session(message, headers)
        if extra is None:
            return _write(writer, 404, b"no such session")
        if message.get("params", {}).get("name") == "slow":
            await asyncio.sleep(30)
        if self.pause and message["method"] == "tools/call":
            await asyncio.sleep(self.pause)
        status, answer = self.script.answer(message, headers)
        data = orjson.dumps(answer) if answer else b""
        if self.how == "json" or status != 200:
            return _write(writer, status, data, "application/json", extra)
        asked = b'event: message\r\ndata: {"jsonrpc":"2.0","id":"s1","method":"ping"}\r\n\r\n'
        frame = b"id: 8\r\nevent: message\r\ndata: " + data + b"\r\n\r\n"
        first = b"id: 7\r\ndata: \r\n\r\n" + asked
        if self.how == "cut":
            self._rest, frame = frame, b""
        return _write(writer, status, first + frame, "text/event-stream", extra)

    def _session(self, message: Message, headers: dict[str, str]) -> str | None:
        """The header of a session that begins; None where there is none though there must be."""
        if self.script.era == MODERN or message["method"] == "server/discover":
            return ""
        if message["method"] == "initialize":
            name = f"s{len(self.sessions)}"
            self.sessions.add(name)
            return f"Mcp-Session-Id: {name}\r\n"
        assert headers["mcp-protocol-version"] == OLD
        if self.gone:
            self.gone -= 1
            return None
        return "" if headers.get("mcp-session-id") in self.sessions else None

    async def _by_events(
        self, method: str, path: str, body: bytes, writer: asyncio.StreamWriter
    ) -> None:
        if method == "POST" and path == "/messages?session_id=1":
            message = orjson.loads(body)
            _, answer = self.script.answer(message)
            _write(writer, 202, b"Accepted")
            if answer:
                await self._outbox.put(orjson.dumps(answer))
        elif method == "GET" and path == "/sse":
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n")
            writer.write(b"event: endpoint\ndata: /messages?session_id=1\n\n")
            while True:
                writer.write(b"event: message\ndata: " + await self._outbox.get() + b"\n\n")
        else:
            _write(writer, 404, b"Not Found")


def _write(
    writer: asyncio.StreamWriter,
    status: int,
    body: bytes,
    kind: str = "text/plain",
    extra: str = "",
) -> None:
    head = f"HTTP/1.1 {status} X\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n{extra}"
    writer.write(head.encode() + b"\r\n" + body)


@asynccontextmanager
async def tool_server(era: str = MODERN, how: str = "json") -> AsyncIterator[ToolServing]:
    """A running MCP server."""
    it = ToolServing(ToolScript(era), how)
    server = await asyncio.start_server(it.talk, "127.0.0.1", 0)
    it.port = server.sockets[0].getsockname()[1]
    try:
        yield it
    finally:
        server.close()


def main() -> None:
    """Speak on input and output, a message a line."""
    script = ToolScript(sys.argv[1])
    for line in sys.stdin.buffer:
        message = orjson.loads(line)
        name = message.get("params", {}).get("name")
        if name == "die":
            sys.exit("killed by its own tool")
        if "method" not in message or name == "slow":
            continue
        _, answer = script.answer(message)
        said = orjson.dumps(answer) if answer else b""
        sys.stdout.buffer.write(b"a line that is no JSON\n" + said + b"\n")
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
