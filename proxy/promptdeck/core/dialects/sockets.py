"""WebSockets as recordings have them: a series of requests, each with a stream of events.

The opening of a socket is a request of method WEBSOCKET; its answer are the messages that come
unasked. Each message of the client is one of method MESSAGE, or BINARY if it is no text; its
answer are the messages that come until its protocol's own end, the client's next message or the
socket's end. Each message of an answer is an event: a text is its data, anything else has a name.
"""

import base64
import binascii
import json  # noqa: TID251  writes any text as ASCII, also one that holds CR
import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

from promptdeck.core.dialects.pieces import as_list, as_object
from promptdeck.core.interaction import Response, Variant
from promptdeck.core.text import sse
from promptdeck.core.text.jsontext import JSON, JSONObject, compact
from promptdeck.core.text.runs import Run
from promptdeck.errors import HTTPError

from .base import Dialect, Dropped, is_cut_off, is_error, value_of
from .responses.dialect import ResponsesDialect
from .responses.fold import ENDS
from .responses.thread import ResponsesThread, warmed_up

OPENING = "WEBSOCKET"
MESSAGE = "MESSAGE"
BINARY = "BINARY"
METHODS = frozenset([OPENING, MESSAGE, BINARY])

SWITCHED = 101
"""The status of an opening that upstream has accepted (RFC 9110, section 15.2.2)."""

_BINARY, _TEXT, _CLOSE = "binary", "text", "close"
"""Names of events: bytes as base64, a text as a JSON string, the end of the socket."""

_UNTOLD = 1005
"""Stands for a close frame that has no code (RFC 6455, section 7.4.1)."""
_BYTES_BEGIN = b"event: binary\ndata: "

_NOT_SENT = (1004, _UNTOLD, 1006, 1015)
"""Codes that no close frame has (RFC 6455, section 7.4.1)."""
_ENDED_WELL = (1000, 1001, _UNTOLD)
_APPLICATIONS = 3000
"""From here on codes have a meaning of the application's own (RFC 6455, section 7.4.2)."""


class Close(NamedTuple):
    """The end of a socket, as one side tells it."""

    code: int = _UNTOLD
    reason: str = ""

    @property
    def code_to_send(self) -> int:
        """The code for a close frame, which must have none of some that only tell of an end."""
        if 1000 <= self.code < 5000 and self.code not in _NOT_SENT:
            return self.code
        return 1000 if self.code == _UNTOLD else 1001

    @property
    def reason_to_send(self) -> bytes:
        """The close reason in UTF-8, cut to the 123 bytes a close frame holds (RFC 6455, 5.5)."""
        return self.reason.encode()[:123].decode(errors="ignore").encode()


Said = str | bytes | Close
"""What comes over a socket: a text, bytes, or its end."""


def frame_of(said: Said) -> bytes:
    """The event as which a recording keeps what came; `said_in` gives it back, byte for byte."""
    if isinstance(said, bytes):
        return b"%b%b\n\n" % (_BYTES_BEGIN, base64.b64encode(said))
    if isinstance(said, Close):
        return sse.encode(compact({"code": said.code, "reason": said.reason}), _CLOSE)
    if "\r" in said:  # lines of events know none
        return sse.encode(json.dumps(said).encode(), _TEXT)
    # Nearly all are one line of JSON.
    return sse.encode(said.encode()) if "\n" in said else b"data: %b\n\n" % said.encode()


def said_in(frame: bytes) -> Said | None:
    """The message that a recorded event stands for; None for an event without data.

    ValueError for an event that says what no socket can, as an edited one may.
    """
    if frame.startswith(_BYTES_BEGIN) and frame.find(b"\n", len(_BYTES_BEGIN)) == len(frame) - 2:
        return base64.b64decode(frame[len(_BYTES_BEGIN) : -2])
    event = sse.parse(frame)
    if event.data is None:
        return None
    if event.event == _BINARY:
        return base64.b64decode(event.data)
    if event.event == _TEXT:
        text = json.loads(event.data)
        if not isinstance(text, str):
            raise ValueError(f"a text is a JSON string, not {event.data[:40]}")
        return text
    if event.event == _CLOSE:
        told = json.loads(event.data)
        if not isinstance(told, dict):
            raise ValueError(f"the end of a socket is a JSON object, not {event.data[:40]}")
        return Close(int(told.get("code", _UNTOLD)), str(told.get("reason", "")))
    return event.data


UNREADABLE = (ValueError, TypeError, binascii.Error)
"""What `said_in` may raise."""


class Thread(Protocol):
    """The conversation of one socket, by which its short messages are read as whole requests.

    Call `answering` with each message that is sent, then `heard` with each event of its answer.
    """

    def whole(self, body: bytes) -> bytes:
        """A message with all that it goes on from; as it is where that is not known."""

    def answering(self, body: bytes) -> None:
        """Take the events from now on for the answer to this message, given by `whole`."""

    def heard(self, frame: bytes) -> None:
        """Take an event of the answer."""


class Socket(Dialect):
    """Base of what is said over sockets: its answers hang on what was said before."""

    name = "websocket"
    whole = "the next message comes, or the socket ends well"
    ends_itself = False
    """True where an answer has an end of its own, after which nothing more is said unasked."""

    def variant(self, body: JSON, target: str = "") -> Variant:
        del body, target
        return Variant.SSE

    def problem_with(self, response: Response, in_runs: Sequence[Run] | None = None) -> str | None:
        del in_runs
        frames = sse.frames(response.body)
        if frames and is_cut_off(frames[-1]):
            return "the answer breaks off inside a message"
        return _abnormal(frames)

    def hangs_on(self, said: str | bytes) -> bool:
        """True for a message that means something only after those before it on its socket."""
        del said
        return True

    def implied(self, body: bytes, name: str) -> list[bytes]:
        """The answer to a message that can have but one, with a name in it; none to any other."""
        del body, name
        return []

    def thread(self) -> Thread | None:
        """A new `Thread` for a socket; None where messages are whole by themselves."""
        return None


