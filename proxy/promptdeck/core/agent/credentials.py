"""Which server gets which credential of a request: the one that is meant by its name, or none.

Dedalus's `credentials` name a connection and have values; a server declares its connections inside,
where nobody here sees them. So the names are compared, and nothing is guessed.
"""

from typing import NamedTuple
from urllib.parse import urlsplit

from promptdeck.core.dialects.pieces import as_object
from promptdeck.core.hosts import is_loopback
from promptdeck.core.text.jsontext import JSON, JSONObject

from .asked import Named


class Matched(NamedTuple):
    """The credentials of a request, dealt out."""

    headers: dict[str, tuple[str, str]]
    """The header that carries it, by the name of the server that gets it."""
    errors: dict[str, JSONObject]
    """Why one goes nowhere, by its connection's name, as the answer has it."""
    secrets: tuple[str, ...]
    """All values: they are taken out of whatever is kept or told."""


def matched(value: JSON, servers: tuple[Named, ...]) -> Matched:
    """Deal a request's `credentials` out to its servers."""
    found = Matched({}, {}, ())
    secrets: list[str] = []
    for one in value if isinstance(value, list) else [value]:
        credential = as_object(one)
        name, values = credential.get("connection_name"), as_object(credential.get("values"))
        texts = [str(item) for item in values.values() if not isinstance(item, bool)]
        secrets += (text for text in texts if len(text) >= _SHORTEST)
        if not isinstance(name, str):
            continue
        meant = [server for server in servers if name in _names(server)]
        if not meant:
            found.errors[name] = _error(
                f"no server of this request is called {name}",
                "give the server that name: {name, url}",
            )
        elif len(texts) != 1:
            found.errors[name] = _error(
                f"the credential {name} has {len(texts)} values, and one makes a header",
                "set the server's header in agent.servers",
            )
        for server in meant if len(texts) == 1 else ():
            if _is_safe(server.url):
                found.headers[server.name] = ("Authorization", f"Bearer {texts[0]}")
            else:
                found.errors[name] = _error(
                    f"{server.name} is asked over http://, where anybody could read it",
                    "use https://",
                )
    return found._replace(secrets=tuple(secrets))


# What is shorter is found in any text, and would be taken out of all of them.
_SHORTEST = 6


def _names(server: Named) -> set[str]:
    """What a connection may be called to mean this server."""
    slug = server.slug or server.name
    host = urlsplit(server.url).hostname if "://" in server.url else None
    return {server.name, slug, slug.rpartition("/")[2], host or server.name}


def _is_safe(url: str) -> bool:
    """True where nobody on the way can read a header; a slug's server is the user's own word."""
    if not url:
        return True
    parts = urlsplit(url)
    return parts.scheme == "https" or is_loopback(parts.hostname or "")


def _error(message: str, mend: str) -> JSONObject:
    return {"message": message, "code": "credential_unmatched", "recommendation": mend}
