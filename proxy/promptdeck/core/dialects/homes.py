"""Whose a call is: the provider that it is meant for, by its path or by the credentials it brings.

A program finds promptdeck as its SDK finds its provider, and sends that provider's key. So with an
upstream that is some other provider's, what is meant for Anthropic goes to Anthropic: no key goes
where it does not belong, and no path where nobody knows it. An upstream that is none of the known
ones is a gateway or a server of one's own, and gets all.
"""

import re
from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import urlsplit

from promptdeck.core.interaction import Headers, Request
from promptdeck.core.routing.upstreams import BUILTINS

from .providers import Route


class Home(NamedTuple):
    """A provider with a protocol of its own, and where it is."""

    url: str
    """The base URL of its version 1; empty where each customer has one of his own."""
    domains: tuple[str, ...]
    """What its hosts' names end in."""


HOMES: Mapping[str, Home] = {
    "anthropic": Home(BUILTINS["anthropic"].url, ("anthropic.com",)),
    "google": Home(BUILTINS["google"].url, ("googleapis.com",)),
    "azure": Home("", ("azure.com", "azure-api.net", "azure.us", "azure.cn")),
    "cohere": Home("https://api.cohere.com/v1", ("cohere.com", "cohere.ai")),
    "ollama": Home(BUILTINS["ollama"].url, ("ollama.com",)),
}
"""By the names that `upstream.NAME` has in the configuration."""

_KNOWN = frozenset(
    urlsplit(one.chat or one.url).hostname or "" for one in BUILTINS.values() if not one.is_gateway
)
"""Hosts of providers that speak their own protocol and no other's: gateways speak several, and a
server on this machine may be anything."""

# Each begins with what follows the host: a version that only one provider has, or an endpoint.
_PATHS = (
    ("anthropic", re.compile(r"/v1/(?:messages|complete)(?=[/?]|$)")),
    (
        "google",
        # A method of Google's behind the colon: the ids of OpenAI's tuned models have colons, too.
        re.compile(
            r"/v1(?:alpha|beta)\d*/"
            r"|/v1/(?:[^?]*/)?(?:models|tunedModels)/[^/?]+"
            r":(?:generate|streamGenerate|count|embed|batch|predict|async)\w*(?=\?|$)"
        ),
    ),
    ("azure", re.compile(r"/v1/deployments/")),
    ("cohere", re.compile(r"/v2/")),
    ("ollama", re.compile(r"/api/")),
)
# By which SDKs send the key of one provider alone, or say whose protocol they speak.
_HEADERS = {"anthropic-version": "anthropic", "x-goog-api-key": "google", "api-key": "azure"}


# Azure has two APIs below /openai: deployments and all that is asked with a version that is a
# date, and since August 2025 one that is /v1 as OpenAI's is, with no version or a word for one.
_DATED = re.compile(r"/v1/deployments/|[^?]*\?(?:.*&)?api-version=\d{4}-").match


def home_of(target: str, headers: Headers) -> str:
    """The name in `HOMES` of the provider that a request is meant for; empty for none of them.

    `target` is path and query as they count, `/v1/...` or `/v1beta/...`.
    """
    for name, path in _PATHS:
        if path.match(target):
            return name
    return next((_HEADERS[name.lower()] for name, _ in headers if name.lower() in _HEADERS), "")


class Homes:
    """Where calls go by whose they are: an upstream, and what the user has set beside it.

    `urls` are base URLs by names of `HOMES`; where one is missing the provider's own is meant,
    or the upstream if that is the same provider's, or no known provider's.
    """

    def __init__(self, upstream: str, urls: Mapping[str, str]) -> None:
        self._urls = {name: urls.get(name) or _default(upstream, name) for name in HOMES}
        if url := urls.get("azure"):
            # Their SDK appends it to the endpoint that it is given (openai 3.57, `lib/azure.py`).
            self._urls["azure"] = url.removesuffix("/v1").removesuffix("/openai") + "/openai"

    def url_of(self, name: str) -> str | None:
        """The base URL of a provider's own calls; None where that is the upstream's, or unknown."""
        return self._urls.get(name)

    def route(self, request: Request, headers: Headers) -> Route | None:
        """Where a request goes; None for the upstream.

        The route's URL is empty where nobody knows: the request's provider has none of its own,
        and none is set.
        """
        name = home_of(request.target, headers)
        url = self._urls[name] if name else None
        if url and name == "azure" and not _DATED(request.target):
            url += "/v1"
        return None if url is None else Route(url, "", request.body, is_home=True)


def _default(upstream: str, name: str) -> str | None:
    """The base URL of a provider's calls beside an upstream; None for the upstream's own."""
    host = urlsplit(upstream).hostname or ""
    known = {other for other, home in HOMES.items() if _is_in(host, home.domains)}
    if name in known or not (known or host in _KNOWN):
        return None
    return HOMES[name].url


def _is_in(host: str, domains: tuple[str, ...]) -> bool:
    """True for a host of one of these domains."""
    return any(host == domain or host.endswith(f".{domain}") for domain in domains)
