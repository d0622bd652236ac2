"""Requests that bring their own provider."""

from typing import Any

import orjson
import pytest

from promptdeck.core.dialects.providers import PROVIDERS, routed
from promptdeck.core.interaction import Headers, Request
from promptdeck.errors import ClientError

URLS = {"openai": "http://openai/v1", "xai": "http://xai/v1"}


def ask(model: Any, **headers: str) -> tuple[Any, Any, Any]:
    """The model that counts, the route's URL and the model that is sent."""
    request = Request("POST", "/v1/chat/completions", "", orjson.dumps({"model": model, "n": 1}))
    named: Headers = tuple((name.replace("_", "-"), value) for name, value in headers.items())
    counted, route = routed(request, named, URLS)
    sent = orjson.loads(route.body)["model"] if route else None
    return orjson.loads(counted.body)["model"], route and (route.url, route.key), sent


def test_without_such_headers_nothing_changes() -> None:
    assert ask("openai/gpt") == ("openai/gpt", None, None)


def test_the_key_alone_is_enough_where_the_model_names_the_provider() -> None:
    route = ("http://openai/v1", "k")
    assert ask("openai/gpt", X_Provider_Key="k") == ("openai/gpt", route, "gpt")


def test_the_provider_counts_as_part_of_the_model() -> None:
    route = ("http://xai/v1", "k")
    asked = ask("grok", X_Provider="xai", X_Provider_Key="k")
    assert asked == ("xai/grok", route, "grok")
    assert asked == ask("any", X_Provider="xai", X_Provider_Key="k", X_Provider_Model="grok")


def test_a_slash_of_the_models_own_stays() -> None:
    route = ("http://xai/v1", "")
    assert ask("meta/llama", x_provider="xai") == ("xai/meta/llama", route, "meta/llama")


@pytest.mark.parametrize(
    ("model", "headers"),
    [
        ("gpt", {"X_Provider": "nobody"}),
        ("gpt", {"X_Provider_Key": "k"}),
        (None, {"X_Provider_Key": "k"}),
    ],
)
def test_an_unknown_provider_is_an_error_with_the_list(model: Any, headers: dict[str, str]) -> None:
    with pytest.raises(ClientError, match="one of openai, xai") as caught:
        ask(model, **headers)
    assert caught.value.status == 400
    assert "k'" not in caught.value.message


def test_every_provider_has_a_base_url_without_a_slash_at_its_end() -> None:
    assert all(url.startswith("http") and not url.endswith("/") for url in PROVIDERS.values())
    assert len(PROVIDERS) == 16
