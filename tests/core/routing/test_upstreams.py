"""upstreams: what is built in, what a user says over it, and where keys come from."""

import re

import pytest

from promptdeck.core.headers import PLACEHOLDER_KEY
from promptdeck.core.routing.upstreams import (
    BUILTINS,
    CHAT_URLS,
    Declared,
    named_upstreams,
    provider_at,
)

NAMES = """openai anthropic google mistral xai dedalus deepseek groq cerebras fireworks_ai
    together_ai moonshot perplexity openrouter cohere ollama""".split()


def test_the_providers_of_the_contract_are_built_in() -> None:
    assert [*BUILTINS] == NAMES == [*CHAT_URLS]


@pytest.mark.parametrize("name", NAMES)
def test_each_can_be_asked_with_only_a_key_in_the_environment(name: str) -> None:
    one = BUILTINS[name]
    for variable in one.keys:
        assert re.fullmatch(r"[A-Z_]+_API_KEY", variable)
        found = named_upstreams((), {variable: "k"}, {})[name]
        assert (found.url, found.key, found.key_from) == (one.url, "k", variable)
        assert found.dialects == one.dialects
        assert (found.provider, found.declared) == (name, False)
    assert not re.search("/$", one.url)
    assert one.url.startswith("https://") or name == "ollama"


def test_keys_are_sent_as_their_dialect_has_it() -> None:
    sent = {name: one.auth for name, one in named_upstreams((), {}, {}).items()}
    assert sent.pop("anthropic") == "x-api-key"
    assert sent.pop("google") == "x-goog-api-key"
    assert {*sent.values()} == {"bearer"}


def test_the_first_variable_that_is_set_counts_and_a_placeholder_is_none() -> None:
    environ = {"GOOGLE_API_KEY": "", "GEMINI_API_KEY": "g", "OPENAI_API_KEY": PLACEHOLDER_KEY}
    found = named_upstreams((), environ, {})
    assert (found["google"].key, found["google"].key_from) == ("g", "GEMINI_API_KEY")
    assert (found["openai"].key, found["openai"].key_from) == ("", "")


def test_what_a_user_says_wins_over_what_is_built_in() -> None:
    said = [
        Declared("anthropic", url="http://proxy/v1", key="mine"),
        Declared("local", url="http://127.0.0.1:8000/v1", dialects=("messages", "chat")),
        Declared("west", url="https://api.mistral.ai/v1", auth="api-key"),
        Declared("nowhere"),
    ]
    found = named_upstreams(said, {"ANTHROPIC_API_KEY": "env", "MISTRAL_API_KEY": "m"}, {})
    assert [*found] == [
        "anthropic",
        "local",
        "west",
        "nowhere",
        *(n for n in NAMES if n != "anthropic"),
    ]
    anthropic = found["anthropic"]
    assert anthropic[:7] == (
        *("anthropic", "http://proxy/v1", ("messages",), "anthropic", "mine"),
        *("upstreams.anthropic.api_key", "x-api-key"),
    )
    assert anthropic.declared
    local = found["local"]
    assert (local.dialects, local.provider, local.auth) == (("messages", "chat"), "", "x-api-key")
    # Whose host it is, it is by another name; the other name's key is not taken for it.
    west = found["west"]
    assert (west.provider, west.key, west.auth) == ("mistral", "", "api-key")
    assert found["nowhere"].url == ""


def test_a_base_url_that_is_set_for_a_providers_calls_is_its_upstreams_too() -> None:
    found = named_upstreams((), {}, {"google": "http://corp/v1"})
    assert found["google"].url == "http://corp/v1"


@pytest.mark.parametrize("name", NAMES)
def test_a_provider_is_known_by_its_host(name: str) -> None:
    urls = (BUILTINS[name].url, CHAT_URLS[name])
    # Anything may listen on this machine.
    assert [provider_at(url) for url in urls] == 2 * ["" if name == "ollama" else name]
    assert provider_at("https://api.openai.com.evil.example/v1") == ""
