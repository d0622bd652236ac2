"""Names of tools go to every provider and come back, whatever they are made of."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptdeck.core.dialects.translate.naming import own_name, safe_name
from promptdeck.core.dialects.translate.neutral import (
    CallClosed,
    CallOpened,
    CallSaid,
    Finished,
    Metered,
    Opened,
    Prompt,
    Signal,
    Tool,
    ToolCall,
    ToolChoice,
    ToolResult,
    Usage,
    Utterance,
    Words,
)
from promptdeck.core.text.jsontext import compact

from .test_between import heard, native, write


@given(st.text(st.characters(codec="utf-8"), min_size=1) | st.text("_x2e.78:ab", max_size=12))
def test_a_name_is_taken_and_comes_back(own: str) -> None:
    assert re.fullmatch("[a-zA-Z0-9_-]*", safe_name(own))
    assert own_name(safe_name(own)) == own


def test_a_name_can_be_read() -> None:
    assert safe_name("get_weather-2") == "get_weather-2"
    assert safe_name("maps.find:place") == "maps_x2e_find_x3a_place"
    assert own_name("get_x_axis_xyz") == "get_x_axis_xyz"


ODD = "maps.find:place"


@pytest.mark.parametrize("upstream", ["chat", "messages", "responses"])
def test_a_provider_gets_one_name_of_a_tool_and_its_client_hears_its_own(upstream: str) -> None:
    turns = (
        Utterance("user", (Words("q"),), "$.0"),
        Utterance("assistant", (ToolCall("c", ODD, "{}"),), "$.1"),
        Utterance("user", (ToolResult("c", ODD, (Words("1"),)),), "$.2"),
    )
    tools = (Tool(ODD, None, {"type": "object", "properties": {}}),)
    prompt = Prompt("gemini", "m", turns, tools, ToolChoice("required", (ODD,)))
    sent = compact(write(upstream, prompt).body).decode()
    assert ODD not in sent
    assert sent.count(f'"{safe_name(ODD)}"') == 3
    told: list[Signal] = [Opened("a", "m"), CallOpened(0, "c", safe_name(ODD)), CallSaid(0, "{}"),
                          CallClosed(0), Metered(Usage()), Finished("tool_calls")]  # fmt: skip
    found = heard(upstream, b"".join(native(upstream, told)))
    assert found["choices"][0]["calls"][0][1] == ODD
