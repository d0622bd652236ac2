"""Time that passes at once: for what happens after a while, without waiting for it."""

import asyncio


class Clock:
    """The running event loop's clock, which can be put forward. The wall's stays as it is.

    Make it before anything that reads the time: some keep the way in which they read it.
    """

    def __init__(self) -> None:
        self._ahead = 0.0
        loop = asyncio.get_running_loop()
        real = loop.time
        loop.time = lambda: real() + self._ahead  # type: ignore[method-assign]

    def ahead(self, seconds: float) -> None:
        """All timers that are due within so many seconds fire in the loop's next turn."""
        self._ahead += seconds


async def settle() -> None:
    """Let everything run that waits for no time: callbacks, and bytes on their way over loopback.

    The kernel has handed them on by the time that they are written, so that the next turn of
    the loop sees them; some turns more let what reads them run.
    """
    for _ in range(20):
        await asyncio.sleep(0)
