"""What is asked of a model and what it answers, in no protocol's words.

A request is a `Prompt`. What protocols have alike is typed here; what one provider alone has is an
option of it, under the name that the contract of chat completions gives it: that names every
provider's feature. An answer is a sequence of `Signal`s, however it came.
"""

from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

from promptdeck.core.text.jsontext import JSON, JSONObject


class Signed(NamedTuple):
    """What a provider has signed of a model's reasoning: it is of use to that one alone.

    Another provider, or another model, refuses the whole request for its sake.
    """

    upstream: str
    """The name of the upstream that signed it; empty where nobody said."""
    model: str
    """The model that it signed it for; empty where nobody said."""
    text: str
    """The signature, or what it has encrypted, as it came."""


# What a turn is made of. `cache` is a marker for the provider's prompt cache behind a part, in
# Anthropic's form: `{"type": "ephemeral", "ttl": "1h"}`.


class Words(NamedTuple):
    """Text."""

    text: str
    cache: JSON = None
    signed: Signed | None = None
    citations: tuple[JSONObject, ...] = ()
    """As chat completions have them: `{"type": "url_citation", "url_citation": {...}}`."""


class Picture(NamedTuple):
    """An image: `url` is a data URL or leads to it, also as `gs://` and by a provider's file id.

    `mime` is its type where somebody said so; a data URL tells it in any case.
    """

    url: str
    mime: str = ""
    detail: str = ""
    cache: JSON = None


class Sound(NamedTuple):
    """Audio: base64 of it, and its format, `wav` or `mp3`."""

    data: str
    format: str


class Paper(NamedTuple):
    """A file: by a data URL, a URL, or the id under which a provider has it."""

    url: str = ""
    id: str = ""
    name: str = ""
    mime: str = ""
    cache: JSON = None


class ToolCall(NamedTuple):
    """A tool that the client is asked to call."""

    id: str
    name: str
    arguments: str
    """JSON text as the model wrote it; the input itself of a custom tool."""
    signed: Signed | None = None
    is_custom: bool = False
    cache: JSON = None


class ToolResult(NamedTuple):
    """What a call gave. `id` is the call's; `name` the tool's, looked up in the turns before."""

    id: str
    name: str
    parts: "tuple[Passage, ...]"
    failed: bool = False
    is_custom: bool = False
    cache: JSON = None


class Thought(NamedTuple):
    """Reasoning: its text, maybe none, and the signature under which it may come back."""

    text: str
    signed: Signed | None = None
    is_hidden: bool = False
    """True where there is no text to be had: the signature holds what is encrypted."""
    is_summary: bool = False
    id: str = ""
    """The item's own, where items have one."""


class Regret(NamedTuple):
    """The model's words as it refuses."""

    text: str


class Foreign(NamedTuple):
    """What one protocol alone has, whole: a tool that the provider runs and what came of it."""

    dialect: str
    value: JSONObject


Passage = Words | Picture | Sound | Paper | ToolCall | ToolResult | Thought | Regret | Foreign

Role = Literal["system", "user", "assistant"]
"""The system's are the developer's as well; results of tools are the user's, in whose turn they
come."""


class Utterance(NamedTuple):
    """What one side says. Neighbours of one role are as the client sent them, not merged."""

    role: Role
    parts: tuple[Passage, ...]
    path: str
    """Its place in the client's request, for who complains about it: `$.messages[3]`."""
    name: str = ""


class Tool(NamedTuple):
    """A tool that the model may have called by the client; `schema` is plain JSON Schema."""

    name: str
    description: str | None
    schema: JSON
    strict: bool | None = None
    cache: JSON = None
    custom: JSON = None
    """For one that takes text and no arguments: the format of that, or an empty object."""


class ToolChoice(NamedTuple):
    """Which tools may, or must, be called."""

    mode: Literal["none", "auto", "required"]
    names: tuple[str, ...] = ()
    """Those of which one is to be called, or may be; empty for any."""


class Shape(NamedTuple):
    """The form that an answer must have: any JSON object, or one by a schema."""

    schema: JSON = None
    """None for any JSON object."""
    name: str = ""
    description: str | None = None
    strict: bool | None = None


class Thinking(NamedTuple):
    """How much a model is to reason, as far as the client has said."""

    effort: str = ""
    """none, minimal, low, medium, high, xhigh or max; empty where not said."""
    budget: int | None = None
    """Tokens at most; -1 as many as the model likes."""
    mode: Literal["", "enabled", "adaptive", "disabled", "between_tools"] = ""
    shown: bool | None = None
    """Whether its text is wanted; None where not said."""


