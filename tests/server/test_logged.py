"""The log: a line for each event, whatever stands in it."""

import logging

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptdeck.server.logged import one_line
from tests.conftest import Start

FORGED = "/nope%0a00:00:00%20GET%20/v1/models%20200%20FORGED"


@given(st.text() | st.text("\n\r\x1b\x7f\x85\u2028\u202e\ud800 a"))
def test_a_line_is_one_and_nothing_in_it_moves_a_terminal(text: str) -> None:
    told = one_line(text)
    assert told.isprintable()
    assert len(told.splitlines()) <= 1
    if text.isprintable():
        assert told == text


@pytest.mark.parametrize(
    "path", [FORGED, "/v1/x%0d%0aFORGED", "/v1/%1b[2JFORGED", "/v1/%e2%80%a8FORGED"]
)
@pytest.mark.parametrize("mode", ["replay", "passthrough"])
async def test_a_path_cannot_forge_a_line(
    start: Start, caplog: pytest.LogCaptureFixture, path: str, mode: str
) -> None:
    caplog.set_level(logging.DEBUG, "promptdeck")
    deck = await start(mode=mode)
    for _ in range(2):
        await deck.request("GET", path)
    await deck.chat(service_tier="a\nFORGED\x1b[2J", odd="b\nFORGED")
    assert "FORGED" in caplog.text
    # What explains a miss has lines of its own; none of them begins with what was asked.
    lines = [line for message in caplog.messages for line in message.split("\n")]
    assert all(line.isprintable() for line in lines)
    assert not [line for line in lines if line.startswith(("FORGED", "00:00:00"))]
