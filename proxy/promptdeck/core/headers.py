"""Which headers travel, which are kept in a recording, and how `Cache-Status` is written."""

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import quote, unquote

from .interaction import Headers, header
from .policy import Found
from .varying import varies

HOP_BY_HOP = frozenset(
    """connection keep-alive proxy-authenticate proxy-authorization proxy-connection te trailer
    transfer-encoding upgrade""".split()
)
"""RFC 9110, section 7.6.1: about one connection, never forwarded."""

CREDENTIALS = frozenset(
    """authorization proxy-authorization cookie set-cookie x-api-key api-key x-goog-api-key
    x-provider-key x-amz-security-token""".split()
)
"""Headers whose value is a secret."""

PLACEHOLDER_KEY = "promptdeck-placeholder-key"
"""What `promptdeck run` sets where a program has no key; never sent upstream."""

PROTOCOL = "sec-websocket-protocol"
"""What a client of a WebSocket would speak over it, and upstream has chosen."""

EXTENSIONS = "sec-websocket-extensions"

HANDSHAKE = frozenset(
    ["sec-websocket-key", "sec-websocket-accept", "sec-websocket-version", EXTENSIONS, PROTOCOL]
)
"""Headers about one WebSocket (RFC 6455, section 11.3): each side makes its own."""

UPGRADE_REQUIRED = 426
NO_UPGRADE: Mapping[str, str] = {"Upgrade": "HTTP/1.1", "Connection": "Upgrade"}
"""Status and headers of an answer that has the client of a WebSocket ask by HTTP: that status
must name the protocol to be spoken (RFC 9110, section 15.5.22)."""

DRAWS = "X-Promptdeck-Draws"
"""How many answers of a request are to be recorded, as the request says."""

FAULT = "X-Promptdeck-Fault"
"""How the recorded answer is to go wrong: see `faults.plan`."""

ADMISSION = "X-Promptdeck-Token"
"""By what a client may ask at all, where the server wants that."""

HOP = "X-Promptdeck-Hop"
"""Which promptdecks a request came through, each by a name of its own."""

SERVED = "X-Promptdeck-Served"
"""Who answered, of an answer from a chosen upstream: a `Provenance`."""

RENDERED = "X-Promptdeck-Rendered"
"""Of a recorded answer that is translated: digests of it, and of what its client was told then."""

ROUTE = "X-Promptdeck-Route"
"""Which models were asked for an answer, in their order, and what became of each."""

LOCATIONS = frozenset(
    ["location", "content-location", "operation-location", "azure-asyncoperation"]
)
"""Headers of an answer that lead to where the client may ask next; the last two are Azure's."""

# The body is read whole before it is sent on: nothing to wait for. How it is packed goes with its
# bytes. A page asks us, and upstream is asked by us: what it would say of the page is not asked.
_NOT_SENT_UPSTREAM = (
    frozenset(
        """host content-length content-encoding accept-encoding expect x-promptdeck-fault
    x-promptdeck-draws x-promptdeck-token x-promptdeck-hop origin""".split()
    )
    | HANDSHAKE
)

# A recording is read in reviews and replayed years later: what is about one
# connection, one day, one account or one data centre would be noise or a lie.
_NOT_KEPT = (
    HOP_BY_HOP
    | CREDENTIALS
    | (HANDSHAKE - {PROTOCOL})
    | frozenset(
        """content-length content-encoding date age server via alt-svc nel report-to vary
        strict-transport-security x-content-type-options x-accel-buffering cache-status
        x-request-id request-id openai-organization openai-project openai-processing-ms
        anthropic-organization-id""".split()
    )
)
PERMISSIONS = "access-control-"
"""Begins the headers that say which web pages may read an answer."""
_NOT_KEPT_PREFIXES = ("x-ratelimit-", "anthropic-ratelimit-", PERMISSIONS, "cf-", "x-envoy-")


_SERVED = SERVED.lower()


class Provenance(NamedTuple):
    """Who gave an answer, and the dialect that its bytes are in."""

    upstream: str
    """The upstream's name: `anthropic`."""
    model: str
    """As the upstream knows it."""
    dialect: str = ""
    """The name of a dialect; empty for that of the request."""

    def __str__(self) -> str:
        """The value of a `SERVED` header: `anthropic/claude-opus-5; dialect=messages`."""
        # Models are named by clients: nothing in a name may end the line, or the name.
        upstream, model = (
            quote(name, safe=safe, errors="surrogatepass")
            for name, safe in ((self.upstream, ":"), (self.model, _IN_MODELS))
        )
        names = f"{upstream}/{model}"
        return f"{names}{_IN}{self.dialect}" if self.dialect else names


_IN_MODELS = "/:@+,=!$&'()*"
_IN = "; dialect="


def served_in(headers: Headers) -> Provenance | None:
    """Who gave the answer that has these headers, by `SERVED`; None where nobody was chosen."""
    value = header(headers, _SERVED)
    if not value:
        return None
    names, *parameters = value.split(";")
    upstream, _, model = names.strip().partition("/")
    told = [one.strip().removeprefix(_IN[2:]) for one in parameters if _IN[2:] in one]
    return Provenance(unquote(upstream), unquote(model), told[0] if told else "")


def _connection_bound(headers: Headers) -> frozenset[str]:
    """Hop-by-hop headers, and those that the message's own `Connection` names, in lower case."""
    bound = HOP_BY_HOP
    for key, value in headers:
        # The length first: it tells nearly all headers apart without lowering them.
        if len(key) == len("connection") and key.lower() == "connection":
            bound |= _named(value)
    return bound


# Nearly all clients and servers send the same one or two values; the bound is for the others.
@lru_cache(maxsize=64)
def _named(value: str) -> frozenset[str]:
    """The names in a `Connection` header, in lower case."""
    return frozenset(name.strip().lower() for name in value.split(","))


