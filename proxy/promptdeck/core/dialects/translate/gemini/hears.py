"""An answer's stream of Google's protocol as signals, and its errors understood.

Each event is an answer of its own, whose texts go on; a call is whole in one event, unless its
arguments come in pieces, and a second call may come with the next one. There is no end but that
each candidate has a finish reason.
"""

from collections.abc import Iterable, Iterator
from itertools import count

from promptdeck.core.dialects.base import names_failure
from promptdeck.core.dialects.gemini.arguments import add
from promptdeck.core.dialects.gemini.fold import grow
from promptdeck.core.dialects.pieces import as_list, as_object, index_of, written
from promptdeck.core.dialects.translate.aim import Aim
from promptdeck.core.dialects.translate.broken import cut_off, unreadable
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
from promptdeck.core.text import sse
from promptdeck.core.text.jsontext import JSON, JSONObject, Unfaithful

from .errors import broken_of, failure
from .grounding import citations, uncited
from .signatures import sealed_part, signed_by, thought_of
from .spoken import called_name, digest, exact, made_id

__all__ = ["GeminiHearing", "broken_of"]

# All others that are no failure are `stop`. CONTINUATION: there is more than one request may have.
_REASONS = {
    "MAX_TOKENS": "length",
    "CONTINUATION": "length",
    **dict.fromkeys(
        """SAFETY RECITATION LANGUAGE BLOCKLIST PROHIBITED_CONTENT SPII IMAGE_SAFETY MODEL_ARMOR
        IMAGE_PROHIBITED_CONTENT IMAGE_RECITATION ESCALATION PUP_LIMITED_DISABLED""".split(),
        "content_filter",
    ),
}
_FAILURES = ("IMAGE_OTHER", "NO_IMAGE")
_UNSAID = ("", "FINISH_REASON_UNSPECIFIED")
_SOURCES = ("groundingMetadata", "citationMetadata", "urlContextMetadata")
# Beside text these say nothing by themselves.
_WITH_TEXT = frozenset(["text", "thought", "thoughtSignature"])


class GeminiHearing:
    """One answer of an upstream that speaks Google's protocol, event by event."""

    def __init__(self, aim: Aim) -> None:
        self._aim = aim
        self._id = ""
        self._usage: JSONObject = {}
        self._candidates: dict[int, _HeardCandidate] = {}
        self._is_over = False

    def hear(self, event: sse.Event) -> Iterable[Signal]:
        """What an event says; nothing once the answer has failed."""
        data = (event.data or "").strip()
        if not data or data == sse.DONE or self._is_over:
            return ()
        try:
            value = exact(data)
        except Unfaithful as error:
            return self._break(unreadable(f"an event is no JSON ({error})"))
        return [*self._hear(value, data)]

    def end(self) -> Iterable[Signal]:
        """The ends of all candidates; that the answer broke off, where one has none."""
        if self._is_over:
            return ()
        self._is_over = True
        if not self._candidates:
            return [cut_off("the stream is empty")]
        if any(not one.reason for one in self._candidates.values()):
            return [cut_off("a candidate has no finishReason")]
        numbered = sorted(self._candidates.items())
        return [signal for _, one in numbered for signal in one.end()]

    def _break(self, broke: Broke) -> list[Signal]:
        self._is_over = True
        return [broke]

    def _hear(self, value: JSON, data: str) -> Iterator[Signal]:
        if isinstance(value, list):  # in a list, as where `alt=sse` is not asked for
            for item in value:
                yield from () if self._is_over else self._hear(item, data)
            return
        if not isinstance(value, dict):
            return
        if value.get("error") is not None:
            yield from self._break(failure(value, 502))
            return
        if not self._id:
            yield self._opened(value, data)
        yield from self._metered(value.get("usageMetadata"))
        yield from self._blocked(as_object(value.get("promptFeedback")))
        for at, candidate in enumerate(map(as_object, as_list(value.get("candidates")))):
            number = index_of(candidate, at)
            if number not in self._candidates:
                self._candidates[number] = _HeardCandidate(number, self._id, self._aim)
            for signal in self._candidates[number].hear(candidate):
                yield signal
                if isinstance(signal, Broke):
                    self._is_over = True
                    return

    def _opened(self, value: JSONObject, data: str) -> Opened:
        own = value.get("responseId")
        # Some gateways leave it out: the same answer has the same.
        self._id = own if isinstance(own, str) and own else digest(data)
        model = value.get("modelVersion")
        return Opened(self._id, model if isinstance(model, str) and model else self._aim.model)

    def _metered(self, told: JSON) -> Iterator[Signal]:
        """The usage so far, where it has changed; a count left out keeps its last value."""
        usage = self._usage | as_object(told)
        if "totalTokenCount" not in as_object(told):
            usage |= self._usage  # what is counted by the way adds nothing to a sum
        if usage != self._usage:
            self._usage = usage
            yield Metered(_usage(usage))

    def _blocked(self, feedback: JSONObject) -> Iterator[Signal]:
        """The end of an answer whose prompt was refused: it has no candidates."""
        reason = feedback.get("blockReason")
        if isinstance(reason, str) and reason:
            candidate = self._candidates.setdefault(0, _HeardCandidate(0, self._id, self._aim))
            candidate.reason = reason
            candidate.is_blocked = True
            message = feedback.get("blockReasonMessage")
            if isinstance(message, str) and message:
                yield Declined(message)


