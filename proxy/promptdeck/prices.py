"""What recorded answers cost: whose bill they are on, by the prices of genai-prices.

It is an extra (`prices`), asks no network, and is imported only for answers of providers that send
bills. Prices are those of the day of the recording.
"""

from decimal import Decimal
from typing import Any
from urllib.parse import urlsplit

from promptdeck.core.headers import served_in
from promptdeck.core.interaction import Interaction

_LOCAL = ("localhost", "127.0.0.1", "::1")
"""Hosts that send no bills."""


def biller_of(item: Interaction) -> dict[str, Any] | None:
    """Who is paid for a recorded answer, as genai-prices' functions take it; None for nobody.

    A provider is known by its URL, or where one of several upstreams was chosen by its name there:
    a model's name alone is no bill.
    """
    if served := served_in(item.response.headers):
        return {"provider_id": served.upstream}
    if urlsplit(item.upstream).hostname in _LOCAL:
        return None
    return {"provider_api_url": item.upstream}


def saved_by_cache(item: Interaction, model: str, tokens: int) -> Decimal | None:
    """What so many tokens of a prompt cost more than if the provider's cache had held them.

    None if genai-prices is not installed or knows no price for the model of that recording.
    """
    biller = biller_of(item)
    if biller is None:
        return None
    try:
        import genai_prices
    except ImportError:
        return None
    from datetime import UTC, datetime

    day = datetime.fromtimestamp(item.recorded_at, UTC)
    try:
        fresh, cached = (
            genai_prices.calc_price(
                genai_prices.Usage(input_tokens=tokens, cache_read_tokens=held, output_tokens=0),
                model,
                genai_request_timestamp=day,
                **biller,
            ).total_price
            for held in (0, tokens)
        )
    except (LookupError, ValueError):
        return None
    return max(fresh - cached, Decimal(0))


def money(dollars: float) -> str:
    """Dollars with two digits of cents; below one dollar with up to six, to see something."""
    if dollars >= 1 or not dollars:
        return f"${dollars:,.2f}"
    return "$" + f"{dollars:.6f}".rstrip("0") if dollars >= 1e-6 else "less than $0.000001"