def to_upstream(headers: Headers) -> Headers:
    """A client's headers as the upstream gets them.

    Compression is refused for the client: a recording is kept as text, and what
    passes through is what is recorded.
    """
    dropped = _connection_bound(headers) | _NOT_SENT_UPSTREAM
    passed = tuple(item for item in headers if item[0].lower() not in dropped)
    return (*passed, ("Accept-Encoding", "identity"))


def to_client(headers: Headers) -> Headers:
    """An upstream's headers as the client gets them.

    Which web pages may read an answer is for us to say, not for upstream; and so is its dialect:
    one that names who served it, another promptdeck, has answered in the dialect it was asked in.
    """
    dropped = _connection_bound(headers)
    return tuple(
        [
            (item[0], item[1].partition(";")[0]) if name == _SERVED else item
            for item in headers
            if not ((name := item[0].lower()) in dropped or name.startswith(PERMISSIONS))
        ]
    )


# RFC 9110, 5.5: no controls but tabs. Of surrogates only those that stand for a byte.
_unsendable = re.compile("[\x00-\x08\x0a-\x1f\x7f\ud800-\udc7f\udd00-\udfff]").search


def is_sendable(value: str) -> bool:
    """True for a header's value that cannot end its line, nor be read as anything else."""
    # Nearly all are printable, which is found out in a tenth of the time.
    return value.isprintable() or not _unsendable(value)


def kept(headers: Headers) -> Headers:
    """A response's headers as a recording keeps them, in lower case.

    None that could not be sent again: the client that was there did not get it either. Of
    `Vary` those names alone that a recording can be compared by.
    """
    dropped = _connection_bound(headers) | _NOT_KEPT
    lowered = ((name.lower(), value) for name, value in headers)
    found = tuple(
        (name, value)
        for name, value in lowered
        if name not in dropped and not name.startswith(_NOT_KEPT_PREFIXES) and is_sendable(value)
    )
    names = [name for name in varies(headers) if name not in CREDENTIALS | {"*"}]
    return (*found, ("vary", ", ".join(names))) if names else found


def is_for_one(headers: Headers) -> bool:
    """True if an answer is for its request alone, by its `Vary`: no other may be given it.

    `*` says so (RFC 9111, section 4.1). A credential does, too: no recording has its value.
    """
    return any(name == "*" or name in CREDENTIALS for name in varies(headers))


PRECONDITIONS = frozenset(["if-none-match", "if-modified-since"])
"""Headers of a request that ask for no answer where the client has it already (RFC 9110, 13)."""


def unconditional(headers: Headers) -> Headers:
    """A request's headers such that the answer is whole, and can be recorded.

    A client may be given the whole where it has it already. What guards a write, and `If-Range`,
    without which parts of two states might be put together, stay.
    """
    return tuple(item for item in headers if item[0].lower() not in PRECONDITIONS)


def secrets(headers: Headers) -> tuple[str, ...]:
    """The secrets among a request's headers, which an answer may say again.

    Of each header of `CREDENTIALS` the value without its scheme (`Bearer`), and the values
    in it (`Cookie: name=value`). Some may be short: who takes them out minds that.
    """
    found: list[str] = []
    for name, value in headers:
        if name.lower() in CREDENTIALS:
            # A cookie has no scheme: its first word may be a name that belongs to it.
            credential = value if name.lower() == "cookie" else _SCHEME.sub("", value)
            found += [credential.strip(), *_PART.findall(credential)]
    found += (key for one in protocols(headers) if (key := key_in(one)))
    return tuple(filter(None, found))


def protocols(headers: Headers) -> tuple[str, ...]:
    """The protocols that the client of a WebSocket offers, in its order."""
    lines = ",".join([value for name, value in headers if name.lower() == PROTOCOL])
    return tuple(filter(None, map(str.strip, lines.split(","))))


def key_in(protocol: str) -> str:
    """The secret in the name of a protocol, where a browser can put it; empty for none.

    Such as `openai-insecure-api-key.KEY`: a page can set no header of a WebSocket.
    """
    name, _, rest = protocol.partition(".")
    return rest if _KEYED(name) and _NAME(name) else ""


_NAME = re.compile(r"[\w-]+").fullmatch
_KEYED = re.compile("(?i)key|secret|token|bearer|auth").search


_SCHEME = re.compile(r"^\s*[\w-]+\s+(?=\S)")
# `name=value` and `name="value"`, as cookies and the schemes of AWS and of digests have them. A
# name is read once: begun anew at each of its letters, a token of 60 KB took 20 s.
_PART = re.compile(r"""(?<![\w.-])[\w.-]++="?([^\s;,"=][^\s;,"]*)""")


FORWARDED = {Found.HIT: "bypass", Found.STALE: "stale", Found.MISS: "uri-miss"}
"""Why a request went upstream, in RFC 9211's words, by what was found."""


def cache_status(*words: str, key: str = "", detail: str = "") -> str:
    """A `Cache-Status` header (RFC 9211): `promptdeck; hit; key="..."; detail="..."`.

    `words` are its parameters that need no quotes, such as `hit` and `fwd=uri-miss`; an
    empty `key` or `detail` is left out.
    """
    named = [f"{name}={_quoted(text)}" for name, text in (("key", key), ("detail", detail)) if text]
    return "; ".join(["promptdeck", *words, *named])


def _quoted(text: str) -> str:
    """`text` as a string of RFC 9651, section 3.3.3: of printable ASCII, `?` for the rest."""
    return '"' + _SPECIAL.sub(r"\\\g<0>", _UNKNOWN.sub("?", text)) + '"'


_UNKNOWN = re.compile("[^ -~]")
_SPECIAL = re.compile(r'["\\]')
