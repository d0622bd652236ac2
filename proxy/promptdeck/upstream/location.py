"""Where an answer leads its client next: to us, where upstream means itself.

A client that follows a redirect to the provider leaves promptdeck, and takes its key along.
"""

from yarl import URL

from promptdeck.core.headers import LOCATIONS
from promptdeck.core.interaction import Headers
from promptdeck.core.targets import asked_below

_LENGTHS = frozenset(map(len, LOCATIONS))
"""Tell nearly all headers apart without lowering their names."""


def leads(headers: Headers) -> bool:
    """True for headers of which one leads somewhere."""
    return any(len(name) in _LENGTHS and name.lower() in LOCATIONS for name, _ in headers)


def led_here(headers: Headers, asked: URL, base: URL) -> Headers:
    """Headers that lead below an upstream's `base` URL lead below `/v1`, or its like, instead.

    `asked` is the URL that was asked. What leads elsewhere does so by its whole URL, as a
    relative one would be taken for ours.
    """
    return tuple(
        (name, _led(value, asked, base) if name.lower() in LOCATIONS else value)
        for name, value in headers
    )


def _led(value: str, asked: URL, base: URL) -> str:
    try:
        url = asked.join(URL(value, encoded=True))
        same = _origin(url) == _origin(base)
    except ValueError:
        return value
    target = asked_below(base.raw_path.rstrip("/"), url.raw_path) if same else ""
    if not target:
        return str(url)
    query = "?" + url.raw_query_string if url.raw_query_string else ""
    fragment = "#" + url.raw_fragment if url.raw_fragment else ""
    return target + query + fragment


def _origin(url: URL) -> tuple[str, str, int | None]:
    """Scheme, host and port, without the user that may stand before them."""
    return url.scheme.lower(), (url.raw_host or "").lower(), url.port
