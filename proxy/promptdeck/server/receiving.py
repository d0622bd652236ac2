"""Connections to clients, as both ways have them: aiohttp's, but for what its parser refuses.

Whoever sends what is no request is answered in our JSON, and with none of its bytes: they may
be a key. A head may have 64 KB, where aiohttp allows 8 KB a line, and name its program twice.
This leans on parts of `RequestHandler` that aiohttp does not promise; without them heads
with two User-Agents are refused.
"""

import asyncio
import logging
import os
import re
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import Any

from aiohttp import web
from aiohttp.http import HttpRequestParser
from aiohttp.http_exceptions import BadHttpMessage, HttpProcessingError, LineTooLong
from aiohttp.web_protocol import RequestHandler, RequestPayloadError
from multidict import CIMultiDict, CIMultiDictProxy

from promptdeck.errors import ClientError, HTTPError

from .errors import error_response

log = logging.getLogger("promptdeck")

END = b"\r\n\r\n"
"""Ends a head (RFC 9112, 2.1)."""
MOST_HEAD = 64 * 1024
"""Bytes of a head. Tokens of companies' gateways have 12,000 and more; as much as Envoy allows."""

_LINGERS = 2.0
"""Seconds in which a client that was refused may end by itself."""
_TLS = b"\x16\x03"
"""What a TLS client begins with: a handshake record (RFC 8446, 5.1)."""
# Not to be guessed: a header that a client itself sends by this name would be taken for another.
_TWIN = b"X-Twin-" + os.urandom(8).hex().encode()
_PROGRAM = re.compile(rb"(?i)user-agent").fullmatch
_PROGRAMS = re.compile(rb"(?i)\r\nuser-agent:")


class ParserFeed:
    """What aiohttp's parser was given since it last stood at the start of a message.

    Say `giving` before it is given bytes, and `took` when it has made something of them.
    """

    __slots__ = ("_ending", "_message", "_opening", "_parsed", "_payload", "fed")

    def __init__(self) -> None:
        self.fed = 0
        """Bytes. At 0 the next byte begins a message."""
        self._opening = b""
        """The first of them, up to the end of the head."""
        self._parsed = 0
        """Messages that were made of them."""
        self._message: Any = None
        """The last of these, as aiohttp's parser has it, until it is being answered."""
        self._payload: Any = None
        """Its body."""
        self._ending = b""
        """The last bytes of all."""

    @property
    def begun(self) -> bytes | None:
        """All of a message that has begun; None where more has come, or too much to remember."""
        return self._opening if self.fed == len(self._opening) else None

    def at_start(self) -> bool:
        """True if the next byte begins a message: one was made, of just what was given."""
        if self._parsed == 1 and (
            self.fed == _length(self._opening, self._message) or self._chunked_ended()
        ):
            self.fed = self._parsed = 0
        return self.fed == 0

    def _chunked_ended(self) -> bool:
        """True if a body in chunks has come to its end, and nothing behind it."""
        # What lies behind that end is no whole head, or it would be a message; and what is none
        # does not end in an empty line, but for such lines alone, which begin nothing.
        # What was no request at all has no such mark.
        chunked = getattr(self._message, "chunked", False)
        return chunked and self._ending == END and self._payload.is_eof()

    def giving(self, data: bytes) -> None:
        """Count bytes that the parser is given next."""
        if self.fed == 0:
            self._opening = data
        elif END not in self._opening and len(self._opening) <= MOST_HEAD:
            self._opening += data
        self.fed += len(data)
        self._ending = (self._ending + data[-len(END) :])[-len(END) :]

    def took(self, messages: int, last: Any, payload: Any) -> None:
        """Note how many messages came out of that, and the last that has yet to be answered.

        `payload` is its body, as aiohttp's parser has it.
        """
        self._parsed += messages
        self._message, self._payload = last, payload

    def head_of(self, headers: Any, length: int) -> bytes | None:
        """The text of the head of a message with these headers and a body of so many bytes.

        None unless it is all that the parser was given, and so what these headers were made of.
        """
        text = self._opening.partition(END)[0] + END
        whole = self._parsed == 1 and self.fed == len(text) + length
        # What was no request at all stands there without headers.
        same = headers is getattr(self._message, "headers", None)
        return text if whole and same else None


def _length(opening: bytes, message: Any) -> int:
    """Bytes of a message that aiohttp has parsed; -1 if only its parser can tell."""
    end = opening.find(END)
    headers = getattr(message, "headers", None)
    if end < 0 or headers is None or message.chunked or message.upgrade:
        return -1
    length = headers.get("Content-Length", "0")
    return end + len(END) + int(length) if length.isdecimal() else -1


