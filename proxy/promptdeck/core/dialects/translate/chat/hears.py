"""The answer of a chat upstream as signals: its stream, chunk by chunk, and its errors.

Every server that says it speaks chat completions is meant, and each departs from OpenAI's ways:
what is minded here of one is named beside the line.
"""

from collections.abc import Iterable, Iterator

from promptdeck.core.dialects.base import is_error, names_failure, value_of
from promptdeck.core.dialects.chat.deltas import joined
from promptdeck.core.dialects.pieces import as_list, as_object, index_of, objects_in, written
from promptdeck.core.dialects.translate.aim import Aim
from promptdeck.core.dialects.translate.broken import broke_of, broken_of, cut_off, unreadable
from promptdeck.core.dialects.translate.neutral import (
    Aside,
    Broke,
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
    Usage,
    Weighed,
)
from promptdeck.core.text import sse
from promptdeck.core.text.jsontext import JSON, JSONObject

from . import details
from .calls import Calls

__all__ = ["ChatHearing", "broken_of"]

_REASONS = {
    "stop": "stop",
    "length": "length",
    "tool_calls": "tool_calls",
    "content_filter": "content_filter",
    "function_call": "tool_calls",
    "model_length": "length",  # Mistral's
    "max_tokens": "length",
    "sensitive": "content_filter",  # Z.ai's
    "refusal": "content_filter",
}
"""By what servers say; what is not there is an end as any other."""

# What a message may hold beside, of which other protocols know nothing.
_BESIDE = ("audio", "images", "executed_tools")


class _HeardChoice:
    """One choice of an answer, as far as it has come."""

    def __init__(self, number: int, aim: Aim, made_up: str) -> None:
        self.number = number
        self.calls = Calls(number, aim.upstream, aim.model, made_up)
        self.reason: str | None = None
        self._signer = (aim.upstream, aim.model)
        self._details: list[JSONObject] = []
        """The pieces of signed blocks that have not ended."""
        self._is_read_out = False
        """Whether reasoning has come as text, which blocks then only say again."""

    def hear(self, piece: JSONObject) -> Iterator[Signal]:
        """What a choice of a chunk says."""
        # Perplexity sends the message so far beside each delta; some servers send it instead.
        delta = as_object(piece.get("delta", piece.get("message")))
        yield from self._mused(delta)
        if delta.get("content") or delta.get("tool_calls"):
            yield from self._sealed()
        yield from self._spoken(delta.get("content"))
        if isinstance(refusal := delta.get("refusal"), str) and refusal:
            yield Declined(refusal, self.number)
        yield from self._called(delta)
        for citation in objects_in([delta.get("annotations")]):
            yield Cited(citation, self.number)
        if tokens := objects_in([as_object(piece.get("logprobs")).get("content")]):
            yield Weighed(tuple(tokens), self.number)
        if beside := {key: delta[key] for key in _BESIDE if delta.get(key)}:
            yield Aside(Foreign("chat", beside), self.number)
        if isinstance(reason := piece.get("finish_reason"), str) and reason:
            self.reason = reason

    def end(self) -> Iterator[Signal]:
        """What is to be said before the choice is finished."""
        yield from self._sealed()
        yield from self.calls.end()

    def finished(self) -> Finished:
        """The choice's end, by its own word for that."""
        native = self.reason or ""
        reason = _REASONS.get(native, "stop")
        # OpenAI itself says stop where a call was forced, others always do.
        if reason == "stop" and len(self.calls):
            reason = "tool_calls"
        return Finished(reason, native, choice=self.number)  # type: ignore[arg-type]

    def _mused(self, delta: JSONObject) -> Iterator[Signal]:
        entries = objects_in([delta.get("reasoning_details")])
        self._details += entries
        # Who has `reasoning_details` says their text in one of the others as well, most do.
        for key in ("reasoning_content", "reasoning"):
            if isinstance(text := delta.get(key), str) and text:
                self._is_read_out = True
                yield Mused(text, self.number)
                return
        for entry in () if self._is_read_out else entries:
            text = entry.get("text") or entry.get("summary")
            if isinstance(text, str) and text:
                yield Mused(text, self.number, entry.get("type") == "reasoning.summary")

    def _sealed(self) -> Iterator[Signal]:
        """The signed blocks that have ended: they come before the text or the call they led to."""
        if not self._details:
            return
        entries, self._details = self._details, []
        joined_entries = joined("reasoning_details", [[entry] for entry in entries], grows=True)
        for entry in joined_entries:
            (detail,) = details.read({"reasoning_details": [entry]})
            if detail.thought.signed is not None:
                # Only as a whole, and in its own words, it may go back to where it came from.
                signed = Signed(*self._signer, written(entry).decode())
                yield Sealed(detail.thought._replace(signed=signed), self.number)

    def _spoken(self, content: JSON) -> Iterator[Signal]:
        if isinstance(content, str):
            if content:
                yield Spoken(content, self.number)
            return
        for part in objects_in([content]):  # Mistral's
            match part.get("type"):
                case "thinking":
                    inner = part.get("thinking")
                    texts = [one.get("text") for one in objects_in([inner])] or [inner]
                    yield from (Mused(one, self.number) for one in texts if isinstance(one, str))
                case "reference":
                    yield Aside(Foreign("chat", part), self.number)
                case _ if isinstance(text := part.get("text"), str) and text:
                    yield Spoken(text, self.number)

    def _called(self, delta: JSONObject) -> Iterator[Signal]:
        for piece in objects_in([delta.get("tool_calls")]):
            yield from self.calls.hear(piece)
        if isinstance(legacy := delta.get("function_call"), dict):
            yield from self.calls.hear({"index": 0, "function": legacy})


