"""What counts of a request beside its body: the other half of what an answer depends on.

Made where a request's head is read. Two requests with equal counts and bodies that say
the same get the same answer; so it is by this value that the fast path knows a head.
"""

import secrets
from typing import NamedTuple

import xxhash

from .interaction import Headers, Request

SEED = secrets.randbits(64)
"""Begins the digests by which this process knows bodies again, another number in each process.

What is found by such a digest is not compared any more: nobody outside may be able to find
two bodies of one digest, which for xxh3 without a seed is a matter of minutes.
"""

COUNTED = frozenset(
    """content-type accept range if-range
    anthropic-version x-goog-api-key api-key""".split()  # these by where they lead: `upstream`
)
"""Headers of a request that are in its `Counts`, in lower case.

Whoever reads a request's header declares it: here if its value is part of what is asked, such
as one that chooses a representation; in a `DECISIVE` beside the reader if such a request is to
be decided on by itself each time; in an `INDIFFERENT` if the same answer is right whatever it
says. `tests/server/fast/test_connection.py` finds those that are declared nowhere.
"""


class Counts(NamedTuple):
    """What counts of a request's head, each as it was sent."""

    method: str
    target: str
    """Path and query, with the cassette or session in the path where it was sent with one."""
    content_type: str
    selecting: Headers = ()
    """The headers that choose a representation, by `varying.selecting`."""
    upstream: str | None = None
    """The base URL of whose call it is, if that is not the configured one: `dialects.homes`."""

    @classmethod
    def of(cls, request: Request, upstream: str | None = None) -> "Counts":
        """What counts of a request beside its body."""
        counted = request.method, request.target, request.content_type, request.selecting
        return cls(*counted, upstream)

    def request(self, body: bytes) -> Request:
        """The request that has this body."""
        return Request(self.method, self.target, self.content_type, body, self.selecting)

    @property
    def seed(self) -> int:
        """A number for these counts, to begin the digests of bodies with: 64 bits.

        Known to nobody outside this process, and so are the digests.
        """
        chosen = [part for item in self.selecting for part in item]
        lines = (self.method, self.target, self.content_type, str(self.upstream), *chosen)
        text = "\n".join(lines).encode("utf-8", "surrogateescape")
        return xxhash.xxh3_64_intdigest(text, SEED)
