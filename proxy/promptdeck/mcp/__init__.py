"""The way to MCP servers: what tools they have, and what a call of one gives.

`client` asks a server in the protocol's two eras, over whatever carries messages to it:

wire       what is said in either era, as values; nothing here touches the network
trouble    why a server cannot be used, in words for people and by a code
client     a server: its tools, a call, the end
http       messages by Streamable HTTP
duplex     messages over two streams, answers found by their number; beneath both
stdio      a process of ours
events     the older transport, server-sent events and POSTs
addresses  where a URL that a request brought may lead

The specification: https://modelcontextprotocol.io/specification/2026-07-28 and .../2025-11-25.
Our own, as the official SDK of October 2026 (mcp 2.3.0) takes 0.8 s and 64 MiB to import, hides
which status a server answered with, and cancels its caller's task when a server dies.
"""
