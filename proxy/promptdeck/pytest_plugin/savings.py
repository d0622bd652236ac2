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
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from promptdeck.core.interaction import Interaction, Response

_LOCAL = ("localhost", "127.0.0.1", "::1")


class Worth(NamedTuple):
    """Of one answer."""

    tokens: int = 0
    took_ms: int = 0
    dollars: Decimal | None = None


def saved(test: dict[str, Any]) -> dict[str, Any]:
    """What a test's replayed answers add up to; `dollars_saved` is None if no price is known."""
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
    """Of each recording; nothing for a file that is gone or broken."""
    from promptdeck.errors import CassetteError
    from promptdeck.stores.cassettes.file import read

    try:
        found = read(Path(cassette))
    except CassetteError:
        return {}
    return {item.id: _worth_of(item) for item in found}


def _worth_of(item: "Interaction") -> Worth:
    answer = _answer(item.response)
    usage = answer.get("usage")
    tokens = usage.get("total_tokens") if isinstance(usage, dict) else None
    if type(tokens) is not int:
        return Worth(took_ms=item.response.took_ms)
    return Worth(tokens, item.response.took_ms, _price(answer, item.upstream, item.recorded_at))


def _answer(response: "Response") -> dict[str, Any]:
    """A chat completion whole, whichever way it was sent; nothing where it has no usage."""
    import orjson

    from promptdeck.core.dialects.chat.variants import to_json

    if b'"total_tokens"' not in response.body:
        return {}
    try:
        whole = to_json(response) if response.is_stream else response
        answer = orjson.loads(whole.body)
    except ValueError:
        return {}
    return answer if isinstance(answer, dict) else {}


def _price(answer: dict[str, Any], upstream: str, recorded_at: float) -> Decimal | None:
    if urlsplit(upstream).hostname in _LOCAL:
        return None
    try:
        import genai_prices
    except ImportError:
        return None
    from datetime import UTC, datetime

    day = datetime.fromtimestamp(recorded_at, UTC)
    for flavor in ("chat", "default"):
        try:
            used = genai_prices.extract_usage(answer, provider_api_url=upstream, api_flavor=flavor)
            return used.calc_price(genai_request_timestamp=day).total_price
        except (LookupError, ValueError):
            continue
    return None
