"""What the SDKs' own tests need to run against a server: a plugin for their pytest."""

import os
from collections.abc import Generator
from typing import Any
from urllib.request import Request, urlopen

import pytest

_SKIPPED = "Mock server tests are disabled"
# The upstream answers with this id. The SDK's type of a stored message knows only the assistant's.
_STORED = b"""{"id": "completion_id", "model": "gpt-6-astra", "store": true,
"messages": [{"role": "assistant", "content": "hi"}], "metadata": {"foo": "string"}}"""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The Dedalus SDK ships its API tests skipped, for want of a server."""
    for item in items:
        item.own_markers = [
            mark for mark in item.own_markers if mark.kwargs.get("reason") != _SKIPPED
        ]


@pytest.hookimpl(wrapper=True)
def pytest_fixture_setup() -> Generator[None, Any, Any]:
    """Without an authorization server the Dedalus client sends credentials as they are."""
    made = yield
    if hasattr(made, "as_base_url"):
        made.as_base_url = ""
    return made


@pytest.fixture(autouse=True)
def stored_completion(request: pytest.FixtureRequest) -> None:
    """The one that the openai SDK's tests read, change, list and delete, anew for each test."""
    if "chat" in request.node.path.parts and "create" not in request.node.name:
        url = f"{os.environ['TEST_API_BASE_URL']}/chat/completions"
        with urlopen(Request(url, _STORED, {"Content-Type": "application/json"})) as answer:
            answer.read()
