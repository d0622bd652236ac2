"""What replayed answers had cost when they were recorded: tokens, seconds and dollars.

Prices are genai-prices' own (the extra `prices`), as they were on the day of the
recording; it is imported for answers of providers only, and asks no network. An
answer has a price where the recording names a provider that genai-prices knows
by its URL; a model's name alone is no bill.
"""

from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from promptdeck.core.interaction import Interaction


class Worth(NamedTuple):
    """The cost of one recorded answer when it was recorded."""

    tokens: int = 0
    """As its usage says: the total of prompt and answer."""
    took_ms: int = 0
    dollars: Decimal | None = None
    """None if no price is known."""


def saved(test: dict[str, Any]) -> dict[str, Any]:
    """The cost of the replayed answers of a test, to be added to its JSON object.

    `test` has the `cassette`'s path and, under `played`, how often each recording was played.
    `dollars_saved` is None if no price is known; `unpriced` counts answers without one.
    """
    worth = _worth(test["cassette"]) if test["played"] else {}
    played = [(worth.get(name, Worth()), times) for name, times in test["played"].items()]
    priced = [(one.dollars, times) for one, times in played if one.dollars is not None]
    return {
        "tokens_saved": sum(one.tokens * times for one, times in played),
        "seconds_saved": sum(one.took_ms * times for one, times in played) / 1000,
        "dollars_saved": float(sum(dollars * times for dollars, times in priced))
        if priced
        else None,
        "unpriced": sum(times for one, times in played if one.dollars is None),
    }


@cache
def _worth(cassette: str) -> dict[str, Worth]:
    """By id, the worth of each recording in a file; nothing for one that is gone or broken.

    Several tests may play one cassette, which is read once.
    """
    from promptdeck.errors import CassetteError
    from promptdeck.stores.cassettes.file import read

    try:
        found = read(Path(cassette))
    except CassetteError:
        return {}
    return {item.id: _worth_of(item) for item in found}


def _worth_of(item: "Interaction") -> Worth:
    """The worth of one recording; what has no usage cost its time only."""
    answer = _answer(item)
    usage = answer.get("usage")
    tokens = usage.get("total_tokens") if isinstance(usage, dict) else None
    if type(tokens) is not int:
        return Worth(took_ms=item.response.took_ms)
    return Worth(tokens, item.response.took_ms, _price(item, answer))


def _answer(item: "Interaction") -> dict[str, Any]:
    """A chat completion as JSON, whichever way it was sent; empty where it has no usage."""
    import orjson

    from promptdeck.core.dialects.chat.variants import to_json
    from promptdeck.core.dialects.interpreted import understood
    from promptdeck.core.interaction import Variant

    response = understood(item, Variant.JSON)
    if b'"total_tokens"' not in response.body:
        return {}
    try:
        whole = to_json(response) if response.is_stream else response
        answer = orjson.loads(whole.body)
    except ValueError:
        return {}
    return answer if isinstance(answer, dict) else {}


def _price(item: "Interaction", answer: dict[str, Any]) -> Decimal | None:
    """The price of an answer by genai-prices; None if that is not installed or knows none.

    Where one of several upstreams was chosen, it is that one's, by its own words.
    """
    from promptdeck.core.dialects.table import dialect_answering
    from promptdeck.core.headers import served_in
    from promptdeck.prices import biller_of

    provider = biller_of(item)
    if provider is None:
        return None
    if served_in(item.response.headers):
        answer = dialect_answering(item).message(item.response)
    try:
        import genai_prices
    except ImportError:
        return None
    from datetime import UTC, datetime

    day = datetime.fromtimestamp(item.recorded_at, UTC)
    # OpenAI's usage goes by the first name or the last; providers with one API only, by the second.
    for flavor in ("chat", "default", "responses"):
        try:
            used = genai_prices.extract_usage(answer, api_flavor=flavor, **provider)
            return used.calc_price(genai_request_timestamp=day).total_price
        except (LookupError, ValueError):
            continue
    return None
