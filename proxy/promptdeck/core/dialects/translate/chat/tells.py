"""Signals as the stream of a chat completion: in the form that every SDK reads.

Bare `data:` lines, one id, the role once, calls numbered from 0, one finish reason a choice after
all its deltas, the usage last of all and only where it is asked for, `[DONE]`.
"""

from collections.abc import Iterable, Iterator, Mapping

from promptdeck.core.dialects.chat.dialect import CHAT
from promptdeck.core.dialects.pieces import written
from promptdeck.core.dialects.translate.broken import error_of
from promptdeck.core.dialects.translate.neutral import (
    Aside,
    Broke,
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
    Thought,
    Usage,
    Weighed,
)
from promptdeck.core.interaction import Variant
from promptdeck.core.text import sse
from promptdeck.core.text.jsontext import JSON, JSONObject

from .details import Standing, entry_of

_TEXTS: Mapping[type, str] = {
    Spoken: "content",
    Mused: "reasoning_content",
    Declined: "refusal",
}


class _ToldChoice:
    """What a client has been told of one choice."""

    def __init__(self) -> None:
        self.said = 0
        self.calls = 0
        self.details = 0
        self.citations: list[JSONObject] = []
        self.beside: list[JSONObject] = []
        self.custom: set[int] = set()
        """The numbers of calls that take text."""

    def spot(self) -> Standing:
        """The place in the answer."""
        return Standing(self.said, self.calls)


