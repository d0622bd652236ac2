"""Where calls to a base URL go: to which host, by which proxy, below which path."""

import re
from dataclasses import dataclass

from yarl import URL

from promptdeck.core.targets import is_target

from .lean import Origin

_DOT_SEGMENT = re.compile(
    r"(?:^|[/\\]|%(?:25)*(?:2f|5c))(?:\.|%(?:25)*2e){1,2}(?=[/\\;]|%(?:25)*(?:2f|5c)|$)",
    re.IGNORECASE,
)
"""A segment `.` or `..` of a path, also where it or a slash is encoded, more than once too, stands
beside a backslash or before a `;`: servers differ in what of that they undo, and `..` leads some
of them out of the base URL's path (RFC 3986, section 5.2.4), with our key."""

ENVIRONMENT = "environment"
"""In place of a proxy's URL: the one that HTTP_PROXY, HTTPS_PROXY and NO_PROXY name."""


@dataclass(frozen=True, slots=True)
class Destination:
    """Where calls to a base URL go."""

    url: URL
    path: str
    """What is put before the rest of a target; no slash at its end."""
    origin: Origin
    proxy: str | None
    """The proxy's URL, with its password."""
    plain: bool
    """Whether the lean client can reach it: HTTP or HTTPS, no proxy, user or query."""

    @classmethod
    def of(cls, base: str, proxy: str | None) -> "Destination":
        """The destination of a base URL by a proxy: its URL, `ENVIRONMENT`, or None for none."""
        url = URL(base, encoded=True)
        proxy = proxy_for(base) if proxy == ENVIRONMENT else proxy
        plain = url.scheme in ("http", "https") and bool(url.raw_host) and not url.raw_query_string
        origin = Origin(url.raw_host or "", url.port or 0, url.scheme == "https")
        return cls(
            url, url.raw_path.rstrip("/"), origin, proxy, plain and not proxy and not url.raw_user
        )


def leaves_base(target: str) -> bool:
    """True if a target, put behind a base URL, may lead elsewhere than below it."""
    path = target.partition("?")[0].partition("#")[0]
    # What begins otherwise would go on with the base URL's last segment, or its host.
    return not is_target(path) or _DOT_SEGMENT.search(path) is not None


def proxy_for(base: str) -> str | None:
    """The proxy that HTTP_PROXY, HTTPS_PROXY and NO_PROXY name for a base URL.

    aiohttp's own `trust_env` would look on each call, and take credentials from ~/.netrc.
    """
    from urllib.request import getproxies, proxy_bypass  # 10 ms, at the first call only

    url = URL(base)
    bypassed = proxy_bypass(f"{url.host}:{url.port}")
    return None if bypassed else getproxies().get(url.scheme)
