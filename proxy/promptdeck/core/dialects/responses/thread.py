"""What was said over one WebSocket, so that a message which goes on from it is read by itself.

`previous_response_id` means what its socket has heard: the same turn is said with all of its input
by a client that has just connected. In its whole form a message is the same either way, and what
another socket heard is no matter.
"""

from promptdeck.core.dialects.base import value_of
from promptdeck.core.dialects.pieces import as_list
from promptdeck.core.text import sse
from promptdeck.core.text.jsontext import JSON, JSONObject, Unfaithful, compact, parse

from .cut import cut
from .fold import ENDS, fold

_MAY_END = tuple(f'"{name}"'.encode() for name in ENDS)
_PREVIOUS = "previous_response_id"
_MOST = 8
"""Answers that may be gone on from: OpenAI keeps the latest one of a socket, others share items."""


class ResponsesThread:
    """One socket's answers: `answering` a message, and `heard` for each event of that answer."""

    def __init__(self) -> None:
        self._known: dict[str, list[JSON]] = {}
        """By an answer's id: all that was said to it and before, and the answer's own items."""
        self._asked = b""
        self._frames: list[bytes] = []

    def whole(self, body: bytes) -> bytes:
        """A message with all that it goes on from in its input.

        As it is where it goes on from nothing, or from what this socket has not heard.
        """
        if _PREVIOUS.encode() not in body:
            return body
        value = _object(body)
        previous = value.pop(_PREVIOUS, None)
        known = self._known.get(previous) if isinstance(previous, str) else None
        return body if known is None else compact({**value, "input": [*known, *_items(value)]})

    def answering(self, body: bytes) -> None:
        """What is heard next answers this message, which is in its whole form."""
        self._asked, self._frames = body, []

    def heard(self, frame: bytes) -> None:
        """Take an event of the answer."""
        self._frames.append(frame)
        if not any(map(frame.__contains__, _MAY_END)):
            return
        value = value_of((sse.parse(frame).data or "").encode())
        if not isinstance(value, dict) or value.get("type") not in ENDS:
            return
        try:
            response = fold(self._frames)
        except Unfaithful:
            return
        if isinstance(name := response.get("id"), str):
            output = as_list(response.get("output"))
            self._known[name] = [*_items(_object(self._asked)), *output]
            if len(self._known) > _MOST:
                del self._known[next(iter(self._known))]
        self._frames = []


def _object(body: bytes) -> JSONObject:
    try:
        value = parse(body)
    except Unfaithful:
        return {}
    return value if isinstance(value, dict) else {}


def _items(body: JSONObject) -> list[JSON]:
    """A message's input as a list: a text is a message of the user."""
    asked = body.get("input")
    return [{"role": "user", "content": asked}] if isinstance(asked, str) else as_list(asked)


def warmed_up(body: bytes, name: str) -> list[bytes]:
    """The answer to a message that has nothing generated, under an id; none to any other.

    Clients send one ahead, if there is time, so that the provider has read what comes next.
    """
    if b'"generate"' not in body:
        return []
    value = _object(body)
    if value.get("generate") is not False or value.get("type") != "response.create":
        return []
    whole = {"id": name, "object": "response", "status": "completed", "output": []}
    return cut({**whole, "model": value.get("model")})
