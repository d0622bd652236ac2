"""The texts of a request, each replaced at its place and nothing else with it."""

from urllib.parse import parse_qsl, quote, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptdeck.core.matching.leaves import Leaves, body_pieces, copied, target_pieces

WORDS = st.text("ab /:&=+%?#é⟨\\\"'\n.-\x00", max_size=8)
PAIRS = st.lists(st.tuples(st.text("ab_-", min_size=1, max_size=4), WORDS), min_size=1, max_size=4)
JSON = st.recursive(
    st.none() | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3),
    max_leaves=8,
)


def part(name: str, content: bytes, file: str = "") -> bytes:
    more = f'; filename="{file}"\r\nContent-Type: audio/wav' if file else ""
    head = f'--boundary\r\nContent-Disposition: form-data; name="{name}"{more}\r\n\r\n'
    return head.encode() + content + b"\r\n"


@given(JSON)
def test_a_value_is_copied_and_all_its_strings_are_found(value: object) -> None:
    found = Leaves([], [])
    root = [copied(value, found)]
    if isinstance(value, str):
        assert not found.told
        return
    assert root[0] == value
    for leaf in found.told:
        assert leaf.holder[leaf.key] == leaf.text
        leaf.put("x")
    again = Leaves([], [])
    copied(root[0], again)
    assert {leaf.text for leaf in again.told} <= {"x"}


def test_what_tools_and_the_model_said_is_apart() -> None:
    found = Leaves([], [])
    said = {"role": "assistant", "content": "a"}
    result = {"type": "function_call_output", "output": ["b"]}
    parts = {"role": "user", "parts": [{"functionResponse": {"c": "c"}}, {"text": "d"}]}
    copied([said, result, parts, {"e": "e"}], found)
    texts = [leaf.text for leaf in found.results]
    assert texts == ["a", "assistant", "b", "function_call_output", "c"]
    assert [(leaf.name, leaf.text) for leaf in found.told] == [
        ("text", "d"),
        ("role", "user"),
        ("e", "e"),
    ]


@given(path=st.lists(WORDS, max_size=4), query=st.none() | PAIRS)
def test_a_target_is_what_it_was_until_a_value_is_replaced(
    path: list[str], query: list[tuple[str, str]] | None
) -> None:
    line = "/" + "/".join(quote(word, safe="") for word in path)
    target = line if query is None else f"{line}?{urlencode(query)}"
    found = target_pieces(target)
    assert found.whole() == target
    leaves = list(found.leaves())
    values = [(leaf.name, leaf.text) for leaf in leaves if leaf.name]
    assert values == [(name, value) for name, value in query or () if value]
    for leaf in leaves:
        if leaf.name:
            leaf.put("a b&c=⟨cwd⟩")
    if values:
        told = parse_qsl(found.whole().partition("?")[2], keep_blank_values=True)
        assert told == [(name, value and "a b&c=⟨cwd⟩") for name, value in query or ()]
        assert "⟨cwd⟩" in found.whole()


@given(PAIRS)
def test_a_form_is_read_by_its_values(pairs: list[tuple[str, str]]) -> None:
    body = urlencode(pairs).encode()
    found = body_pieces(body)
    assert found
    assert found.whole().encode() == body
    assert [leaf.text for leaf in found.leaves()] == [value for _, value in pairs if value]


@given(st.lists(st.tuples(st.text("ab", min_size=1), st.binary(max_size=12)), min_size=1))
def test_a_multipart_body_is_read_part_by_part(parts: list[tuple[str, bytes]]) -> None:
    body = b"".join(part(name, content, file="t.wav") for name, content in parts) + b"--boundary--"
    found = body_pieces(body)
    assert found
    assert found.whole().encode("utf-8", "surrogateescape") == body


def test_the_parts_that_are_text_are_told_by_their_names_and_bytes_are_left() -> None:
    body = (
        part("model", b"whisper-1") + part("file", b"\xff\x00RIFF", "tmp.wav") + b"--boundary--\r\n"
    )
    found = body_pieces(body)
    assert found
    leaves = list(found.leaves())
    assert [(leaf.name, leaf.text) for leaf in leaves if leaf.name] == [("model", "whisper-1")]
    assert not any("RIFF" in leaf.text for leaf in leaves)


@given(st.binary(max_size=60))
def test_any_bytes_come_back(body: bytes) -> None:
    found = body_pieces(body)
    if found:
        assert found.whole().encode("utf-8", "surrogateescape") == body
    else:
        with pytest.raises(UnicodeDecodeError):
            body.decode()


@given(st.text("ab%2F0=&?/⟨+é\udc80", max_size=20))
def test_any_target_comes_back(target: str) -> None:
    assert target_pieces(target).whole() == target
