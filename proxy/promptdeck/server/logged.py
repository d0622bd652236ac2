"""The log lines of requests, whichever way their answers took."""

import logging
import time

from promptdeck.core.secrets.redact import Redactor

log = logging.getLogger("promptdeck")


def one_line(text: str) -> str:
    """A text as it may stand in a line: what is not printable is escaped, as in Python's own.

    Line ends and what moves a terminal's cursor or turns the direction of text are not.
    """
    if text.isprintable():
        return text
    return "".join(
        one if one.isprintable() else one.encode("unicode_escape").decode() for one in text
    )


class _OneLine(logging.Filter):
    """Keeps each event in a line of its own: much of what is logged came from somebody else."""

    def filter(self, record: logging.LogRecord) -> bool:
        # What explains a miss has lines of its own, below the event's.
        below: str = getattr(record, "below", "")
        lines = [record.getMessage(), *(below.split("\n") if below else ())]
        record.msg, record.args = "\n".join(map(one_line, lines)), ()
        return True


log.addFilter(_OneLine())


def log_answer(method: str, path: str, status: int, started: float, outcome: str) -> None:
    """Log an answer. `path` may be a target; `started` is a time of `time.perf_counter`.

    `outcome` is the answer's Cache-Status.
    """
    if log.isEnabledFor(logging.INFO):
        took = (time.perf_counter() - started) * 1000
        log.info("%s %s %d %.1f ms %s", method, shown(path), status, took, outcome)


def log_left(method: str, path: str) -> None:
    """Log that a client has closed its connection before it had its answer."""
    log.info("%s %s closed by the client", method, shown(path))


def shown(path: str) -> str:
    """A path or target as it may be logged: without its query, and without secrets."""
    return Redactor().query(path.partition("?")[0])
