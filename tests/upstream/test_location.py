"""Where answers lead: to the deck, wherever upstream means itself."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from yarl import URL

from promptdeck.upstream.location import leads, led_here
from tests.conftest import Start
from tests.raw_client import talking
from tests.raw_upstream import wired

BASE = URL("http://up.example:8000/api/v1")
ASKED = URL("http://up.example:8000/api/v1/embeddings?a=1", encoded=True)


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ("http://up.example:8000/api/v1/embeddings/", "/v1/embeddings/"),
        ("HTTP://UP.example:8000/api/v1/x?b=%2F#c", "/v1/x?b=%2F#c"),
        ("/api/v1/x", "/v1/x"),
        ("//up.example:8000/api/v1/x", "/v1/x"),
        ("embeddings/", "/v1/embeddings/"),
        ("?b=2", "/v1/embeddings?b=2"),
        ("http://up.example:8000/api/v1", "/v1"),
        ("http://up.example:8000/api/v12/x", "http://up.example:8000/api/v12/x"),
        ("/api/v1beta/operations/o", "/v1beta/operations/o"),
        ("/login", "http://up.example:8000/login"),
        ("../../admin", "http://up.example:8000/admin"),
        ("https://up.example:8000/api/v1/x", "https://up.example:8000/api/v1/x"),
        ("http://other.example/api/v1/x", "http://other.example/api/v1/x"),
        (
            "http://up.example:8000@evil.example/api/v1/",
            "http://up.example:8000@evil.example/api/v1/",
        ),
        ("http://[broken", "http://[broken"),
    ],
)
def test_what_leads_below_the_base_url_leads_to_us(value: str, told: str) -> None:
    for name in ("Location", "content-location", "Operation-Location"):
        assert led_here(((name, value), ("X-Else", value)), ASKED, BASE) == (
            (name, told),
            ("X-Else", value),
        )


@given(st.text(max_size=30))
def test_any_value_is_taken(value: str) -> None:
    assert leads((("location", value),))
    led_here((("location", value),), ASKED, BASE)


@pytest.mark.parametrize("fast", [True, False])
async def test_a_client_that_follows_stays_with_the_deck(start: Start, fast: bool) -> None:
    async def redirect(writer: object) -> None:
        told = f"Location: http://127.0.0.1:{server.port}/v1/embeddings/\r\nContent-Length: 0"
        writer.write(f"HTTP/1.1 307 Temporary Redirect\r\n{told}\r\n\r\n".encode())  # type: ignore[attr-defined]

    async with wired(redirect) as server:
        deck = await start(mode="cache", fast=fast, upstream=server.url)
        opened = await deck.request("POST", "/_deck/sessions", b"{}")
        session = f"/session/{opened.json['id']}"
        async with talking(deck.server) as talk:
            for prefix in ("", "/cassette/a/b", session):
                for _ in range(3):
                    talk.ask(b'{"model":"e","input":"a"}', target=prefix + "/v1/embeddings")
                    got = await talk.answer()
                    assert got.status.split()[1] == "307"
                    assert got.headers["location"] == prefix + "/v1/embeddings/"
