"""What recordings imply without holding it: which models there are."""

from typing import Any
from urllib.parse import unquote

from promptdeck.core.interaction import Request
from promptdeck.engine.decks.deck import Deck

_MODELS = "/v1/models/"


async def implied(request: Request, deck: Deck) -> dict[str, Any] | None:
    """The answer to `GET /v1/models` or `/v1/models/ID` that a deck's recordings imply.

    None for any other request, and for a model that no recording names. StoreUnavailable.
    """
    path = request.target.partition("?")[0]
    if request.method != "GET" or not (path + "/").startswith(_MODELS):
        return None
    models = {name: _told(name) for name in sorted(await deck.models())}
    name = unquote(path.removeprefix(_MODELS.rstrip("/")).removeprefix("/"))
    if not name:
        return {"object": "list", "data": list(models.values())}
    return models.get(name)


def _told(name: str) -> dict[str, Any]:
    """A model as `GET /v1/models/ID` tells it."""
    return {"id": name, "object": "model", "created": 0, "owned_by": "promptdeck"}
