"""The event loop that commands run on: uvloop where it is installed, asyncio's own otherwise."""

from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, TypeVar

from .quick import importing

if TYPE_CHECKING:
    import asyncio

T = TypeVar("T")


def run(main: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine to its end on a loop of its own; what it returns or raises."""
    with importing():
        import asyncio  # 40 ms, which `--help` does not have to wait for

    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        return runner.run(main)


def _loop_factory() -> "Callable[[], asyncio.AbstractEventLoop] | None":
    """uvloop's factory of event loops; None, which means asyncio's own, if it is not installed."""
    try:
        with importing():
            import uvloop  # the `speed` extra
    except ImportError:
        return None
    factory: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop
    return factory
