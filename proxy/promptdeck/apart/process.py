"""The process for users' expressions as others see it: asked, waited for, ended.

There is one for each process of promptdeck, started when the first expression is to run and
again after each end. Who asks waits for the answer, in a thread where others must not wait;
they wait for each other, each for as long as one question may compute.
"""

import atexit
import marshal
import os
import subprocess
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import promptdeck
from promptdeck.core.text.expressions import Exchanged, Place, Ranges
from promptdeck.errors import PatternError

from .child import HAS_TIMERS, SIZE, read

# No site, no user's folders, no environment: it starts in 20 ms and imports nothing that
# somebody put there. What is appended cannot stand before the standard library.
_PROGRAM = (
    "import sys; sys.path.append(sys.argv[1]); from promptdeck.apart.child import main; main()"
)
_ROOT = str(Path(promptdeck.__file__).parent.parent)


class CutOff(Exception):
    """The child ended before it answered: it was asked to compute for too long, or was killed."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number
        """Of the expression that ran then; -1 if none did."""


class Process:
    """A child process, asked one question at a time, from any thread."""

    def __init__(self) -> None:
        self._child: subprocess.Popen[bytes] | None = None
        self._owner = 0
        self._turn = threading.Lock()

    def ask(
        self, kind: str, expressions: list[Any], texts: list[Any], seconds: float
    ) -> list[Any] | str:
        """Have `child.answer` answer: a list, or why there is none.

        CutOff if it computes for more than these seconds; OSError if there can be no child.
        """
        question = marshal.dumps((kind, expressions, texts, seconds))
        with self._turn:
            # A child that somebody else killed meanwhile is no answer to this question.
            for _ in range(2):
                child = self._started()
                watch = None if HAS_TIMERS else threading.Timer(seconds, child.kill)
                if watch:
                    watch.start()
                try:
                    return _answer(child, question)
                except CutOff as ended:
                    self._end()
                    if ended.number >= 0:
                        raise
                finally:
                    if watch:
                        watch.cancel()
            raise CutOff(-1)

    def close(self) -> None:
        """End the child, if there is one; the next question starts another."""
        with self._turn:
            self._end()

    def _started(self) -> "subprocess.Popen[bytes]":
        if self._owner != os.getpid():
            # Of a process that forked the child is the parent's: two must not ask through one pipe.
            self._child = None
        if self._child is None:
            self._child = subprocess.Popen(  # noqa: S603  nothing in it comes from outside
                [sys.executable, "-I", "-S", "-c", _PROGRAM, _ROOT],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
            )
            self._owner = os.getpid()
        return self._child

    def _end(self) -> None:
        child, self._child = self._child, None
        if child and self._owner == os.getpid():
            child.kill()
            with suppress(OSError):
                child.communicate()


def _answer(child: "subprocess.Popen[bytes]", question: bytes) -> list[Any] | str:
    """Ask, and read to the answer. CutOff."""
    if child.stdin is None or child.stdout is None:
        raise AssertionError("both are pipes")
    number = -1
    try:
        child.stdin.write(len(question).to_bytes(SIZE, "big"))
        child.stdin.write(question)
        child.stdin.flush()
        while True:
            told: int | list[Any] | str = read(child.stdout)
            if not isinstance(told, int):
                return told
            number = told
    except (EOFError, OSError):
        raise CutOff(number) from None


PROCESS = Process()
"""The one of this process."""

atexit.register(PROCESS.close)


class Apart:
    """Users' expressions, each run in `PROCESS` for a limited time: `Expressions` of one session.

    One that took longer is refused from then on, without being tried again. `seconds` are
    those that all expressions may compute on the texts of one call.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._refused: set[str] = set()

    def replaced(self, rules: Sequence[Exchanged], texts: Sequence[str]) -> list[str]:
        """See `Expressions`."""
        return self._run("replaced", rules, [pattern for pattern, _ in rules], texts)

    def found(
        self, patterns: Sequence[str], texts: Sequence[tuple[str, Ranges]]
    ) -> list[list[Place]]:
        """See `Expressions`."""
        return self._run("found", patterns, patterns, texts)

    def _run(
        self,
        kind: str,
        expressions: Sequence[Any],
        patterns: Sequence[str],
        texts: Sequence[Any],
    ) -> list[Any]:
        """Ask, and know an expression again that took too long. PatternError."""
        for pattern in patterns:
            if pattern in self._refused:
                raise self._too_slow(pattern)
        try:
            told = PROCESS.ask(kind, list(expressions), list(texts), self._seconds)
        except CutOff as ended:
            pattern = patterns[max(0, ended.number)]
            self._refused.add(pattern)
            raise self._too_slow(pattern) from None
        except OSError as error:
            raise PatternError(
                f"cannot start {sys.executable or 'Python'} to run the patterns of match.replace"
                f" and redact.patterns: {error.strerror or error}",
                code="pattern_not_run",
                status=500,
            ) from None
        if isinstance(told, str):
            shown = ", ".join(map(repr, patterns))
            raise PatternError(f"the pattern {shown} cannot be applied to this request: {told}")
        return told

    def _too_slow(self, pattern: str) -> PatternError:
        return PatternError(
            f"the pattern {pattern!r} takes longer than server.pattern_timeout"
            f" ({self._seconds:g} s) and is not run any more: write it so that it does not try"
            " the same text in many ways, as (a+)+ does",
            code="pattern_too_slow",
        )