class ChatHearing:
    """An answer of a chat upstream."""

    def __init__(self, aim: Aim) -> None:
        self._aim = aim
        self._opened = ""
        """The answer's id, once it is known."""
        self._choices: dict[int, _HeardChoice] = {}
        self._usage_promised = self._usage_told = False
        self._citations: list[JSON] = []
        self._is_over = False

    def hear(self, event: sse.Event) -> Iterable[Signal]:
        """What one event says; after a failure, or the end, nothing."""
        if self._is_over or not event.data:
            return ()
        if event.data.strip() == sse.DONE:
            return self._over(ended=True)
        value = value_of(event.data.encode("utf-8", "surrogatepass"))
        if event.event == "error" or is_error(value):
            return self._broke(broke_of(502, value))
        if not isinstance(value, dict):
            # A piece of the answer is missing: what is left of it would pass for the whole.
            return self._broke(unreadable("a chunk of its stream is no JSON object"))
        return self._chunk(value)

    def end(self) -> Iterable[Signal]:
        """That the answer broke off, unless it was whole."""
        return () if self._is_over else self._over(ended=False)

    def _chunk(self, chunk: JSONObject) -> Iterator[Signal]:
        choices = objects_in([chunk.get("choices")])
        if not self._opened and (choices or chunk.get("usage") or chunk.get("id")):
            named = chunk.get("id")
            self._opened = named if isinstance(named, str) and named else "chatcmpl"
            if not choices and not chunk.get("model"):
                self._opened = ""  # Azure's first chunk, which tells of the prompt's filters
            else:
                created = chunk.get("created")
                yield Opened(
                    self._opened if named else "",
                    str(chunk.get("model") or self._aim.model),
                    created if isinstance(created, int) else None,
                )
        for at, piece in enumerate(choices):
            number = index_of(piece, at)
            if number not in self._choices:
                self._choices[number] = _HeardChoice(number, self._aim, f"call_{self._opened}_")
            yield from self._choices[number].hear(piece)
            if is_error(piece) or names_failure(piece.get("finish_reason")):
                yield from self._broke(broke_of(502, piece))
                return
        if sources := as_list(chunk.get("search_results") or chunk.get("citations")):
            self._citations = sources  # Perplexity's, all of them in each chunk
        yield from self._metered(chunk)

    def _metered(self, chunk: JSONObject) -> Iterator[Signal]:
        usage = chunk.get("usage")
        self._usage_promised |= "usage" in chunk
        for piece in objects_in([chunk.get("choices")]):
            usage = usage or piece.get("usage")  # Moonshot's
        usage = usage or as_object(chunk.get("x_groq")).get("usage")
        if isinstance(usage, dict):
            self._usage_told = True
            yield Metered(usage_of(usage, self._aim.provider))

    def _over(self, *, ended: bool) -> Iterator[Signal]:
        """The end: of an answer that is whole, or of one that is not."""
        choices = [self._choices[number] for number in sorted(self._choices)]
        unfinished = not choices or any(choice.reason is None for choice in choices)
        # Hugging Face's router sends no [DONE]; but usage that was announced comes last.
        missed = not ended and self._usage_promised and not self._usage_told
        if unfinished and ended:
            why = "a choice has no finish_reason" if choices else "there are no choices"
            yield from self._broke(unreadable(why))
            return
        if unfinished or missed:
            yield from self._broke(cut_off(sse.DONE))
            return
        self._is_over = True
        for choice in choices:
            yield from choice.end()
        yield from _sources(self._citations)
        for choice in choices:
            yield choice.finished()

    def _broke(self, broke: Broke) -> Iterator[Signal]:
        self._is_over = True
        yield broke


def _sources(citations: list[JSON]) -> Iterator[Signal]:
    """Perplexity's sources of the whole answer, as citations without a place in the text."""
    for source in citations:
        found = source if isinstance(source, dict) else {"url": source}
        if isinstance(url := found.get("url"), str):
            title = found.get("title")
            inner = {"url": url, "title": title if isinstance(title, str) else url}
            yield Cited({"type": "url_citation", "url_citation": inner})


def usage_of(usage: JSONObject, provider: str) -> Usage:
    """Usage as chat servers tell it; `provider` as `Aim` has it."""
    prompt_details = as_object(usage.get("prompt_tokens_details"))
    details_of = as_object(usage.get("completion_tokens_details"))
    prompt, completion = _count(usage, "prompt_tokens"), _count(usage, "completion_tokens")
    reasoning = _maybe(details_of, "reasoning_tokens")
    total = _maybe(usage, "total_tokens")
    # xAI counts reasoning beside the completion, and both in the total.
    if provider == "xai" and reasoning and total == prompt + completion + reasoning:
        completion += reasoning
    cached = _maybe(prompt_details, "cached_tokens")
    for key in ("num_cached_tokens", "prompt_cache_hit_tokens", "cached_tokens"):
        cached = _maybe(usage, key) if cached is None else cached  # Mistral, DeepSeek, Moonshot
    rest = {key: value for key, value in usage.items() if key not in _COUNTED and value is not None}
    return Usage(
        prompt,
        completion,
        prompt + completion if total is None else total,
        cached,
        _maybe(prompt_details, "cache_write_tokens"),
        reasoning,
        rest,
    )


_COUNTED = frozenset(
    """prompt_tokens completion_tokens total_tokens prompt_tokens_details num_cached_tokens
    completion_tokens_details prompt_cache_hit_tokens prompt_cache_miss_tokens
    cached_tokens""".split()
)


def _maybe(counts: JSONObject, key: str) -> int | None:
    count = counts.get(key)
    return count if type(count) is int else None


def _count(counts: JSONObject, key: str) -> int:
    return _maybe(counts, key) or 0
