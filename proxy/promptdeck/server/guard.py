"""Who may ask: a request is judged by its Host, its Origin and its token before all else.

Any web page can have its reader's browser ask a server on this machine. Such a request
names the page in `Origin`, or says `Sec-Fetch-Site: cross-site`; a page whose own name was
made to lead here (DNS rebinding) is told by its `Host`. What comes from other machines
brings the server's token. Heads are accepted by the fast path only after all this.
"""

import hmac
import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from aiohttp import web
from aiohttp.typedefs import Middleware

from promptdeck.core.headers import ADMISSION
from promptdeck.core.hosts import address_of, host_of, host_of_origin, is_loopback, is_origin
from promptdeck.errors import ClientError

from .errors import Handler
from .noted import BROUGHT

DECISIVE = frozenset(["origin"])
"""Headers read here with which a request is decided on by itself: its answer names the page."""
INDIFFERENT = frozenset(
    """host sec-fetch-site authorization access-control-request-method
    access-control-request-headers access-control-request-private-network""".split()
) | {ADMISSION.lower()}
"""With a head that was let in once, they let it in again; three are read with an Origin only."""

CONTAINER_HOSTS = frozenset(["host.docker.internal", "host.containers.internal"])
"""Names under which containers find the machine they run on; no page can have them."""

