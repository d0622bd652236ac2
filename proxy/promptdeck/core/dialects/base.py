"""What promptdeck must know of a protocol: the questions that each dialect answers.

`Dialect` itself knows no protocol: it answers for everything that is asked below /v1/ and is
no model's endpoint, and by HTTP alone. `Model` knows what all endpoints of models have in
common: an answer is a function of its request, names of who asks do not count, an answer
may be an error though its status is 200. The rest is in the folders and modules beside.
"""

import json  # noqa: TID251  reads what orjson refuses: NaN, half an emoji, long numbers
import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

import orjson

from promptdeck.core.codings import readable
from promptdeck.core.interaction import Response, Variant
from promptdeck.core.text import sse
from promptdeck.core.text.jsontext import JSON, JSONObject, Unfaithful, compact
from promptdeck.core.text.paths import child_path
from promptdeck.core.text.runs import Run, runs
from promptdeck.errors import HTTPError


class Dropped(NamedTuple):
    """A place in a request that does not count, and why."""

    path: str
    """A JSON path: `$.user`."""
    why: str


LABELS: Mapping[str, str] = {
    "user": "names the end user, for abuse reports",
    "safety_identifier": "names the end user, for abuse reports",
    "metadata": "labels for the provider's dashboard",
    "labels": "labels for the provider's dashboard",
    "store": "whether the provider keeps a copy",
    "prompt_cache_key": "routing to a warm prompt cache",
    "prompt_cache_options": "what the provider's prompt cache keeps",
    "prompt_cache_retention": "how long the prompt cache lives; sets the entry's ttl in cache mode",
    "cache_control": "what the provider's prompt cache keeps",
    "diagnostics": "asks why the prompt cache missed",
    "service_tier": "how soon, not what",
    "serviceTier": "how soon, not what",
    "speed": "how soon, not what",
    "inference_geo": "where, not what",
    "correlation_id": "names a session",
}
"""Top-level fields that cannot change what a model answers, in whatever protocol, and why."""

MARKERS: Mapping[str, str] = {
    "cache_control": "what the provider's prompt cache keeps",
    "prompt_cache_breakpoint": "what the provider's prompt cache keeps",
}
"""Members of messages, parts of their content and tools that mark places for prompt caches."""

# What providers and servers have been seen to say of an answer that failed, and their kind:
# error, network_error (Z.ai), insufficient_system_resource (DeepSeek), abort (vLLM), cancelled.
_FAILURE = re.compile(
    r"(?i)error|fail|abort|cancel|time_?d?_?out|insufficient|unavailable|overload|malformed"
    r"|unexpected|interrupt|missing_thought_signature|too_many_tool_calls|^other$"
)


_GOOGLES = re.compile(r"/v1(?:alpha|beta)")


def without_key(target: str) -> str:
    """A target without the `key` of its query, a credential as Google's clients send it."""
    path, mark, query = target.partition("?")
    if "key=" not in query:
        return target
    query = "&".join(pair for pair in query.split("&") if not pair.startswith("key="))
    return path + (mark if query else "") + query


class StreamFilter(Protocol):
    """A stream on its way to a client: `feed` it in pieces, then take the `rest`."""

    def feed(self, data: bytes) -> bytes:
        """The bytes that the client gets of a piece: maybe none yet."""

    def rest(self) -> bytes:
        """The bytes that were held back, when the last piece has come."""


