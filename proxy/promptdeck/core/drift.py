"""How an answer of today departs from the recorded one.

What programs rely on is the shape: fields, their types, the protocol of a
stream. What a model says differs from call to call, so other words are a tier
of their own. Of a list only its items count, not how many; ids, times and
numbers only by being there; what is new only by a note.
"""

from collections.abc import Iterable
from enum import StrEnum
from typing import NamedTuple

from promptdeck.core.dialects.base import Dialect
from promptdeck.core.dialects.pieces import as_object
from promptdeck.core.text import lines
from promptdeck.core.text.jsontext import JSON, Unfaithful, parse, same
from promptdeck.core.text.wording import cut, shared_text, visible

from .interaction import Response
from .text import sse


class Tier(StrEnum):
    """How grave a drift is, gravest first."""

    UNREACHABLE = "unreachable"
    """There was no live answer."""
    ERROR = "error"
    """One of the two reports an error and the other none, or another one."""
    SHAPE = "shape"
    """A field, a type or the protocol of a stream has changed: programs may break."""
    CONTENT = "content"
    """Other words or values in the same shape."""
    SAME = "same"

    @property
    def harmless(self) -> bool:
        """True if programs that took the recorded answer will take the live one."""
        return self in (Tier.CONTENT, Tier.SAME)


class Drift(NamedTuple):
    """How a live answer departs from the recorded one."""

    tier: Tier
    """The gravest that was found."""
    notes: tuple[str, ...]
    """What was found, each in a few words for people."""


def compare(recorded: Response, live: Response, dialect: Dialect) -> Drift:
    """How the live answer departs from the recorded one: the gravest drift with all its notes.

    Notes of what is new but breaks nothing follow. `dialect` is the protocol that
    both are answers of. Any two responses can be compared.
    """
    if errors := _errors(recorded, live):
        return Drift(Tier.ERROR, (errors,))
    shape, news = _shapes(recorded, live, dialect)
    if shape:
        return Drift(Tier.SHAPE, (*shape, *news))
    content = _contents(recorded, live, dialect)
    return Drift(Tier.CONTENT if content else Tier.SAME, (*content, *news))


# Errors


def _errors(recorded: Response, live: Response) -> str:
    """A note that one of two answers reports an error; empty if they agree in that."""
    before, now = _error_of(recorded), _error_of(live)
    if live.status != recorded.status and (before or now):
        told = f"status {live.status}, recorded {recorded.status}"
    elif bool(before) != bool(now):
        told = "the answer reports an error" if now else "the recorded error is gone"
    else:
        return ""
    return f"{told}: {cut(visible(now), 200)}" if now.strip() else told


def _error_of(response: Response) -> str:
    """The message of an answer that reports an error, at least a blank; empty for any other."""
    told = [value for _, value in _events(response)]
    errors = [as_object(value)["error"] for value in told if as_object(value).get("error")]
    if errors:
        message = as_object(errors[0]).get("message", errors[0])
        return message if isinstance(message, str) and message else " "
    named = response.is_stream and any(name == "error" for name, _ in _events(response))
    return " " if named or not 200 <= response.status < 300 else ""


# Shapes


class _Findings(NamedTuple):
    """Notes on the shape, gathered on the way through two answers."""

    broken: list[str]
    """What programs may break by."""
    new: list[str]

    def names(self, recorded: Iterable[str], live: Iterable[str], what: str) -> None:
        """Note which names of a kind of thing, `what`, have gone or come."""
        before, now = set(recorded), set(live)
        self.broken.extend(f"{what} {name} is gone" for name in sorted(before - now))
        self.new.extend(f"{what} {name} is new" for name in sorted(now - before))


def _shapes(recorded: Response, live: Response, dialect: Dialect) -> _Findings:
    """Compare status, form, content type and all that is in two answers but their words."""
    found = _Findings([], [])
    if live.status != recorded.status:
        found.broken.append(f"status {live.status}, recorded {recorded.status}")
    if recorded.is_stream != live.is_stream:
        found.broken.append(f"a {_form(live)} came where a {_form(recorded)} was recorded")
    elif recorded.is_stream:
        _streams(recorded, live, found, dialect)
    else:
        if (before := _media(recorded)) != (now := _media(live)):
            found.broken.append(f"the content type is {now or 'not given'}, was {before or 'none'}")
        _values([_body(recorded)], [_body(live)], "$", found)
    # The last resort: what is no whole answer has mostly been found to lack a field before.
    problem = dialect.problem_with(live)
    if problem and not found.broken and not dialect.problem_with(recorded):
        found.broken.append(problem)
    return found


