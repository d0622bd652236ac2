"""What a prompt would have cost less out of the provider's cache."""

from decimal import Decimal

import pytest

from promptdeck.prices import biller_of, saved_by_cache
from tests.recordings import interaction
from tests.translations import recorded


def test_a_bill_has_a_provider() -> None:
    one = interaction()._replace(upstream="https://api.anthropic.com/v1")
    assert biller_of(one) == {"provider_api_url": "https://api.anthropic.com/v1"}
    assert biller_of(one._replace(upstream="http://127.0.0.1:1/v1")) is None
    assert biller_of(recorded("chat", "messages")) == {"provider_id": "anthropic"}


def test_what_the_cache_would_have_saved() -> None:
    pytest.importorskip("genai_prices")
    one = interaction()._replace(upstream="https://api.anthropic.com/v1")
    # 3.00 dollars a million, and 0.30 out of the cache.
    assert saved_by_cache(one, "claude-sonnet-4-5", 100_000) == Decimal("0.27")
    assert saved_by_cache(one, "nobodys-model", 100_000) is None
    assert saved_by_cache(one._replace(upstream="http://[::1]:1/v1"), "gpt-4o", 9) is None
    assert saved_by_cache(one._replace(upstream="https://nobody.example/v1"), "gpt-4o", 9) is None
    assert saved_by_cache(recorded("chat", "messages"), "claude-opus-4-1", 1000) is not None