class TwinParser:
    """aiohttp's parser of requests, for heads that name their program more than once, too.

    `make` makes such a parser, `begun` gives all that came of the present message, as far as
    that is known. A second `User-Agent` is refused by the parser (RFC 9110, 5.3: a field that is
    no list comes once), but google-genai's clients send what their caller adds beside their own.
    """

    def __init__(self, make: Callable[[], Any], begun: Callable[[], bytes | None]) -> None:
        self._make = make
        self._parser = make()
        self._begun = begun
        self._held: bytes | None = None
        """A message whose head names its program twice, as far as it has come."""

    def __getattr__(self, name: str) -> Any:
        return getattr(self._parser, name)

    def feed_data(self, data: bytes) -> tuple[Sequence[Any], bool, bytes]:
        """Parse what came next; returns and raises as aiohttp's parser does."""
        begun = self._begun()
        if begun and len(begun) > MOST_HEAD and begun.find(END, 0, MOST_HEAD) < 0:
            raise LineTooLong(b"", MOST_HEAD)
        if self._held is not None:
            self._held += data
            return self._without_twins(self._held)
        try:
            return self._parser.feed_data(data)  # type: ignore[no-any-return]
        except BadHttpMessage as error:
            if begun is None or len(_PROGRAMS.findall(begun)) < 2:
                raise
            log.debug("a head names its program twice: %s", type(error).__name__)
        return self._without_twins(begun)

    def _without_twins(self, message: bytes) -> tuple[Sequence[Any], bool, bytes]:
        """Parse a message from its start, with only the first of its programs under that name."""
        head, end, rest = message.partition(END)
        if not end:
            self._held = message
            return (), False, b""
        self._held = None
        lines, names = [], []
        for line in head.split(b"\r\n"):
            name, colon, value = line.partition(b":")
            if colon and _PROGRAM(name):
                names.append(name.decode())
                line = (_TWIN if len(names) > 1 else name) + colon + value
            lines.append(line)
        self._parser = self._make()
        messages, upgraded, tail = self._parser.feed_data(b"\r\n".join(lines) + end + rest)
        (first, payload), *more = messages
        return [(_with_twins(first, names[1:]), payload), *more], upgraded, tail


def _with_twins(message: Any, names: list[str]) -> Any:
    """A parsed message whose twins have their names again, in the order in which they came."""
    own, twin = iter(names), _TWIN.decode().lower()
    headers: CIMultiDict[str] = CIMultiDict()
    for name, value in message.headers.items():
        headers.add(next(own) if name.lower() == twin else name, value)
    return message._replace(headers=CIMultiDictProxy(headers))


class Receiver(RequestHandler):
    """A connection to a client."""

    __slots__ = ("_feed", "_rest")

    def __init__(self, manager: web.Server, loop: asyncio.AbstractEventLoop) -> None:
        limits: dict[str, Any] = {
            "max_line_size": MOST_HEAD,
            "max_field_size": MOST_HEAD,
            "auto_decompress": False,
        }
        super().__init__(manager, loop=loop, access_log=None, **limits)  # type: ignore[arg-type]  # as AppRunner has it
        self._feed = ParserFeed()
        self._rest: asyncio.Future[None] | None = None
        """Done when a client that was refused has ended; whatever it still sends is passed over."""
        make = partial(
            HttpRequestParser,
            self,
            loop,
            self._read_bufsize,
            payload_exception=RequestPayloadError,
            max_msg_queue_size=self._max_msg_queue_size,
            **limits,
        )
        self._parser = TwinParser(make, lambda: self._feed.begun)  # type: ignore[assignment]  # stands for one

    def data_received(self, data: bytes) -> None:
        """Give aiohttp's parser what came, and count it."""
        if self._rest:
            return
        if data:  # nothing is what aiohttp gives itself when a body has been read
            self._feed.at_start()
            self._feed.giving(data)
        count = self._request_count
        super().data_received(data)
        if self._request_count > count:
            last, payload = self._messages[-1] if self._messages else (None, None)
            self._feed.took(self._request_count - count, last, payload)

    def eof_received(self) -> None:
        """A client that was refused need not be waited for any more."""
        super().eof_received()
        self._pass_over()

    def connection_lost(self, exc: BaseException | None) -> None:
        super().connection_lost(exc)
        self._pass_over()

    def _pass_over(self) -> None:
        if self._rest and not self._rest.done():
            self._rest.set_result(None)

    async def finish_response(
        self, request: web.BaseRequest, resp: web.StreamResponse, start_time: float | None
    ) -> tuple[web.StreamResponse, bool]:
        """Write an answer; of a refusal wait till the client has it, as aiohttp closes then.

        To close on a client that still sends resets its connection, and with it the answer
        (RFC 9112, 9.6).
        """
        done = await super().finish_response(request, resp, start_time)
        if self._rest and self.transport:
            if self.transport.can_write_eof():
                with suppress(OSError):  # it has reset the connection: that is soon told
                    self.transport.write_eof()
            await asyncio.wait([self._rest], timeout=_LINGERS)
        return done

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """The answer to what is no request, or to an error of our own after all handlers.

        The connection is closed then. ConnectionError where an answer has begun, or the client
        has left: agents do so as soon as a stream has said its last, before its last bytes.
        """
        del message  # it has what the client sent
        if isinstance(exc, ConnectionError):
            raise exc  # the log has a line on who left
        if isinstance(exc, HttpProcessingError) and status < 500:
            error: HTTPError = self._refusal(exc)
            log.warning("%d to what is no request: %s", error.status, error.message)
        else:
            log.error("an answer could not be written", exc_info=exc)
            error = HTTPError("promptdeck failed; its log says how", status=status)
        if request.writer.output_size > 0:
            raise ConnectionError("an answer has begun: it can only be broken off")
        response = error_response(error)
        response.force_close()
        self._rest = self._loop.create_future()
        return response

    def _refusal(self, error: HttpProcessingError) -> ClientError:
        """The error for bytes that are no request: the rule they break, and none of them."""
        if (self._feed.begun or b"").startswith(_TLS):
            told = "TLS was spoken to a port of plain HTTP: the base_url must begin with http://"
        elif isinstance(error, LineTooLong):
            told = f"the head of the request is longer than {MOST_HEAD} bytes"
            return ClientError(told, code="head_too_large", status=431)
        elif isinstance(error, BadHttpMessage) and error.message == "Too many headers received":
            return ClientError("too many headers", code="head_too_large", status=431)
        else:
            told = "what was sent is no HTTP request, or one that may be read in two ways"
        return ClientError(told, code="malformed_request")


def receivers(server: web.Server, loop: asyncio.AbstractEventLoop) -> Callable[[], Receiver]:
    """The factory of a server's connections without the fast path, for `loop.create_server`."""
    return partial(Receiver, server, loop)