_METHODS = "GET, POST, PUT, PATCH, DELETE, HEAD, OPTIONS"
_REMEMBERED = "600"
"""Seconds for which a browser need not ask again whether it may."""
_NAMES = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+(?:[ \t]*,[ \t]*[!#$%&'*+.^_`|~0-9A-Za-z-]+)*")

_BEARER = re.compile(r"[Bb][Ee][Aa][Rr][Ee][Rr] (.*)").fullmatch
"""RFC 9110, 11.1: a scheme has no case."""

ALLOWED = web.RequestKey("allowed", str)
"""Set on a request of a page that may ask: its origin."""
CALLED = web.RequestKey("called", str)
"""Set on a request that named the server as the configuration does: host and port."""


class Guard(NamedTuple):
    """The rules of one server, as `server.hosts`, `origins` and `token` have them."""

    hosts: frozenset[str]
    """Hosts beside loopback that a request may name, each as `host_of` gives it; `*` is any."""
    origins: tuple[re.Pattern[str], ...] = ()
    """Origins beside those of loopback that may ask, in lower case."""
    token: str | None = None
    """What each request must bring; None where nothing."""

    @classmethod
    def of(
        cls, bound: str, hosts: Iterable[str], origins: Iterable[str], token: str | None
    ) -> "Guard":
        """The guard of a server that listens on the address `bound`.

        In `origins`, `*` is any text within scheme, host or port, and by itself any origin.
        """
        patterns = tuple(
            re.compile(".*" if one == "*" else re.escape(one).replace(r"\*", "[^/]*"))
            for one in origins
        )
        return cls(frozenset({address_of(bound), *CONTAINER_HOSTS, *hosts}), patterns, token)

    def judge(self, request: web.Request) -> None:
        """Let a request in, and note on it what it brought; ClientError if it may not ask."""
        self._judge_host(request)
        self._judge_page(request)
        if request.method == "OPTIONS" and ALLOWED in request:
            return  # a browser asks so for a page, and sends no token with it
        self._judge_token(request)

    def _judge_host(self, request: web.Request) -> None:
        """ClientError 403 for a request that names another server than this one."""
        here = _here(request)
        for named in _authorities(request):
            host = host_of(named)
            if not (host and (is_loopback(host) or host == here or self._has(host))):
                raise _forbidden(
                    f"this server is not {named[:80]!r}; if it is, add that name to server.hosts",
                    "Host",
                )
            if host in self.hosts and host != here and not is_loopback(host):
                request[CALLED] = named

    def _has(self, host: str) -> bool:
        return host in self.hosts or "*" in self.hosts

    def _judge_page(self, request: web.Request) -> None:
        """ClientError 403 for a request of a page that may not ask; the origin of one that may."""
        origins = request.headers.getall("Origin", [])
        for origin in origins:
            if not self._allows(origin, request):
                raise _forbidden(
                    f"a page of {origin[:80]!r} may not ask; add its origin to server.origins to"
                    " allow that",
                    "Origin",
                )
        if origins:
            request[ALLOWED] = origins[0]
            return
        # Without an Origin a browser only loads: pictures, frames, links.
        site = request.headers.get("Sec-Fetch-Site", "").strip().lower()
        ours = is_loopback(host_of(request.headers.get("Host", "")))
        if site == "cross-site" or (site == "same-site" and not ours):
            raise _forbidden(
                "a page of another site may not ask; its requests need an Origin that"
                " server.origins allows",
                "Sec-Fetch-Site",
            )

    def _allows(self, origin: str, request: web.Request) -> bool:
        """True for the origin of loopback, of this server's own pages, or a configured one."""
        host = host_of_origin(origin)
        origin = origin.lower()
        own = origin.partition("://")[2] == request.headers.get("Host", "").lower()
        if host and (own or is_loopback(host)):
            return True
        return is_origin(origin) and any(one.fullmatch(origin) for one in self.origins)

    def _judge_token(self, request: web.Request) -> None:
        """ClientError 401 for a request without the server's token, if there is one."""
        if self.token is None:
            return
        brought = frozenset(_bearing(request, self.token))
        if not brought:
            error = ClientError(
                "this server wants its token: Authorization: Bearer TOKEN, or"
                f" {ADMISSION}: TOKEN (server.token)",
                code="token_required",
                status=401,
                param=ADMISSION,
                retry=False,
            )
            error.headers = {"WWW-Authenticate": "Bearer"}
            raise error
        request[BROUGHT] = brought

    def middleware(self) -> Middleware:
        """What has each request judged, and answers browsers that ask for an allowed page."""

        @web.middleware
        async def guarded(request: web.Request, handler: Handler) -> web.StreamResponse:
            self.judge(request)
            if request.method == "OPTIONS" and ALLOWED in request:
                return _permission(request)
            return await handler(request)

        return guarded


async def name_page(request: web.BaseRequest, response: web.StreamResponse) -> None:
    """Before an answer's head is written: let the page that asked read it, if one did.

    For aiohttp's signal `on_response_prepare`.
    """
    origin = request.get(ALLOWED)
    if origin is None:
        return
    headers = response.headers
    if "Access-Control-Allow-Methods" not in headers:
        headers["Access-Control-Expose-Headers"] = ", ".join(dict.fromkeys(headers))
    headers["Access-Control-Allow-Origin"] = origin
    headers.add("Vary", "Origin")


def _permission(request: web.Request) -> web.Response:
    """The answer to a browser that asks what an allowed page may send (Fetch, 4.8)."""
    wanted = request.headers.get("Access-Control-Request-Method", "")
    named = request.headers.get("Access-Control-Request-Headers", "")
    headers = {
        "Access-Control-Allow-Methods": wanted if _NAMES.fullmatch(wanted) else _METHODS,
        "Access-Control-Max-Age": _REMEMBERED,
    }
    if _NAMES.fullmatch(named):
        headers["Access-Control-Allow-Headers"] = named
    # https://wicg.github.io/private-network-access: a page of the web asks for this machine.
    if request.headers.get("Access-Control-Request-Private-Network") == "true":
        headers["Access-Control-Allow-Private-Network"] = "true"
    return web.Response(status=204, headers=headers)


def told_root(request: web.Request) -> str:
    """The server's URL without a path, as the client that asks can reach it.

    That is where its connection came in. Its own word counts only for a configured name: the way
    of a container, or from behind a gateway, has another address than we see.
    """
    if named := request.get(CALLED):
        return f"http://{named}"
    name = request.transport.get_extra_info("sockname") if request.transport else None
    if name is None:
        raise ConnectionResetError("the client has left")
    host, port = address_of(name[0]), name[1]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _authorities(request: web.Request) -> Iterator[str]:
    """Whom a request names: its Host, and the target's where that has one (RFC 9112, 3.2.2).

    Nobody in HTTP/1.0 without a Host, which no browser speaks.
    """
    yield from request.headers.getall("Host", [])
    target = request.raw_path
    if not target.startswith("/") and target != "*":
        yield re.split(r"[/?#]", target.partition("://")[2], maxsplit=1)[0]


def _here(request: web.Request) -> str:
    """The address of this machine at which a request came in; empty where that is not known."""
    name = request.transport.get_extra_info("sockname") if request.transport else None
    return address_of(name[0]) if name else ""


def _bearing(request: web.Request, token: str) -> Iterator[tuple[str, str]]:
    """The headers of a request that bring the token, as they came."""
    given = [
        ("authorization", value, bearer[1])
        for value in request.headers.getall("Authorization", [])
        if (bearer := _BEARER(value))
    ]
    given += [(ADMISSION.lower(), value, value) for value in request.headers.getall(ADMISSION, [])]
    for name, value, told in given:
        # In a time that tells nothing of how much of it is right.
        if hmac.compare_digest(told.strip().encode("utf-8", "surrogateescape"), token.encode()):
            yield name, value


def _forbidden(why: str, param: str) -> ClientError:
    return ClientError(why, code="forbidden", status=403, param=param, retry=False)
