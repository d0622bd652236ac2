"""How work on a long file tells how far it has come."""

from collections.abc import Callable

Progress = Callable[[float], None]
"""Called now and then with the share that is done, rising from 0 to 1."""


def silently(share: float) -> None:
    """The `Progress` of work that nobody watches."""
    del share