class Dialect:
    """A protocol, or what is asked without one. Values, not to be told apart but by `name`."""

    name = "http"
    is_model = False
    """True for the endpoint of a model."""
    converts = False
    """True where an answer in one variant can be made into another."""
    whole = "the connection ends well"
    """When an answer is whole, for people."""
    state = "always"
    """When a call is stateful, for people."""
    takes_comments = True
    """True if all clients pass over comments in a stream."""
    naming: frozenset[str] = frozenset()
    """Top-level fields of a request that are passed over where `is_naming` says so of the value."""
    effects: frozenset[str] = frozenset()
    """Top-level fields that may have more done than a request answered."""
    lists: Sequence[str] = ()
    """Top-level lists of objects that an agent sends with each request, longer each time."""

    def is_stateful(self, body: JSON) -> bool:
        """True where an answer hangs on more than its request, or a request has effects.

        `body` is the request's as parsed, or bytes where it is no JSON.
        """
        del body
        return True

    def counted_target(self, target: str) -> str:
        """A request's path and query as far as they count: not what only chooses the variant.

        Nor the key that Google's clients may send as `key` of the query.
        """
        return without_key(target) if _GOOGLES.match(target) else target

    def variant(self, body: JSON, target: str = "") -> Variant:
        """The variant that a request asks for, by its body and target.

        The body is parsed, or bytes where no parser reads it.
        """
        del body, target
        return Variant.JSON

    def message(self, response: Response) -> JSONObject:
        """The whole answer that a response is, or adds up to. Unfaithful if it can't be read."""
        raise Unfaithful(f"what {response.content_type or 'it'} says is not known to {self.name}")

    def in_variant(self, response: Response, variant: Variant) -> Response | None:
        """A response in a variant; None if it lacks what that holds. Unfaithful as `message`."""
        del response, variant
        return None

    def says(self, response: Response) -> str:
        """The text that an answer says, for people; empty where that is not known.

        Thoughts and refusals have a label, calls are written `name(arguments)`. Raises nothing.
        """
        del response
        return ""

    def turns(self, body: JSON) -> list[tuple[str, str]]:
        """Who says what in a request's body, for people: role and text of each turn."""
        del body
        return []

    def labels(self, message: JSONObject) -> Mapping[str, JSON]:
        """What an answer says of itself: its `model`, and how it ended."""
        del message
        return {}

    def error(self, error: HTTPError, request_id: str = "") -> JSONObject:
        """An error as clients of this protocol read it from a body.

        As both SDKs of chat completions do: openai under `error`, dedalus at the top.
        """
        del request_id
        fields = {
            "message": error.message,
            "type": error.type,
            "param": error.param,
            "code": error.code,
        }
        details = {"details": error.details} if error.details else {}
        return {"error": {**fields, **details}, **fields, **details}

    def error_event(self, error: HTTPError) -> bytes:
        """An error as clients of this protocol read it from a stream: one frame."""
        return sse.encode(compact(self.error(error)), event="error")

    def stream_filter(self) -> "StreamFilter | None":
        """What brings a stream of this protocol into the form that every client reads."""
        return None

    def counting(self, body: dict[str, JSON], dropped: list[Dropped]) -> dict[str, JSON]:
        """A copy of a body with only what counts, each value in its one form.

        Appends to `dropped` what was left out at the top level.
        """
        del dropped
        return body

    def is_naming(self, value: JSON) -> bool:
        """True for the value of one of `naming` that changes nothing at all of what is found out.

        Such as no number that a parser alters: by that a body stands for itself.
        """
        del value
        return False

    def counted_item(self, place: str, item: JSON) -> JSON:
        """An item of one of `lists`, `place`, as it counts wherever it stands."""
        return self.counting({place: [item]}, [])[place][0]

    def path_written(self, path: str, body: JSON) -> str:
        """The place that a path of the counted form names, as a request's body itself has it."""
        del body
        return path

    def counting_once(self, body: dict[str, JSON]) -> dict[str, JSON]:
        """A copy of a body with what counted in 0.1.0, whose recordings are found by that.

        It knew chat completions alone: of all others everything counted.
        """
        return body

    def problem_with(self, response: Response, in_runs: Sequence[Run] | None = None) -> str | None:
        """Why an answer must not be kept, in plain words; None if it is whole and no failure.

        `in_runs` are a stream's frames as `runs` puts them together, if that has been done.
        The status is not judged.
        """
        if response.is_stream and not response.in_lines:
            in_runs = runs(sse.frames(response.body)) if in_runs is None else in_runs
            # What tells whether a stream is whole is the same in all frames of a run.
            return self._problem_with_stream([run.first for run in in_runs])
        body = readable(response.body, response.content_type)
        if not body.strip():
            # Nothing is all there is to 204, and to 202 for what is accepted.
            nothing = not self.is_model or response.status in _BODILESS
            return None if nothing else "the body is empty"
        return self._problem_with_body(essence(response.content_type), body)

    def is_end(self, event: sse.Event) -> bool:
        """True for the event that ends a stream of this protocol."""
        del event
        return False

    def has_ended(self, data: bytes) -> bool:
        """True if the end of a stream is in these bytes, the last ones that came of it."""
        return any(map(self._ends, sse.frames(data)))

    def _ends(self, frame: bytes) -> bool:
        """True for a frame that ends a stream, and is whole: more may be to come of one cut off."""
        event = sse.parse(frame)
        whole = sse.is_whole(frame) or (event.data or "").strip() == sse.DONE
        return whole and self.is_end(event)

    def _problem_with_body(self, kind: str, body: bytes) -> str | None:
        """The problem with a body that is no stream; `kind` is its type, in lower case."""
        return "the body is not JSON" if is_json(kind) and not values_of(body) else None

    def _problem_with_stream(self, frames: list[bytes]) -> str | None:
        """The problem with a stream, of which the first frame of each run is enough."""
        if not frames:
            return "the stream is empty"
        end = next((at for at, frame in enumerate(frames) if self._ends(frame)), None)
        if end is not None:
            # What comes behind the end is not this answer's.
            frames = frames[: end + 1]
        elif is_cut_off(frames[-1]):
            return "the stream breaks off inside an event"
        events = [sse.parse(frame) for frame in frames]
        texts = [event.data for event in events if event.data and event.data.strip() != sse.DONE]
        values = [value_of(text.encode()) for text in texts]
        if any(event.event == "error" for event in events) or any(map(is_error, values)):
            return "the stream reports an error"
        return self._problem_with_events(values, ended=end is not None)

    def _problem_with_events(self, values: list[JSON], *, ended: bool) -> str | None:
        """The problem with a stream's events, by the JSON of each; `ended` if the end came."""
        del values, ended
        return None


