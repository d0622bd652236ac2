"""Tokens as Anthropic counts them, and as chat completions do.

Anthropic's `input_tokens` are those that no cache had or took; chat's `prompt_tokens` are all.
"""

from promptdeck.core.dialects.pieces import as_list, as_object
from promptdeck.core.dialects.translate.neutral import Usage
from promptdeck.core.text.jsontext import JSON, JSONObject

_READ = frozenset(
    """input_tokens output_tokens cache_creation_input_tokens cache_read_input_tokens
    output_tokens_details""".split()
)


class Metering:
    """The counts of an answer on its way."""

    def __init__(self) -> None:
        self._told: JSONObject = {}

    def add(self, usage: JSON) -> None:
        """Take what an event counts: all counts are totals, so they replace the former ones."""
        self._told |= {key: one for key, one in as_object(usage).items() if one is not None}

    def usage(self) -> Usage:
        """The counts so far, as chat completions have them.

        Those of models that went on, or gave advice, on the way are in no total: they are beside.
        """
        told = self._told
        cached, taken = told.get("cache_read_input_tokens"), told.get("cache_creation_input_tokens")
        prompt = sum(map(_count, (told.get("input_tokens"), cached, taken)))
        completion = _count(told.get("output_tokens"))
        rest = {key: one for key, one in told.items() if key not in _READ}
        if several := as_list(told.get("iterations")):
            rest["all_iterations"] = {
                key: sum(_count(as_object(one).get(key)) for one in several)
                for key in ("input_tokens", "output_tokens")
            }
        thought = as_object(told.get("output_tokens_details")).get("thinking_tokens")
        return Usage(
            prompt,
            completion,
            prompt + completion,
            None if cached is None else _count(cached),
            None if taken is None else _count(taken),
            None if thought is None else _count(thought),
            rest,
        )


def _count(value: JSON) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) else 0


def counted(usage: Usage) -> JSONObject:
    """The counts of chat completions as Anthropic has them."""
    held, taken = usage.cached or 0, usage.cache_written or 0
    told: JSONObject = {
        "input_tokens": max(usage.prompt - held - taken, 0),
        "cache_creation_input_tokens": taken,
        "cache_read_input_tokens": held,
        "output_tokens": usage.completion,
    }
    if usage.reasoning is not None:
        told["output_tokens_details"] = {"thinking_tokens": usage.reasoning}
    return told
