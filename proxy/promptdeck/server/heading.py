"""The heads of answers, written: for aiohttp's responses, and for answers without one.

A header's value is text in memory, in which each byte that is not UTF-8 is a lone surrogate
(`surrogateescape`), as aiohttp's parser reads it. It goes out as the byte that it was.
"""

import re
from collections.abc import Sequence
from http import HTTPStatus

from aiohttp import web
from aiohttp.hdrs import CONTENT_TYPE
from aiohttp.http_writer import StreamWriter
from multidict import CIMultiDict

from promptdeck.core.headers import is_sendable
from promptdeck.core.interaction import Headers
from promptdeck.errors import HTTPError

# RFC 9110, 5.6.2: a name is a token.
_is_token = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+").fullmatch
_ends_line = re.compile("[\r\n]").search

REASONS = {int(status): status.phrase for status in HTTPStatus}
"""The phrase after each status, as aiohttp writes it; nothing after others."""


def sendable(headers: Headers) -> Headers:
    """Recorded headers without those that no head can hold: 0.1.0 kept controls of upstream's.

    HTTPError 500 for one that might be read as two, which is somebody's edit.
    """
    for name, value in headers:
        if not _is_token(name) or _ends_line(value):
            told = f"the recording has a header that cannot be sent: {name[:40]!r}"
            raise HTTPError(told, code="unusable")
    return tuple([item for item in headers if is_sendable(item[1])])


def written(status: str, headers: Sequence[tuple[str, str]]) -> bytes:
    """A head, but for the blank line that ends it; `status` is the code and its phrase.

    ValueError for a header that would be read as two.
    """
    if not all(is_sendable(value) for _, value in headers):
        raise ValueError("a header that cannot be sent")
    lines = [f"HTTP/1.1 {status}", *(f"{name}: {value}" for name, value in headers), ""]
    return "\r\n".join(lines).encode("utf-8", "surrogateescape")


class StreamAnswer(web.StreamResponse):
    """A response whose head goes out with the first bytes of the body, as `written` has it.

    One without a type has none: what aiohttp would say of it, nobody has said.
    """

    _send_headers_immediately = False

    async def _prepare_headers(self) -> None:
        untyped = CONTENT_TYPE not in self.headers
        await super()._prepare_headers()
        if untyped:
            self.headers.popall(CONTENT_TYPE, None)

    async def _write_headers(self) -> None:
        writer, headers = self._payload_writer, self.headers
        plain = all(map(str.isascii, headers.values()))
        # aiohttp leaves out what is not UTF-8. Its writer takes a head of ours in place of its
        # own, which is no promise of its: another writer gets what aiohttp makes of it.
        if plain or not (isinstance(writer, StreamWriter) and hasattr(writer, "_headers_buf")):
            await super()._write_headers()
            return
        await writer.write_headers("", CIMultiDict())
        head = written(f"{self.status} {self.reason}", [*headers.items()])
        version = b"HTTP/1.0" if self._req and self._req.version < (1, 1) else b"HTTP/1.1"
        writer._headers_buf = version + head[len(version) :] + b"\r\n"  # noqa: SLF001  see above


class Answer(StreamAnswer, web.Response):
    """An answer that is given whole."""
