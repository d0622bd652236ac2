"""The door: a request said in its upstream's dialect, and the answer said in its client's.

`written` is for the way there. On the way back a live stream goes through a `Translation`, and an
answer that is all there through `answered`: both do the same. What a dialect needs is imported
when the first request, or the first answer, of it comes by.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from importlib import import_module
from itertools import chain
from typing import Any, NamedTuple, Protocol

from promptdeck.core.dialects.base import Dialect, essence, value_of
from promptdeck.core.dialects.pieces import at_once, words
from promptdeck.core.dialects.pieces import written as text_of
from promptdeck.core.dialects.streamed import Streamed
from promptdeck.core.dialects.variants import JSON_TYPE, STREAM_TYPE, as_stream, as_whole
from promptdeck.core.interaction import Frame, Headers, Request, Response, Variant, is_good
from promptdeck.core.text import sse
from promptdeck.core.text.jsontext import JSON, JSONObject, Unfaithful, parse

from .aim import Aim, Lost, Untranslatable, Written
from .broken import OVERLOADED, error_of, unreadable
from .freetext import FreeText, names_of
from .memory import Listener, Memory
from .neutral import Broke, CallSaid, Metered, Mused, Prompt, Signal, Spoken, Usage
from .passing import passed

__all__ = [
    "AnswerHeard",
    "AnswerTold",
    "Memory",
    "Sent",
    "Translation",
    "answered",
    "heading",
    "prompt_of",
    "usage_in",
    "written",
]


class AnswerHeard(Protocol):
    """One answer of an upstream, event by event."""

    def hear(self, event: sse.Event) -> Iterable[Signal]:
        """What an event of the stream says."""

    def end(self) -> Iterable[Signal]:
        """What is to be said when the body has ended: that it broke off, unless it was whole."""


class AnswerTold(Protocol):
    """One answer to a client, signal by signal."""

    def tell(self, signal: Signal) -> Iterable[bytes]:
        """The frames that say it in the client's stream."""

    def end(self) -> Iterable[bytes]:
        """The frames that close the stream."""


class Sent(NamedTuple):
    """A request as its upstream gets it, in bytes."""

    target: str
    """Path and query below the upstream's base URL, which begins with `/v1`."""
    body: bytes
    lost: tuple[Lost, ...] = ()
    headers: tuple[tuple[str, str], ...] = ()
    """What the protocol wants beside, no credentials."""


def written(
    request: Request,
    client: Dialect,
    aim: Aim,
    memory: Memory | None = None,
    settings: Mapping[str, JSON] | None = None,
) -> Sent:
    """A client's request as the upstream that it is meant for takes it.

    In one and the same dialect the client's bytes pass, but for what must be another there: the
    model's name, fields that this upstream refuses, signatures of others. `settings` are what the
    client wants of this model alone, where the request itself says nothing; where they are None,
    the first of its models may bring some. `memory` fills in what the client has not kept.
    Untranslatable where the request cannot be understood, or not be said.
    """
    if client.name == aim.dialect:
        value = value_of(request.body)
        return Sent(*passed(request, value, client.name, aim, settings or {}))
    prompt = _prompt_of(request, client, aim.model, settings)
    if memory is not None:
        prompt = memory.restored(prompt)
    there: Written = _module(aim.dialect, "writes").written(prompt, aim)
    return Sent(there.target, text_of(there.body), there.lost, there.headers)