class OpeningSocket(Socket):
    """The opening of a socket: upstream has accepted it, or its answer is none.

    Some answer the handshake as the plain GET that it also is: what comes then opens nothing.
    """

    whole = "upstream switches protocols, and the socket ends well"

    def problem_with(self, response: Response, in_runs: Sequence[Run] | None = None) -> str | None:
        if response.status != SWITCHED:
            return f"upstream does not open the socket: it answers by HTTP, {response.status}"
        return super().problem_with(response, in_runs)


class RealtimeSocket(Socket):
    """OpenAI's Realtime: events come when they come, errors among them, and the session goes on.

    https://platform.openai.com/docs/api-reference/realtime
    """

    name = "realtime"
    is_model = True

    def counting(self, body: dict[str, JSON], dropped: list[Dropped]) -> dict[str, JSON]:
        """Without the name that a client may give an event: some draw one at random for each."""
        if "event_id" not in body:
            return body
        dropped.append(Dropped("$.event_id", "names the event, for errors"))
        return {name: value for name, value in body.items() if name != "event_id"}

    def turns(self, body: JSON) -> list[tuple[str, str]]:
        if not isinstance(body, dict):
            return []
        item = as_object(body.get("item"))
        said = [as_object(part) for part in as_list(item.get("content"))]
        text = "\n".join(str(part.get("text") or part.get("transcript") or "") for part in said)
        role = str(item.get("role") or body.get("type") or "?")
        return [(role, text or str(item.get("output") or ""))]

    def says(self, response: Response) -> str:
        told = [value_of((sse.parse(frame.data).data or "").encode()) for frame in response.frames]
        return "".join(map(_spoken, told))

    def error_event(self, error: HTTPError) -> bytes:
        return sse.encode(compact({"type": "error", "error": _told(error)}))


def _spoken(value: JSON) -> str:
    """The part of a text, or of what is spoken, that an event of Realtime brings."""
    if not isinstance(value, dict) or not _SPOKEN(str(value.get("type"))):
        return ""
    return str(value.get("delta", ""))


_SPOKEN = re.compile(r"response\.(?:output_)?(?:text|audio_transcript)\.delta").fullmatch


_MAY_END = tuple(f'"{name}"'.encode() for name in (*ENDS, "error"))


class ResponsesSocket(ResponsesDialect, Socket):
    """Responses over a WebSocket: `response.create` is answered by the stream that HTTP has.

    Stateful, as what a message calls its `previous_response_id` may be known to its socket alone:
    a recording has the message in its whole form.
    https://platform.openai.com/docs/guides/websocket-mode
    """

    state = "always"
    converts = False
    ends_itself = True

    def variant(self, body: JSON, target: str = "") -> Variant:
        return Socket.variant(self, body, target)

    def is_stateful(self, body: JSON) -> bool:
        return Socket.is_stateful(self, body)

    def problem_with(self, response: Response, in_runs: Sequence[Run] | None = None) -> str | None:
        """Why an answer over a socket must not be kept; None if an error or a close ended it.

        Not every message has an answer, and one may be interrupted by the client's next.
        """
        if problem := Socket.problem_with(self, response, in_runs):
            return problem
        frames = sse.frames(response.body)
        if any(is_error(value_of((sse.parse(frame).data or "").encode())) for frame in frames):
            return "the stream reports an error"
        closed = bool(frames) and isinstance(said_in(frames[-1]), Close)
        if closed and not any(map(self._ends, frames)):
            return "the socket was closed before response.completed"
        return None

    def has_ended(self, data: bytes) -> bool:
        # Of thousands of events one is the end: the others need not be read as JSON.
        return any(map(data.__contains__, _MAY_END)) and super().has_ended(data)

    def is_end(self, event: sse.Event) -> bool:
        """True for what ends an answer, an error too: nothing comes after one."""
        value = value_of((event.data or "").encode())
        return isinstance(value, dict) and value.get("type") in (*ENDS, "error")

    def implied(self, body: bytes, name: str) -> list[bytes]:
        return warmed_up(body, f"resp_{name}")

    def thread(self) -> Thread:
        return ResponsesThread()

    def hangs_on(self, said: str | bytes) -> bool:
        body = value_of(said.encode() if isinstance(said, str) else said)
        return ResponsesDialect.is_stateful(self, body)

    def error_event(self, error: HTTPError) -> bytes:
        told = {"type": "error", "status": error.status, "error": _told(error)}
        return sse.encode(compact(told))


def _told(error: HTTPError) -> JSONObject:
    """An error as OpenAI's events have it."""
    details = {"details": error.details} if error.details else {}
    names = {"message": error.message, "type": error.type, "code": error.code}
    return {**names, "param": error.param, **details}


def _abnormal(frames: list[bytes]) -> str | None:
    """The problem with an answer after which the socket was closed for a failure."""
    try:
        last = said_in(frames[-1]) if frames else None
    except UNREADABLE:
        return "its last message cannot be read"
    if not isinstance(last, Close) or last.code in _ENDED_WELL or last.code >= _APPLICATIONS:
        return None
    return f"upstream closed the socket with {last.code}"


SOCKET = Socket()
OPENED = OpeningSocket()
SOCKETS: Mapping[str, Socket] = {
    "responses": ResponsesSocket("responses"),
    # The last is Mistral's.
    **dict.fromkeys(
        ("realtime", "realtime/translations", "audio/transcriptions/realtime"), RealtimeSocket()
    ),
}
"""By what follows /v1/ in the path of a socket."""