class _HeardCandidate:
    """One of the answers, as far as it has come."""

    def __init__(self, number: int, answer: str, aim: Aim) -> None:
        self.reason = ""
        self.is_blocked = False
        self._number = number
        self._answer = answer
        self._aim = aim
        self._calls = count()
        self._has_called = False
        self._partial: JSONObject | None = None
        """A call whose arguments come in pieces, as far as they have."""
        self._said: list[str] = []
        self._mused: list[str] = []
        """The reasoning since the last signed part of it."""
        self._sources: JSONObject = {}

    def hear(self, candidate: JSONObject) -> Iterator[Signal]:
        """What an event tells of this candidate."""
        parts = as_list(as_object(candidate.get("content")).get("parts"))
        for part in map(as_object, parts):
            yield from self._part(part)
        if tokens := _weighed(as_object(candidate.get("logprobsResult"))):
            yield Weighed(tokens, self._number)
        grow(self._sources, {key: candidate[key] for key in _SOURCES if key in candidate})
        reason = candidate.get("finishReason")
        reason = reason.upper() if isinstance(reason, str) else ""
        if reason not in _UNSAID:
            self.reason = reason
            if names_failure(reason) or reason in _FAILURES:
                told = candidate.get("finishMessage")
                message = told if isinstance(told, str) and told else "the model's answer failed"
                yield Broke(502, "upstream_error", f"{message} ({reason})", reason)
        elif parts:
            self.reason = ""  # what goes on has not ended, though it once said so

    def end(self) -> Iterator[Signal]:
        """The last call, if it was under way, the sources, and the reason of the end."""
        yield from self._close()
        for citation in citations(self._sources, "".join(self._said)):
            yield Cited(citation, self._number)
        if rest := uncited(self._sources):
            yield Aside(Foreign("gemini", rest), self._number)
        reason = "content_filter" if self.is_blocked else _REASONS.get(self.reason, "stop")
        if reason == "stop" and self._has_called:
            reason = "tool_calls"
        yield Finished(reason, self.reason, choice=self._number)  # type: ignore[arg-type]

    def _part(self, part: JSONObject) -> Iterator[Signal]:
        call = part.get("functionCall")
        if self._partial is not None and not (isinstance(call, dict) and not call.get("name")):
            yield from self._close()
        if isinstance(call, dict):
            yield from self._call(call, part)
        elif isinstance(part.get("text"), str) and part.keys() <= _WITH_TEXT:
            yield from self._text(part["text"], part)
        elif part:
            signed = signed_by(part, self._aim.upstream, self._aim.model)
            told = sealed_part(part, signed) if signed else part
            yield Aside(Foreign("gemini", told), self._number)

    def _text(self, text: str, part: JSONObject) -> Iterator[Signal]:
        signed = signed_by(part, self._aim.upstream, self._aim.model)
        if part.get("thought") is not True:
            if text:
                self._said.append(text)
                yield Spoken(text, self._number)
            if signed:
                yield Marked(signed, self._number)
            return
        if text:
            self._mused.append(text)
            yield Mused(text, self._number, is_summary=True)
        if signed:
            thought = thought_of("".join(self._mused), signed)
            if signed.text == part["thoughtSignature"]:
                # Google's own: what it shows is a summary ("Thinking", "Thought summaries").
                thought = thought._replace(is_summary=True)
            self._mused = []
            yield Sealed(thought, self._number)

    def _call(self, call: JSONObject, part: JSONObject) -> Iterator[Signal]:
        """A call, or the next piece of one."""
        pieces = as_list(call.get("partialArgs"))
        goes_on = call.get("willContinue") is True
        if call.get("name"):
            self._partial = {**part, "functionCall": {**call, "args": call.get("args") or {}}}
        elif self._partial is None:
            return  # the end of nothing
        arguments = self._partial["functionCall"]["args"]
        if isinstance(arguments, dict):
            add(arguments, pieces)
        if not goes_on:
            yield from self._close()

    def _close(self) -> Iterator[Signal]:
        """A call whose arguments have all come, or as far as they came."""
        if self._partial is None:
            return
        part, self._partial = self._partial, None
        call = part["functionCall"]
        number, self._has_called = next(self._calls), True
        own = call.get("id")
        name = own if isinstance(own, str) and own else ""
        name = name or made_id(self._answer, self._number, number)
        signed = signed_by(part, self._aim.upstream, self._aim.model)
        yield CallOpened(number, name, called_name(str(call["name"])), signed, choice=self._number)
        yield CallSaid(number, written(call["args"]).decode(), self._number)
        yield CallClosed(number, self._number)


