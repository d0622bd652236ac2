"""A recorded answer, given badly on purpose: which fault befalls it, and how it is then written.

`Dealer` says which of a plan's faults befalls each answer, `Dealt.steps` what
to write, what to wait for and how to end: whoever writes does no more than
that. Nothing here is left to chance: whatever looks random is a digest of the
seed, the request's key and how often it was asked, so that neither a second run
nor another order of requests changes it.
"""

import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum
from itertools import pairwise
from typing import NamedTuple

import xxhash

from promptdeck.core.dialects.base import Dialect
from promptdeck.core.dialects.table import HTTP
from promptdeck.core.interaction import Frame, Headers, Response
from promptdeck.core.text.jsontext import compact
from promptdeck.core.text.lines import data_of
from promptdeck.errors import HTTPError

from .plan import Fault, Plan


class Wait(NamedTuple):
    """Wait as an upstream takes its time: nobody counts it as silence."""

    seconds: float


class Stall(NamedTuple):
    """Say nothing for so long, which counts as silence; infinity is until the client leaves."""

    seconds: float


class Begin(NamedTuple):
    """Write the head."""

    status: int
    headers: Headers


class Write(NamedTuple):
    """Write a piece of the body, by itself."""

    data: bytes


class End(StrEnum):
    """The end of an answer."""

    WHOLE = "whole"
    """It is written to its end."""
    CUT = "cut"
    """The connection is closed in good order, the answer is not at its end."""
    RESET = "reset"
    """The connection is reset."""


Step = Wait | Stall | Begin | Write | End
"""One thing that whoever writes an answer has to do."""


class Dealt(NamedTuple):
    """The fault that befalls one answer."""

    fault: Fault
    chance: str
    """The text that this answer's draws are made of."""

    def steps(
        self, response: Response, factor: float = math.inf, dialect: Dialect = HTTP
    ) -> Iterator[Step]:
        """The steps of writing `response`, one after the other, `End` last.

        The recorded delays are divided by `factor`; at infinity there are none. An error is told
        in `dialect`.
        """
        if self.fault.status is not None:
            response = refusal(self.fault, dialect)
        return _noticeable(_Telling(self.fault, self.chance, factor).steps(response))