class Model(Dialect):
    """Base of the dialects of model endpoints: pure functions of their request.

    `name` is the protocol's, as README's table of calls has it.
    """

    is_model = True
    state = "never"
    naming = frozenset(LABELS)

    def __init__(self, name: str) -> None:
        self.name = name

    def is_stateful(self, body: JSON) -> bool:
        del body
        return False

    def counting(self, body: dict[str, JSON], dropped: list[Dropped]) -> dict[str, JSON]:
        counted = {}
        for key, item in body.items():
            # SDKs write out what nobody set: in every protocol null is what absent is.
            why = LABELS.get(key) or ("null means absent" if item is None else None)
            if why:
                dropped.append(Dropped(child_path("$", key), why))
            else:
                counted[key] = item
        return counted

    def is_naming(self, value: JSON) -> bool:
        return _is_plain(value)

    def _problem_with_body(self, kind: str, body: bytes) -> str | None:
        # A sloppy server says text/html of JSON; a login page says it of itself.
        if is_json(kind) or body.lstrip()[:1] in (b"{", b"["):
            values = values_of(body)
            if not values:
                return "the body is not JSON"
            if any(map(is_error, values)):
                return "the body reports an error"
            return self._problem_with_value(values[0]) if len(values) == 1 else None
        if kind == "text/html" or body.lstrip()[:1] == b"<":
            return "a web page came in place of an answer"
        return self._problem_with_text(kind, body)

    def _problem_with_value(self, value: JSON) -> str | None:
        """The problem with an answer that is JSON and reports no error."""
        del value
        return None

    def _problem_with_text(self, kind: str, body: bytes) -> str | None:
        """The problem with an answer that is neither JSON nor a stream."""
        del kind, body
        return "the body is neither JSON nor a stream of events"


_SCALARS = frozenset([str, bool, int, type(None)])


def _is_plain(value: JSON, depth: int = 4) -> bool:
    """True for what every parser reads the same: no fractions, little nesting."""
    # A whole number that 64 bits do not hold is a fraction as orjson reads it.
    if type(value) in _SCALARS:
        return True
    if not depth or not isinstance(value, dict | list):
        return False
    items = value.values() if isinstance(value, dict) else value
    return all(_is_plain(item, depth - 1) for item in items)


_BODILESS = (202, 204)

_NONE: JSON = object()
"""In place of a value where there is no JSON."""


def essence(content_type: str) -> str:
    """A Content-Type without its parameters, in lower case."""
    return content_type.partition(";")[0].strip().lower()


def is_json(kind: str) -> bool:
    """True for the type of JSON: `application/json`, or one made of it, such as `x/y+json`."""
    return kind == "application/json" or kind.endswith("+json")


def value_of(text: bytes) -> JSON:
    """The JSON in a text, as Python or JavaScript reads it; `_NONE` if it is none."""
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        pass
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return _NONE


def values_of(body: bytes) -> list[JSON]:
    """The JSON in a body: one value, or one a line; none where it is neither.

    Some stream so, under `application/stream+json`, `application/x-ndjson` and others.
    """
    value = value_of(body)
    if value is not _NONE:
        return [value]
    # Not `splitlines`: JSON may hold what that takes for the end of one.
    lines = [value_of(line) for line in body.split(b"\n") if line.strip()]
    return [] if len(lines) < 2 or _NONE in lines else lines


def is_cut_off(tail: bytes) -> bool:
    """True if a stream's last frame holds something and has no blank line to end it."""
    # A few servers close behind an odd blank line: that loses nothing.
    return bool(tail.strip()) and not sse.is_whole(tail)


def is_error(value: JSON) -> bool:
    """True for JSON, of an answer or of an event, that tells of an error in any protocol's way."""
    if isinstance(value, list):  # as Google answers streams that are asked for without `alt=sse`
        return any(map(is_error, value)) if value and isinstance(value[0], dict) else False
    if not isinstance(value, dict):
        return False
    if value.get("error") is not None or value.get("type") in ("error", "response.failed"):
        return True
    # vLLM before 0.10 and FastChat say so of an error, and list its fields beside.
    if value.get("status") == "failed" or value.get("object") == "error":
        return True
    inner = value.get("response")
    return isinstance(inner, dict) and is_error(inner)


def names_failure(reason: JSON) -> bool:
    """True for a finish reason that says that the answer failed."""
    return isinstance(reason, str) and _FAILURE.search(reason) is not None
