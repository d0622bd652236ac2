"""Whom a request is meant for, and what becomes of it on the way: what it was made into, what was
lost.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple
from urllib.parse import quote

from promptdeck.core.text.jsontext import JSON, JSONObject
from promptdeck.errors import ClientError

from .fields import STRIPPED
from .neutral import Prompt


class Aim(NamedTuple):
    """The model that a request goes to, and where that is."""

    upstream: str
    """The upstream's name: `anthropic`, or as the user has called it."""
    dialect: str
    """The name of the dialect that it speaks: chat, responses, messages or gemini."""
    model: str
    """As the upstream knows it, without our prefix."""
    provider: str = ""
    """Whose rules hold there, where several speak one dialect: openai, mistral, xai and so on, a
    name of the table of built-in upstreams; empty for none of those."""


_COLLECTIONS = ("models/", "tunedModels/", "publishers/", "projects/", "endpoints/")


def resource(model: str) -> str:
    """A model in a path of Google's protocol: `models/NAME`, unless it is of another collection."""
    name = quote(model, safe="/-._~@")
    return name if name.startswith(_COLLECTIONS) else f"models/{name}"


class Lost(NamedTuple):
    """A part of a request that has no counterpart where it goes, or not this one."""

    path: str
    """Its place in the client's request: `$.seed`."""
    why: str
    """A phrase for people: `has no counterpart`, `xhigh became high`."""
    asked: bool = True
    """False for what nobody has asked for in so many words, such as a signature that was not kept:
    it is told, but is no reason to refuse where the contract is strict."""


class Written(NamedTuple):
    """A request as its upstream takes it."""

    target: str
    """Path and query below the upstream's base URL, which begins with `/v1`: `/v1/messages`."""
    body: JSONObject
    lost: tuple[Lost, ...] = ()
    headers: tuple[tuple[str, str], ...] = ()
    """What the protocol wants beside, such as `anthropic-version`; no credentials."""


class Untranslatable(ClientError):
    """A request that cannot be said in the upstream's dialect at all; `param` is the place."""

    code = "untranslatable"
    retry = False


# What SDKs write out though nobody asked for anything: the value that a field has without it.
_IDLE: Mapping[str, tuple[JSON, ...]] = {
    "n": (1,),
    "presence_penalty": (0,),
    "frequency_penalty": (0,),
    "logprobs": (False,),
    "top_logprobs": (0,),
    "store": (False,),
    "parallel_tool_calls": (True,),
    "service_tier": ("auto",),
    "modalities": (["text"],),
    "deferred": (False,),
    "safe_prompt": (False,),
}


def is_idle(name: str, value: JSON) -> bool:
    """True for the value of a field, by the contract's name, that asks for nothing.

    Such is not worth a warning where it has no counterpart: null, empty, or the default.
    """
    if value is None or value in ("", [], {}):
        return True
    if isinstance(value, bool):
        return any(value is one for one in _IDLE.get(name, ()))
    return any(value == one and type(one) is not bool for one in _IDLE.get(name, ()))


class Options:
    """The options of a prompt, to be taken one by one: what is left in the end is lost."""

    def __init__(self, prompt: Prompt) -> None:
        self._prompt = prompt
        self._left = dict(prompt.options)
        self._lost: list[Lost] = []

    def take(self, name: str) -> JSON:
        """The value of an option, None where it is not asked for; it is not lost then."""
        return self._left.pop(name, None)

    def renamed(self, names: Mapping[str, str]) -> Iterator[tuple[str, JSON]]:
        """Take the options that `names` has, each with the upstream's name for it."""
        for name, there in names.items():
            if name in self._left:
                yield there, self._left.pop(name)

    def lose(self, name: str, why: str) -> None:
        """Say that an option, or a field of the prompt, is not there as it was asked for."""
        self._left.pop(name, None)
        self.lose_at(self._prompt.path(name), why)

    def lose_at(self, path: str, why: str, *, asked: bool = True) -> None:
        """Say that what stands at a place of the client's request does not arrive as it is.

        `asked` as `Lost` has it.
        """
        self._lost.append(Lost(path, why, asked))

    def drop(self, names: Iterable[str]) -> None:
        """Leave options out without a word: they are labels, or promptdeck's own business."""
        for name in names:
            self._left.pop(name, None)

    def lost(self) -> tuple[Lost, ...]:
        """All that was lost: what was said to be, and what nobody took and asks for something.

        Fields that are promptdeck's own business, or Dedalus's, go to no provider without a word.
        """
        left = (
            Lost(self._prompt.path(name), "has no counterpart")
            for name, value in self._left.items()
            if name not in STRIPPED and not is_idle(name, value)
        )
        return (*self._lost, *left)
