"""Names under which tools are offered: every provider takes them, and no two are the same."""

import re

from hypothesis import given
from hypothesis import strategies as st

from promptdeck.core.agent.offering import choice_of, offered

_NAMES = st.text(min_size=1, max_size=140) | st.sampled_from(["add", "echo", "x" * 64, "x" * 65])
_TOOLS = st.dictionaries(
    _NAMES,
    st.lists(st.fixed_dictionaries({"name": _NAMES}), unique_by=lambda one: one["name"]),
    max_size=4,
)


@given(_TOOLS, st.sets(_NAMES))
def test_every_tool_has_a_name_of_its_own(
    tools: dict[str, list[dict[str, str]]], taken: set[str]
) -> None:
    found = offered([*tools.items()], taken)
    assert sorted((one.server, one.tool) for one in found.values()) == sorted(
        (server, tool["name"]) for server, those in tools.items() for tool in those
    )
    for name, one in found.items():
        assert re.fullmatch(r"[a-zA-Z0-9_-]{1,64}", name)
        assert name not in taken
        assert one.spec["function"]["name"] == name


def test_a_name_stays_where_it_can() -> None:
    tools = [("alpha", [{"name": "add"}, {"name": "get.time"}]), ("be/ta", [{"name": "echo"}])]
    assert [*offered(tools, ["echo"])] == ["add", "alpha__get_time", "be_ta__echo"]
    both = [("alpha", [{"name": "add"}]), ("beta", [{"name": "add"}])]
    assert [*offered(both, [])] == ["alpha__add", "beta__add"]


def test_the_order_of_servers_changes_no_name() -> None:
    one, two = ("a.b", [{"name": "t"}]), ("a_c", [{"name": "u"}])
    assert {*offered([one, two], [])} == {*offered([two, one], [])}


def test_a_tool_without_a_schema_takes_nothing() -> None:
    found = offered([("a", [{"name": "t", "inputSchema": {}, "annotations": {
        "readOnlyHint": True}}])], [])["t"]  # fmt: skip
    assert found.spec["function"]["parameters"] == {"type": "object", "properties": {}}
    assert found.reads_only


def test_a_choice_by_the_server_s_name() -> None:
    tools = offered([("a", [{"name": "get.time"}])], [])
    choice = {"type": "function", "function": {"name": "get.time"}}
    assert choice_of(choice, tools) == {"type": "function", "function": {"name": "a__get_time"}}
    assert choice_of("auto", tools) == "auto"
    assert choice_of({"type": "function", "function": {"name": "x"}}, tools)["function"] == {
        "name": "x"
    }
