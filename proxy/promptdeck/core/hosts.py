"""Hosts as URLs and headers name them: read strictly, and whether they stand for this machine."""

import re
from ipaddress import IPv6Address, ip_address

# RFC 3986, 3.2: no user, and of names what DNS and container networks have (underscores).
_HOST = r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::([0-9]{0,5}))?"
_AUTHORITY = re.compile(_HOST).fullmatch
# RFC 6454, 6.2: a scheme and an authority, nothing behind.
_WEB = re.compile("[Hh][Tt][Tt][Pp][Ss]?://" + _HOST).fullmatch
_ORIGIN = re.compile("[A-Za-z][A-Za-z0-9+.-]*://" + _HOST).fullmatch

LOOPBACKS = ("127.0.0.1", "::1")
"""What `localhost` resolves to (RFC 6761, 6.3)."""


def host_of(authority: str) -> str:
    """The host of `host` or `host:port`, without brackets and in one spelling; empty if it is none.

    Names are in lower case and without the dot of a fully qualified one. A user before the
    host, or anything behind the port, makes it none.
    """
    found = _AUTHORITY(authority)
    return _spelled(found[1]) if found else ""


def host_of_origin(origin: str) -> str:
    """The host of a web page's origin, as `host_of` gives it; empty if it is not of the web."""
    found = _WEB(origin)
    return _spelled(found[1]) if found else ""


def is_origin(text: str) -> bool:
    """True for an origin of any scheme, and for `null`, which many have (RFC 6454, 6.1)."""
    return text == "null" or _ORIGIN(text) is not None


def address_of(text: str) -> str:
    """An address or name without brackets and port, as sockets have it, spelled as by `host_of`."""
    return _spelled(text.partition("%")[0])


def is_loopback(host: str) -> bool:
    """True for a host, as `host_of` gives it, that is this machine wherever it is looked up.

    Those are `localhost`, the names below it, and the addresses of loopback.
    """
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        address = ip_address(host)
    except ValueError:
        return False
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return (mapped or address).is_loopback


def is_wildcard(host: str) -> bool:
    """True for an address to listen on that stands for all of a machine's."""
    return host in ("0.0.0.0", "::")  # noqa: S104  compared, not listened on


def _spelled(host: str) -> str:
    """A host in the one spelling in which it is compared."""
    host = host.strip("[]").lower()
    host = host.removesuffix(".")
    try:
        address = ip_address(host)
    except ValueError:
        return host
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return str(mapped or address)