class Translation:
    """A stream of one dialect on its way to a client of another: a filter of bytes.

    How the bytes are cut into pieces makes no difference to all that comes out.
    """

    def __init__(
        self,
        upstream: Dialect,
        client: Dialect,
        variant: Variant,
        asked: JSONObject,
        aim: Aim,
        now: int,
        memory: Memory | None = None,
    ) -> None:
        self._upstream = upstream
        self._hearing = _hearing(upstream, aim)
        self._telling = _telling(client, asked, variant, now)
        self._listener = Listener(memory) if memory is not None else None
        self._freely = FreeText(names_of(client.name, asked))
        self._held: list[bytes] = []
        self._has_ended = False

    def feed(self, data: bytes) -> bytes:
        """The client's bytes for what a piece of the upstream's completes."""
        if self._has_ended:
            return b""
        if not self._held and sse.is_one_line(data):
            return b"".join(self._frame(data))  # as it nearly always comes
        # A blank line, and the byte that it needs before it, may be spread over pieces.
        tail = b"".join(self._held[-4:])[-4:] + data
        self._held.append(data)
        if not sse.is_whole(tail):
            return b""
        *whole, last = sse.frames(b"".join(self._held))
        if sse.is_whole(last) and not last.endswith(b"\r"):
            whole, last = [*whole, last], b""
        self._held = [last] if last else []
        return b"".join(chain.from_iterable(map(self._frame, whole)))

    def rest(self) -> bytes:
        """The client's bytes for what is left when the upstream's stream has ended."""
        frames = [*chain.from_iterable(map(self._frame, sse.frames(b"".join(self._held))))]
        self._held = []
        return b"".join([*frames, *self._ending()])

    def _frame(self, frame: bytes) -> Iterator[bytes]:
        """The client's frames for one of the upstream's."""
        if self._has_ended:
            return
        event = sse.parse(frame)
        yield from self._told(self._hearing.hear(event))
        if self._upstream.is_end(event):
            yield from self._ending()

    def _ending(self) -> Iterator[bytes]:
        if not self._has_ended:
            self._has_ended = True
            yield from self._told(self._hearing.end())
            yield from self._telling.end()

    def _told(self, signals: Iterable[Signal]) -> Iterator[bytes]:
        for signal in chain.from_iterable(map(self._freely.of, signals)):
            if self._listener is not None:
                self._listener.hear(signal)
            yield from self._telling.tell(signal)


def answered(
    response: Response,
    upstream: Streamed,
    client: Streamed,
    variant: Variant,
    asked: JSONObject,
    aim: Aim,
    now: int,
    memory: Memory | None = None,
) -> Response:
    """A whole answer of an upstream as its client reads it: status, headers, frames with times.

    `asked` is the body of the client's request, `variant` what it asks for. An answer that failed,
    or cannot be read, becomes an error in the client's form.
    """
    if not is_good(response.status):
        module = _module(upstream.name, "hears")
        broke = module.broken_of(response.status, response.headers, response.body)
        return _failed(response, client, broke)
    frames = [frame.data for frame in response.frames]
    if not response.is_stream:
        try:
            # In words only for who reads them: 4,000 take 80 ms on the way, whole texts 1 ms.
            deal = at_once if variant is Variant.JSON else words
            frames = upstream.cut(upstream.message(response), deal)
        except Unfaithful as error:
            return _failed(response, client, unreadable(str(error)))
    if variant is Variant.JSON or not response.is_stream:
        signals = _signals(frames, upstream, aim)
        broke = next((signal for signal in signals if isinstance(signal, Broke)), None)
        if broke is None and not response.is_stream and (why := upstream.problem_with(response)):
            # What is cut into a stream ends well, whatever it was.
            broke = _told_failure(response, upstream, aim) or unreadable(why)
        if broke is not None:
            return _failed(response, client, broke)
        if variant is Variant.JSON:
            signals = [
                *chain.from_iterable(map(FreeText(names_of(client.name, asked)).of, signals))
            ]
            return _whole(response, signals, client, asked, now, memory)
        response = as_stream(response, frames)
    translation = Translation(upstream, client, variant, asked, aim, now, memory)
    told = [Frame(frame.offset_ms, translation.feed(frame.data)) for frame in response.frames]
    told.append(Frame(response.took_ms, translation.rest()))
    if variant is Variant.LIST:
        body = b"".join(data for _, data in told)
        headers = heading(response.headers, JSON_TYPE)
        return Response(response.status, headers, (Frame(response.took_ms, body),))
    frames_of = [Frame(at, one) for at, data in told for one in sse.frames(data)]
    headers = heading(response.headers, STREAM_TYPE)
    return Response(response.status, headers, tuple(frames_of))


def _signals(frames: Iterable[bytes], upstream: Dialect, aim: Aim) -> list[Signal]:
    """All that a whole stream says."""
    hearing = _hearing(upstream, aim)
    return [
        *chain.from_iterable(hearing.hear(sse.parse(frame)) for frame in frames),
        *hearing.end(),
    ]


def usage_in(response: Response, upstream: Streamed, aim: Aim) -> Usage | None:
    """The tokens that a whole answer says it took; None where it says nothing of that."""
    frames = [frame.data for frame in response.frames]
    if not response.is_stream:
        try:
            frames = upstream.cut(upstream.message(response), at_once)
        except Unfaithful:
            return None
    told = [one.usage for one in _signals(frames, upstream, aim) if isinstance(one, Metered)]
    return told[-1] if told else None


def _told_failure(response: Response, upstream: Dialect, aim: Aim) -> Broke | None:
    """The error that the body of a good status tells of, as one within a stream would be heard.

    None where it tells of none.
    """
    event = sse.Event("", response.body.decode("utf-8", "replace"))
    heard = _hearing(upstream, aim).hear(event)
    return next((signal for signal in heard if isinstance(signal, Broke)), None)


