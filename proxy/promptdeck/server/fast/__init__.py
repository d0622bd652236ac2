"""The fast path: requests of a known head, answered without aiohttp's request."""
