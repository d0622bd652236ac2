"""Stored and deferred completions: the paths below /v1/chat/ that promptdeck answers itself.

A stored completion that is not ours is the upstream's: the request goes the
general way, as does any other path.
"""

from typing import Any

import orjson
from aiohttp import web

from promptdeck.core.interaction import CHAT_COMPLETIONS
from promptdeck.errors import ClientError
from promptdeck.stores.kept.completions import Completions, Page
from promptdeck.stores.kept.slips import Slips

from .errors import Handler
from .json import json_response
from .reading import body_of

# Items of a page, as OpenAI documents for its lists.
_MOST = 100


def add_routes(
    router: web.UrlDispatcher, prefix: str, completions: Completions, slips: Slips, api: Handler
) -> None:
    """Route what is below `prefix`; `api` takes what is not ours."""
    handlers = _CompletionHandlers(completions, api)
    path = prefix + CHAT_COMPLETIONS
    router.add_get(path, handlers.find)
    router.add_get(path + "/{id}", handlers.get)
    router.add_post(path + "/{id}", handlers.update)
    router.add_delete(path + "/{id}", handlers.delete)
    router.add_get(path + "/{id}/messages", handlers.messages)

    async def collect(request: web.Request) -> web.StreamResponse:
        return await _collect(request, slips)

    router.add_get(prefix + "/v1/chat/deferred-completion/{id}", collect)


class _CompletionHandlers:
    def __init__(self, completions: Completions, api: Handler) -> None:
        self._completions = completions
        self._api = api

    async def find(self, request: web.Request) -> web.StreamResponse:
        metadata = {
            key.removeprefix("metadata[").removesuffix("]"): value
            for key, value in request.query.items()
            if key.startswith("metadata[") and key.endswith("]")
        }
        model = request.query.get("model", "")
        return json_response(await self._completions.find(_page(request), model, metadata))

    async def get(self, request: web.Request) -> web.StreamResponse:
        found = self._completions.get(request.match_info["id"])
        return json_response(found) if found else await self._api(request)

    async def update(self, request: web.Request) -> web.StreamResponse:
        name = request.match_info["id"]
        if self._completions.get(name) is None:
            return await self._api(request)
        return json_response(await self._completions.update(name, await _metadata(request)))

    async def delete(self, request: web.Request) -> web.StreamResponse:
        name = request.match_info["id"]
        if not await self._completions.delete(name):
            return await self._api(request)
        return json_response({"object": "chat.completion.deleted", "id": name, "deleted": True})

    async def messages(self, request: web.Request) -> web.StreamResponse:
        found = self._completions.messages(request.match_info["id"], _page(request))
        return json_response(found) if found else await self._api(request)


def _page(request: web.Request) -> Page:
    limit, order = request.query.get("limit", "20"), request.query.get("order", "asc")
    # Its length before its worth: Python refuses to read numbers of 5,000 digits.
    plain = limit.isascii() and limit.isdecimal() and len(limit) < 10
    if not plain or int(limit) > _MOST:
        told = f"limit is a number from 0 to {_MOST}, not {limit[:40]!r}"
        raise ClientError(told, param="limit")
    if order not in ("asc", "desc"):
        raise ClientError(f"order is asc or desc, not {order!r}", param="order")
    return Page(request.query.get("after", ""), int(limit), order == "desc")


async def _metadata(request: web.Request) -> dict[str, str]:
    try:
        body: Any = orjson.loads(await body_of(request))
    except orjson.JSONDecodeError:
        body = None
    metadata = body.get("metadata") if isinstance(body, dict) else None
    if not isinstance(metadata, dict) or not all(isinstance(v, str) for v in metadata.values()):
        raise ClientError("the body holds {metadata: {KEY: TEXT, ...}}", param="metadata")
    return metadata


async def _collect(request: web.Request, slips: Slips) -> web.StreamResponse:
    name = request.match_info["id"]
    slip = await slips.collect(name)
    if slip is None:
        raise ClientError(
            f"no deferred completion {name}: it never was, was collected, or is a day old",
            code="not_found",
            status=404,
        )
    if slip.pending:
        return web.Response(status=202)
    if slip.lost:
        raise ClientError(
            f"the deferred completion {name} was lost when promptdeck stopped; ask again",
            code="deferred_lost",
            status=410,
            retry=False,
        )
    return web.Response(status=slip.status, body=slip.body, content_type="application/json")
