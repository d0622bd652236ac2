"""What a request asks of a run."""

from typing import Any

import pytest

from promptdeck.core.agent.asked import Named, wish_of
from promptdeck.errors import ClientError


@pytest.mark.parametrize("servers", [None, [], "", {}, [None], [{}]])
def test_no_server_no_run(servers: Any) -> None:
    assert wish_of({"mcp_servers": servers}, 10) is None
    assert wish_of({}, 10) is None


def test_servers_in_all_their_forms() -> None:
    wish = wish_of({"mcp_servers": [
        "https://user:pw@host.example:8443/mcp?key=k#f", "org/name", "org/name@v1", {"slug": "a/b"},
        {"name": "mine", "url": "http://127.0.0.1/mcp"}, {"name": "known"},
        {"url": "http://127.0.0.1/mcp", "credentials": {"c": "blob"}}]}, 10)  # fmt: skip
    assert wish is not None
    assert wish.servers == (
        Named("https://host.example:8443/mcp", "https://user:pw@host.example:8443/mcp?key=k#f"),
        Named("org/name", slug="org/name"),
        Named("org/name-2", slug="org/name", version="v1"),
        Named("a/b", slug="a/b"),
        Named("mine", "http://127.0.0.1/mcp"),
        Named("known", slug="known"),
        Named("http://127.0.0.1/mcp", "http://127.0.0.1/mcp", sealed=True),
    )
    assert wish_of({"mcp_servers": "org/name"}, 10) == wish_of({"mcp_servers": ["org/name"]}, 10)


@pytest.mark.parametrize(
    ("more", "structured"),
    [
        ({}, False), ({"handoff_mode": True}, True), ({"correlation_id": "hs_1"}, True),
        ({"deferred_calls": [{"id": "c", "name": "n"}]}, True),
        ({"handoff_config": {"x": 1}}, True),
        ({"handoff_config": {}}, False), ({"handoff_mode": False, "correlation_id": "x"}, False),
    ],
)  # fmt: skip
def test_when_a_handoff_is_structured(more: dict[str, Any], structured: bool) -> None:
    wish = wish_of({"mcp_servers": ["a/b"], **more}, 10)
    assert wish is not None
    assert wish.structured is structured


def test_several_answers_cannot_be_had_with_servers() -> None:
    with pytest.raises(ClientError, match="n and mcp_servers cannot be had together") as no:
        wish_of({"mcp_servers": ["a/b"], "n": 2}, 10)
    assert no.value.param == "n"
    assert wish_of({"mcp_servers": ["a/b"], "n": 1}, 10)
