"""What ended a prompt's stay in the cache, in words: a case for each cause, in every dialect."""

from typing import Any

import pytest

from promptdeck.core.doctor.blocks import kept_of
from promptdeck.core.doctor.causes import cause_of
from tests.core.dialects.translate.strategies import PIXEL
from tests.core.doctor.conversations import blocks, chat, claude, tool

OTHERWISE = "the keys of JSON in {} came in another order, or it was written otherwise"
CITY = {"type": "string"}
PICTURE = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PIXEL}"}}
OTHER = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PIXEL[:-8]}AAAA"}}


def cause(old: dict[str, Any], new: dict[str, Any], dialect: str = "chat") -> str:
    before, after = blocks(dialect, old), blocks(dialect, new)
    kept = kept_of(before, after)
    assert kept.broke
    found = cause_of(before, after, kept)
    assert found.mend
    return found.words


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ({}, {"model": "gpt-5-mini"}, "the model was switched: gpt-5 -> gpt-5-mini"),
        (
            {"tools": [tool("a"), tool("b")]},
            {"tools": [tool("b"), tool("a")]},
            "the tools came in another order",
        ),
        ({"tools": [tool("a")]}, {"tools": [tool("a"), tool("b")]}, "the tool b added"),
        ({}, {"tools": [tool("a"), tool("b")]}, "the tools a, b added"),
        ({"tools": [tool("a"), tool("b")]}, {"tools": [tool("b")]}, "the tool a removed"),
        (
            {"tools": [tool("a")]},
            {"tools": [tool("b")]},
            "the tool a removed and the tool b added",
        ),
        (
            {"tools": [tool("a", "Finds.")]},
            {"tools": [tool("a", "Finds all.")]},
            "the description of the tool a changed",
        ),
        (
            {"tools": [tool("a", "Today is 2026-11-27.")]},
            {"tools": [tool("a", "Today is 2026-11-28.")]},
            "a date or time in the description of the tool a changed",
        ),
        (
            {"tools": [tool("a", city=CITY)]},
            {"tools": [tool("a", town=CITY)]},
            "the schema of the tool a changed",
        ),
        (
            {"tools": [tool("a", x=CITY, y=CITY)]},
            {"tools": [tool("a", y=CITY, x=CITY)]},
            OTHERWISE.format("the definition of the tool a"),
        ),
        (
            {"response_format": {"type": "json_object"}},
            {"response_format": {"type": "json_schema", "json_schema": {"name": "n"}}},
            "another form of the answer",
        ),
    ],
)
def test_what_stands_before_the_turns(old: Any, new: Any, words: str) -> None:
    assert cause(chat("hi", **old), chat("hi", "yes", "go", **new)) == words


@pytest.mark.parametrize(
    ("old", "new", "what"),
    [
        ("2026-11-27", "2026-11-28", "a date or time"),
        ("2026-11-27T10:00:00Z", "2026-11-27T10:00:01Z", "a date or time"),
        ("9:59", "10:00", "a date or time"),
        ("November 27, 2026", "November 28, 2026", "a date or time"),
        ("27 Nov 2026", "1 Dec 2026", "a date or time"),
        ("Friday", "Saturday", "a date or time"),
        ("1764288000", "1764288001", "a date or time"),
        (
            "0b7c2c1e-27a9-4f0e-9c57-5d6a3f0e9b11",
            "9f3c2c1e-27a9-4f0e-9c57-5d6a3f0e9b12",
            "an id",
        ),
        ("run_3fa9b8c7d6", "run_4fa9b8c7d6", "an id"),
        ("/tmp/tmpab12", "/tmp/tmpcd34", "an id"),
    ],
)
@pytest.mark.parametrize("around", ["{}", "Now: {}.", "First of all, it is {} here and now. Go."])
def test_what_varies_in_a_text(old: str, new: str, what: str, around: str) -> None:
    before, after = around.format(old), around.format(new)
    found = cause(chat("hi", system=before), chat("hi", "yes", "go", system=after))
    assert found == f"{what} in the system prompt changed"
    found = cause(claude(before, "yes", "go"), claude(after, "yes", "go", "yes", "go"), "messages")
    assert found == f"{what} in an earlier turn changed"


def test_words_are_no_date_and_no_id() -> None:
    found = cause(chat("hi", system="Be brief. 2026"), chat("hi", system="Be wordy. 2026"))
    assert found == "the system prompt was rewritten"


def test_an_earlier_turn() -> None:
    old = chat("one", "two", "three")
    assert cause(old, chat("one", "2", "three", "four", "five")) == "an earlier turn was rewritten"
    assert cause(old, chat("three", "four", "five")) == "an earlier turn was taken out"
    more = chat("one", "again", "again", "two", "three")
    assert cause(old, more) == "something was put in before an earlier turn"


def test_the_bytes_of_an_image() -> None:
    old, new = ({"role": "user", "content": [picture]} for picture in (PICTURE, OTHER))
    words = "the bytes of an image or a file changed"
    assert cause(chat(old), chat(new, "yes", "go")) == words


def test_arguments_written_otherwise() -> None:
    def call(arguments: str) -> dict[str, Any]:
        function = {"name": "f", "arguments": arguments}
        calls = [{"id": "c", "type": "function", "function": function}]
        return {"role": "assistant", "content": None, "tool_calls": calls}

    result = {"role": "tool", "tool_call_id": "c", "content": '{"a":1,"b":2}'}
    old = chat("hi", call('{"a": 1, "b": 2}'), result)
    found = cause(old, chat("hi", call('{"b": 2, "a": 1}'), result, "go"))
    assert found == OTHERWISE.format("an earlier turn")
    found = cause(old, chat("hi", call('{"a": 1, "b": 2}'), result | {"content": '{"b":2,"a":1}'}))
    assert found == OTHERWISE.format("an earlier turn")


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"tool_choice": {"type": "none"}}, "it was switched which tools may be called"),
        ({"thinking": {"type": "adaptive"}}, "it was switched how much is to be thought"),
    ],
)
def test_anthropics_cache_of_the_turns_hangs_on_settings(more: Any, words: str) -> None:
    old, new = claude("hi"), claude("hi", "yes", "go", **more)
    assert cause(old, new, "messages") == words
    kept = kept_of(blocks("messages", old), blocks("messages", new))
    assert kept.blocks >= 2  # model and system are kept
