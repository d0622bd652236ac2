"""The decisions, pure: bytes and values in, values out. No clock, no I/O, no asyncio."""