class Dealer:
    """Deals a plan's faults: each answer gets the first one whose turn it is."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self._asked: Counter[str] = Counter()
        """The number of times that each request was asked, by its key."""
        self._befell: Counter[tuple[str, int]] = Counter()
        """The number of answers that each fault befell, by request's key and fault's number."""

    def deal(self, key: str) -> Dealt | None:
        """The fault of the next answer to request `key`; None for a sound answer."""
        attempt = self._asked[key]
        self._asked[key] += 1
        for number, fault in enumerate(self.plan.faults):
            spent = fault.times is not None and self._befell[key, number] >= fault.times
            chance = f"{self.plan.seed} {key} {attempt} {number}"
            if not spent and draw(chance, "probability") < fault.probability:
                self._befell[key, number] += 1
                return Dealt(fault, chance)
        return None


def draw(chance: str, what: str) -> float:
    """A number from 0 up to, never reaching, 1: always the same for the same two texts."""
    # The upper 53 bits: more would be rounded, at the top to 1.
    return (xxhash.xxh3_64_intdigest(f"{chance} {what}".encode()) >> 11) / 2.0**53


class _Telling:
    """The writing of one answer that one fault befalls."""

    def __init__(self, fault: Fault, chance: str, factor: float) -> None:
        self._fault = fault
        self._chance = chance
        self._factor = factor

    def steps(self, response: Response) -> Iterator[Step]:
        """As `Dealt.steps`, with waits for no time and writes of nothing among them."""
        fault = self._fault
        frames = list(response.frames) or [Frame(0, b"")]
        if fault.malformed is not None:
            frames = _malformed(frames, fault.malformed, is_stream=response.is_stream)
        yield Wait(fault.latency + self._jitter(0) + self._recorded(frames[0].offset_ms))
        if fault.reset:
            yield End.RESET
            return
        yield Begin(response.status, _headed(response, frames))
        yield Wait(fault.first_byte)
        yield from self._body(frames)

    def _body(self, frames: list[Frame]) -> Iterator[Step]:
        """The steps of writing the frames, up to the end."""
        fault = self._fault
        last = len(frames)
        ending = _first(fault.cut_after, fault.reset_after)
        if any(_beyond(after, last) for after in (ending, fault.stall_after)):
            frames = _last_in_two(frames)
        waits = [0.0, *(self._recorded(b.offset_ms - a.offset_ms) for a, b in pairwise(frames))]
        for number, (wait, frame) in enumerate(zip(waits, frames, strict=True)):
            if fault.stall_after is not None and number == min(fault.stall_after, last):
                yield Stall(fault.stall_for)
            if ending is not None and number == min(ending, last):
                yield End.CUT if fault.reset_after is None else End.RESET
                return
            yield Wait(wait + (self._jitter(number) if number else 0))
            yield from self._pieces(frame.data)
        yield End.WHOLE

    def _pieces(self, data: bytes) -> Iterator[Step]:
        """The steps of writing one frame: at once, or in two."""
        if self._fault.split is None or len(data) < 2:
            yield Write(data)
            return
        at = _inside_a_character(data)
        yield from (Write(data[:at]), Wait(self._fault.split), Write(data[at:]))

    def _recorded(self, milliseconds: int) -> float:
        """The seconds that a recorded delay takes now."""
        return milliseconds / 1000 / self._factor

    def _jitter(self, number: int) -> float:
        """The seconds that are added before frame `number`; before the head for 0."""
        return self._fault.jitter * draw(self._chance, f"jitter {number}")


def _noticeable(steps: Iterator[Step]) -> Iterator[Step]:
    """The steps without waits for no time and writes of nothing."""
    return (step for step in steps if step not in (Wait(0), Write(b"")))


def _first(*values: int | None) -> int | None:
    """The first of the values that is not None."""
    return next((value for value in values if value is not None), None)


def _beyond(after: int | None, count: int) -> bool:
    """True if a fault is to come only after all of `count` frames, or after more."""
    return after is not None and after >= count


def _last_in_two(frames: list[Frame]) -> list[Frame]:
    """The frames with the last one cut in its middle.

    A fault that is to come after more frames than there are comes there: one that is asked
    for always comes.
    """
    *whole, (offset, data) = frames
    half = len(data) // 2
    return [*whole, Frame(offset, data[:half]), Frame(offset, data[half:])]


def _inside_a_character(data: bytes) -> int:
    """The place to cut data at: behind the first byte of its first character that has several.

    In its middle if all are ASCII.
    """
    lead = re.search(rb"[\xc2-\xf4](?=[\x80-\xbf])", data)
    return lead.end() if lead else len(data) // 2


def _malformed(frames: list[Frame], number: int, *, is_stream: bool) -> list[Frame]:
    """The frames with the last brace of one taken out, so that its JSON is broken.

    It is the frame of that number, from 1; or, where that has no JSON object, the next before
    it that has one, or else the first behind it. As they are if none has.
    """
    with_json = [at for at, frame in enumerate(frames) if _has_object(frame.data, is_stream)]
    if not with_json:
        return frames
    at = max((at for at in with_json if at < number), default=with_json[0])
    offset, data = frames[at]
    brace = data.rindex(b"}")
    return [*frames[:at], Frame(offset, data[:brace] + data[brace + 1 :]), *frames[at + 1 :]]


def _has_object(data: bytes, is_stream: bool) -> bool:
    """True if a frame's data looks like a JSON object."""
    text = data_of(data) if is_stream else data.decode("utf-8", "replace")
    return text.lstrip().startswith("{") and text.rstrip().endswith("}")


def _headed(response: Response, frames: Sequence[Frame]) -> Headers:
    """The answer's headers, with the length of all frames if it is no stream.

    By its length a client can see that it is cut; of a stream the chunks' end says so.
    """
    if response.is_stream:
        return response.headers
    headers = (item for item in response.headers if item[0].lower() != "content-length")
    return (*headers, ("content-length", str(sum(len(frame.data) for frame in frames))))


# Type and code as OpenAI's API and, for 529, Anthropic's have them.
_REFUSALS: Mapping[int, tuple[str, str, str]] = {
    429: ("requests", "rate_limit_exceeded", "Rate limit reached. Please try again later."),
    500: ("server_error", "server_error", "The server had an error while processing the request."),
    503: ("server_error", "service_unavailable", "The engine is currently overloaded."),
    529: ("overloaded_error", "overloaded", "Overloaded"),
}


def refusal(fault: Fault, dialect: Dialect) -> Response:
    """The error answer that `fault.status` asks for, or 500, as clients of a dialect read it."""
    status = fault.status or 500
    kind, code, message = _REFUSALS.get(
        status, ("server_error" if status >= 500 else "invalid_request_error", "fault", "Refused.")
    )
    error = HTTPError(message, code=code, status=status)
    error.type = kind
    waits = {"retry-after": fault.retry_after, "retry-after-ms": fault.retry_after_ms}
    error.headers = {name: str(wait) for name, wait in waits.items() if wait is not None}
    headers: Headers = (("content-type", "application/json"), *error.headers.items())
    return Response(status, headers, (Frame(0, compact(dialect.error(error))),))
