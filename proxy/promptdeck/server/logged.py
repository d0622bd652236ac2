"""The log lines of requests, whichever way their answers took."""

import logging
import time

from promptdeck.core.secrets.redact import Redactor

log = logging.getLogger("promptdeck")


def log_answer(method: str, path: str, status: int, started: float, outcome: str) -> None:
    """Of a path or target; `started` is of `time.perf_counter`."""
    if log.isEnabledFor(logging.INFO):
        took = (time.perf_counter() - started) * 1000
        log.info("%s %s %d %.1f ms %s", method, shown(path), status, took, outcome)


def log_left(method: str, path: str) -> None:
    log.info("%s %s closed by the client", method, shown(path))


def shown(path: str) -> str:
    """A path without its query; in it, too, somebody may have put a secret."""
    return Redactor().query(path.partition("?")[0])
