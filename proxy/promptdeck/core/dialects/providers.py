"""A request that brings its own provider: `X-Provider`, `X-Provider-Key`, `X-Provider-Model`.

The headers, which are Dedalus's, choose the upstream for one request. They are
never kept; what they choose is written into the model as `provider/model`, so
that it counts in matching and stands in the recording.
"""

from collections.abc import Mapping
from typing import NamedTuple

from promptdeck.core.interaction import Headers, Request, header
from promptdeck.core.routing.upstreams import CHAT_URLS
from promptdeck.core.text.jsontext import Unfaithful, compact, parse
from promptdeck.errors import ClientError

BYOK_HEADERS = frozenset(["x-provider", "x-provider-key", "x-provider-model"])
"""The headers by which a request brings its own provider, in lower case."""
DECISIVE = BYOK_HEADERS
"""Headers read here with which a request is decided on by itself."""

PROVIDERS = CHAT_URLS
"""Base URLs of providers that speak chat completions, natively or by a layer of their own.

The names are those that Dedalus's documents list for `X-Provider`, and some more.
"""


class Route(NamedTuple):
    """The provider that one request goes to in place of the configured upstream."""

    url: str
    """The provider's base URL."""
    key: str
    """The provider's key; empty where the client's own credentials go on."""
    body: bytes
    """The request's body, with the model as the provider knows it."""
    in_model: bool = True
    """False where the provider is not part of what counts: there is no model to write it into."""
    is_home: bool = False
    """True where the request brings no provider: it goes where its protocol is at home."""


def routed(
    request: Request, headers: Headers, urls: Mapping[str, str]
) -> tuple[Request, Route | None]:
    """The request as it counts, and its route if its headers ask for one.

    `urls` holds each provider's base URL. ClientError for a provider that is none of them.
    Where no model can be written into the body (it is no JSON object, or is JSON that cannot
    be written without loss, or no model is named), the request counts as it came.
    """
    # In this order: sorted, the names are provider, key, model.
    provider, key, model = (header(headers, name) for name in sorted(BYOK_HEADERS))
    if not (provider or key or model):
        return request, None
    try:
        body = parse(request.body)
    except Unfaithful:
        body = None
    asked = body.get("model") if isinstance(body, dict) else None
    model = model or (asked if isinstance(asked, str) else "")
    prefix, slash, bare = model.partition("/")
    # As Dedalus documents it, the key is enough: the provider is taken from the model's prefix.
    if not provider and slash and prefix in urls:
        provider = prefix
    if provider not in urls:
        raise ClientError(
            f"X-Provider must be one of {', '.join(urls)}, or the model must begin with one and a"
            f" slash, not {provider or model!r}",
            code="unknown_provider",
            param="X-Provider",
        )
    # The prefix is a router's way of naming a model: the provider itself knows the bare name.
    if prefix == provider and bare:
        model = bare
    if not isinstance(body, dict) or not model:
        return request, Route(urls[provider], key, request.body, in_model=False)
    counted = request._replace(body=compact({**body, "model": f"{provider}/{model}"}))
    return counted, Route(urls[provider], key, compact({**body, "model": model}))
