"""A client's request made anew for one choice of its models, always from its own body."""

from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, NamedTuple

from promptdeck.core.dialects.base import Dialect, without_key
from promptdeck.core.dialects.table import dialect_of
from promptdeck.core.interaction import Headers, Request
from promptdeck.core.routing.belonging import belonging, is_own
from promptdeck.core.routing.choosing import Choice
from promptdeck.core.routing.upstreams import BUILTINS, NamedUpstream
from promptdeck.core.text.jsontext import JSON, JSONObject, compact
from promptdeck.core.text.splicing import spliced
from promptdeck.engine.incoming import Incoming
from promptdeck.errors import ClientError, Unsendable

if TYPE_CHECKING:
    from promptdeck.core.dialects.translate.aim import Aim, Lost
    from promptdeck.core.dialects.translate.memory import Memory

TRANSLATED = ("chat", "messages", "responses", "gemini")
"""The dialects of clients that any upstream can answer."""

LARGE = 256 * 1024
"""Bytes of a body that is written anew in a thread: to read so many takes some 2 ms."""

_FAMILIES: Mapping[str, str] = {
    "messages/count_tokens": "messages",
    "responses/input_tokens": "responses",
}
"""By endpoint the dialect that an upstream must speak to have it; chat's for others."""

_NO_FIELDS = frozenset(
    """attributes extra_args extra_headers extra_query include_usage input_audio_format
    input_audio_transcription messages model output_audio_format reasoning stream structured_output
    timeout truncation turn_detection voice""".split()
)
"""Settings of a DedalusModel that are no fields of a request; some are told there otherwise."""
_SILENT = frozenset(["attributes", "extra_args", "messages", "model", "reasoning", "stream"])


class Sendable(NamedTuple):
    """A request as one upstream gets it."""

    incoming: Incoming
    dialect: Dialect
    """The one that the answer is in."""
    aim: "Aim | None"
    """Whom it is for; None where nothing is known of the protocol but its model."""
    lost: "tuple[Lost, ...]" = ()


class Asking(NamedTuple):
    """A client's request that leaves a choice."""

    incoming: Incoming
    body: JSONObject
    """As parsed."""
    data: bytes
    """As sent, with a key where one stands in it."""
    client: Dialect
    own_url: str
    """The base URL that it would go to without a choice."""
    default_name: str
    """The default upstream's name."""

    def made_for(
        self, choice: Choice, upstream: NamedUpstream | None, memory: "Memory | None"
    ) -> Sendable:
        """The request for a choice; no upstream for the default one. Unsendable says why not."""
        if upstream is not None and not upstream.url:
            raise Unsendable(
                f"upstreams.{upstream.name}.base_url is not set, and no provider of that name is"
                " built in",
                code="no_upstream",
                param="$.model",
            )
        request = self.incoming.request._replace(body=self.data)
        if self.client.name not in TRANSLATED:
            return self._same(request, choice, upstream)
        from promptdeck.core.dialects.translate.aim import Aim, Lost, Untranslatable
        from promptdeck.core.dialects.translate.translation import written

        dialect = self._dialect(choice, upstream)
        aim = (
            Aim(upstream.name, dialect, choice.model, upstream.provider)
            if upstream
            # Of a server that nobody knows no provider's rules hold: it gets all.
            else Aim(self.default_name, dialect, choice.model, _built_in(self.default_name))
        )
        settings, unsaid = fields_of(choice.settings)
        try:
            sent = written(request, self.client, aim, memory, settings)
        except Untranslatable as error:
            raise unsendable(error) from None
        there = Request("POST", sent.target, request.content_type, sent.body, request.selecting)
        incoming = self._to(there, upstream, dialect, sent.headers)
        lost = (Lost(f"$.model.settings.{name}", "is no field of a request") for name in unsaid)
        return Sendable(incoming, _named(dialect, self.client), aim, (*lost, *sent.lost))

    def passed(self, upstream: NamedUpstream) -> Headers:
        """Those of the client's headers that may go to an upstream."""
        return belonging(self.incoming.headers, upstream, self.own_url, self.client.name)

    def _dialect(self, choice: Choice, upstream: NamedUpstream | None) -> str:
        """The name of the dialect in which an upstream is asked."""
        name = self.client.name
        if upstream is None:
            return name
        wants = any(fnmatchcase(choice.model, pattern) for pattern in upstream.by_responses)
        if wants and name == "chat":
            return "responses"
        return name if name in upstream.dialects else upstream.dialects[0]

    def _same(self, request: Request, choice: Choice, upstream: NamedUpstream | None) -> Sendable:
        """A request of a protocol that is not translated: but for the model it stays as it is."""
        path = request.target.partition("?")[0].removeprefix("/v1/")
        family = _FAMILIES.get(path, "chat")
        if upstream is not None and family not in upstream.dialects:
            raise Unsendable(
                f"{upstream.name} is asked in {upstream.dialects[0]}, which has no {path}",
                code="no_endpoint",
                status=404,
                param="$.model",
            )
        body = spliced(request.body, {("model",): compact(choice.model)})
        request = request._replace(body=body)
        return Sendable(self._to(request, upstream, family, ()), self.client, None)

    def _to(
        self, request: Request, upstream: NamedUpstream | None, dialect: str, wants: Headers
    ) -> Incoming:
        """A request with the headers that may go to an upstream, and those that it wants."""
        incoming = self.incoming
        headers, route = incoming.headers, incoming.route
        if upstream is None:
            route = route._replace(body=request.body) if route else None
        else:
            own = self.own_url, dialect, self.client.name
            headers, route = belonging(headers, upstream, *own), None
            if not is_own(upstream, self.own_url):
                request = request._replace(target=without_key(request.target))
        names = {name.lower() for name, _ in wants}
        headers = (*(item for item in headers if item[0].lower() not in names), *wants)
        return Incoming(request, headers, route, keys=incoming.keys)


def _built_in(name: str) -> str:
    """The name of a built-in upstream; empty for any other."""
    return name if name in BUILTINS else ""


def fields_of(settings: Mapping[str, JSON]) -> tuple[dict[str, JSON], list[str]]:
    """What a model's settings say as fields of a request, and the names of those that say none."""
    named = {name: value for name, value in settings.items() if value is not None}
    extra, reasoning = named.get("extra_args"), named.get("reasoning")
    fields: dict[str, JSON] = {
        **(extra if isinstance(extra, dict) else {}),
        **{name: value for name, value in named.items() if name not in _NO_FIELDS},
    }
    if isinstance(reasoning, dict) and reasoning.get("effort"):
        fields.setdefault("reasoning_effort", reasoning["effort"])
    return fields, [name for name in named if name in _NO_FIELDS - _SILENT]


def _named(name: str, client: Dialect) -> Dialect:
    """The dialect of a name: the client's own or another one that is translated."""
    if name == client.name:
        return client
    return dialect_of("POST", TARGETS[name])


TARGETS: Mapping[str, str] = {
    "chat": "/v1/chat/completions",
    "messages": "/v1/messages",
    "responses": "/v1/responses",
    "gemini": "/v1beta/models/m:generateContent",
}


def unsendable(error: ClientError) -> Unsendable:
    """An error of a client's request, told by the way that it was to go."""
    told = Unsendable(error.message, code=error.code, param=error.param, details=error.details)
    told.status = error.status
    return told
