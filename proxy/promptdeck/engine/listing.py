"""What recordings imply without holding it: which models there are."""

from typing import Any
from urllib.parse import unquote

import orjson

from promptdeck.core.interaction import Request
from promptdeck.engine.decks.deck import Deck

_MODELS = "/v1/models/"


def implied(request: Request, deck: Deck) -> dict[str, Any] | None:
    """The answer to `GET /v1/models` or `/v1/models/ID` that a deck's recordings imply.

    None for any other request, and for a model that no recording names.
    """
    path = request.target.partition("?")[0]
    if request.method != "GET" or not (path + "/").startswith(_MODELS):
        return None
    models = _models(deck)
    name = unquote(path.removeprefix(_MODELS.rstrip("/")).removeprefix("/"))
    if not name:
        return {"object": "list", "data": list(models.values())}
    return models.get(name)


def _models(deck: Deck) -> dict[str, dict[str, Any]]:
    """The models that recorded requests name, by id, each as `GET /v1/models/ID` tells it."""
    found = set()
    for _, canonical in deck.canonicals():
        try:
            # The canonical form's first line is method and target; its body follows.
            value = orjson.loads(canonical.partition(b"\n")[2])
        except orjson.JSONDecodeError:
            continue
        model = value.get("model") if isinstance(value, dict) else None
        if isinstance(model, str):
            found.add(model)
    return {
        name: {"id": name, "object": "model", "created": 0, "owned_by": "promptdeck"}
        for name in sorted(found)
    }
