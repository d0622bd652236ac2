"""A chat stream in the form that every SDK reads: no event names but `error`, no ids.

The dedalus SDK drops a chunk that has an event name, and both SDKs break on a
comment after an `id:`. Recordings keep what upstream sent; this stands between
them and the client, and does nothing to bytes that need nothing.
"""

from promptdeck.core.text import sse

_NAMES = (b"event:", b"id:")


class PlainStream:
    """`feed` a stream in any pieces, then take the `rest`; how it was cut makes no difference."""

    def __init__(self) -> None:
        self._held = b""
        self._line_start = True

    def feed(self, data: bytes) -> bytes:
        """What can be passed on now; a line that may yet turn out to be a name is held."""
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
        """What was held when the stream ended."""
        held, self._held = self._held, b""
        return b"" if held.startswith(_NAMES) and not _is_error(held) else held

    def _line(self, line: bytes, *, last: bool = False) -> bytes:
        if not (self._line_start and line.startswith(_NAMES)):
            return self._passed(line)
        # The last one may go on in the next piece, be it only with the LF of a CR LF.
        if last and not line.endswith(b"\n"):
            self._held = line
            return b""
        return line if _is_error(line) else b""

    def _passed(self, data: bytes) -> bytes:
        """Data that holds no name, less a last line that may be the beginning of one."""
        start = 1 + max(data.rfind(b"\n"), data.rfind(b"\r"))
        tail = data[start:]
        if tail and (start or self._line_start) and any(n.startswith(tail) for n in _NAMES):
            self._held = tail
            data = data[:start]
        if data:
            self._line_start = data.endswith((b"\n", b"\r"))
        return data


def _is_error(line: bytes) -> bool:
    return line.partition(b":")[2].strip() == b"error" and line.startswith(b"event")