class Prompt(NamedTuple):
    """A request to a model."""

    dialect: str
    """The name of the dialect that it was asked in."""
    model: str
    turns: tuple[Utterance, ...]
    tools: tuple[Tool | Foreign, ...] = ()
    choice: ToolChoice | None = None
    parallel: bool | None = None
    """Whether several calls at once are welcome; None where not said."""
    shape: Shape | None = None
    thinking: Thinking | None = None
    stream: bool = False
    options: Mapping[str, JSON] = {}
    """All else that was asked, by the contract's names: temperature, top_p, top_k, max_tokens (both
    of its kinds), stop (a list), n, seed, user, metadata, safety_settings and so on; by the
    client's own where the contract has none. None of it is null."""
    paths: Mapping[str, str] = {}
    """The places in the client's request of what has another name there than `$.NAME`, by the
    names of options and of the fields above."""

    def path(self, name: str) -> str:
        """The place in the client's request of an option or a field, for who complains of it."""
        return self.paths.get(name, f"$.{name}")


# An answer. `choice` numbers the answers where several were asked for.


class Opened(NamedTuple):
    """An answer begins."""

    id: str
    model: str
    created: int | None = None
    """Seconds since the epoch; None where the protocol does not say."""


class Spoken(NamedTuple):
    """The next piece of the text."""

    text: str
    choice: int = 0


class Mused(NamedTuple):
    """The next piece of the reasoning's text."""

    text: str
    choice: int = 0
    is_summary: bool = False


class Sealed(NamedTuple):
    """A block of reasoning has ended: all of it once more, with its signature.

    Also of one that had no text. None comes of reasoning that nobody signed.
    """

    thought: Thought
    choice: int = 0


class Marked(NamedTuple):
    """A signature belongs to the text that has come since the last one, maybe to none at all."""

    signed: Signed
    choice: int = 0


class Declined(NamedTuple):
    """The next piece of a refusal."""

    text: str
    choice: int = 0


class CallOpened(NamedTuple):
    """A call begins: `number` counts those of its choice from 0."""

    number: int
    id: str
    name: str
    signed: Signed | None = None
    is_custom: bool = False
    choice: int = 0


class CallSaid(NamedTuple):
    """The next piece of a call's arguments. Joined they are JSON; a call without any says `{}`."""

    number: int
    text: str
    choice: int = 0


class CallClosed(NamedTuple):
    """All arguments of a call have come."""

    number: int
    choice: int = 0


class Cited(NamedTuple):
    """A source of what was said: in chat completions' form, `{"type": "url_citation", ...}`."""

    citation: JSONObject
    choice: int = 0


class Weighed(NamedTuple):
    """Log probabilities of tokens of the text, as chat completions have them."""

    content: tuple[JSONObject, ...]
    choice: int = 0


class Aside(NamedTuple):
    """What the provider alone has and no other protocol: a tool that it ran itself, its result."""

    part: Foreign
    choice: int = 0


class Usage(NamedTuple):
    """Tokens, as chat completions count them: the prompt's include what the cache held or took."""

    prompt: int = 0
    completion: int = 0
    total: int = 0
    cached: int | None = None
    cache_written: int | None = None
    reasoning: int | None = None
    rest: Mapping[str, JSON] = {}
    """What the provider counted beside, by its own names."""


class Metered(NamedTuple):
    """What the answer cost so far: it takes the place of what was said of that before."""

    usage: Usage


class Finished(NamedTuple):
    """A choice has come to its end."""

    reason: Literal["stop", "length", "tool_calls", "content_filter"]
    native: str = ""
    """The provider's own word for it."""
    stop: str | None = None
    """The stop sequence that ended it, where the provider says so."""
    choice: int = 0


class Broke(NamedTuple):
    """In place of an end: the answer failed, or there never was one."""

    status: int
    """As if it had come with a status of its own: 429, 500, 502, 503, 529."""
    type: str
    message: str
    code: str | None = None
    param: str | None = None
    retry_after: float | None = None
    """Seconds after which another try may be welcome, where the provider says so."""
    details: JSON = None


Signal = (
    Opened
    | Spoken
    | Mused
    | Sealed
    | Marked
    | Declined
    | CallOpened
    | CallSaid
    | CallClosed
    | Cited
    | Weighed
    | Aside
    | Metered
    | Finished
    | Broke
)

Signals = Sequence[Signal]
