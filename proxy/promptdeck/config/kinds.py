"""What a value may be: read from the text that a user wrote, and written back as such.

Knows one value at a time; where it came from and what it is for, `settings` and `loading`
know. The kinds stand at the end; above them are their readers, each of which raises
ValueError, without words where `Kind.expects` says it as well.
"""

import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, TypeVar

from promptdeck.core import units
from promptdeck.core.hosts import host_of
from promptdeck.core.matching.rules import parse_path, parse_replacement
from promptdeck.core.names import validate_cassette_name
from promptdeck.core.secrets.redact import UserPattern

if TYPE_CHECKING:
    from promptdeck.core.faults.plan import Plan

T = TypeVar("T")
Option = TypeVar("Option", bound=str)


class Kind(NamedTuple, Generic[T]):
    """A kind of value, with text on one side and a `T` on the other."""

    expects: str
    """In words, after "expected"."""
    read: Callable[[Any], T]
    """From one of the types in `accepts`. ValueError: with words where it knows better than
    `expects` what is wrong, else without."""
    write: Callable[[T], Any] = str
    """Back to a JSON value that `read` takes."""
    accepts: tuple[type, ...] = (str,)
    alone: bool = False
    """Whether one may stand for a list of it."""
    within: Callable[[Any, str], T] | None = None
    """In place of `read`, of what has parts with places of their own: the value of what stands at
    a place. ValueError that begins with the place of the part."""

    def take(self, raw: object, place: str) -> T:
        """The typed value of `raw`; ValueError that begins with `place` if there is none."""
        reason = ""
        if self.within and isinstance(raw, self.accepts):
            return self.within(raw, place)
        if isinstance(raw, self.accepts):
            try:
                return self.read(raw)
            # The last two are what `re` makes of a{99999999999} and of a thousand brackets.
            except (ValueError, OverflowError, RecursionError) as error:
                reason = str(error)
        raise ValueError(f"{place}: {reason or f'expected {self.expects}, found {found(raw)}'}")


def found(raw: object) -> str:
    """How an error shows what stands in place of a value: quoted and cut short, or its kind."""
    if isinstance(raw, str):
        return repr(raw if len(raw) <= _SHOWN else raw[: _SHOWN - 1] + "…") if raw else "nothing"
    return "a list" if isinstance(raw, list) else "a mapping"


_SHOWN = 60
"""Characters of a value in an error, so that its line with path and reason fits a terminal."""

NOTHING = ("none", "null", "~", "")
"""The ways to write that there is no value."""


def optional(kind: Kind[T]) -> Kind[T | None]:
    """`kind`, or None for any of the ways to write that there is no value."""
    return Kind(
        f"{kind.expects} (or none)",
        lambda text: None if text in NOTHING else kind.read(text),
        lambda value: "none" if value is None else kind.write(value),
        kind.accepts,
    )


def choice(*options: Option) -> Kind[Option]:
    """One of at least two texts, as the very object given here: a member of an enum, perhaps."""
    by_text = {str(option): option for option in options}
    *most, last = by_text

    def read(text: str) -> Option:
        if text in by_text:
            return by_text[text]
        import difflib  # 10 ms, and only where something is misspelt

        if near := difflib.get_close_matches(text.lower().replace("_", "-"), by_text, 1):
            raise ValueError(f"expected {expected}, found {found(text)}; did you mean {near[0]}?")
        raise ValueError

    expected = f"{', '.join(most)} or {last}"
    return Kind(expected, read)


def _host(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9_.:%-]+", text):
        raise ValueError
    return text


def _host_name(text: str) -> str:
    host = text if text == "*" else host_of(text)
    if not host:
        raise ValueError
    return host


# A page's origin (RFC 6454, 6.2), maybe with a scheme of a program's own; `*` is any text.
_ORIGIN = re.compile(
    r"\*|null|[a-z][a-z0-9+.-]*://(?:\*|[a-z0-9*._-]+|\[[0-9a-f:.]+\])(?::[0-9*]+)?"
)


def _origin(text: str) -> str:
    origin = text.lower().removesuffix("/")
    if not _ORIGIN.fullmatch(origin):
        raise ValueError
    return origin


_LAST_PORT = 65535
"""The largest that TCP's 16 bits hold (RFC 9293, 3.1)."""


def _port(text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,5}", text) or int(text) > _LAST_PORT:
        raise ValueError
    return int(text)


# To ignore case takes twice as long to compile, and a start has to wait for it.
_URL = re.compile(
    r"[Hh][Tt][Tt][Pp][Ss]?://(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::([0-9]{1,5}))?(/[^?#\s]*)?"
)


def _url(text: str) -> str:
    """A base URL without its last slash; one without a path gets /v1, as OpenAI's have it."""
    match = _URL.fullmatch(text)
    if match is None and re.search(r"[@?#]", text):
        # Not shown: what stands there is often a secret.
        raise ValueError("expected a URL without user, password and query (the key has a setting)")
    if match is None and _URL.fullmatch(f"http://{text}") and re.search("[.:/]", text):
        scheme = "http" if re.match(r"localhost|127\.|\[::1\]|[^/.]*:", text) else "https"
        raise ValueError(f"{text!r} names no scheme; did you mean {scheme}://{text}?")
    if match is None or not (text.isascii() and text.isprintable()):
        raise ValueError
    if int(match[1] or 0) > _LAST_PORT:
        raise ValueError
    path = (match[2] or "").rstrip("/")
    return text.rstrip("/") + ("" if path else "/v1")


