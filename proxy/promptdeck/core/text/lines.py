"""Streams of JSON a line: cut into lines, and what one says.

Ollama streams so, and some servers that have no events (https://github.com/ndjson/ndjson-spec).
Joining the lines gives the stream back, however the network cut it.
"""

from collections.abc import Callable, Iterable

from . import sse


def frames(data: bytes) -> list[bytes]:
    """All lines of a whole stream, each with its end; the last may be one that nothing ends."""
    # Not `splitlines`: JSON may hold what that takes for the end of a line.
    *lines, rest = data.split(b"\n")
    return [line + b"\n" for line in lines] + ([rest] if rest else [])


def in_frames(pieces: Iterable[bytes]) -> list[bytes]:
    """The lines of a stream that came in pieces."""
    return frames(b"".join(pieces))


def cutter(*, in_lines: bool) -> Callable[[Iterable[bytes]], list[bytes]]:
    """What makes frames of a stream's pieces: of one in lines, or of one of events."""
    return in_frames if in_lines else sse.in_frames


def is_line(frame: bytes) -> bool:
    """True for a frame that is JSON itself: no event begins so, as fields have names."""
    return frame.lstrip()[:1] in (b"{", b"[")


def data_of(frame: bytes) -> str:
    """What a frame says, of whichever kind of stream; empty where it says nothing.

    Bytes that are not UTF-8 become U+FFFD, as the standard of events has it.
    """
    if is_line(frame):
        return frame.decode("utf-8", "replace").strip()
    return sse.parse(frame).data or ""