def _whole(
    response: Response,
    signals: Sequence[Signal],
    client: Streamed,
    asked: JSONObject,
    now: int,
    memory: Memory | None,
) -> Response:
    """A whole answer that says this, as the client's JSON."""
    if memory is not None:
        listener = Listener(memory)
        for signal in signals:
            listener.hear(signal)
    telling = _telling(client, asked, Variant.JSON, now)
    told = [*chain.from_iterable(map(telling.tell, _joined(signals))), *telling.end()]
    headers = heading(response.headers, JSON_TYPE)
    try:
        return as_whole(response._replace(headers=headers), client.fold(told))
    except Unfaithful as error:
        return _failed(response, client, unreadable(str(error)))


_TextSignal = Spoken | Mused | CallSaid


def _joined(signals: Iterable[Signal]) -> Iterator[Signal]:
    """The signals, pieces of one text that follow on one another as one of them."""
    whole: _TextSignal | None = None
    texts: list[str] = []
    for signal in signals:
        if whole is not None:
            if type(signal) is type(whole) and signal._replace(text="") == whole:
                texts.append(signal.text)
                continue
            yield whole._replace(text="".join(texts))
            whole = None
        if isinstance(signal, _TextSignal):
            whole, texts = signal._replace(text=""), [signal.text]
        else:
            yield signal
    if whole is not None:
        yield whole._replace(text="".join(texts))


def _failed(response: Response, client: Dialect, broke: Broke) -> Response:
    """An answer that failed, in the client's form and with a status that it knows."""
    error = error_of(broke)
    if error.status == OVERLOADED and client.name != "messages":
        error.status = 503
    told = {**dict(heading(response.headers, JSON_TYPE)), **error.headers}
    if error.retry:
        told["x-should-retry"] = "true"
    body = text_of(client.error(error))
    return Response(error.status, tuple(told.items()), (Frame(response.took_ms, body),))


# What is about the bytes that came, not about the answer that they make.
_OF_BYTES = frozenset(["content-type", "content-length", "content-encoding", "transfer-encoding"])
_RENAMED = {"request-id": "x-upstream-request-id", "x-request-id": "x-upstream-request-id"}


def heading(headers: Headers, content_type: str) -> Headers:
    """The headers of an upstream's answer as they go with a translated one of this type."""
    kept = ((name, value) for name, value in headers if name.lower() not in _OF_BYTES)
    return (
        ("content-type", content_type),
        *((_RENAMED.get(name.lower(), name), value) for name, value in kept),
    )


def is_stream_type(content_type: str) -> bool:
    """True for the type of an answer that a `Translation` takes; others go through `answered`."""
    return essence(content_type) == "text/event-stream"


def prompt_of(request: Request, client: Dialect) -> Prompt:
    """What a request asks of a model. Untranslatable where it cannot be understood."""
    return _prompt_of(request, client, "", None)


def _prompt_of(
    request: Request, client: Dialect, model: str, settings: Mapping[str, JSON] | None
) -> Prompt:
    try:
        body = parse(request.body)
    except Unfaithful as error:
        raise Untranslatable(f"the body cannot be translated: {error}", param="$") from None
    if not isinstance(body, dict):
        raise Untranslatable("the body must be a JSON object", param="$")
    if settings is not None:
        unsaid = {name: value for name, value in settings.items() if body.get(name) is None}
        # No other model's settings, if there are several.
        body = {**body, **unsaid} | ({"model": model} if "model" in body else {})
    prompt: Prompt = _module(client.name, "reads").prompt_of(body, request.target)
    return prompt


@lru_cache(maxsize=32)  # asked once a request: import_module takes 1 us, and this 0.1
def _module(dialect: str, part: str) -> Any:
    """A part of a dialect's folder: reads, writes, hears or tells."""
    return import_module(f"{__package__}.{dialect}.{part}")


def _hearing(upstream: Dialect, aim: Aim) -> AnswerHeard:
    made: Callable[[Aim], AnswerHeard]
    made = getattr(_module(upstream.name, "hears"), f"{upstream.name.title()}Hearing")
    return made(aim)


def _telling(client: Dialect, asked: JSONObject, variant: Variant, now: int) -> AnswerTold:
    made: Callable[[JSONObject, Variant, int], AnswerTold]
    made = getattr(_module(client.name, "tells"), f"{client.name.title()}Telling")
    return made(asked, variant, now)
