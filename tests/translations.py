"""Recordings whose answer is in another dialect than their request, as translation makes them."""

from itertools import permutations

from promptdeck.core.headers import SERVED, Provenance
from promptdeck.core.interaction import Request, Response, Variant
from promptdeck.core.text.jsontext import compact
from tests.dialects import PROTOCOLS, answer, response
from tests.recordings import of

DIALECTS = ("chat", "messages", "responses", "gemini")
PAIRS = [*permutations(DIALECTS, 2)]
"""Each client's dialect with each other one of an upstream."""

MODELS = {
    "chat": ("mistral", "mistral-large"),
    "messages": ("anthropic", "claude-opus-5"),
    "responses": ("openai", "gpt-6.2-sol"),
    "gemini": ("google", "gemini-3.8-flash"),
}
"""An upstream of each dialect, and a model of it."""


def served_by(upstream: str) -> tuple[str, str]:
    """The header that tells who served, by the upstream's dialect."""
    return (SERVED.lower(), str(Provenance(*MODELS[upstream], upstream)))


def asked_by(client: str, *, stream: bool = True) -> Request:
    protocol = PROTOCOLS[client]
    path = protocol.stream_path if stream and protocol.stream_path else protocol.path
    streams = {"stream": True} if stream and not protocol.stream_path else {}
    return Request("POST", path, "application/json", compact({**protocol.body, **streams}))


def given_by(upstream: str, *, stream: bool = True) -> Response:
    protocol = PROTOCOLS[upstream]
    given = response(protocol.stream) if stream else answer(protocol.whole)
    return given._replace(headers=(*given.headers, served_by(upstream)))


def recorded(client: str, upstream: str, *, stream: bool = True):
    """A recording of what one dialect asked and another one answered."""
    variant = Variant.SSE if stream else Variant.JSON
    return of(asked_by(client, stream=stream), given_by(upstream, stream=stream), variant)
