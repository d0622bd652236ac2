"""Which models a request may be answered by, in their order, and at which upstreams.

A client names a model, a list of them, or objects with settings for one. What it says may be an
alias, match a pattern, or begin with an upstream's name. A bare model is the default upstream's.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import NamedTuple

from promptdeck.core.text.jsontext import JSON, JSONObject
from promptdeck.errors import ClientError

from .fitting import Rated, fit, ranked
from .upstreams import BUILTINS, NamedUpstream, provider_at

_Models = Mapping[str, Sequence[str]]

# More models than anybody tries one after the other.
_MOST_CHOICES = 100


class Choice(NamedTuple):
    """A model that may answer a request, where it is."""

    upstream: str
    """The upstream's name; empty for the default one."""
    model: str
    """As that upstream knows it."""
    asked: str
    """As the client, or the user's alias, names it."""
    settings: Mapping[str, JSON] = {}
    """What the client wants of this model, where its request itself says nothing."""
    score: float | None = None
    """How well it fits; None where nothing is preferred."""

    @property
    def name(self) -> str:
        """For people, and for headers: `UPSTREAM/MODEL`."""
        return f"{self.upstream}/{self.model}" if self.upstream else self.model


class _Wanted(NamedTuple):
    """A model as it stands in a request."""

    name: str
    settings: Mapping[str, JSON] = {}
    attributes: Mapping[str, JSON] = {}


class Choosing:
    """Chooses by the user's upstreams, aliases and patterns.

    `default` is the default upstream's base URL. Names of `upstreams` are always known where the
    user has declared them; those that are only built in, where the default upstream is a provider
    whose own models have no slash in their name.
    """

    def __init__(
        self,
        default: str,
        upstreams: Mapping[str, NamedUpstream],
        aliases: _Models,
        patterns: _Models,
    ) -> None:
        self.upstreams = upstreams
        self._aliases = aliases
        self._patterns = [*patterns.items()]
        provider = provider_at(default)
        known = BUILTINS.get(provider)
        self._passes_slashes = known is None or known.has_slashes
        self._own_prefixes = known.prefixes if known else ()
        self._passes_lists = known is not None and known.takes_lists
        self._named = {
            name for name, one in upstreams.items() if one.declared or not self._passes_slashes
        }
        self.default_name = provider
        """The default upstream's name among those built in; empty for none of them."""
        # Most requests name a bare model: the text of their body is enough to see that.
        self._plain = not (aliases or patterns)

    def may_choose(self, body: bytes, target: str) -> bool:
        """False where a request can only name a bare model, told without parsing its body."""
        if not self._plain or ("/models/" in target and _in_target(target)):
            return True
        # To look through 64 KB takes 60 us, and where most write the model only one.
        if _FIRST.match(body) or _LAST.search(body, max(0, len(body) - _TAIL)):
            return False
        at = body.find(_MODEL)
        if at < 0:
            return _ESCAPE in body
        while at >= 0:
            if not _BARE.match(body, at):
                return True
            at = body.find(_MODEL, at + 1)
        return False

    def choices(self, body: JSON) -> tuple[Choice, ...] | None:
        """The models that may answer a request, the first to be tried first.

        `body` is the request's, with the model that its target names where it has none. None
        where the request goes as it is to where it would go without all this. ClientError for a
        model of an unknown upstream, and for a list without any.
        """
        if not isinstance(body, dict):
            return None
        said = body.get("model")
        if isinstance(said, str):
            choices = self._fitted([_Wanted(said)], body)
            # What is neither renamed nor anybody else's goes as it came.
            is_plain = len(choices) == 1 and not choices[0].upstream and choices[0].model == said
            return None if is_plain else choices
        if not isinstance(said, list | dict):
            return None
        wanted = [_wanted(one) for one in (said if isinstance(said, list) else [said])]
        models = [one for one in wanted if one]
        if len(models) < len(wanted) or not models:
            raise ClientError(
                "model: expected the name of a model, {model, settings}, or a list of these",
                code="bad_model",
                param="$.model",
            )
        if self._passes_lists and not any(self._is_ours(one.name) for one in models):
            return None
        return self._fitted(models, body)

    def _fitted(self, models: Sequence[_Wanted], body: JSONObject) -> tuple[Choice, ...]:
        """The choices for a list, by how well they fit where something is preferred."""
        pairs = [(one, choice) for one in models for choice in self._of(one)][:_MOST_CHOICES]
        candidates = [
            Rated(tuple(dict.fromkeys([one.name, *_names(choice)])), one.attributes)
            for one, choice in pairs
        ]
        scores = fit(candidates, body.get("agent_attributes"), body.get("model_attributes"))
        choices = [choice for _, choice in pairs]
        if scores is None:
            return tuple(choices)
        return tuple(choices[place]._replace(score=scores[place]) for place in ranked(scores))

    def _is_ours(self, name: str) -> bool:
        """True for a model that an alias, a pattern or an upstream of the user's is meant by."""
        return bool(
            name in self._aliases or self._pattern(name) or name.partition("/")[0] in self._named
        )

    def _of(self, wanted: _Wanted) -> Iterator[Choice]:
        """The choices that one model of a request stands for. ClientError."""
        for name in self._meant(wanted.name, frozenset()):
            upstream, model = self._parted(name)
            yield Choice(upstream, model, wanted.name, wanted.settings)

    def _meant(self, name: str, seen: frozenset[str]) -> Iterator[str]:
        """What a name stands for: an alias may lead to others, in a ring to itself."""
        aliased = () if name in seen else self._aliases.get(name, ())
        for one in aliased:
            yield from self._meant(one, seen | {name})
        if not aliased:
            yield from self._pattern(name) or [name]

    def _pattern(self, name: str) -> Sequence[str]:
        """What the first pattern that a name matches stands for, with that name for its `*`.

        One without a slash is for bare models: who names an upstream means that one.
        """
        for pattern, models in self._patterns:
            if ("/" in pattern or "/" not in name) and fnmatchcase(name, pattern):
                return [one.replace("*", name) for one in models]
        return ()

    def _parted(self, name: str) -> tuple[str, str]:
        """Upstream and model of a name; ClientError where the upstream is unknown."""
        prefix, slash, model = name.partition("/")
        if slash and prefix in self._named:
            if not model:
                raise ClientError(
                    f"{name!r} names no model of {prefix}; write {prefix}/MODEL",
                    code="bad_model",
                    param="$.model",
                    retry=False,
                )
            return prefix, model
        own = prefix in self._own_prefixes
        if not slash or own or (self._passes_slashes and not self._misspelt(prefix)):
            return "", name
        raise self._unknown(prefix, name)

    def _misspelt(self, prefix: str) -> str:
        """The upstream that a prefix probably means; empty for none."""
        return next((name for name in self._named if _is_slip(prefix, name)), "")

    def _unknown(self, prefix: str, name: str) -> ClientError:
        import difflib

        names = [one for one in self.upstreams if one in self._named]
        near = difflib.get_close_matches(prefix.lower(), names, 1, 0.5)
        hint = f"did you mean {near[0]}/{name.partition('/')[2]}? " if near else ""
        return ClientError(
            f"{name!r}: there is no upstream {prefix!r}; {hint}there are {', '.join(names)}, and"
            " what is set in upstreams or routing.patterns",
            code="unknown_upstream",
            param="$.model",
            retry=False,
            details={"upstreams": names, "nearest": near[0] if near else None},
        )


