"""The process in which users' expressions run: asked on stdin, it answers on stdout.

A message is the length of what follows, in 8 bytes, and Python's own `marshal` of it, which
takes any text, lone surrogates too. It is asked `(kind, expressions, texts, seconds)`, tells
the number of each expression before it runs, and answers with a list, or with a text that
says why there is none. Where the system has timers it ends itself when the seconds of
computing are over, so that it does so too when whoever asked has died.
"""

import contextlib
import marshal
import re
import signal
import sys
from collections.abc import Callable, Sequence
from typing import IO, Any

from promptdeck.core.text.expressions import found, replaced

SIZE = 8
"""Bytes of a message's length."""

HAS_TIMERS = hasattr(signal, "setitimer")
"""Whether the process can end itself; else it is to be ended by who asks."""

KINDS: dict[str, Callable[..., list[Any]]] = {"replaced": replaced, "found": found}
"""What it can be asked, by the name of the method of `Expressions`."""

# A body of `server.max_body`, as text and marshalled, asked and answered, fits in. What a
# repetition keeps of a long text does not always.
_MOST_MEMORY = 2 * 1024**3


def read(stream: IO[bytes]) -> Any:
    """Read one message. EOFError where the stream ends."""
    head = stream.read(SIZE)
    data = stream.read(int.from_bytes(head, "big")) if len(head) == SIZE else b""
    return marshal.loads(data)  # noqa: S302  from our own other half, through a pipe of ours


def write(stream: IO[bytes], value: Any) -> None:
    """Write one message."""
    data = marshal.dumps(value)
    stream.write(len(data).to_bytes(SIZE, "big"))
    stream.write(data)
    stream.flush()


def limit(seconds: float) -> None:
    """End this process after so much computing, if 0 is not said before; only where it can be.

    Computing counts, not time: a machine on which others are busy makes no expression slow.
    """
    if HAS_TIMERS:
        signal.setitimer(signal.ITIMER_PROF, seconds)


def bound_memory() -> None:
    """Have what takes too much memory fail, where the system can see to it."""
    try:
        import resource
    except ImportError:
        return
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_AS, (_MOST_MEMORY, _MOST_MEMORY))


def answer(kind: str, expressions: Sequence[Any], texts: Sequence[Any]) -> list[Any] | str:
    """What is asked, or why there is none. Tells of each expression on stdout."""
    try:
        return KINDS[kind](expressions, texts, lambda number: write(sys.stdout.buffer, number))
    except MemoryError:
        return "it takes too much memory"
    except (re.error, RecursionError, OverflowError, IndexError) as error:
        return f"it cannot be run: {error}"


def main() -> None:
    """Answer until nobody can ask any more."""
    # Ctrl-C goes to all processes of a terminal; this one ends when its stdin does.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    bound_memory()
    with contextlib.suppress(EOFError, BrokenPipeError):
        while True:
            kind, expressions, texts, seconds = read(sys.stdin.buffer)
            limit(seconds)
            found_out = answer(kind, expressions, texts)
            limit(0)
            write(sys.stdout.buffer, found_out)
