"""The settings of where requests go: the upstream, those by name, and the choice among them."""

from collections.abc import Mapping
from typing import Literal, NamedTuple

from . import kinds, mappings
from .declaring import declares, many, mapping, one
from .kinds import Kind, Provider, choice

DialectName = Literal["chat", "responses", "messages", "gemini"]
_DIALECT: Kind[DialectName] = choice("chat", "responses", "messages", "gemini")
UPSTREAM_NAME = Kind("an upstream's name, made of a-z, 0-9, _ and -", mappings.upstream_name)


@declares
class UpstreamSection(NamedTuple):
    """The provider behind promptdeck."""

    url: str = one(
        kinds.URL,
        "https://api.openai.com/v1",
        "base URL of the provider; without a path it gets /v1. Calls of Anthropic's, Google's,"
        " Azure's, Cohere's and Ollama's own APIs go there only if it is no other provider's",
        flag="--upstream",
    )
    api_key: str | None = one(
        kinds.SECRET,
        "none",
        "sent where a client brings no key of its own; best written ${OPENAI_API_KEY:-}",
        secret=True,
    )
    # Linux sends a SYN that is lost again after 1, 3 and 7 seconds.
    connect_timeout: float | None = one(kinds.LIMIT, "10s", "longest wait for a connection")
    # The openai SDK's own limit: whoever waits longer has given up.
    read_timeout: float | None = one(kinds.LIMIT, "10m", "longest silence between two bytes")
    # Names of core.dialects.homes; none is the provider's own, or `url` where that is a gateway.
    anthropic: str | None = one(
        kinds.OWN_URL, "none", "base URL for Anthropic's calls, where it is not their own"
    )
    google: str | None = one(
        kinds.OWN_URL, "none", "base URL for Gemini's calls, where it is not their own"
    )
    azure: str | None = one(
        kinds.OWN_URL, "none", "endpoint for Azure's calls, such as https://NAME.openai.azure.com"
    )
    cohere: str | None = one(
        kinds.OWN_URL, "none", "base URL for Cohere's calls, where it is not their own"
    )
    ollama: str | None = one(
        kinds.OWN_URL, "none", "base URL for Ollama's calls, where it is not this machine's"
    )
    providers: tuple[Provider, ...] = many(
        kinds.PROVIDER,
        "providers that X-Provider may choose besides the built-in ones, each {name, url}",
    )

    @property
    def beside(self) -> Mapping[str, str]:
        """The base URLs that are set for the calls of one provider, by its name."""
        names = ("anthropic", "google", "azure", "cohere", "ollama")
        return {name: url for name in names if (url := getattr(self, name))}


@declares
class NamedSection(NamedTuple):
    """One of the upstreams that are chosen by name."""

    dialect: tuple[DialectName, ...] = many(
        _DIALECT._replace(alone=True),
        "protocols it speaks: chat, responses, messages, gemini; a client of none of these is"
        " translated for into the first. Where none is given the built-in ones of that name, or"
        " chat",
    )
    base_url: str | None = one(
        kinds.OWN_URL, "none", "base URL; none is the built-in one of that name"
    )
    api_key: str | None = one(
        kinds.SECRET,
        "none",
        "its key, best written ${NAME:-}; none is what the environment has for the built-in one",
        secret=True,
    )
    auth: Literal["dialect", "bearer", "x-api-key", "x-goog-api-key", "api-key", "none"] = one(
        choice("dialect", "bearer", "x-api-key", "x-goog-api-key", "api-key", "none"),
        "dialect",
        "how the key is sent: as its dialect has it, as Authorization: Bearer KEY, or in the header"
        " of that name",
    )
    headers: Mapping[str, str] = mapping(
        mappings.EXTRA_HEADERS,
        "headers that go with each of its requests, such as {X-Team: blue}",
        secret=True,
    )
    # As those of `upstream`.
    connect_timeout: float | None = one(kinds.LIMIT, "10s", "longest wait for a connection")
    read_timeout: float | None = one(kinds.LIMIT, "10m", "longest silence between two bytes")
    proxy: str = one(
        mappings.PROXY,
        "environment",
        "URL of the proxy on the way; environment is what HTTPS_PROXY and NO_PROXY say",
        secret=True,
    )
    max_concurrent: int | None = one(
        mappings.OWN_COUNT, "none", "most requests that are under way at once; others wait"
    )
    retries: int | None = one(
        mappings.OWN_RETRIES, "none", "routing.retries for this upstream, if another number"
    )
    by_responses: tuple[str, ...] = many(
        mappings.PATTERN,
        "its models whose chats go by the Responses API, such as gpt-5.4*: some take no tools else",
    )


@declares
class RoutingSection(NamedTuple):
    """Which upstream gets a model, and what follows where it fails."""

    aliases: Mapping[str, tuple[str, ...]] = mapping(
        mappings.MODELS,
        "models by names of your own: {fast: openai/gpt-5-mini}; a list is tried in its order",
    )
    patterns: Mapping[str, tuple[str, ...]] = mapping(
        mappings.MODELS,
        'models by what their name looks like, first match wins: {"claude-*": anthropic/*}, where'
        " the * on the right is the name itself",
    )
    # The openai SDK's own number (3.57, `DEFAULT_MAX_RETRIES`).
    retries: int = one(
        mappings.RETRIES, "2", "how often a model that failed is asked again when no other is left"
    )
    # Less than clients wait in silence, more than a rate limit by the second takes.
    retry_budget: float = one(
        kinds.DURATION, "10s", "longest that a request waits for all its retries together"
    )
    # As long as a stream is silent before it gets a comment: then its client should hear of it.
    hold_back: float = one(
        kinds.DURATION,
        "15s",
        "how long an answer's head is held back for its first content: so long another model can"
        " still take its place",
    )
    first_byte: float | None = one(
        kinds.LIMIT,
        "none",
        "longest wait for an answer's first byte where another model is left to be asked",
    )
    # Two may be chance; a model that fails three requests in a row is down.
    breaker: int = one(
        kinds.COUNT, "3", "after so many failures in a row a model is not asked for a while"
    )
    breaker_pause: float = one(
        kinds.SPAN, "10s", "how long; then one request is let through to try. Retry-After lengthens"
    )
