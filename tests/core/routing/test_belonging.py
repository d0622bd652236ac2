"""belonging: no key goes to another upstream than its own, whichever header brings it."""

from itertools import product

import pytest

from promptdeck.core.dialects.homes import Homes
from promptdeck.core.headers import CREDENTIALS
from promptdeck.core.interaction import Request
from promptdeck.core.routing.belonging import OWN_HEADERS, belonging
from promptdeck.core.routing.upstreams import BUILTINS, Declared, named_upstreams

DECLARED = [
    Declared("local", url="http://127.0.0.1:8000/v1"),
    Declared("corp", url="http://corp/v1", dialects=("messages",)),
]
UPSTREAMS = named_upstreams(DECLARED, {}, {})
DEFAULTS = [one.url for one in UPSTREAMS.values()]
TARGETS = {
    "/v1/chat/completions": "",
    "/v1/messages": "anthropic",
    "/v1beta/models/gemini-3:generateContent": "google",
}
# Of everything that may hold a secret, in the words of a client.
SENT = tuple((name.title(), f"secret-{name}") for name in sorted(CREDENTIALS))


@pytest.mark.parametrize(("default", "target"), [*product(DEFAULTS, TARGETS)])
def test_a_clients_keys_go_to_its_own_upstream_and_to_no_other(default: str, target: str) -> None:
    route = Homes(default, {}).route(Request("POST", target, "", b""), ())
    own_url = route.url if route else default
    for name, upstream in UPSTREAMS.items():
        for dialect in ("chat", "messages", "gemini", "responses"):
            passed = {key.lower() for key, _ in belonging(SENT, upstream, own_url, dialect)}
            if upstream.url == own_url:
                assert passed == CREDENTIALS
            else:
                # Who sends the header of one provider alone has that one's key.
                assert passed == {key for key, owner in OWN_HEADERS.items() if owner == name}


@pytest.mark.parametrize("client", ["chat", "responses", "messages", "gemini"])
@pytest.mark.parametrize("dialect", ["chat", "responses", "messages", "gemini"])
def test_on_a_server_of_several_providers_a_key_is_of_its_client_s(
    client: str, dialect: str
) -> None:
    upstream = UPSTREAMS["corp"]
    passed = belonging(SENT, upstream, upstream.url, dialect, client)
    alike = client == dialect or {client, dialect} == {"chat", "responses"}
    assert {key.lower() for key, _ in passed} == (CREDENTIALS if alike else frozenset())


@pytest.mark.parametrize("name", BUILTINS)
def test_a_key_in_a_header_of_one_provider_goes_to_that_one(name: str) -> None:
    sent = (("x-api-key", "a"), ("X-Goog-Api-Key", "g"), ("Authorization", "Bearer c"))
    passed = belonging(sent, UPSTREAMS[name], "http://elsewhere/v1", "chat")
    expected = {"anthropic": sent[:1], "google": sent[1:2]}.get(name, ())
    assert passed == expected


def test_what_is_of_one_protocol_or_one_account_stays_behind() -> None:
    sent = (
        ("Anthropic-Beta", "b"),
        ("X-Goog-User-Project", "p"),
        ("OpenAI-Organization", "o"),
        ("openai-project", "p"),
        ("User-Agent", "u"),
        ("x-stainless-lang", "python"),
    )
    openai, anthropic = UPSTREAMS["openai"], UPSTREAMS["anthropic"]
    assert belonging(sent, anthropic, openai.url, "messages") == (sent[0], *sent[4:])
    assert belonging(sent, openai, openai.url, "chat") == sent[2:]
    assert belonging(sent, UPSTREAMS["groq"], openai.url, "chat") == sent[4:]
    assert belonging(sent, UPSTREAMS["google"], openai.url, "gemini") == (sent[1], *sent[4:])