def _form(response: Response) -> str:
    """A response's form in words, for a finding: `stream` or `whole answer`."""
    return "stream" if response.is_stream else "whole answer"


def _media(response: Response) -> str:
    """A response's media type in lower case, without parameters."""
    return visible(response.content_type.partition(";")[0].strip().lower())


def _streams(recorded: Response, live: Response, found: _Findings, dialect: Dialect) -> None:
    """Compare two streams: names of events, end marker, what chunks have and add up to."""
    before, now = _chunks(recorded), _chunks(live)
    found.names(map(_named, before), map(_named, now), "event")
    ends = [any(value == sse.DONE for _, value in _events(one)) for one in (recorded, live)]
    if ends[0] != ends[1]:
        found.broken.append(f"the end marker {sse.DONE} is {'gone' if ends[0] else 'new'}")
    for name in sorted(before.keys() & now.keys()):
        _values(before[name], now[name], visible(name) or "chunk", found)
    # A field of the deltas may be in a few of the chunks only: what they add up to tells.
    _values(_whole(recorded, dialect), _whole(live, dialect), "$", found)


def _named(event: str) -> str:
    """An event's name as a note has it."""
    return visible(event) or "without a name"


def _chunks(response: Response) -> dict[str, list[JSON]]:
    """The values of a stream's events by the events' names."""
    chunks: dict[str, list[JSON]] = {}
    for name, value in _events(response):
        if value != sse.DONE:
            chunks.setdefault(name, []).append(value)
    return chunks


def _events(response: Response) -> list[tuple[str, JSON]]:
    """Name and value of each event; a whole answer is one event."""
    if not response.is_stream:
        return [("", _body(response))]
    if response.in_lines:
        return [("", _value(line)) for line in lines.frames(response.body) if line.strip()]
    events = map(sse.parse, sse.frames(response.body))
    return [(event.event, _value(event.data)) for event in events if event.data]


def _body(response: Response) -> JSON:
    """The value of a whole answer: its JSON, or else its text."""
    return _value(response.body)


def _value(data: bytes | str) -> JSON:
    """The value of JSON text, or else the text itself without white space around it."""
    try:
        return parse(data)
    except Unfaithful:
        text = data if isinstance(data, str) else data.decode(errors="replace")
        return text.strip()


def _whole(response: Response, dialect: Dialect) -> list[JSON]:
    """The one message that an answer adds up to, in a list; empty if it adds up to none."""
    try:
        return [dialect.message(response)]
    except Unfaithful:
        return []


# Padding against traffic analysis: there or not, as the provider pleases.
_PADDING = "obfuscation"


def _values(before: list[JSON], now: list[JSON], path: str, found: _Findings) -> None:
    """Compare all values at a place, recorded and live, and all below them; adds to `found`.

    A list's items are all at one place (`$.choices[]`), as are those of a stream's chunks.
    Where one side has no value nothing is known.
    """
    if not (before and now):
        return
    if changed := _types_changed(before, now, path):
        found.broken.append(changed)
        return
    _members([*filter(_is_object, before)], [*filter(_is_object, now)], path, found)
    _values(_items(before), _items(now), f"{path}[]", found)


def _types_changed(before: list[JSON], now: list[JSON], path: str) -> str:
    """A note that values at a place are of new types; empty if they are not.

    Null becoming something is an option taken; something becoming null breaks its readers.
    """
    old, new = set(map(_type, before)), set(map(_type, now))
    if new <= old or old == {"null"}:
        return ""
    return f"{path} is {' or '.join(sorted(new))}, was {' or '.join(sorted(old))}"


