"""What is noted on a request on its way, for those who have it later; and its name."""

import os
from itertools import count

from aiohttp import web

from promptdeck.engine.decks.repeat import Repeat

REQUEST_ID = web.RequestKey("id", str)
"""The X-Request-Id of its answer: the client's own, or one of `new_request_id`."""
REPEAT = web.RequestKey("repeat", Repeat)
"""Set on a request whose answer, as it was sent, may be given again."""

BROUGHT = web.RequestKey("brought", frozenset[tuple[str, str]])
"""Headers, by their names in lower case, that brought the server's token: for nobody else."""

# 96 random bits, then a counter: names that no other process gives, and the next one costs
# a tenth of a microsecond, where uuid4 costs two.
_ids = count(int.from_bytes(os.urandom(12)) << 32)


def new_request_id() -> bytes:
    """A name that no request had before, such as an X-Request-Id may be."""
    return b"req_%032x" % next(_ids)


def _count_anew() -> None:
    """Workers are one process until they are forked: none may give the ids of another."""
    global _ids  # noqa: PLW0603  each process has its own
    _ids = count(int.from_bytes(os.urandom(12)) << 32)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_count_anew)
