"""What a request asks of a run: servers, turns, and what becomes of turns with calls of both sides.

The fields are Dedalus's: `mcp_servers`, `max_turns`, `automatic_tool_execution`, `handoff_mode`,
`handoff_config`, `correlation_id`, `deferred_calls`.
"""

from collections.abc import Iterator
from typing import NamedTuple
from urllib.parse import urlsplit

from promptdeck.core.dialects.pieces import as_list
from promptdeck.core.text.jsontext import JSON, JSONObject
from promptdeck.errors import ClientError

OWN_FIELDS = frozenset(
    """mcp_servers credentials automatic_tool_execution max_turns handoff_config handoff_mode
    correlation_id deferred_calls""".split()
)
"""Fields of a request that are the run's business, and not the model's."""


class Named(NamedTuple):
    """A server as a request names it."""

    name: str
    """Its name in keys and answers: no other server of the request has it."""
    url: str = ""
    slug: str = ""
    """As `org/name`, which the configuration knows; empty where there is a URL."""
    version: str = ""
    sealed: bool = False
    """True where it comes with credentials that only Dedalus can read."""


class Wish(NamedTuple):
    """How a request wants to be answered."""

    servers: tuple[Named, ...]
    turns: int
    """Model calls at most."""
    runs: bool
    """False where tools are offered, and their calls left to the client."""
    structured: bool
    """True where a turn with calls of both sides ends the answer, with what the client is to do."""
    correlation: str
    deferred: tuple[JSONObject, ...]
    """Calls that were left for later, as the client was told of them."""


def wish_of(body: JSONObject, most_turns: int) -> Wish | None:
    """What a request's body asks of a run; None where it names no server.

    `most_turns` are calls of the model where it does not say. ClientError for what cannot be done
    together with servers. The contract has judged the types.
    """
    servers = tuple(_servers(body.get("mcp_servers")))
    if not servers:
        return None
    _refuse_together(body)
    deferred = tuple(one for one in as_list(body.get("deferred_calls")) if isinstance(one, dict))
    correlation = body.get("correlation_id")
    mode = body.get("handoff_mode")
    turns = body.get("max_turns")
    return Wish(
        servers,
        turns if isinstance(turns, int) else most_turns,
        body.get("automatic_tool_execution") is not False,
        # HandedOver open, it is structured where the request has a word of that form.
        bool(correlation or deferred or body.get("handoff_config")) if mode is None else bool(mode),
        correlation if isinstance(correlation, str) else "",
        deferred,
    )


def _refuse_together(body: JSONObject) -> None:
    """ClientError for what makes no sense beside servers: a run has one history, and one answer."""
    n = body.get("n")
    if isinstance(n, int) and n > 1:
        raise ClientError(
            "n and mcp_servers cannot be had together: ask once for each answer",
            code="not_with_mcp_servers",
            param="n",
            retry=False,
        )


def _servers(value: JSON) -> Iterator[Named]:
    """The servers of a request, each with a name of its own."""
    seen: dict[str, int] = {}
    for one in value if isinstance(value, list) else [value]:
        server = _server(one)
        if server is None:
            continue
        count = seen[server.name] = seen.get(server.name, 0) + 1
        yield server if count == 1 else server._replace(name=f"{server.name}-{count}")


def _server(value: JSON) -> Named | None:
    if isinstance(value, str):
        if "://" in value:
            return Named(_told(value), url=value)
        slug, _, version = value.partition("@")
        return Named(slug, slug=slug, version=version) if slug else None
    if not isinstance(value, dict):
        return None
    name, url, slug, version = (
        text if isinstance(text := value.get(key), str) else ""
        for key in ("name", "url", "slug", "version")
    )
    called = name or slug or _told(url)
    if not (url or slug or name):
        return None
    # A name alone is a slug: of a server that the configuration knows.
    return Named(called, url, "" if url else slug or name, version, bool(value.get("credentials")))


def _told(url: str) -> str:
    """A URL as a name: without user, password, query and fragment."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", f":{parts.port}" if parts.port else ""
    except ValueError:
        return "server"
    host = f"[{host}]" if ":" in host else host
    return f"{parts.scheme}://{host}{port}{parts.path}" if host else url.partition("?")[0]
