"""keys: which headers an upstream gets, and with whose key."""

import pytest

from promptdeck.core.dialects.providers import Route
from promptdeck.core.headers import PLACEHOLDER_KEY
from promptdeck.core.interaction import Headers, Request
from promptdeck.engine.incoming import Incoming
from promptdeck.upstream.keys import Key, Keys

REQUEST = Request("POST", "/v1/messages", "application/json", b"{}")


def sent(keys: Keys, *headers: tuple[str, str], route: Route | None = None) -> Headers:
    """What an upstream gets, but for what it always does."""
    found = keys.headers(Incoming(REQUEST, headers, route))
    return tuple(item for item in found if item[0] != "Accept-Encoding")


@pytest.mark.parametrize(
    ("auth", "header"),
    [
        ("bearer", (("Authorization", "Bearer k"),)),
        ("x-api-key", (("x-api-key", "k"),)),
        ("x-goog-api-key", (("x-goog-api-key", "k"),)),
        ("api-key", (("api-key", "k"),)),
        ("none", ()),
    ],
)
def test_a_key_is_sent_as_its_upstream_wants_it(auth: str, header: Headers) -> None:
    assert sent(Keys(Key("k", auth))) == header


def test_a_later_version_of_anthropics_api_wants_bearer() -> None:
    keys = Keys(Key("k", "x-api-key"))
    old, new = ("anthropic-version", "2023-06-01"), ("anthropic-version", "2026-10-21")
    assert sent(keys, old) == (old, ("x-api-key", "k"))
    assert sent(keys, new) == (new, ("Authorization", "Bearer k"))


@pytest.mark.parametrize("name", ["Authorization", "x-api-key", "X-Goog-Api-Key", "api-key"])
def test_a_clients_own_key_is_put_before_ours(name: str) -> None:
    assert sent(Keys(Key("k")), (name, "own")) == ((name, "own"),)
    assert sent(Keys(Key("k")), (name, f"Bearer {PLACEHOLDER_KEY}")) == (
        ("Authorization", "Bearer k"),
    )


def test_a_call_at_home_elsewhere_gets_the_key_of_that_and_no_other() -> None:
    keys = Keys(Key("ours"), {"http://anthropic/v1": Key("a", "x-api-key")})
    home = Route("http://anthropic/v1", "", b"{}", is_home=True)
    assert sent(keys, route=home) == (("x-api-key", "a"),)
    assert sent(keys, ("x-api-key", "own"), route=home) == (("x-api-key", "own"),)
    assert sent(keys, route=home._replace(url="http://google/v1")) == ()
    brought = home._replace(key="brought", is_home=False)
    assert sent(keys, ("Authorization", "Bearer x"), route=brought) == (
        ("Authorization", "Bearer brought"),
    )


def test_extra_headers_take_the_place_of_a_clients() -> None:
    keys = Keys(extra=(("X-Team", "blue"),))
    assert sent(keys, ("x-team", "red"), ("X-A", "1")) == (("X-A", "1"), ("X-Team", "blue"))


def test_a_key_that_is_missing_is_told() -> None:
    incoming = Incoming(REQUEST, ())
    assert Keys().is_missing(incoming)
    assert Keys(Key("k", "none")).is_missing(incoming)
    assert not Keys(Key("k", "api-key")).is_missing(incoming)
    assert not Keys().is_missing(Incoming(REQUEST, (("x-api-key", "own"),)))
