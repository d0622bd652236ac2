"""Tools run for the client: an exchange of exchanges.

A request with `mcp_servers` is answered by a run (`core.agent` decides its steps). Each step is a
request of its own to the exchange behind it: those to the model are ordinary chat completions, and
those to servers are requests of the dialect `mcp`. So each is looked up, recorded and refused as
any other, and a run replays step by step.

sides     the way to MCP servers as the engine sees it, and what can go wrong there
reading   an answer of the exchange, read whole or frame by frame as a chat completion
tooling   servers asked through the exchange
agent     runs: begun, shared, driven to their end
"""
