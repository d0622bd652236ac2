"""How the deltas of a chat stream add up, whatever a provider puts into them.

Text goes on, labels are repeated, numbered items continue one another. Where
a provider departs from OpenAI's ways, the departure is named beside the line
that minds it. Every function takes JSON of any shape and raises nothing.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, groupby

from promptdeck.core.dialects.pieces import as_object
from promptdeck.core.text.jsontext import JSON, JSONObject

# Strings of a delta that a provider may repeat but never continues.
_LABELS = frozenset(
    {"id", "type", "role", "object", "model", "service_tier", "system_fingerprint", "format"}
)
# Lists of typed parts, as Mistral sends them, a few words in each.
_IN_PARTS = ("content", "thinking")


def gathered(objects: Iterable[JSONObject]) -> dict[str, list[JSON]]:
    """Under each key of the objects the values that they have there, in the objects' order."""
    found: dict[str, list[JSON]] = {}
    for item in objects:
        for key, value in item.items():
            found.setdefault(key, []).append(value)
    return found


def joined(key: str, values: Iterable[JSON], *, grows: bool) -> JSON:
    """The one value that the values under `key` add up to; None if there are none but nulls.

    Text continues in a delta (`grows`) and is repeated anywhere else. Objects are joined key
    by key, lists put together; of values that cannot be joined the last one counts.
    """
    known = [value for value in values if value is not None]
    if len(known) < 2:
        return known[0] if known else None
    kinds = set(map(type, known))
    if kinds == {dict}:
        found = gathered(known).items()
        return {name: joined(name, inner, grows=grows) for name, inner in found}
    if not grows:
        return list(chain.from_iterable(known)) if kinds == {list} else known[-1]
    if kinds == {str}:
        return _joined_text(key, known)
    if kinds <= {str, list} and key in _IN_PARTS:
        return _joined_parts(known)
    if kinds == {list}:
        return _joined_items(list(chain.from_iterable(known)))
    return known[-1]


def _joined_text(key: str, values: Sequence[str]) -> str:
    """The text that goes on from value to value, or the label that they repeat."""
    if key == "name":  # of a call: some repeat it, no server is known to cut it in two
        return next(filter(None, values), "")
    if key in _LABELS:  # DashScope: an empty id on every delta but the first
        return next(filter(None, reversed(values)), "")
    return "".join(values)


def _joined_items(items: list[JSON]) -> list[JSON]:
    """The items with those of one number joined, by number; as they are if one has none."""
    found: dict[tuple[int, str], list[JSONObject]] = {}
    kinds: dict[int, JSON] = {}
    for item in items:
        if not isinstance(index := as_object(item).get("index"), int):
            return items
        # OpenRouter may number a summary and its encrypted twin alike.
        kinds[index] = item.get("type") or kinds.get(index)
        found.setdefault((index, str(kinds[index])), []).append(item)
    in_order = sorted(found, key=lambda slot: slot[0])
    return [joined("", found[slot], grows=True) for slot in in_order]


def _joined_parts(values: Iterable[JSON]) -> list[JSON]:
    """One list of parts for all, in which a run of text or of thinking is one part."""
    whole: list[JSON] = []
    for kind, run in groupby(_parts(values), lambda part: as_object(part).get("type")):
        parts = list(run)
        whole += [joined("", parts, grows=True)] if kind in ("text", "thinking") else parts
    return whole


def _parts(values: Iterable[JSON]) -> Iterator[JSON]:
    """The parts in lists of them, and each text that stands beside lists as a part."""
    for value in values:
        if isinstance(value, list):
            yield from value
        elif value:
            yield {"type": "text", "text": value}


def joined_calls(pieces: Iterable[JSONObject]) -> list[JSONObject]:
    """The tool calls that pieces of them add up to, in the order of their index, without it.

    A piece without an index belongs to the call of its id, or else to the last call. So does
    Gemini send them, whose every call has an id of its own. One that begins another call, by
    an id and a name of its own, is one though its index is taken: some servers number none.
    """
    calls: dict[int, list[JSONObject]] = {}
    # In which place a call is: by index and id as they came, and the latest of an index.
    places: dict[tuple[int | None, str], int] = {}
    latest: dict[int, int] = {}
    place = 0
    for piece in pieces:
        name, number = piece.get("id"), piece.get("index")
        index = number if isinstance(number, int) else None
        named = name if isinstance(name, str) else ""
        if named and (index, named) in places:
            place = places[index, named]
        elif index is None:
            if named:
                place = max(calls, default=-1) + 1
        elif named and _begins_call(piece) and (index in latest or index in calls):
            place = max(calls) + 1
        else:
            place = latest.get(index, index)
        if named:
            places[index, named] = place
        if index is not None:
            latest[index] = place
        unnumbered = {key: value for key, value in piece.items() if key != "index"}
        calls.setdefault(place, []).append(unnumbered)
    return [joined("", calls[place], grows=True) for place in sorted(calls)]


def _begins_call(piece: JSONObject) -> bool:
    """True for a piece that names what is called, as the first of a call does."""
    return bool(as_object(piece.get("function", piece.get("custom"))).get("name"))
