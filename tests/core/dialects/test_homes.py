"""Whose a call is: no key goes to another provider than its own."""

import pytest

from promptdeck.core.dialects.homes import HOMES, Homes, home_of
from promptdeck.core.dialects.providers import PROVIDERS
from promptdeck.core.interaction import Request
from promptdeck.core.routing.upstreams import BUILTINS

BEARER = ("Authorization", "Bearer k")
CALLS = {
    "anthropic": [
        ("/v1/messages", ()),
        ("/v1/messages?beta=true", (("x-api-key", "k"),)),
        ("/v1/messages/count_tokens", ()),
        ("/v1/messages/batches/b1", ()),
        ("/v1/complete", ()),
        ("/v1/models", (("anthropic-version", "2023-06-01"),)),
        ("/v1/files", (("X-Api-Key", "k"), ("Anthropic-Version", "2023-06-01"))),
    ],
    "google": [
        ("/v1beta/models/gemini:generateContent", ()),
        ("/v1beta/models/gemini:streamGenerateContent?alt=sse&key=k", ()),
        ("/v1alpha/models", ()),
        ("/v1beta1/projects/p/locations/l/publishers/google/models/m:generateContent", ()),
        ("/v1/models/gemini:countTokens", ()),
        ("/v1/models", (("x-goog-api-key", "k"),)),
        ("/v1beta/openai/chat/completions", (BEARER,)),
    ],
    "azure": [
        ("/v1/deployments/d/chat/completions?api-version=2024-10-21", ()),
        ("/v1/models?api-version=2024-10-21", (("api-key", "k"),)),
    ],
    "cohere": [("/v2/chat", (BEARER,)), ("/v2/embed", ())],
    "ollama": [("/api/chat", ()), ("/api/tags", ())],
    "": [
        ("/v1/chat/completions", (BEARER,)),
        ("/v1/responses", ()),
        ("/v1/models", ()),
        ("/v1/models/ft:gpt-4o:acme", ()),
        ("/v1/messages-of-mine", ()),
        ("/v1/threads/t/messages", ()),
        ("/v1/models", (("x-api-key", "k"),)),
    ],
}


@pytest.mark.parametrize(
    ("name", "target", "headers"),
    [(name, *call) for name, calls in CALLS.items() for call in calls],
)
def test_a_call_is_its_providers(
    name: str, target: str, headers: tuple[tuple[str, str], ...]
) -> None:
    assert home_of(target, headers) == name


def base(upstream: str, name: str, **set_by_user: str) -> str | None:
    target, headers = CALLS[name][0]
    request = Request("POST", target, "application/json", b"{}")
    route = Homes(upstream, set_by_user).route(request, headers)
    assert route is None or (route.key, route.body, route.in_model) == ("", b"{}", True)
    return route and route.url


@pytest.mark.parametrize(
    "upstream", [url for name, url in PROVIDERS.items() if not BUILTINS[name].is_gateway]
)
def test_behind_a_known_provider_each_call_goes_to_its_own(upstream: str) -> None:
    assert base(upstream, "") is None
    for name, home in HOMES.items():
        asked = base(upstream, name)
        same = any(domain in upstream for domain in home.domains)
        assert asked == (None if same else home.url), name


@pytest.mark.parametrize(
    "upstream", ["http://127.0.0.1:8000/v1", "https://llm.corp.example/v1", "http://[::1]:1/v1"]
)
def test_a_gateway_gets_all_but_what_is_set_beside_it(upstream: str) -> None:
    for name in HOMES:
        assert base(upstream, name) is None
        at = "http://other/openai" if name == "azure" else "http://other/v1"
        assert base(upstream, name, **{name: "http://other/v1"}) == at
        assert base(upstream, "", **{name: "http://other/v1"}) is None


def test_a_name_that_only_ends_like_a_providers_is_a_gateway() -> None:
    assert base("https://notanthropic.com/v1", "google") is None
    assert base("https://eu.api.anthropic.com/v1", "google") == HOMES["google"].url


@pytest.mark.parametrize(
    ("target", "url"),
    [
        ("/v1/deployments/d/chat/completions?api-version=2024-10-21", "https://x/openai"),
        ("/v1/models?api-version=2024-10-21", "https://x/openai"),
        ("/v1/chat/completions", "https://x/openai/v1"),
        ("/v1/responses?api-version=preview", "https://x/openai/v1"),
    ],
)
def test_azures_calls_go_below_its_old_path_or_below_v1(target: str, url: str) -> None:
    for base in ("https://x", "https://x/openai", "https://x/openai/v1", "https://x/v1"):
        route = Homes("https://api.openai.com/v1", {"azure": base}).route(
            Request("POST", target, "application/json", b"{}"), (("api-key", "k"),)
        )
        assert route is not None
        assert route.url == url
