"""How much of a kept prompt a provider's cache can give back, by that provider's own rules.

Sources, as of November 2026: Claude docs, "Prompt caching" (breakpoints, 20 blocks back, minimum by
model, 5 minutes or an hour); OpenAI's guide "Prompt caching" (from 1,024 tokens on, in steps of
128, an hour at most, or 24 hours where that is asked for); Gemini API, "Context caching" (implicit,
2,048 or 4,096 tokens by model, no word of how long).
"""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from promptdeck.core.dialects.pieces import as_object
from promptdeck.core.dialects.translate.neutral import Prompt

from .blocks import KeptPrefix, PromptBlock, size_of


class CacheLaw(NamedTuple):
    """The rules of one model's prompt cache."""

    provider: str
    """anthropic, google or openai, whose rules most others follow."""
    least: int
    """Tokens: a shorter beginning is not kept."""
    step: int = 1
    """Tokens in which what is reused is counted."""
    lives: float | None = None
    """Seconds for which it is kept at most; None where nobody says, or a breakpoint does."""


# The longest that a name begins with counts; names behind `claude-`.
_LEAST_CLAUDE: Mapping[str, int] = {
    "": 1024,
    "3-haiku": 2048,
    "3-5-haiku": 2048,
    "haiku-4-5": 4096,
    "opus-4-5": 4096,
    "opus-4-6": 4096,
    "opus-4-7": 2048,
    "opus-5": 512,
    "fable-": 512,
    "mythos-": 512,
}
_LOOKBACK = 20
"""Blocks behind which an earlier breakpoint is still found, the one that is marked included."""
_HOUR = 3600.0
_MINUTES = 300.0


def law_of(prompt: Prompt, model: str = "", dialect: str = "") -> CacheLaw:
    """The rules for a prompt; `model` and `dialect` of who served it, where that was chosen."""
    name = (model or prompt.model).lower().replace(".", "-")
    dialect = dialect or prompt.dialect
    _, is_claude, claude = name.rpartition("claude-")
    if is_claude or dialect == "messages":
        begun = claude if is_claude else ""
        return CacheLaw("anthropic", _LEAST_CLAUDE[_longest(begun)])
    if dialect == "gemini" or "gemini-" in name:
        return CacheLaw("google", 2048 if "gemini-2-5" in name else 4096)
    long = prompt.options.get("prompt_cache_retention") == "24h"
    return CacheLaw("openai", 1024, 128, 24 * _HOUR if long else _HOUR)


def _longest(name: str) -> str:
    return max((one for one in _LEAST_CLAUDE if name.startswith(one)), key=len)


class Reusable(NamedTuple):
    """How much of what was kept a provider could have reused."""

    tokens: int
    why: str = ""
    """What stood in the way of the rest: `expired`, `unmarked`, `moved`; empty for nothing but the
    provider's minimum and steps."""


Counting = Callable[[int], int]
"""Gives the tokens of so many characters."""


def reusable(
    law: CacheLaw,
    old: Sequence[PromptBlock],
    new: Sequence[PromptBlock],
    kept: KeptPrefix,
    age: float,
    tokens: Counting,
) -> Reusable:
    """What could be reused of an earlier request that was sent `age` seconds before."""
    if law.provider == "anthropic":
        return _marked(law, old, new, kept, age, tokens)
    found = _counted(law, tokens(kept.size))
    if found and law.lives is not None and age > law.lives:
        return Reusable(0, "expired")
    return Reusable(found)


def ideal(law: CacheLaw, old: Sequence[PromptBlock], tokens: Counting) -> int:
    """What could be reused of a request by one that repeats it whole, at once."""
    if law.provider == "anthropic":
        marked = [n for n, block in enumerate(old, 1) if block.mark is not None]
        old = old[: marked[-1]] if marked else old
    return _counted(law, tokens(size_of(old)))


def _counted(law: CacheLaw, tokens: int) -> int:
    return tokens // law.step * law.step if tokens >= law.least else 0


def _marked(
    law: CacheLaw,
    old: Sequence[PromptBlock],
    new: Sequence[PromptBlock],
    kept: KeptPrefix,
    age: float,
    tokens: Counting,
) -> Reusable:
    """By breakpoints: up to the last one of the earlier request that the new one's reach."""
    if tokens(kept.size) < law.least:
        return Reusable(0)
    written = [n for n in range(kept.blocks) if old[n].mark is not None]
    places = _places(new)
    marks = [places[n] for n, block in enumerate(new) if block.mark is not None]
    if not written and all(block.mark is None for block in old):
        return Reusable(0, "unmarked")
    found = [n for n in written if any(0 <= at - places[n] < _LOOKBACK for at in marks)]
    alive = [n for n in found if age <= _life(old[n])]
    best = alive[-1] if alive else None
    could = 0 if best is None else _counted(law, tokens(size_of(new[: best + 1])))
    if best is None and found:
        return Reusable(0, "expired")
    if written and best != written[-1]:
        return Reusable(could, "expired" if written[-1] in found else "moved")
    if not written and not kept.broke:
        return Reusable(could, "moved")
    return Reusable(could)


def _places(blocks: Sequence[PromptBlock]) -> list[int]:
    """For each block, how many that a model reads stand before it."""
    places, count = [], 0
    for block in blocks:
        places.append(count)
        count += block.is_read
    return places


def _life(block: PromptBlock) -> float:
    """For how many seconds the cache keeps what a marked block ends."""
    return _HOUR if as_object(block.mark).get("ttl") == "1h" else _MINUTES
