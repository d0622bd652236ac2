"""Signals as a stream of Messages.

The blocks of calls may be open side by side, each by its index; of texts and reasoning one is open
at a time, as its successor ends it.
"""

from collections.abc import Iterable, Iterator, Mapping

from promptdeck.core.dialects.messages.dialect import MESSAGES
from promptdeck.core.dialects.pieces import as_object, written
from promptdeck.core.dialects.translate.broken import error_of
from promptdeck.core.dialects.translate.neutral import (
    Aside,
    Broke,
    CallClosed,
    CallOpened,
    CallSaid,
    Cited,
    Declined,
    Finished,
    Marked,
    Metered,
    Mused,
    Opened,
    Sealed,
    Signal,
    Spoken,
    Usage,
    Weighed,
)
from promptdeck.core.dialects.translate.signing import sealed
from promptdeck.core.interaction import Variant
from promptdeck.core.text import sse
from promptdeck.core.text.jsontext import JSONObject

from .counts import counted
from .ids import safe_id
from .loose import seal

_REASONS: Mapping[str, str] = {
    "stop": "end_turn",
    "length": "max_tokens",
    "tool_calls": "tool_use",
    "content_filter": "refusal",
}
_NATIVE = frozenset(
    """end_turn max_tokens stop_sequence tool_use pause_turn refusal
    model_context_window_exceeded""".split()
)


