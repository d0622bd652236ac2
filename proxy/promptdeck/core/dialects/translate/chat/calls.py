"""The calls of tools in a chat stream, one after the other, however a server numbers them.

A piece belongs to the call of its index, or of its id where it has no index; a server may number
none, or all alike. The same is said of whole streams in `chat.deltas.joined_calls`.
"""

from collections.abc import Iterator

from promptdeck.core.dialects.base import value_of
from promptdeck.core.dialects.pieces import as_object, written
from promptdeck.core.dialects.translate.naming import own_name
from promptdeck.core.dialects.translate.neutral import (
    CallClosed,
    CallOpened,
    CallSaid,
    Signal,
    Signed,
)
from promptdeck.core.text.jsontext import JSON, JSONObject


class _CallHeard:
    """One call, as far as it has come."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.id = ""
        self.name = ""
        self.signature = ""
        self.is_custom = False
        self.arguments = ""
        self.is_open = False
        """True once the client was told of it."""
        self.told = 0
        """How much of the arguments it was told."""


class Calls:
    """The calls of one choice. Each is told to its end before the next begins."""

    def __init__(self, choice: int, upstream: str, model: str, made_up: str) -> None:
        self._choice = choice
        self._signer = (upstream, model)
        self._made_up = made_up
        """What ids begin with that the server left out."""
        self._calls: list[_CallHeard] = []
        self._current = 0
        """The number of the first call that is not closed."""
        self._by_name: dict[tuple[int | None, str], _CallHeard] = {}
        self._by_index: dict[int, _CallHeard] = {}

    def __len__(self) -> int:
        return len(self._calls)

    def hear(self, piece: JSONObject) -> Iterator[Signal]:
        """What a piece of a call says."""
        call = self._call_of(piece)
        body = as_object(piece.get("function"))
        if custom := as_object(piece.get("custom")):
            call.is_custom, body = True, custom
        if isinstance(named := piece.get("id"), str) and named:
            call.id = named
        if isinstance(name := body.get("name"), str) and not call.name:
            call.name = own_name(name)
        call.signature = call.signature or signature_of(piece)
        call.arguments += _text(body.get("input" if call.is_custom else "arguments"))
        # Servers send calls in a row. Were two of them to come in turns, the later one waits.
        while self._current < call.number and _is_complete(self._calls[self._current]):
            yield from self._close(self._calls[self._current])
        if call.number == self._current and (call.name or call.arguments):
            yield from self._told(call)

    def end(self) -> Iterator[Signal]:
        """What is to be said of calls when the choice ends."""
        for call in self._calls[self._current :]:
            yield from self._close(call)

    def _call_of(self, piece: JSONObject) -> _CallHeard:
        index, named = piece.get("index"), piece.get("id")
        number = index if isinstance(index, int) else None
        name = named if isinstance(named, str) else ""
        call = self._by_name.get((number, name)) if name else None
        if call is None and not (name and _begins(piece)):
            # Without an index it goes on with the call that was spoken of last.
            last = self._calls[-1] if self._calls else None
            call = last if number is None else self._by_index.get(number)
        if call is None:
            call = _CallHeard(len(self._calls))
            self._calls.append(call)
        if name:
            self._by_name[number, name] = call
        if number is not None:
            self._by_index[number] = call
        return call

    def _close(self, call: _CallHeard) -> Iterator[Signal]:
        yield from self._told(call)
        if not call.arguments and not call.is_custom:
            yield CallSaid(call.number, "{}", self._choice)
        yield CallClosed(call.number, self._choice)
        self._current += 1

    def _told(self, call: _CallHeard) -> Iterator[Signal]:
        """What the client has not been told of a call."""
        if not call.is_open:
            call.is_open = True
            signed = Signed(*self._signer, call.signature) if call.signature else None
            named = call.id or f"{self._made_up}{call.number}"
            yield CallOpened(call.number, named, call.name, signed, call.is_custom, self._choice)
        if text := call.arguments[call.told :]:
            call.told = len(call.arguments)
            yield CallSaid(call.number, text, self._choice)


def signature_of(call: JSONObject) -> str:
    """The signature on a call, as Dedalus or as Google's own layer for OpenAI's clients has it."""
    google = as_object(as_object(call.get("extra_content")).get("google"))
    found = google.get("thought_signature") or call.get("thought_signature")
    return found if isinstance(found, str) else ""


def _begins(piece: JSONObject) -> bool:
    return bool(as_object(piece.get("function", piece.get("custom"))).get("name"))


def _text(arguments: JSON) -> str:
    """Arguments as text: Mistral may send an object."""
    if isinstance(arguments, str):
        return arguments
    return "" if arguments is None else written(arguments).decode()


def _is_complete(call: _CallHeard) -> bool:
    """True if a call may have come to its end: its arguments are JSON.

    One without any may have some yet, as servers may open all calls before they go on with one.
    """
    text = call.arguments.strip()
    return call.is_custom or isinstance(value_of(text.encode("utf-8", "surrogatepass")), dict)