class ChatTelling:
    """An answer to a chat client, who sent the request `asked`; `now` is the time for its head."""

    def __init__(self, asked: JSONObject, variant: Variant, now: int) -> None:
        self._is_legacy = bool(asked.get("functions")) and not asked.get("tools")
        """True for a client that knows only the functions before there were tools."""
        self._wants_usage = variant is not Variant.SSE
        model = asked.get("model")
        self._envelope = Opened("", model if isinstance(model, str) else "", now)
        self._now = now
        self._head = self._tail = b""
        self._told: dict[int, _ToldChoice] = {}
        self._usage: Usage | None = None
        self._is_over = False

    def tell(self, signal: Signal) -> Iterable[bytes]:
        """The frames of one signal."""
        if self._is_over:
            return
        match signal:
            case Opened():
                self._open(signal)
            case Metered(usage):
                self._usage = usage
            case Broke():
                self._is_over = True
                yield CHAT.error_event(error_of(signal))
            case Finished():
                yield from self._finished(signal)
            case _:
                yield from self._said(signal)

    def end(self) -> Iterable[bytes]:
        """The chunk with the usage, if it is wanted and known, and the end."""
        if self._is_over:
            return
        if self._wants_usage and self._usage is not None:
            yield self._chunk([], usage_told(self._usage))
        yield sse.encode(sse.DONE.encode())

    def _open(self, opened: Opened) -> None:
        created = self._now if opened.created is None else opened.created
        name = opened.id or f"chatcmpl-{created:x}"
        self._envelope = Opened(name, opened.model or self._envelope.model, created)
        self._head = b""

    def _said(self, signal: Signal) -> Iterator[bytes]:
        choice: int = signal.choice  # type: ignore[union-attr]
        told = self._told.get(choice)
        if told is None:
            told = self._told[choice] = _ToldChoice()
            content = "" if isinstance(signal, Spoken) else None
            yield self._delta(choice, {"role": "assistant", "content": content, "refusal": None})
        if isinstance(signal, Spoken | Mused | Declined):
            told.said += len(signal.text) if isinstance(signal, Spoken) else 0
            yield self._delta(choice, {_TEXTS[type(signal)]: signal.text})
        else:
            yield from self._beside(signal, told)

    def _beside(self, signal: Signal, told: _ToldChoice) -> Iterator[bytes]:
        """The frames of what is no text, and what is kept of it for the end of the choice."""
        match signal:
            case CallSaid(number, text, choice):
                yield self._delta(choice, self._call(choice, number, text))
            case CallOpened():
                yield from self._called(signal, told)
            case Sealed(thought, choice):
                yield self._detail(choice, told, thought)
            case Marked(signed, choice):
                yield self._detail(choice, told, Thought("", signed), "text")
            case Weighed(tokens, choice):
                weighed = {"content": [*tokens], "refusal": None}
                yield self._piece({"index": choice, "delta": {}, "logprobs": weighed})
            case Cited(citation):
                told.citations.append(citation)
            case Aside(part):
                after = {"content": told.said, "tool_calls": told.calls}
                after["reasoning_details"] = told.details
                index = len(told.beside)
                told.beside.append({"index": index, **part._asdict(), "after": after})

    def _called(self, call: CallOpened, told: _ToldChoice) -> Iterator[bytes]:
        """The opening of a call, behind the signature that it has."""
        body: JSONObject = {"name": call.name, "input" if call.is_custom else "arguments": ""}
        extra: JSONObject = {}
        if call.signed is not None:
            thought = Thought("", call.signed, id=call.id)
            yield self._detail(call.choice, told, thought, "call")
            google = {"google": {"thought_signature": call.signed.text}}
            extra = {"thought_signature": call.signed.text, "extra_content": google}
        told.calls += 1
        if self._is_legacy:
            yield self._delta(call.choice, {"function_call": body})
            return
        kind = "custom" if call.is_custom else "function"
        if call.is_custom:
            told.custom.add(call.number)
        whole = {"index": call.number, "id": call.id, "type": kind, **extra, kind: body}
        yield self._delta(call.choice, {"tool_calls": [whole]})

    def _call(self, choice: int, number: int, text: str) -> JSONObject:
        """The delta of a piece of a call's arguments."""
        if self._is_legacy:
            return {"function_call": {"arguments": text}}
        is_custom = number in self._told[choice].custom
        body = {"custom": {"input": text}} if is_custom else {"function": {"arguments": text}}
        return {"tool_calls": [{"index": number, **body}]}

    def _detail(self, choice: int, told: _ToldChoice, thought: Thought, of: str = "") -> bytes:
        entry = entry_of(thought, told.details, told.spot(), of)
        told.details += 1
        return self._delta(choice, {"reasoning_details": [entry]})

    def _finished(self, finished: Finished) -> Iterator[bytes]:
        told = self._told.get(finished.choice)
        if told is None:
            yield from self._said(Spoken("", finished.choice))
            told = self._told[finished.choice]
        # Once and whole: SDKs that add deltas up do not know how to join lists of these.
        if told.citations:
            yield self._delta(finished.choice, {"annotations": told.citations})
        if told.beside:
            yield self._delta(finished.choice, {"native_parts": told.beside})
        reason: str = finished.reason
        if self._is_legacy and reason == "tool_calls":
            reason = "function_call"
        ending: JSONObject = {"index": finished.choice, "delta": {}, "finish_reason": reason}
        if finished.native and finished.native != finished.reason:
            ending["native_finish_reason"] = finished.native
        if finished.stop is not None:
            ending["stop_reason"] = finished.stop  # vLLM's name for it
        yield self._chunk([ending])

    def _delta(self, choice: int, delta: JSONObject) -> bytes:
        return self._piece({"index": choice, "delta": delta})

    def _piece(self, choice: JSONObject) -> bytes:
        """A chunk with one choice that is not finished."""
        if not self._head:
            self._head, self._tail = self._around()
        return b"%b%b%b" % (self._head, written(choice)[:-1], self._tail)

    def _around(self) -> tuple[bytes, bytes]:
        """What all chunks have alike, before their choice and behind it."""
        whole = self._chunk([{"@": None}])
        head, _, tail = whole.partition(b'{"@":null}')
        return head, b',"finish_reason":null}' + tail

    def _chunk(self, choices: JSON, usage: JSON = None) -> bytes:
        chunk: JSONObject = {
            "id": self._envelope.id,
            "object": "chat.completion.chunk",
            "created": self._envelope.created,
            "model": self._envelope.model,
            "choices": choices,
        }
        # Null on every chunk but the last, as OpenAI's API reference says.
        if self._wants_usage:
            chunk["usage"] = usage
        return sse.encode(written(chunk))


def usage_told(usage: Usage) -> JSONObject:
    """Usage as chat completions tell it; what a provider counts beside keeps its name."""
    told: JSONObject = {
        "prompt_tokens": usage.prompt,
        "completion_tokens": usage.completion,
        "total_tokens": usage.total,
    }
    prompt = {"cached_tokens": usage.cached, "cache_write_tokens": usage.cache_written}
    if prompt := _known(prompt):
        told["prompt_tokens_details"] = prompt
    if usage.reasoning is not None:
        told["completion_tokens_details"] = {"reasoning_tokens": usage.reasoning}
    return {**usage.rest, **told}


def _known(counts: Mapping[str, int | None]) -> dict[str, int | None]:
    return {key: count for key, count in counts.items() if count is not None}