_SHORTEST, _LONG = 3, 6
"""Letters that a name must have to be misspelt by one of them, and by two."""


def _is_slip(said: str, name: str) -> bool:
    """True if a name was probably meant by what was said: a letter too many, too few, or swapped.

    What begins with the name is another one: `mistralai/` and `deepseek-ai/` are makers of models.
    """
    if said.startswith(name) or len(name) < _SHORTEST:
        return said.lower() == name
    return _edits(said.lower(), name) <= (2 if len(name) >= _LONG else 1)


def _edits(one: str, other: str) -> int:
    """How many letters are to be put in, taken out, replaced or swapped with their neighbour."""
    before: list[int] = []
    row: list[int] = [*range(len(other) + 1)]
    for at, letter in enumerate(one, 1):
        last, row = row, [at]
        for place, wanted in enumerate(other, 1):
            least: int = min(last[place] + 1, row[-1] + 1, last[place - 1] + (letter != wanted))
            swapped = at > 1 and place > 1 and (letter, one[at - 2]) == (other[place - 2], wanted)
            row.append(min(least, before[place - 2] + 1) if swapped else least)
        before = last
    return row[-1]


_MODEL, _ESCAPE = b'"model"', b"\\u00"
# A text without a slash, behind the name: nothing that anybody but the default upstream knows.
_BARE = re.compile(rb'"model"\s*(?::\s*(?:"[^"\\/]*"|null)|(?!\s*:))')

# A bare model as the first member of all, or with nothing behind it but members of little in them:
# a comma or brace before a quote is in no string, and only the object that is all ends at the end.
_FIRST = re.compile(rb'\s*\{\s*"model"\s*:\s*"[^"\\/]*"\s*[,}]')
_LAST = re.compile(
    rb'[,{]\s*"model"\s*:\s*"[^"\\/]*"\s*'
    rb'(?:,\s*"[^"\\]*"\s*:\s*(?:"[^"\\]*"|[\w.+-]+|\{[^{}\[\]\\]*\})\s*)*+\}\s*\Z'
)
_TAIL = 500
"""Bytes at the end of a body that are looked at for its model first."""


def _in_target(target: str) -> bool:
    """True for the path of a model that is named there with an upstream's name before it."""
    named = target.partition("?")[0].partition("/models/")[2]
    return "/" in named or "%2f" in named.lower()


def _wanted(said: JSON) -> _Wanted | None:
    """A model of a list: its name, or an object. None for what is neither."""
    if isinstance(said, str):
        return _Wanted(said) if said else None
    if not isinstance(said, dict):
        return None
    # `name` is what the first version of the SDK called it.
    name, settings = said.get("model", said.get("name")), said.get("settings")
    if not isinstance(name, str) or not name:
        return None
    settings = dict(settings) if isinstance(settings, dict) else {}
    rated = [settings.pop("attributes", None), said.get("attributes")]
    attributes = {
        key: value for one in rated if isinstance(one, dict) for key, value in one.items()
    }
    return _Wanted(name, settings, attributes)


def _names(choice: Choice) -> Iterator[str]:
    """What a choice may be called by whom it is rated, the fullest first."""
    yield choice.name
    yield choice.model
    yield choice.model.rpartition("/")[2]
