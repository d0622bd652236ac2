"""An answer's signals as a stream of Google's protocol.

Each event is an answer of its own with what is new; the last has the reason of the end, the usage
and the sources, as none of them is known before.
"""

from collections.abc import Iterable, Iterator, Sequence

from promptdeck.core.dialects.gemini.dialect import GEMINI
from promptdeck.core.dialects.pieces import whole_characters, written
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
    Foreign,
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
from promptdeck.core.interaction import Variant
from promptdeck.core.text.jsontext import JSON, JSONObject, Unfaithful

from .grounding import grounded, is_beside
from .signatures import kept, kept_thought
from .spoken import exact

_REASONS = {
    "stop": "STOP",
    "tool_calls": "STOP",
    "length": "MAX_TOKENS",
    "content_filter": "SAFETY",
}


class GeminiTelling:
    """One answer to a client of Google's, signal by signal.

    In the variant LIST its pieces are items of one JSON array, else each is an event.
    """

    def __init__(self, asked: JSONObject, variant: Variant, now: int) -> None:
        del asked, now  # Google's answers repeat nothing of the request, and bear no date
        self._is_list = variant is Variant.LIST
        self._items = 0
        self._has_broken = False
        self._named: JSONObject = {}
        self._usage: JSONObject = {}
        self._choices: dict[int, _ToldCandidate] = {}

    def tell(self, signal: Signal) -> Iterable[bytes]:
        """The frames that say a signal; of an end none, which waits for what comes behind it."""
        match signal:
            case Opened(id=name, model=model):
                self._named = {"modelVersion": model, "responseId": name}
            case Metered(usage):
                self._usage = {"usageMetadata": _counted(usage)}
            case Broke():
                self._has_broken = True
                return [self._frame(GEMINI.error(error_of(signal)))]
            case _:
                choice = self._choices.setdefault(signal.choice, _ToldCandidate())
                parts = [*choice.hear(signal)]
                if parts:
                    return [self._piece(signal.choice, {"content": _content(parts)})]
        return ()

    def end(self) -> Iterable[bytes]:
        """The last piece, with the end of each answer."""
        if not self._has_broken and self._choices:
            numbered = sorted(self._choices.items())
            candidates = [one.end() | {"index": number} for number, one in numbered]
            yield self._frame({"candidates": candidates, **self._usage, **self._named})
        if self._is_list:
            yield b"]" if self._items else b"[]"

    def _piece(self, number: int, candidate: JSONObject) -> bytes:
        told = {"candidates": [candidate | {"index": number}]}
        return self._frame({**told, **self._usage, **self._named})

    def _frame(self, value: JSONObject) -> bytes:
        data = written(value)
        if not self._is_list:
            return b"data: %b\r\n\r\n" % data
        self._items += 1
        return (b"[" if self._items == 1 else b",\r\n") + data


class _ToldCandidate:
    """One of the answers, as far as it has been told."""

    def __init__(self) -> None:
        self._said: list[str] = []
        self._half = ""
        self._calls: dict[int, tuple[CallOpened, list[str]]] = {}
        self._cited: list[JSONObject] = []
        self._tokens: list[JSONObject] = []
        self._beside: JSONObject = {}
        self._reason = "STOP"
        self._is_malformed = False

    def hear(self, signal: Signal) -> Iterator[JSONObject]:
        """The parts of the piece that says a signal, if any."""
        match signal:
            case Spoken(text=text) | Declined(text=text):
                if text := self._characters(text):
                    self._said.append(text)
                    yield {"text": text}
            case Mused(text=text):
                if text := self._characters(text):
                    yield {"text": text, "thought": True}
            case Sealed(thought=thought) if thought.signed:
                yield kept_thought(thought, thought.signed)
            case Marked(signed=signed):
                yield {"text": "", "thoughtSignature": kept(signed)}
            case CallOpened() | CallSaid() | CallClosed():
                yield from self._hear_call(signal)
            case Aside(part=Foreign(dialect="gemini", value=value)) if not is_beside(value):
                yield value
            case _:
                self._keep(signal)

    def _characters(self, text: str) -> str:
        """A piece of text in whole characters: half an emoji at its end waits for the other half.

        Google's SDK takes no text that has but one (pydantic's `string_unicode`).
        """
        text, self._half = self._half + text, ""
        if text and "\ud800" <= text[-1] <= "\udbff":
            text, self._half = text[:-1], text[-1]
        return whole_characters(text)

    def _hear_call(self, signal: CallOpened | CallSaid | CallClosed) -> Iterator[JSONObject]:
        if isinstance(signal, CallOpened):
            self._calls[signal.number] = signal, []
        elif isinstance(signal, CallSaid):
            self._calls[signal.number][1].append(signal.text)
        else:
            yield from self._call(*self._calls.pop(signal.number))

    def _keep(self, signal: Signal) -> None:
        """Keep for the end what is told there."""
        match signal:
            case Aside(part=Foreign(dialect="gemini", value=value)):
                self._beside |= value
            case Cited(citation=citation):
                self._cited.append(citation)
            case Weighed(content=content):
                self._tokens += content
            case Finished(reason=reason):
                self._reason = _REASONS[reason]

    def end(self) -> JSONObject:
        """The candidate of the last piece."""
        reason = self._reason
        if self._is_malformed and reason == "STOP":
            reason = "MALFORMED_FUNCTION_CALL"
        rest = "\ufffd" if self._half else ""
        candidate: JSONObject = {"content": _content([{"text": rest}]), "finishReason": reason}
        if self._tokens:
            candidate["logprobsResult"] = _weighed(self._tokens)
        told = grounded(self._cited, "".join(self._said)).get("groundingMetadata", {})
        if told or "groundingMetadata" in self._beside:
            whole = {**self._beside.pop("groundingMetadata", {}), **told}
            candidate["groundingMetadata"] = whole
        return candidate | self._beside

    def _call(self, call: CallOpened, said: Sequence[str]) -> Iterator[JSONObject]:
        """A call, whole; of one whose arguments are no object only that it was malformed."""
        arguments: JSON = {"input": "".join(said)}
        if not call.is_custom:
            try:
                arguments = exact("".join(said).strip() or "{}")
            except Unfaithful:
                arguments = None
        if not isinstance(arguments, dict):
            self._is_malformed = True
            return
        told = {"id": call.id, "name": call.name, "args": arguments}
        signature = {"thoughtSignature": kept(call.signed)} if call.signed else {}
        yield {"functionCall": told, **signature}


def _content(parts: Sequence[JSONObject]) -> JSONObject:
    return {"role": "model", "parts": [*parts]}


def _counted(usage: Usage) -> JSONObject:
    """Tokens as Google counts them: thoughts apart from what the candidates say."""
    thoughts = usage.reasoning or 0
    counted = {
        "promptTokenCount": usage.prompt,
        "candidatesTokenCount": max(usage.completion - thoughts, 0),
        "totalTokenCount": usage.total,
        "thoughtsTokenCount": usage.reasoning,
        "cachedContentTokenCount": usage.cached,
    }
    return {key: value for key, value in counted.items() if value is not None}


def _weighed(tokens: Sequence[JSONObject]) -> JSONObject:
    """Log probabilities as Google has them."""
    return {
        "chosenCandidates": [_token(one) for one in tokens],
        "topCandidates": [
            {"candidates": [_token(top) for top in one.get("top_logprobs") or ()]} for one in tokens
        ],
    }


def _token(one: JSONObject) -> JSONObject:
    return {"token": one.get("token", ""), "logProbability": one.get("logprob", 0)}
