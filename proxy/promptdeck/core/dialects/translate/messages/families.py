"""What each family of Claude models takes and refuses: the one table of it, with its sources.

A model is known by the longest of the prefixes that its name begins with; one that nobody here has
heard of is taken for one of the newest, the last row: what new models refuse, older ones merely do
without.

Where the values come from, as of November 2026:

    thinking, effort    Claude docs, "Thinking" and "Effort"; "What's new" of Opus 5.5, Sonnet 5.5,
                        Haiku 5.5 and of Opus 4.8; profiles of pydantic-ai and @ai-sdk/anthropic 4.0
    sampling            the same; anthropic 2.14's types no longer list it
    forced tool_choice  "What's new": an error on Opus 5.5, Sonnet 5.5 and Fable 5.1; what is new
                        in Haiku 5.5 does not name it among what breaks
    prefill             API errors, "Prefill not supported"; "What's new in Haiku 5.5"
    output              Claude docs, "Models overview"
    system turns        "Mid-conversation system messages"; @langchain/anthropic 1.5.13 for 5.5. Of
                        Sonnet 5 sources differ: it is taken for one that has none
    schemas             Claude docs, "Structured outputs"
"""

import re
from typing import Literal, NamedTuple

LEVELS = ("low", "medium", "high", "xhigh", "max")
"""All levels of effort that any model knows, the least first."""

_THREE = LEVELS[:3]


class Family(NamedTuple):
    """What the models whose names begin with `prefix` take; the defaults are the newest's."""

    prefix: str
    """What a name begins with behind `claude-`."""
    thinking: frozenset[str] = frozenset({"adaptive"})
    """The values of `thinking.type` that are no error."""
    efforts: tuple[str, ...] = LEVELS
    """The values of `output_config.effort` that are no error."""
    quiet: str = ""
    """The highest effort at which thinking may be turned off; empty for any."""
    thinks: bool = True
    """True if the model thinks unless it is told otherwise."""
    hides: bool = True
    """True if the text of its thinking is left out unless it is asked for."""
    sampling: Literal["all", "one", "none"] = "none"
    """Whether temperature, top_p and top_k are taken: all, but one of the first two, or none."""
    forced: Literal["yes", "unless enabled", "no"] = "no"
    """Whether a tool may be forced; where thinking of a budget is enabled it may not."""
    prefill: bool = False
    """True if the conversation may end with the assistant's turn, which is then gone on with."""
    output: int = 128_000
    """The most that `max_tokens` may be."""
    system_turns: bool = True
    """True if the system may speak in the middle of the conversation."""
    schemas: bool = True
    """True if an answer may be held to a JSON schema."""


_OFF = frozenset({"adaptive", "disabled"})
_BUDGET = frozenset({"enabled", "disabled"})

# From the oldest to the newest; each row says how it differs from the newest.
_OLD = Family(
    "3-",
    frozenset({"disabled"}),
    (),
    thinks=False,
    hides=False,
    sampling="all",
    forced="yes",
    prefill=True,
    output=8192,
    system_turns=False,
    schemas=False,
)
_V3_7 = _OLD._replace(prefix="3-7", thinking=_BUDGET, forced="unless enabled", output=64_000)
_V4_5 = _V3_7._replace(prefix="sonnet-4-5", sampling="one", schemas=True)
_V4_6 = _V4_5._replace(
    prefix="opus-4-6",
    thinking=frozenset({"adaptive", "enabled", "disabled"}),
    efforts=(*_THREE, "max"),
    prefill=False,
    output=128_000,
)
_V4_7 = _V4_6._replace(
    prefix="opus-4-7", thinking=_OFF, efforts=LEVELS, hides=True, sampling="none", forced="yes"
)
_NEWEST = Family("")

FAMILIES = (
    _OLD._replace(prefix="instant", output=4096),
    _OLD._replace(prefix="2-", output=4096),
    _OLD._replace(prefix="3-opus", output=4096),
    _OLD._replace(prefix="3-haiku", output=4096),
    _OLD,
    _V3_7,
    _V3_7._replace(prefix="4-"),
    _V3_7._replace(prefix="4-opus", output=32_000),
    _V3_7._replace(prefix="opus-4-0", output=32_000),
    _V3_7._replace(prefix="sonnet-4-0"),
    _V3_7._replace(prefix="opus-4-1", output=32_000, schemas=True),
    _V4_5,
    _V4_5._replace(prefix="haiku-4-5"),
    _V4_5._replace(prefix="opus-4-5", efforts=_THREE),
    _V4_6,
    _V4_6._replace(prefix="sonnet-4-6"),
    _V4_7,
    _V4_7._replace(prefix="opus-4-8", system_turns=True),
    _V4_7._replace(prefix="sonnet-5", thinks=True),
    _V4_7._replace(prefix="opus-5", thinks=True, quiet="high", system_turns=True),
    _V4_7._replace(prefix="haiku-5-5", thinks=True, quiet="high", system_turns=True),
    _NEWEST._replace(
        prefix="sonnet-5-5", thinking=frozenset({"adaptive", "between_tools"}), quiet="high"
    ),
    _NEWEST._replace(prefix="opus-5-5"),
    _NEWEST._replace(prefix="fable-"),
    _NEWEST._replace(prefix="mythos-"),
    _NEWEST,
)
"""The table."""

# What a name has behind the model's: a day, a version of Bedrock's, `latest`.
_TAIL = re.compile(r"[-@](?:20\d{6}|latest|v\d+).*$")
# Before 4.5 a first version had no second number: `claude-opus-4-20250514`.
_FIRST = re.compile(r"^(opus|sonnet)-4$")


def family_of(model: str) -> Family:
    """What a model takes, by its name in any of the forms that clouds and resellers give it.

    The newest family for a name that is not known.
    """
    name = model.lower().replace(".", "-")
    _, known, name = name.rpartition("claude-")
    name = _FIRST.sub(r"\1-4-0", _TAIL.sub("", name)) if known else ""
    return max((one for one in FAMILIES if _begins(name, one.prefix)), key=lambda one: len(one[0]))


def _begins(name: str, prefix: str) -> bool:
    """True if a name begins with a prefix that is its whole version: 5-6 is no 5, 4-10 no 4-1."""
    if not name.startswith(prefix):
        return False
    rest = name[len(prefix) :].removeprefix("-")
    return not (prefix[-1:].isdigit() and rest[:1].isdigit())
