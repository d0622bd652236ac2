"""One recorded answer as the very bytes that follow a request's head, ready to be sent again.

Made of what the ordinary way has just sent, or of a recording as aiohttp would write it.
Good only while its `Repeat` is.
"""

import time
from collections.abc import Mapping, Sequence
from email.utils import formatdate
from functools import lru_cache
from http import HTTPStatus

from aiohttp.http import SERVER_SOFTWARE
from multidict import CIMultiDict

from promptdeck.core.counts import Counts
from promptdeck.engine.decks.repeat import Repeat
from promptdeck.engine.outcome import Served
from promptdeck.server.answers.pace import Beat, Pace, beats_of
from promptdeck.server.answers.rendering import rendering_of, served_headers
from promptdeck.server.heading import written
from promptdeck.server.noted import new_request_id

from .hitlog import HitLine
from .paced import Script, chunked

_OWN = frozenset(["age", "date", "x-request-id"])
"""Headers that differ each time an answer is sent."""
_OF_THE_SERVER = _OWN | frozenset(
    """connection content-encoding content-length keep-alive server trailer transfer-encoding
    upgrade""".split()
)
"""Headers that a recording has only if somebody wrote them into it."""

# Bytes that an answer takes beside its own: the object, its names, its places in dicts.
_OVERHEAD = 1000
# Bytes that a beat of a paced answer takes beside its own.
_BEAT = 100

Message = bytes | Script
"""All of an answer, or how it is played."""


class Ready:
    """An answer, of which only the `_OWN` headers are made anew each time.

    `status` is the code and its phrase. `headers` are those of the whole answer. With
    `beats` the body is written at its pace: they hold it, framed as the headers say, and
    `body` is empty.
    """

    __slots__ = ("_after", "_before", "_head", "_stamped", "beats", "line", "repeat")

    def __init__(
        self,
        repeat: Repeat,
        status: str,
        headers: Mapping[str, str],
        body: bytes,
        beats: Sequence[Beat] = (),
    ) -> None:
        kept = [item for item in headers.items() if item[0].lower() not in _OWN]
        self._before = written(status, kept)
        self._after = b"\r\n\r\n" + body
        self.line = HitLine(f"{status[:3]} {headers.get('Cache-Status', '')}")
        self.repeat = repeat
        self.beats = beats
        self._stamped = 0
        """The second since the epoch for which `_head` was made."""
        self._head = b""

    @classmethod
    def of(cls, served: Served, pace: Pace, asked: Counts, sent: str) -> "Ready | None":
        """Make the answer to a chat from a recording, with the very bytes that aiohttp writes.

        `asked` is what was asked beside the body, `sent` the target as it came. None for a
        recording whose answer hangs on more than what is known here; HTTPError 500 for one
        that cannot be sent.
        """
        response = served.response
        odd = any(name.lower() in _OF_THE_SERVER for name, _ in response.headers)
        if odd or response.status != HTTPStatus.OK or not served.repeat:
            return None
        headers = CIMultiDict(served_headers(served, sent))
        rendering = rendering_of(asked, response.content_type)
        headers["Cache-Status"] = served.cache_status
        body, beats = b"", []
        if not pace.at_once:
            beats = list(beats_of(response, pace.factor, rendering))
        if response.is_stream and beats:
            headers["Transfer-Encoding"] = "chunked"
            beats = chunked(beats)
        else:
            body = rendering.whole(response.body)
            if not body:
                return None
            headers["Content-Length"] = str(len(body))
            if beats:
                body, beats = b"", [Beat(response.took_ms / 1000 / pace.factor, body)]
        headers.setdefault("Server", SERVER_SOFTWARE)
        return cls(served.repeat, "200 OK", headers, body, beats)

    @property
    def size(self) -> int:
        """Bytes of memory, about."""
        beats = sum(len(beat.data) + _BEAT for beat in self.beats)
        # The head is there twice: as it was given, and with this second's headers.
        mine = 2 * len(self._before) + len(self._after) + beats
        return mine + self.repeat.size + _OVERHEAD

    def again(self, request_id: bytes) -> Message | None:
        """Play the recording once more: the answer, or None where it is good no longer.

        `request_id` is the one that the client gave, or nothing.
        """
        now = time.time()
        if not self.repeat.again(now):
            return None
        second = int(now)
        if second != self._stamped:
            # Age and Date count in seconds: once a second is often enough.
            self._stamped = second
            age, date = self.repeat.age(now), http_date(second)
            stamp = f"Age: {age}\r\nDate: {date}\r\nX-Request-Id: "
            self._head = self._before + stamp.encode()
        message = b"".join((self._head, request_id or new_request_id(), self._after))
        return Script(message, self.beats) if self.beats else message


@lru_cache(maxsize=1)
def http_date(second: int) -> str:
    """A Date header's value, by the seconds since the epoch (RFC 9110, 5.6.7)."""
    return formatdate(second, usegmt=True)
