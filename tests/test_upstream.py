"""The way upstream: whose key is sent, and what is never sent."""

import pytest

from proxy.upstream import PLACEHOLDER_KEY, Upstream

from .conftest import Start


@pytest.mark.parametrize(
    ("client", "sent"),
    [
        ({}, "Bearer ours"),
        ({"Authorization": f"Bearer {PLACEHOLDER_KEY}"}, "Bearer ours"),
        ({"Authorization": "Bearer theirs"}, "Bearer theirs"),
        ({"x-api-key": "theirs"}, None),
    ],
)
async def test_our_key_is_sent_only_where_the_client_has_none(
    start: Start, client: dict[str, str], sent: str | None
) -> None:
    deck = await start(mode="passthrough", environ={"PROMPTDECK_UPSTREAM_API_KEY": "ours"})
    await deck.chat(headers=client)
    assert deck.upstream.seen[0].headers.get("Authorization") == sent


async def test_the_placeholder_never_leaves_the_house(start: Start) -> None:
    deck = await start(mode="passthrough")
    await deck.chat(headers={"Authorization": f"Bearer {PLACEHOLDER_KEY}"})
    assert PLACEHOLDER_KEY not in str(deck.upstream.seen[0].headers)


async def test_a_redirect_is_the_clients_to_follow(start: Start) -> None:
    from .upstream import raw

    deck = await start(mode="cache")
    deck.upstream.answers = [raw(b"", status=307, headers={"Location": "http://127.0.0.1:9/"})]
    url = f"{deck.server.base_url}/models"
    async with deck.session.get(url, allow_redirects=False) as response:
        assert (response.status, response.headers["Location"]) == (307, "http://127.0.0.1:9/")


async def test_nothing_is_opened_before_the_first_call() -> None:
    upstream = Upstream("http://127.0.0.1:9/v1", None, None, None)
    await upstream.close()
    assert upstream.calls == 0
