"""The faults that answers are to suffer, read from a header's text or from an object.

    latency=200ms; jitter=50ms; seed=1
    status=429; retry-after-ms=200; times=1, cut-after=5; probability=0.1

Within a fault there are semicolons, between faults commas: the first whose
turn it is befalls an answer. As an object of a configuration or of a session's
JSON it is `{latency: 200ms, seed: 1}`, as objects a list of such. Every error
begins with the place: the header's name, or where in the configuration it is.
"""

import math
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple, NoReturn

from promptdeck.core.headers import FAULT
from promptdeck.core.units import parse_duration

EVER = "ever"


class Fault(NamedTuple):
    """The harm that befalls an answer. With all defaults it is given as it was recorded.

    Durations are seconds; `..._after` are numbers of frames, of which an answer that is no
    stream has one.
    """

    latency: float = 0.0
    """A wait before the head."""
    jitter: float = 0.0
    """Up to so much more, before the head and before each frame."""
    first_byte: float = 0.0
    """A wait between the head and the body."""
    split: float | None = None
    """Each frame comes in two writes, cut inside a character, with such a pause between."""
    stall_after: int | None = None
    """Silence after so many frames."""
    stall_for: float = math.inf
    """The silence's length; infinity is until the client leaves."""
    cut_after: int | None = None
    """The connection is closed in good order after so many frames."""
    reset_after: int | None = None
    """The connection is reset after so many frames."""
    reset: bool = False
    """The connection is reset before the head."""
    malformed: int | None = None
    """The number of the frame, from 1, whose JSON is broken."""
    status: int | None = None
    """The status of an error that is answered in place of the recording."""
    retry_after: int | None = None
    """Seconds that the error asks to wait, in its `Retry-After`."""
    retry_after_ms: int | None = None
    """Milliseconds that it asks to wait, in its `Retry-After-Ms`, which the SDKs prefer."""
    probability: float = 1.0
    """The share of answers that it befalls."""
    times: int | None = None
    """Only so many answers to the same request; None for every one."""

    @property
    def harms(self) -> bool:
        """True if no client can get the whole answer, however long it waits."""
        stalls = self.stall_after is not None and self.stall_for == math.inf
        return stalls or self.breaks or self.status is not None

    @property
    def breaks(self) -> bool:
        """True if the answer begins, or ought to, and comes broken or to no end."""
        numbers = (self.cut_after, self.reset_after, self.malformed)
        return self.reset or any(number is not None for number in numbers)


class Plan(NamedTuple):
    """The faults of a session or a request; with none its answers are only watched."""

    faults: tuple[Fault, ...]
    """In the order of which the first whose turn it is befalls an answer."""
    seed: int = 0
    """The number that all draws are made of, beside the request."""


class _FaultKind(NamedTuple):
    """The reading of the value of one of a plan's names."""

    expects: str
    """In words, for an error."""
    read: Callable[[str], Any]
    """Gives the value, or ValueError."""


def _number(least: int, most: int) -> Callable[[str], int]:
    """A reader of whole numbers from `least` to `most`."""

    def read(text: str) -> int:
        # 16 digits hold the greatest of them, a seed of 2**53. `int` takes its time over many.
        if not re.fullmatch(r"[0-9]{1,16}", text) or not least <= int(text) <= most:
            raise ValueError
        return int(text)

    return read


def _probability(text: str) -> float:
    """A number from 0 to 1, or a percentage; ValueError for any other, also for NaN."""
    value = float(text[:-1]) / 100 if text.endswith("%") else float(text)
    if not 0 <= value <= 1:
        raise ValueError
    return value


def _yes(text: str) -> bool:
    """True for a name that stands alone (or `true`, as an object's); else ValueError."""
    if text not in ("", "true"):
        raise ValueError
    return True


# No answer has so many frames, no client waits so long: a bound that a mistyped number meets.
_MANY = 2**31
_DURATION = _FaultKind("a duration such as 200ms or 1.5s", parse_duration)
_FRAMES = _FaultKind("a number of frames", _number(0, _MANY))
_KINDS: Mapping[str, _FaultKind] = {
    "latency": _DURATION,
    "jitter": _DURATION,
    "first-byte": _DURATION,
    "split": _DURATION,
    "stall-after": _FRAMES,
    "stall-for": _FaultKind(
        "a duration or ever", lambda text: math.inf if text == EVER else parse_duration(text)
    ),
    "cut-after": _FRAMES,
    "reset-after": _FRAMES,
    "reset": _FaultKind("no value: it comes before the head", _yes),
    "malformed": _FaultKind("the number of a frame, from 1", _number(1, _MANY)),
    "status": _FaultKind("an error status, 400 to 599", _number(400, 599)),
    "retry-after": _FaultKind(
        "whole seconds; retry-after-ms takes milliseconds", _number(0, _MANY)
    ),
    "retry-after-ms": _FaultKind("whole milliseconds", _number(0, _MANY)),
    "probability": _FaultKind("a number from 0 to 1 or a percentage", _probability),
    "times": _FaultKind("how often, from 1", _number(1, _MANY)),
    # Up to where JSON's numbers are whole in every language.
    "seed": _FaultKind("a whole number", _number(0, 2**53)),
}
# What only says of a fault how often or how long it is.
_NOT_FAULTS = {"probability", "times", "stall-for", "retry-after", "retry-after-ms"}
# Of these a fault has one at most.
_ENDINGS = ("cut-after", "reset-after", "reset", "status")
# What is nothing without one of these beside it.
_BELONGS = {
    "stall-for": ("stall-after",),
    "retry-after": ("status",),
    "retry-after-ms": ("status",),
}
# What needs a recorded body to befall.
_OF_BODIES = ("split", "stall-after", "malformed")