def whole_url(text: str) -> str:
    """A URL as it is, of which the path is the server's own business."""
    return text if _url(text) != f"{text.rstrip('/')}/v1" else text.rstrip("/")


def _secret(text: str) -> str:
    # What is printable ASCII can be sent in a header as it is.
    if not re.fullmatch(r"[!-~]+", text):
        raise ValueError("expected printable ASCII without spaces (what was found is not shown)")
    return text


def _path(text: str) -> Path:
    if not text or "\0" in text:
        raise ValueError
    # Path.expanduser raises for ~nobody, which may well be a file's name.
    return Path(os.path.expanduser(text))  # noqa: PTH111


_TRUE = ("true", "yes", "on", "1")
_FALSE = ("false", "no", "off", "0")


def _truth(text: str) -> bool:
    if text.lower() not in _TRUE + _FALSE:
        raise ValueError
    return text.lower() in _TRUE


def _above_zero(parse: Callable[[str], T]) -> Callable[[str], T]:
    """`parse`, but ValueError for what comes to zero."""

    def read(text: str) -> T:
        number = parse(text)
        if not number:
            raise ValueError
        return number

    return read


def _endpoint(value: object) -> str:
    if not isinstance(value, str) or not value.strip("/") or "?" in value:
        raise ValueError
    return value.strip("/").removeprefix("v1/")


def _json_path(text: str) -> str:
    parse_path(text)
    return text


def _preset(name: str) -> str:
    from promptdeck.core.matching.presets import merged_presets

    merged_presets([name])
    return name


def _replacement(entry: str | dict[str, str]) -> str | Mapping[str, str]:
    parse_replacement(entry)
    return entry


def _secret_shape(entry: dict[str, str]) -> UserPattern:
    if set(entry) != {"name", "pattern"}:
        raise ValueError("wants the two keys `name` and `pattern`")
    return UserPattern.build(entry["name"], entry["pattern"])


class Provider(NamedTuple):
    """A provider that a request may choose for itself, by the header X-Provider: NAME."""

    name: str
    url: str


def _provider(entry: dict[str, str]) -> Provider:
    # A header has to hold the name, and a model's name begins with it: NAME/MODEL.
    if set(entry) != {"name", "url"}:
        raise ValueError("wants the two keys `name` and `url`")
    if not re.fullmatch(r"[a-z0-9_-]+", entry["name"]):
        raise ValueError(f"a name is made of a-z, 0-9, _ and -, not {entry['name']!r}")
    try:
        return Provider(entry["name"], _url(entry["url"]))
    except ValueError as error:
        raise ValueError(str(error) or f"expected {URL.expects}") from None


def _count(text: str) -> int:
    # Four digits are more answers of one request than anybody records, and catch a slip.
    if not re.fullmatch(r"[1-9][0-9]{0,3}", text):
        raise ValueError
    return int(text)


def _number(text: str) -> int:
    if not re.fullmatch(r"[1-9][0-9]{0,8}", text):
        raise ValueError
    return int(text)


def _plan(text: str) -> "Plan":
    from promptdeck.core.faults.plan import parse_plan  # for the few that set any

    return parse_plan(text)


def _written_plan(plan: "Plan") -> str:
    from promptdeck.core.faults.plan import format_fault

    seed = [f"seed={plan.seed}"] if plan.seed else []
    return ", ".join([*map(format_fault, plan.faults), *seed])


HOST = Kind("a host name or address", _host)
HOST_NAME = Kind("a host name or address such as deck.internal, or *", _host_name)
ORIGIN = Kind("an origin such as https://app.example or http://*.example:3000", _origin)
COUNT = Kind("a number from 1 to 9999", _count)
NUMBER = Kind("a number from 1 to 999999999", _number)
FAULTS = optional(Kind("faults such as latency=200ms; times=1", _plan, _written_plan))
PORT = Kind("a port from 0 to 65535", _port)
URL = Kind("a URL such as https://api.openai.com/v1", _url)
OWN_URL = optional(URL)
SECRET = optional(Kind("a key", _secret))
CASSETTE_NAME = optional(Kind("a name such as agents/weather", validate_cassette_name))
PATH = Kind("a path", _path)
TRUTH = Kind("true or false", _truth, lambda value: str(value).lower())
SIZE = Kind("a size such as 64 MiB", _above_zero(units.parse_size), units.format_size)
DURATION = Kind("a duration such as 10s", units.parse_duration, units.format_duration)
SPAN = Kind(
    "a duration above 0, such as 1s", _above_zero(units.parse_duration), units.format_duration
)
# aiohttp takes a timeout of 0 for no timeout at all: it has to be said as `none`.
LIMIT = optional(
    Kind(
        "a duration such as 90, 1.5s or 24h",
        _above_zero(units.parse_duration),
        units.format_duration,
    )
)
PACE = Kind("instant, recorded or a factor such as 2x", units.parse_pace, units.format_pace)
ENDPOINT = Kind("a path behind /v1/ such as rerank or threads/*/summary", _endpoint)
JSON_PATH = Kind("a JSON path such as $.metadata", _json_path)
PRESET = Kind("a preset's name, as `promptdeck match show` lists them", _preset, alone=True)
REPLACEMENT = Kind(
    "a preset's name or {pattern, with}", _replacement, lambda entry: entry, (str, dict)
)
SECRET_SHAPE = Kind(
    "{name, pattern}",
    _secret_shape,
    lambda shape: {"name": shape.name, "pattern": shape.pattern},
    (dict,),
)
PROVIDER = Kind(
    "{name, url}", _provider, lambda item: {"name": item.name, "url": item.url}, (dict,)
)
