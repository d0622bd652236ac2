"""What stands in headers beside a request of MCP."""

import base64

from hypothesis import given
from hypothesis import strategies as st

from promptdeck.core.dialects.mcp.revisions import OLD
from promptdeck.mcp import wire


@given(st.text())
def test_any_text_goes_through_a_header(text: str) -> None:
    value = wire.header_value(text)
    assert value.isascii()
    assert value.isprintable()
    assert value == value.strip()
    if value != text:
        assert base64.b64decode(value[9:-2]) == text.encode("utf-8", "replace")


@given(
    st.recursive(
        st.none() | st.text() | st.integers(),
        lambda inner: st.dictionaries(
            st.sampled_from(["properties", "x-mcp-header", "a", "b"]), inner
        ),
    )
)
def test_any_schema_can_be_looked_through(schema: object) -> None:
    assert isinstance(wire.mirrored(schema, {"a": {"b": 1}}), dict)


def test_only_what_is_there_is_mirrored() -> None:
    schema = {
        "properties": {
            "a": {"x-mcp-header": "A"},
            "b": {"x-mcp-header": "not a token"},
            "c": {"items": {"x-mcp-header": "C"}},
            "d": {"properties": {"e": {"x-mcp-header": "E"}}},
            "f": {"x-mcp-header": "F"},
        }
    }
    arguments = {"a": 1, "b": 2, "c": [3], "d": {"e": False}, "f": None}
    assert wire.mirrored(schema, arguments) == {"Mcp-Param-A": "1", "Mcp-Param-E": "false"}


def test_the_older_era_has_no_envelope() -> None:
    assert wire.Era(OLD[0]).params({"name": "x"}) == {"name": "x"}
    assert wire.Era(OLD[0]).headers("tools/call", {"name": "x"}) == {"MCP-Protocol-Version": OLD[0]}
