"""A stream of Messages as signals, and what an error of Anthropic's says.

https://docs.anthropic.com/en/api/messages-streaming. Events and blocks that nobody here has heard
of are passed over, as Anthropic asks of its clients; what a stream must not do breaks it.
"""

from collections.abc import Iterable, Iterator, Mapping

from promptdeck.core.dialects.base import value_of
from promptdeck.core.dialects.messages.fold import Block
from promptdeck.core.dialects.pieces import as_list, as_object, written
from promptdeck.core.dialects.translate import broken
from promptdeck.core.dialects.translate.aim import Aim
from promptdeck.core.dialects.translate.naming import own_name
from promptdeck.core.dialects.translate.neutral import (
    Aside,
    Broke,
    CallClosed,
    CallOpened,
    CallSaid,
    Cited,
    Declined,
    Finished,
    Foreign,
    Metered,
    Mused,
    Opened,
    Sealed,
    Signal,
    Signed,
    Spoken,
    Thought,
)
from promptdeck.core.interaction import Headers
from promptdeck.core.text import sse
from promptdeck.core.text.jsontext import JSON, JSONObject, Unfaithful

from .blocks import citation
from .counts import Metering
from .writes import ANSWER

# https://docs.anthropic.com/en/api/errors
_STATUS: Mapping[str, int] = {
    "invalid_request_error": 400,
    "authentication_error": 401,
    "billing_error": 402,
    "permission_error": 403,
    "not_found_error": 404,
    "request_too_large": 413,
    "rate_limit_error": 429,
    "api_error": 500,
    "timeout_error": 504,
    "overloaded_error": 529,
}
_REASONS: Mapping[str, str] = {
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_calls",
    "refusal": "content_filter",
}


class _Hearable:
    """A block of the content on its way: what it began as, and what has come of it."""

    def __init__(self, begun: JSONObject) -> None:
        self.begun = begun
        self.kind = begun.get("type")
        self.grown = Block(begun)
        """The block as it adds up, for those that go on whole."""
        self.number = -1
        """Of the call that it is."""
        self.said = False
        """Whether any of a call's arguments have come."""
        self.at = 0
        """How long the answer's text was when the block began."""
        self.citations: list[JSON] = []