def _usage(told: JSONObject) -> Usage:
    """Tokens as chat completions count them, with those of thoughts among the completion's."""
    rest = {key: value for key, value in told.items() if key not in _COUNTED}
    read = {key: value for key in _COUNTED if isinstance(value := told.get(key), int)}
    prompt = read.get("promptTokenCount", 0) + read.get("toolUsePromptTokenCount", 0)
    completion = read.get("candidatesTokenCount", 0) + read.get("thoughtsTokenCount", 0)
    total = read.get("totalTokenCount", prompt + completion)
    return Usage(
        prompt,
        max(completion, total - prompt),  # some models leave their thoughts out
        total,
        cached=read.get("cachedContentTokenCount"),
        reasoning=read.get("thoughtsTokenCount"),
        rest=rest,
    )


_COUNTED = """promptTokenCount toolUsePromptTokenCount candidatesTokenCount thoughtsTokenCount
    totalTokenCount cachedContentTokenCount""".split()


def _weighed(result: JSONObject) -> tuple[JSONObject, ...]:
    """Log probabilities as chat completions have them."""
    tops = [as_object(one).get("candidates") for one in as_list(result.get("topCandidates"))]
    chosen = map(as_object, as_list(result.get("chosenCandidates")))
    return tuple(
        _token(one)
        | {"top_logprobs": [_token(as_object(top)) for top in as_list(tops[n : n + 1] and tops[n])]}
        for n, one in enumerate(chosen)
    )


def _token(one: JSONObject) -> JSONObject:
    text = str(one.get("token", ""))
    logprob = one.get("logProbability", 0)
    data = text.encode("utf-8", "surrogatepass")
    return {"token": text, "logprob": logprob, "bytes": [*data]}
