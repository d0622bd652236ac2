"""Blocks of content as parts of a turn."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptdeck.core.dialects.translate.aim import Untranslatable
from promptdeck.core.dialects.translate.messages.blocks import citation, passages
from promptdeck.core.dialects.translate.messages.ids import safe_id
from promptdeck.core.dialects.translate.messages.loose import seal
from promptdeck.core.dialects.translate.neutral import (
    Foreign,
    Paper,
    Passage,
    Picture,
    Signed,
    Thought,
    ToolCall,
    ToolResult,
    Words,
)
from promptdeck.core.dialects.translate.signing import sealed
from tests.chats import ANY_JSON

CACHE = {"type": "ephemeral"}
GOOGLE = Signed("google", "gemini-4", "c2ln")
PNG = {"type": "base64", "media_type": "image/png", "data": "AAEC"}


def parts(*blocks: Any, names: dict[str, str] | None = None) -> tuple[Passage, ...]:
    return passages(blocks, "$.messages[0].content", {} if names is None else names)


@pytest.mark.parametrize(
    ("block", "part"),
    [
        ({"type": "text", "text": "a", "cache_control": CACHE}, Words("a", CACHE)),
        ({"type": "text", "text": "a", "citations": [{"type": "web_search_result_location",
          "url": "https://a", "title": None, "cited_text": "b", "encrypted_index": "x"}]},
         Words("a", citations=({"type": "url_citation", "url_citation": {"url": "https://a",
         "title": "", "content": "b"}},))),
        ({"type": "image", "source": PNG, "cache_control": CACHE},
         Picture("data:image/png;base64,AAEC", "image/png", cache=CACHE)),
        ({"type": "image", "source": {"type": "url", "url": "https://a"}}, Picture("https://a")),
        ({"type": "image", "source": {"type": "file", "file_id": "f"}}, Picture("f")),
        ({"type": "document", "source": {**PNG, "media_type": "application/pdf"}, "title": "t"},
         Paper("data:application/pdf;base64,AAEC", name="t", mime="application/pdf")),
        ({"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "é"}},
         Paper("data:text/plain;base64,w6k=", mime="text/plain")),
        ({"type": "document", "source": {"type": "url", "url": "https://a"}, "title": None},
         Paper("https://a", mime="application/pdf")),
        ({"type": "document", "source": {"type": "file", "file_id": "f"}}, Paper(id="f")),
        ({"type": "thinking", "thinking": "t", "signature": "s"},
         Thought("t", Signed("anthropic", "", "s"))),
        ({"type": "thinking", "thinking": "", "signature": "s"},
         Thought("", Signed("anthropic", "", "s"))),
        ({"type": "thinking", "thinking": "t", "signature": ""}, Thought("t")),
        ({"type": "thinking", "thinking": "t", "signature": sealed(GOOGLE)}, Thought("t", GOOGLE)),
        ({"type": "redacted_thinking", "data": "d"},
         Thought("", Signed("anthropic", "", "d"), is_hidden=True)),
        ({"type": "redacted_thinking", "data": sealed(GOOGLE)},
         Thought("", GOOGLE, is_hidden=True)),
        ({"type": "tool_use", "id": "a", "name": "n", "input": {"b": [1.5]}},
         ToolCall("a", "n", '{"b":[1.5]}')),
        ({"type": "tool_use", "id": safe_id("a|b"), "name": "n", "input": {}},
         ToolCall("a|b", "n", "{}")),
    ],
)  # fmt: skip
def test_a_block_is_the_part_that_it_is(block: dict[str, Any], part: Passage) -> None:
    assert parts(block) == (part,)


@pytest.mark.parametrize(
    "kind", ["server_tool_use", "web_search_tool_result", "container_upload", "compaction", "new"]
)
def test_what_only_anthropic_has_stays_whole(kind: str) -> None:
    block = {"type": kind, "id": "srvtoolu_1", "x": [1]}
    assert parts(block) == (Foreign("messages", block),)


def test_a_result_is_of_the_tool_that_was_called() -> None:
    names: dict[str, str] = {}
    parts({"type": "tool_use", "id": safe_id("x:1"), "name": "add", "input": {}}, names=names)
    content = [{"type": "text", "text": "a"}, {"type": "image", "source": PNG}]
    result = {"type": "tool_result", "tool_use_id": safe_id("x:1"), "content": content}
    result["is_error"] = True
    inner = (Words("a"), Picture("data:image/png;base64,AAEC", "image/png"))
    assert parts(result, names=names) == (ToolResult("x:1", "add", inner, True),)
    bare = {"type": "tool_result", "tool_use_id": "y", "content": "b", "cache_control": CACHE}
    assert parts(bare) == (ToolResult("y", "", (Words("b"),), cache=CACHE),)
    assert parts({"type": "tool_result", "tool_use_id": "y"}) == (ToolResult("y", "", ()),)


def test_a_document_of_blocks_is_these_behind_what_is_said_of_it() -> None:
    content = [{"type": "text", "text": "a"}, {"type": "image", "source": PNG}]
    block = {"type": "document", "source": {"type": "content", "content": content},
             "context": "said"}  # fmt: skip
    assert [type(part) for part in parts(block)] == [Words, Words, Picture]
    plain = {"type": "document", "source": {"type": "content", "content": "b"}}
    assert parts(plain) == (Words("b"),)


def test_a_search_result_tells_its_source() -> None:
    block = {"type": "search_result", "title": "t", "source": "https://a",
             "content": [{"type": "text", "text": "b"}], "cache_control": CACHE}  # fmt: skip
    (part,) = parts(block)
    assert isinstance(part, Words)
    assert all(said in part.text for said in ("t", "https://a", "b"))
    assert part.cache == CACHE


# Signatures of calls and texts


def thinking(signature: str) -> dict[str, Any]:
    return {"type": "thinking", "thinking": "", "signature": signature}


CALL = {"type": "tool_use", "id": "a", "name": "n", "input": {}}


def test_a_signature_is_given_back_to_its_call_and_its_text() -> None:
    found = parts(
        {"type": "text", "text": "t"},
        thinking(seal(GOOGLE._replace(text="text"), "text")),
        thinking(seal(GOOGLE, "call")),
        CALL,
        CALL,
    )
    assert found == (
        Words("t", signed=GOOGLE._replace(text="text")),
        ToolCall("a", "n", "{}", GOOGLE),
        ToolCall("a", "n", "{}"),
    )


def test_a_signature_of_no_text_is_one_s_of_an_empty_one() -> None:
    assert parts(CALL, thinking(seal(GOOGLE, "text")))[1] == Words("", signed=GOOGLE)


def test_a_signature_whose_call_is_gone_is_gone() -> None:
    assert parts(thinking(seal(GOOGLE, "call")), {"type": "text", "text": "t"}) == (Words("t"),)


# What is no block


@pytest.mark.parametrize(
    ("block", "place"),
    [
        ("a", ""),
        ({"text": "a"}, ""),
        ({"type": "text", "text": 1}, ".text"),
        ({"type": "tool_use", "id": "a", "name": "n", "input": "{}"}, ".input"),
        ({"type": "tool_result", "tool_use_id": "a", "content": 1}, ".content"),
        ({"type": "tool_result", "tool_use_id": "a", "content": [1]}, ".content[0]"),
        ({"type": "image", "source": {"type": "odd"}}, ".source"),
        ({"type": "image"}, ".source"),
    ],
)
def test_what_is_no_block_is_refused_by_its_place(block: Any, place: str) -> None:
    with pytest.raises(Untranslatable) as refused:
        parts({"type": "text", "text": "a"}, block)
    assert refused.value.param == f"$.messages[0].content[1]{place}"


KINDS = ("text", "image", "document", "search_result", "thinking", "redacted_thinking",
         "tool_use", "tool_result", "x")  # fmt: skip
KEYS = ("text", "source", "signature", "data", "id", "input", "content", "title", "context", "url",
        "citations", "media_type", "name", "tool_use_id")  # fmt: skip
MANGLED = st.builds(
    lambda kind, found: {**found, "type": kind},
    st.sampled_from(KINDS),
    st.dictionaries(
        st.sampled_from(KEYS),
        ANY_JSON | st.lists(st.fixed_dictionaries({"type": st.sampled_from(KINDS)}), max_size=2),
        max_size=4,
    ),
)


@given(st.lists(ANY_JSON | MANGLED, max_size=3))
def test_whatever_comes_is_parts_or_refused(blocks: list[Any]) -> None:
    try:
        parts(*blocks)
    except Untranslatable as refused:
        if not (refused.param or "").startswith("$.messages[0].content["):
            raise


def test_a_citation_without_a_url_is_none_of_chat_s() -> None:
    assert citation({"type": "char_location", "cited_text": "a"}) is None
    assert citation(None) is None