class MessagesHearing:
    """Hears one answer."""

    def __init__(self, aim: Aim) -> None:
        self._aim = aim
        self._id = ""
        self._is_open = self._is_over = False
        self._blocks: dict[int, _Hearable] = {}
        self._calls = 0
        self._length = 0
        self._counts = Metering()
        self._end: JSONObject = {}

    def hear(self, event: sse.Event) -> Iterable[Signal]:
        """What one event of the stream says."""
        data = (event.data or "").strip()
        if self._is_over or data in ("", sse.DONE):
            return ()
        value = value_of(data.encode("utf-8", "surrogatepass"))
        if not isinstance(value, dict):
            return self._broke(broken.unreadable("an event is no JSON object"))
        kind = value.get("type", event.event)
        if kind == "error":
            return self._broke(_failure(value))
        if kind == "message_start":
            return self._start(as_object(value.get("message")))
        return [*self._heard(kind, value)] if self._is_open else ()

    def _heard(self, kind: JSON, value: JSONObject) -> Iterator[Signal]:
        """What an event says of a message that has begun."""
        match kind:
            case "content_block_start":
                yield from self._begin(value)
            case "content_block_delta":
                yield from self._grow(value)
            case "content_block_stop" if isinstance(index := value.get("index"), int):
                yield from self._close(index)
            case "message_delta":
                self._tell_end(value)
            case "message_stop":
                yield from self._finish()

    def end(self) -> Iterable[Signal]:
        """What the end of the body says: nothing, where the answer has come to its own."""
        return () if self._is_over else self._broke(broken.cut_off("message_stop"))

    def _broke(self, failure: Broke) -> tuple[Signal, ...]:
        self._is_over = True
        return (failure,)

    def _start(self, message: JSONObject) -> Iterable[Signal]:
        name, model = message.get("id"), message.get("model")
        name = name if isinstance(name, str) else ""
        if self._is_open:
            # Proxies that try again send it twice; another message's is a mixture of two answers.
            return (
                ()
                if name == self._id
                else self._broke(broken.unreadable("two messages in one stream"))
            )
        self._is_open, self._id = True, name
        self._counts.add(message.get("usage"))
        told: list[Signal] = [Opened(name, model if isinstance(model, str) else self._aim.model)]
        for index, block in enumerate(as_list(message.get("content"))):
            told += self._begin({"index": index, "content_block": block})
            told += self._close(index)
        return told

    def _begin(self, value: JSONObject) -> Iterator[Signal]:
        """A block begins."""
        index = value.get("index")
        block = _Hearable(as_object(value.get("content_block")))
        if not isinstance(index, int):
            return
        yield from self._close(index)
        self._blocks[index] = block
        block.at, begun = self._length, block.begun
        if block.kind == "text":
            block.citations = as_list(begun.get("citations"))
            yield from self._spoken(begun.get("text"))
        elif block.kind == "thinking" and isinstance(text := begun.get("thinking"), str) and text:
            yield Mused(text)
        elif block.kind == "tool_use" and begun.get("name") != ANSWER:
            block.number, self._calls = self._calls, self._calls + 1
            name = own_name(_text(begun, "name"))
            yield CallOpened(block.number, _text(begun, "id"), name)

    def _grow(self, value: JSONObject) -> Iterator[Signal]:
        """A block goes on."""
        index = value.get("index")
        block = self._blocks.get(index) if isinstance(index, int) else None
        delta = as_object(value.get("delta"))
        if block is None:
            return
        if block.kind == "text":
            if delta.get("type") == "citations_delta":
                block.citations = [*block.citations, delta.get("citation")]
            else:
                yield from self._spoken(delta.get("text"))
        elif block.kind == "tool_use":
            if piece := _text(delta, "partial_json"):
                block.said = True
                if block.number < 0:
                    yield from self._spoken(piece)
                else:
                    yield CallSaid(block.number, piece)
        else:
            block.grown.grow(delta)
            if block.kind == "thinking" and (piece := _text(delta, "thinking")):
                yield Mused(piece)

    def _spoken(self, text: JSON) -> Iterator[Signal]:
        if isinstance(text, str) and text:
            self._length += len(text)
            yield Spoken(text)

    def _close(self, index: int) -> Iterator[Signal]:
        """A block has ended."""
        block = self._blocks.pop(index, None)
        if block is None:
            return
        if block.kind == "text":
            yield from self._cited(block)
        elif block.kind == "tool_use":
            yield from self._called(block)
        elif block.kind in ("thinking", "redacted_thinking"):
            yield from self._sealed(_whole(block))
        elif isinstance(block.kind, str):
            yield Aside(Foreign("messages", _whole(block)))

    def _cited(self, block: _Hearable) -> Iterator[Signal]:
        """The sources of a text: those with a URL in chat's form, others as they are.

        What is beside is a block, which a citation is not: it stands in one of a name of ours.
        """
        for one in block.citations:
            found = citation(one)
            if found is not None:
                where = {"start_index": block.at, "end_index": self._length}
                yield Cited({**found, "url_citation": {**found["url_citation"], **where}})
            elif isinstance(one, dict):
                where = {"start_index": block.at, "end_index": self._length}
                yield Aside(Foreign("messages", {"type": "citation", "citation": one, **where}))

    def _called(self, block: _Hearable) -> Iterator[Signal]:
        """The arguments of a call that came at once, or not at all; its end."""
        if not block.said:
            whole = written(as_object(block.begun.get("input"))).decode()
            yield from (
                self._spoken(whole) if block.number < 0 else (CallSaid(block.number, whole),)
            )
        if block.number >= 0:
            yield CallClosed(block.number)

    def _sealed(self, block: JSONObject) -> Iterator[Signal]:
        """A block of thinking with its signature, if it has one."""
        is_hidden = block.get("type") == "redacted_thinking"
        if signature := _text(block, "data" if is_hidden else "signature"):
            signed = Signed(self._aim.upstream, self._aim.model, signature)
            yield Sealed(Thought(_text(block, "thinking"), signed, is_hidden))

    def _tell_end(self, value: JSONObject) -> None:
        """Note why the answer ends, and what it has cost."""
        self._end |= {
            key: one for key, one in as_object(value.get("delta")).items() if one is not None
        }
        self._counts.add(value.get("usage"))

    def _finish(self) -> Iterator[Signal]:
        """The stream has ended as it must."""
        for index in sorted(self._blocks):
            yield from self._close(index)
        self._is_over = True
        native, stop = _text(self._end, "stop_reason"), self._end.get("stop_sequence")
        if explained := _text(as_object(self._end.get("stop_details")), "explanation"):
            yield Declined(explained)
        yield Metered(self._counts.usage())
        reason = _REASONS.get(native, "stop")
        if native == "tool_use" and not self._calls:
            reason = "stop"  # the call was the answer itself
        yield Finished(reason, native, stop if isinstance(stop, str) else None)  # type: ignore[arg-type]


def _text(value: JSONObject, key: str) -> str:
    """A member that is text; empty where it is anything else."""
    return text if isinstance(text := value.get(key), str) else ""


def _whole(block: _Hearable) -> JSONObject:
    """A block that goes on whole; what a tool of the provider's was given as text, if it must."""
    try:
        return as_object(block.grown.whole())
    except Unfaithful:
        return {**block.begun, "input": block.grown.arguments}


def broken_of(status: int, headers: Headers, body: bytes) -> Broke:
    """What an answer that is an error says, in Anthropic's words or in any others."""
    return _coded(broken.broken_of(status, headers, body))


def _failure(value: JSONObject) -> Broke:
    """What the event of an error says; the kind of it stands for a status."""
    found = broken.broke_of(0, value)
    kind = found.type if found.type in _STATUS else "api_error"
    return _coded(found._replace(status=_STATUS[kind], type=kind))


def _coded(broke: Broke) -> Broke:
    """An error with the code that stands among its details."""
    code = _text(as_object(broke.details), "error_code")
    return broke._replace(code=code) if code and not broke.code else broke