def _type(value: JSON) -> str:
    """A value's type by JSON's count, where integers are no type of their own."""
    match value:
        case None:
            return "null"
        case bool():
            return "boolean"
        case int() | float():
            return "number"
        case str():
            return "text"
        case list():
            return "list"
        case _:
            return "object"


def _is_object(value: JSON) -> bool:
    return isinstance(value, dict)


def _items(values: Iterable[JSON]) -> list[JSON]:
    """All items of those values that are lists."""
    return [item for value in values if isinstance(value, list) for item in value]


def _members(before: list[JSON], now: list[JSON], path: str, found: _Findings) -> None:
    """Compare the members of all objects at a place; adds to `found`.

    A field is gone if all had it and none has; one that only some had is an option.
    """
    if not (before and now):
        return
    always = set.intersection(*map(set, before))
    ever, live = set().union(*before), set().union(*now)
    for name in sorted((always - live) - {_PADDING}):
        found.broken.append(f"{path}.{visible(name)} is gone")
    for name in sorted((live - ever) - {_PADDING}):
        found.new.append(f"{path}.{visible(name)} is new")
    for name in sorted(ever & live):
        _values(_all(before, name), _all(now, name), f"{path}.{visible(name)}", found)


def _all(objects: Iterable[JSON], name: str) -> list[JSON]:
    """The member `name` of all objects that have it."""
    return [item[name] for item in objects if name in item]


# Contents

# Fields that are another with each answer, whatever it says.
_VOLATILE = frozenset(
    """id created created_at completed_at usage system_fingerprint obfuscation call_id item_id
    tool_use_id sequence_number encrypted_content signature thoughtSignature responseId
    createTime usageMetadata""".split()
)


def _contents(recorded: Response, live: Response, dialect: Dialect) -> list[str]:
    """Notes on other words or values in two answers of one shape; none if they say the same."""
    before, now = (_told(one, dialect) for one in (recorded, live))
    texts = [_text(one, dialect) for one in (recorded, live)]
    if _alike(before, now) and (not dialect.converts or texts[0] == texts[1]):
        return []
    notes = [_other_text(*texts)] if texts[0] != texts[1] else []
    old, new = (_labels(one, dialect) for one in (recorded, live))
    notes += [
        f"{name} is {new[name]}, was {old[name]}"
        for name in old
        if name in new and old[name] != new[name]
    ]
    return notes or ["other values"]


def _alike(before: JSON, now: JSON) -> bool:
    """True if all that is in one value is the same in the other, which may have more fields."""
    if isinstance(before, dict) and isinstance(now, dict):
        return all(key in now and _alike(before[key], now[key]) for key in before)
    if isinstance(before, list) and isinstance(now, list):
        return len(before) == len(now) and all(map(_alike, before, now))
    return same(before, now)


def _text(response: Response, dialect: Dialect) -> bytes:
    """What an answer says; the body where nobody knows that."""
    return dialect.says(response).encode(errors="replace") if dialect.converts else response.body


def _other_text(before: bytes, now: bytes) -> str:
    """A note of how much two texts that differ have in common, and how long they are."""
    # 100 % would be taken for the same.
    share = min(99, int(100 * shared_text(before, now)))
    return f"other text: {share}% alike, {_length(now)}, was {_length(before)}"


def _length(text: bytes) -> str:
    return f"{len(text.decode(errors='replace'))} characters"


def _told(response: Response, dialect: Dialect) -> JSON:
    """The values of an answer without what changes with each: its message, or else its events."""
    if whole := _whole(response, dialect):
        return _lasting(whole[0])
    return [[name, _lasting(value)] for name, value in _events(response)]


def _lasting(value: JSON) -> JSON:
    """A copy of a value without the fields of `_VOLATILE`, at any depth."""
    if isinstance(value, dict):
        return {key: _lasting(item) for key, item in value.items() if key not in _VOLATILE}
    return [_lasting(item) for item in value] if isinstance(value, list) else value


def _labels(response: Response, dialect: Dialect) -> dict[str, str]:
    """The model of an answer, and how it finished, as far as it says."""
    told = dialect.labels(_whole(response, dialect)[0]) if _whole(response, dialect) else {}
    return {name: visible(value) for name, value in told.items() if isinstance(value, str)}