class MessagesTelling:
    """Tells one answer: the first of its choices, for a message has no more."""

    def __init__(self, asked: JSONObject, variant: Variant, now: int) -> None:
        del variant
        self._model, self._now = str(asked.get("model", "")), now
        self._next = 0
        self._open: tuple[str, int] | None = None
        """Kind and index of the block of text or thinking that is open."""
        self._mused = ""
        """The reasoning that was told since the last signature."""
        self._calls: dict[int, int] = {}
        """The indexes of the calls that are open, by their numbers."""
        self._has_calls = False
        self._refusal = ""
        self._usage = Usage()
        self._finish: Finished | None = None
        self._is_over = False

    def tell(self, signal: Signal) -> Iterable[bytes]:
        """The events that say what a signal says."""
        late = self._finish is not None and not isinstance(signal, Metered | Broke)
        if self._is_over or late or getattr(signal, "choice", 0) != 0:
            return ()
        return [_frame(value) for value in self._told(signal)]

    def end(self) -> Iterable[bytes]:
        """The events that end the stream of a finished answer."""
        if self._is_over or self._finish is None:
            return ()
        self._is_over = True
        delta = {"stop_reason": self._reason(self._finish), "stop_sequence": self._finish.stop}
        if self._refusal:
            told = {"type": "refusal", "category": None, "explanation": self._refusal}
            delta |= {"stop_details": told}  # type: ignore[dict-item]
        return [
            _frame({"type": "message_delta", "delta": delta, "usage": counted(self._usage)}),
            _frame({"type": "message_stop"}),
        ]

    def _reason(self, finish: Finished) -> str:
        """Anthropic's word for how the answer ended."""
        if finish.native in _NATIVE:
            return finish.native
        if finish.stop is not None:
            return "stop_sequence"
        if finish.reason == "stop" and (self._refusal or self._has_calls):
            # OpenAI ends a refusal so; local servers do with calls.
            return "refusal" if self._refusal else "tool_use"
        return _REASONS[finish.reason]

    def _told(self, signal: Signal) -> Iterator[JSONObject]:  # noqa: C901  one line for each kind
        match signal:
            case Opened():
                yield self._start(signal)
            case Spoken(text=text):
                yield from self._grow("text", {"type": "text_delta", "text": text})
            case Mused(text=text):
                self._mused += text
                yield from self._grow("thinking", {"type": "thinking_delta", "thinking": text})
            case Sealed():
                yield from self._sealed(signal)
            case Marked(signed=signed):
                yield from self._signature(seal(signed, "text"))
            case Cited():
                yield from self._grow("text", _citation(signal))
            case Declined(text=text):
                self._refusal += text
            case CallOpened():
                yield from self._call(signal)
            case CallSaid(number=number, text=text) if number in self._calls:
                delta = {"type": "input_json_delta", "partial_json": text}
                yield _delta(self._calls[number], delta)
            case CallClosed(number=number) if number in self._calls:
                yield _stop(self._calls.pop(number))
            case Aside(part=part) if part.dialect == "messages" and part.value.get("type"):
                yield from self._close()
                yield self._begin(part.value)
                yield _stop(self._next - 1)
            case Metered(usage=usage):
                self._usage = usage
            case Finished():
                self._finish = signal
                yield from self._close()
                yield from map(_stop, self._calls.values())
                self._calls.clear()
            case Broke():
                self._is_over = True
                yield MESSAGES.error(error_of(signal))
            case Weighed() | CallSaid() | CallClosed() | Aside():
                pass  # a message has no place for these

    def _start(self, opened: Opened) -> JSONObject:
        """The message as it begins: what it cost upstream nobody may know before its end."""
        message = {"id": opened.id or f"msg_{self._now}", "type": "message", "role": "assistant"}
        message |= {"model": opened.model or self._model, "content": []}  # type: ignore[dict-item]
        message |= {"stop_reason": None, "stop_sequence": None, "usage": counted(self._usage)}  # type: ignore[dict-item]
        return {"type": "message_start", "message": message}

    def _begin(self, block: JSONObject) -> JSONObject:
        index, self._next = self._next, self._next + 1
        return {"type": "content_block_start", "index": index, "content_block": block}

    def _close(self) -> Iterator[JSONObject]:
        """End the block of text or thinking that is open."""
        if self._open is not None:
            yield _stop(self._open[1])
            self._open = None

    def _grow(self, kind: str, delta: JSONObject) -> Iterator[JSONObject]:
        """A piece of text or reasoning, in the block of its kind that is open, or a new one."""
        if self._open is None or self._open[0] != kind:
            yield from self._close()
            self._open = kind, self._next
            yield self._begin({"type": kind, **_EMPTY[kind]})
        yield _delta(self._open[1], delta)

    def _sealed(self, signal: Sealed) -> Iterator[JSONObject]:
        """A block of reasoning is whole: its signature, behind what was told of it."""
        thought, mused = signal.thought, self._mused
        self._mused = ""
        if thought.signed is None:
            yield from self._close()
            return
        signature = sealed(thought.signed)
        if thought.is_hidden and not thought.text and not mused:
            yield from self._close()
            yield self._begin({"type": "redacted_thinking", "data": signature})
            yield _stop(self._next - 1)
            return
        if self._open is None or self._open[0] != "thinking" or not mused:
            # Nothing was told of it, or something else since: it is told whole.
            yield from self._close()
            if thought.text:
                delta = {"type": "thinking_delta", "thinking": thought.text}
                yield from self._grow("thinking", delta)
        yield from self._signature(signature)

    def _signature(self, signature: str) -> Iterator[JSONObject]:
        """A signature, in the block of thinking that is open, or one without text."""
        delta = {"type": "signature_delta", "signature": signature}
        yield from self._grow("thinking", delta)
        yield from self._close()

    def _call(self, call: CallOpened) -> Iterator[JSONObject]:
        yield from self._close()
        if call.signed is not None:
            yield from self._signature(seal(call.signed, "call"))
        self._has_calls = True
        if call.number in self._calls:
            yield _stop(self._calls[call.number])
        self._calls[call.number] = self._next
        block = {"type": "tool_use", "id": safe_id(call.id), "name": call.name, "input": {}}
        yield self._begin(block)


_EMPTY: Mapping[str, JSONObject] = {
    "text": {"text": ""},
    "thinking": {"thinking": "", "signature": ""},
}


def _frame(value: JSONObject) -> bytes:
    """The frame of an event; a model's token may be half an emoji, which only escapes can say."""
    return sse.encode(written(value), event=value["type"])


def _delta(index: int, delta: JSONObject) -> JSONObject:
    return {"type": "content_block_delta", "index": index, "delta": delta}


def _stop(index: int) -> JSONObject:
    return {"type": "content_block_stop", "index": index}


def _citation(signal: Cited) -> JSONObject:
    """A source as Anthropic cites what its own search found."""
    told = as_object(signal.citation.get("url_citation"))
    cited: JSONObject = {
        "type": "web_search_result_location",
        "cited_text": str(told.get("content", "")),
        "encrypted_index": "",
        "title": told.get("title"),
        "url": str(told.get("url", "")),
    }
    return {"type": "citations_delta", "citation": cited}
