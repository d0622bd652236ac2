"""What is asked of an MCP server and what it gives, as recordings have it: no message of the wire.

The same for both eras and all transports, so that none of them is in a recording: no ids, sessions
or versions. The requests go to `/v1/mcp/NAME`, which is no path of any provider's.
"""
