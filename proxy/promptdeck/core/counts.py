"""What counts of a request beside its body: the other half of what an answer depends on.

Made where a request's head is read. Two requests with equal counts and bodies that say
the same get the same answer; so it is by this value that the fast path knows a head.
"""

from typing import NamedTuple

import xxhash


class Counts(NamedTuple):
    """Method, target and content type of a request, each as it was sent."""

    method: str
    target: str
    """Path and query, with the cassette or session in the path where it was sent with one."""
    content_type: str

    @property
    def seed(self) -> int:
        """A number for these counts, to begin the digests of bodies with: 64 bits."""
        return xxhash.xxh3_64_intdigest("\n".join(self).encode("utf-8", "surrogateescape"))
