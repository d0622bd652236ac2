"""A chat stream as its client reads it: in the form that every SDK takes.

That is without event names but `error`, and without ids: dedalus_labs 0.3.0
drops a chunk that has an event name, and both it and openai 3.54.0 break on a
comment after an `id:`. Recordings keep what upstream sent; this stands between
them and the client, and does nothing to bytes that need nothing.
"""

from promptdeck.core.text import sse

_NAMES = (b"event:", b"id:")


class PlainStream:
    """One stream on its way: `feed` it in pieces, then take the `rest`.

    How it is cut into pieces makes no difference to all that comes out.
    """

    def __init__(self) -> None:
        self._held = b""
        """The beginning of a line that may turn out to be a name; not passed on yet."""
        self._line_start = True
        """True if what was passed on ends a line."""

    def feed(self, data: bytes) -> bytes:
        """Take a piece; give the bytes of it, and of what was held, that can be passed on now.

        Held is no more than a last line that is, or may turn out to be, a name.
        """
        if self._line_start and not self._held and sse.is_one_line(data):
            return data  # as it nearly always comes
        named = b"event:" in data or b"id:" in data
        if self._held:
            data, self._held = self._held + data, b""
            named = any(name in data for name in _NAMES)
        elif not named and data.endswith(b"\n"):
            # Whole lines without a name are what there is nearly always.
            self._line_start = True
            return data
        if not named:
            return self._passed(data)
        *lines, last = data.splitlines(keepends=True)
        return b"".join([*(self._line(line) for line in lines), self._line(last, last=True)])

    def rest(self) -> bytes:
        """The bytes that are left to pass on when the stream has ended."""
        held, self._held = self._held, b""
        return b"" if held.startswith(_NAMES) and not _is_error(held) else held

    def _line(self, line: bytes, *, last: bool = False) -> bytes:
        """The bytes to pass on of a line; the `last` one of a piece may go on in the next."""
        if not (self._line_start and line.startswith(_NAMES)):
            return self._passed(line)
        # The last one may go on in the next piece, be it only with the LF of a CR LF.
        if last and not line.endswith(b"\n"):
            self._held = line
            return b""
        return line if _is_error(line) else b""

    def _passed(self, data: bytes) -> bytes:
        """`data`, which holds no name, less a last line that may be the beginning of one."""
        start = 1 + max(data.rfind(b"\n"), data.rfind(b"\r"))
        tail = data[start:]
        if tail and (start or self._line_start) and any(n.startswith(tail) for n in _NAMES):
            self._held = tail
            data = data[:start]
        if data:
            self._line_start = data.endswith((b"\n", b"\r"))
        return data


def _is_error(line: bytes) -> bool:
    """True if the line names an error: that name every SDK reads, and needs."""
    return line.partition(b":")[2].strip() == b"error" and line.startswith(b"event")
