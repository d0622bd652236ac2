"""Messages to an MCP server over two streams: answers come in any order, found by their number.

What is beneath says how a message is written (`send`) and gives what comes to `came`; when nothing
more can come it calls `ended` with the reason.
"""

import asyncio
from collections.abc import Awaitable, Callable

from promptdeck.core.dialects.base import value_of
from promptdeck.core.text.jsontext import JSONObject
from promptdeck.engine.agent.sides import MCPTrouble

from . import wire

Send = Callable[[JSONObject], Awaitable[None]]


class Duplex:
    """The requests of one connection that are under way."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._waiting: dict[object, asyncio.Future[JSONObject]] = {}
        self._over: MCPTrouble | None = None

    async def ask(self, message: JSONObject, timeout: float) -> JSONObject:
        """Send a request; its answer, with `result` or `error`. MCPTrouble; TimeoutError.

        Who gives up tells the server so.
        """
        if self._over:
            raise self._over
        number = message["id"]
        future = asyncio.get_running_loop().create_future()
        self._waiting[number] = future
        try:
            async with asyncio.timeout(timeout):
                await self._send(message)
                answer: JSONObject = await future
        except (TimeoutError, asyncio.CancelledError):
            if not self._over and message["method"] not in ("initialize", "server/discover"):
                told = wire.notification("notifications/cancelled", {"requestId": number})
                await asyncio.shield(self._send(told))
            raise
        finally:
            self._waiting.pop(number, None)
        return answer

    async def came(self, text: bytes) -> None:
        """Take a message as it came; what is no JSON is passed over, as a server's log line."""
        message = value_of(text)
        if not isinstance(message, dict):
            return
        if wire.is_request(message):
            await self._send(wire.answer_to(message))
        elif wire.is_answer(message):
            future = self._waiting.get(message.get("id"))
            if future and not future.done():
                future.set_result(message)

    def ended(self, why: MCPTrouble) -> None:
        """Tell all who wait that no answer will come."""
        self._over = self._over or why
        for future in self._waiting.values():
            if not future.done():
                future.set_exception(self._over)
