"""A chat stream as its client reads it: in the form that every SDK takes.

That is without ids, and without the names of events that are chunks: dedalus_labs 0.3.0
drops a chunk that has an event name, and both it and openai 3.54.0 break on a comment
after an `id:`. An event of another kind, such as the progress that some agents tell
between chunks, keeps its name: without it its data would pass for a chunk. Recordings
keep what upstream sent; this stands between them and the client, and does nothing to
bytes that need nothing.
"""

from promptdeck.core.text import sse

_NAMES = (b"event:", b"id:")
_DATA = b"data:"


class PlainStream:
    """One stream on its way: `feed` it in pieces, then take the `rest`.

    How it is cut into pieces makes no difference to all that comes out.
    """

    def __init__(self) -> None:
        self._held = b""
        """The beginning of a line that may turn out to be a name; not passed on yet."""
        self._name = b""
        """The line that names an event whose data has not come yet."""
        self._line_start = True
        """True if what was passed on ends a line."""
        self._after_cr = False
        """True if the line before ended in a CR, whose LF may come alone in the next piece."""

    def feed(self, data: bytes) -> bytes:
        """Take a piece; give the bytes of it, and of what was held, that can be passed on now.

        Held is no more than a name, and the line that may turn out to be one or, after it, to
        be its data.
        """
        if self._line_start and not (self._held or self._name) and sse.is_one_line(data):
            return data  # as it nearly always comes
        named = b"event:" in data or b"id:" in data
        if self._held or self._name:
            data, self._held = self._held + data, b""
            named = bool(self._name) or any(name in data for name in _NAMES)
        elif not named and data.endswith(b"\n"):
            # Whole lines without a name are what there is nearly always.
            self._line_start = True
            return data
        if not named:
            return self._passed(data)
        if not data:
            return b""
        *lines, last = data.splitlines(keepends=True)
        return b"".join([*(self._line(line) for line in lines), self._line(last, last=True)])

    def rest(self) -> bytes:
        """The bytes that are left to pass on when the stream has ended."""
        held, self._held = self._held, b""
        if held.startswith(_DATA):
            return self._with_name(held)
        self._name = b""  # of no event
        if held.startswith(b"event:"):
            return held if _is_error(held) else b""
        return b"" if held.startswith(_NAMES) else held

    def _line(self, line: bytes, *, last: bool = False) -> bytes:
        """The bytes to pass on of a line; the `last` one of a piece may go on in the next."""
        half, self._after_cr = self._after_cr and line == b"\n", False
        if half or not self._line_start:
            return self._passed(line)
        # The last one may go on in the next piece, be it only with the LF of a CR LF.
        goes_on = last and not line.endswith(b"\n")
        if (
            goes_on
            and self._name
            and any(line.startswith(n[: len(line)]) for n in (_DATA, *_NAMES))
        ):
            self._held = line
            return b""
        if self._name and line.startswith(_DATA):
            return self._with_name(line)
        if not line.startswith(_NAMES):
            if not line.strip(b"\r\n"):
                self._name = b""  # a name alone is no event
            return self._passed(line)
        if goes_on:
            self._held = line
            return b""
        if line.startswith(b"id:"):
            return b""
        if _is_error(line):
            self._name = b""
            return line
        self._name = line
        return b""

    def _with_name(self, line: bytes) -> bytes:
        """A line of data after a name: without it where it is a chunk, or the end."""
        name, self._name = self._name, b""
        chunk = b'"choices"' in line or line[len(_DATA) :].strip() == sse.DONE.encode()
        self._line_start = line.endswith((b"\n", b"\r"))
        return line if chunk else name + line

    def _passed(self, data: bytes) -> bytes:
        """`data`, which holds no name, less a last line that may be the beginning of one."""
        start = 1 + max(data.rfind(b"\n"), data.rfind(b"\r"))
        tail = data[start:]
        if tail and (start or self._line_start) and any(n.startswith(tail) for n in _NAMES):
            self._held = tail
            data = data[:start]
        if data:
            self._line_start = data.endswith((b"\n", b"\r"))
            self._after_cr = data.endswith(b"\r")
        return data


def _is_error(line: bytes) -> bool:
    """True if the line names an error: that name every SDK reads, and needs."""
    return line.partition(b":")[2].strip() == b"error" and line.startswith(b"event")