def read_plan(value: object, place: str = "faults") -> Plan:
    """A plan from text, an object or a list of objects.

    ValueError, which begins with `place`, if it is no plan or a fault makes no sense.
    """
    if isinstance(value, str):
        return parse_plan(value, place)
    if isinstance(value, Mapping):
        return _plan([(_texts(value, place), place)], place)
    if isinstance(value, list):
        places = [f"{place}[{number}]" for number in range(len(value))]
        return _plan([(_texts(*each), each[1]) for each in zip(value, places, strict=True)], place)
    raise ValueError(f"{place}: expected a text, an object or a list of objects")


def parse_plan(text: str, place: str = FAULT) -> Plan:
    """A plan from a header's text; `none` is a plan without faults. ValueError as `read_plan`."""
    if text.strip() == "none":
        return Plan(())
    return _plan([(_pairs(part, place), place) for part in text.split(",")], place)


def _pairs(text: str, place: str) -> list[tuple[str, str]]:
    """The names and values in one fault's text; ValueError if there are none."""
    parts = (part.partition("=") for part in text.split(";") if part.strip())
    return [(name.strip().lower(), value.strip()) for name, _, value in parts] or _empty(place)


def _texts(value: object, place: str) -> list[tuple[str, str]]:
    """The names and values of one fault's object; ValueError if it is none.

    What is null or false is as if it were not there.
    """
    if not isinstance(value, Mapping):
        # Not TypeError: it is the user's text that is wrong, and read_plan promises ValueError.
        raise ValueError(f"{place}: expected an object such as {{latency: 200ms}}")  # noqa: TRY004
    given = ((str(name), item) for name, item in value.items())
    return [
        (name, "true" if item is True else str(item))
        for name, item in given
        if item is not None and item is not False
    ]


def _plan(parts: Iterable[tuple[list[tuple[str, str]], str]], place: str) -> Plan:
    """The plan of the pairs of each fault, with the place of each. A part may hold only a seed."""
    faults: list[Fault] = []
    seeds: set[int] = set()
    for pairs, here in parts:
        values = _values(pairs, here)
        if "seed" in values:
            seeds.add(values.pop("seed"))
        if values:
            _agree(values, here)
            faults.append(Fault(**{name.replace("-", "_"): values[name] for name in values}))
    if len(seeds) > 1:
        raise ValueError(f"{place}: one seed serves the whole plan, not {sorted(seeds)}")
    return Plan(tuple(faults), seeds.pop() if seeds else 0)


def _values(pairs: list[tuple[str, str]], place: str) -> dict[str, Any]:
    """The values of one fault, read, by their names with hyphens."""
    values: dict[str, Any] = {}
    for written, text in pairs:
        name = written.replace("_", "-")
        kind = _KINDS.get(name) or _unknown(written, place)
        if name in values:
            raise ValueError(f"{place}: {written} is there twice")
        try:
            values[name] = kind.read(text)
        except ValueError:
            shown = repr(text[:60]) if text else "nothing"
            raise ValueError(f"{place}: {written}: expected {kind.expects}, not {shown}") from None
    return values


def _agree(values: Mapping[str, Any], place: str) -> None:
    """ValueError if one fault's names lack what they go with, or cannot be had together."""
    for name, owners in _BELONGS.items():
        if name in values and not any(owner in values for owner in owners):
            raise ValueError(f"{place}: {name} goes with {' or '.join(owners)}")
    if values.keys() <= _NOT_FAULTS:
        raise ValueError(f"{place}: {', '.join(values)} alone is no fault; name one beside it")
    endings = [name for name in _ENDINGS if name in values]
    if len(endings) > 1:
        raise ValueError(f"{place}: an answer ends in one way, not by {' and '.join(endings)}")
    if {"status", "reset"} & values.keys():
        for name in _OF_BODIES:
            if name in values:
                raise ValueError(f"{place}: {endings[0]} leaves no recorded body to {name}")


def _unknown(name: str, place: str) -> NoReturn:
    """Raise the ValueError that there is no such name, with the nearest or all that there are."""
    import difflib  # only where something is misspelt

    # Lower than difflib's own 0.6: that some name was meant is certain here.
    close = difflib.get_close_matches(name.lower().replace("_", "-"), _KINDS, 1, cutoff=0.5)
    hint = f"did you mean {close[0]}?" if close else f"there are {', '.join(_KINDS)}"
    raise ValueError(f"{place}: no fault {name!r}; {hint}")


def _empty(place: str) -> NoReturn:
    """Raise the ValueError that a fault's text has nothing in it."""
    raise ValueError(f"{place}: names no fault; there are {', '.join(_KINDS)}, and none")


def format_fault(fault: Fault) -> str:
    """The fault as a header's text, which `parse_plan` reads back to the same.

    Durations are written in whole milliseconds.
    """
    given = {
        name.replace("_", "-"): value
        for name, value in fault._asdict().items()
        if value != fault._field_defaults[name]
    }
    return "; ".join(_written(name, value) for name, value in given.items())


def _written(name: str, value: Any) -> str:
    """One name and its value, as a header has them."""
    if value is True:
        return name
    if _KINDS[name].expects.startswith("a duration"):
        return f"{name}={EVER if value == math.inf else f'{round(value * 1000)}ms'}"
    return f"{name}={value}"
