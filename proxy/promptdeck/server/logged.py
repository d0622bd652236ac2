"""The log lines of requests, whichever way their answers took."""

import logging
import time

from promptdeck.core.secrets.redact import Redactor

log = logging.getLogger("promptdeck")


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
