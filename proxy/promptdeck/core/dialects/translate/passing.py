"""A request that goes to an upstream of its own dialect: the client's bytes, but for a few.

Another is the model's name, where the upstream knows it otherwise. What goes is what that upstream
refuses to read, and signatures that are of use to somebody else. What is added is what the client
wants of the chosen model alone. Every other byte stays as it is.
"""

import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple
from urllib.parse import quote

from promptdeck.core.dialects.pieces import as_list, as_object, written
from promptdeck.core.interaction import Request
from promptdeck.core.text.jsontext import JSON, JSONObject
from promptdeck.core.text.splicing import Trail, spliced

from .aim import Aim, Lost, resource
from .signing import SEAL, goes_to, opened

_DEPLOYMENT = re.compile(r"(?<=/deployments/)[^/?]+")
# A name may have slashes, as one has with our prefix, and colons.
_RESOURCE = re.compile(r"(?<=/)(?:models|tunedModels)/[^?]+(?=:\w+(?:\?|$))")

# Members that hold signatures, by their dialect; of each the way to the objects they stand in.
_ITEMS: Mapping[str, tuple[tuple[str, ...], ...]] = {
    "messages": (("messages", "content"),),
    "responses": (("input",),),
    "gemini": (("contents", "parts"),),
}
_SIGNATURES = ("signature", "data", "encrypted_content", "thoughtSignature", "thought_signature")
# Google's stand on parts that say something by themselves; all others are of reasoning alone.
_ON_PARTS = ("thoughtSignature", "thought_signature")


class Passed(NamedTuple):
    """What becomes of a request whose bytes pass."""

    target: str
    body: bytes
    lost: tuple[Lost, ...] = ()


def passed(
    request: Request, body: JSON, dialect: str, aim: Aim, settings: Mapping[str, JSON]
) -> Passed:
    """The request as it goes on; `body` is its parsed body, None where that is no JSON."""
    target = _DEPLOYMENT.sub(quote(aim.model, safe="/-._~@"), request.target, count=1)
    if dialect == "gemini":
        target = _RESOURCE.sub(resource(aim.model), target, count=1)
    if not isinstance(body, dict):
        return Passed(target, request.body)
    edits, lost = _edits(request, body, dialect, aim)
    if body.get("model", aim.model) != aim.model:
        edits["model",] = written(aim.model)
    for name, value in settings.items():
        if body.get(name) is None and value is not None:
            edits[name,] = written(value)
    added = {
        str(place[0]): new
        for place, new in edits.items()
        if new is not None and len(place) == 1 and place[0] not in body
    }
    if not edits:
        return Passed(target, request.body, lost)
    return Passed(target, spliced(request.body, edits, added), lost)


def _edits(
    request: Request, body: JSONObject, dialect: str, aim: Aim
) -> tuple[dict[Trail, bytes | None], tuple[Lost, ...]]:
    """What must be another by the dialect's own rules, and what is lost by it."""
    if dialect == "chat":
        # A table of providers that other dialects have no use for.
        from .chat.passing import edits_for

        return edits_for(body, aim)
    return (_unsealed(body, dialect, aim) if SEAL in request.body else {}), ()


def _unsealed(body: JSONObject, dialect: str, aim: Aim) -> dict[Trail, bytes | None]:
    """The edits by which sealed signatures go back where they may, and no further."""
    edits: dict[Trail, bytes | None] = {}
    gone = False
    for place, item in _items(body, dialect):
        for key in _SIGNATURES:
            text = item.get(key)
            if not (isinstance(text, str) and text.startswith(SEAL.decode())):
                continue
            signed = opened(text.partition(".")[0])  # behind a dot stands what it is of
            if goes_to(signed, aim):
                edits[*place, key] = written(signed.text)
            elif key in _ON_PARTS and item.get("thought") is not True and len(item) > 1:
                edits[*place, key] = None
            else:
                edits[place] = None
                gone = True
    if gone and dialect == "responses":
        # "function_call was provided without its required reasoning item", if it is known by id.
        for place, item in _items(body, dialect):
            if item.get("type") in ("function_call", "message") and "id" in item:
                edits[*place, "id"] = None
    return _without_empty(edits, body)


def _without_empty(edits: dict[Trail, bytes | None], body: JSONObject) -> dict[Trail, bytes | None]:
    """The edits, where nothing is left of a turn with that turn itself taken out."""
    gone: dict[Trail, int] = {}
    for place, new in edits.items():
        if new is None and len(place) == 4:  # an item of a turn: `messages`, 1, `content`, 0
            gone[place[:2]] = gone.get(place[:2], 0) + 1
    for (name, at), count in gone.items():
        turn = body[str(name)][at]
        if any(count == len(items) for items in turn.values() if isinstance(items, list)):
            edits = {place: new for place, new in edits.items() if place[:2] != (name, at)}
            edits[name, at] = None
    return edits


def _items(body: JSONObject, dialect: str) -> Iterator[tuple[Trail, JSONObject]]:
    """The objects in which signatures may stand, each with its place."""
    for way in _ITEMS[dialect]:
        found: list[tuple[Trail, JSON]] = [((), body)]
        for name in way:
            found = [
                ((*place, name, at), one)
                for place, holder in found
                for at, one in enumerate(as_list(as_object(holder).get(name)))
            ]
        yield from ((place, one) for place, one in found if isinstance(one, dict))
