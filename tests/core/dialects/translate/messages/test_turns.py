"""Conversations as Anthropic's messages: what goes where, and what is refused by its place."""

from typing import Any

import pytest

from promptdeck.core.dialects.translate.aim import Untranslatable
from promptdeck.core.dialects.translate.neutral import (
    Foreign,
    Paper,
    Passage,
    Picture,
    Regret,
    Role,
    Signed,
    Sound,
    Thought,
    ToolCall,
    ToolResult,
    Utterance,
    Words,
)

from .samples import ADD, asked, lost, prompt, user

OLD, NEW = "claude-sonnet-4-5", "claude-opus-5-5"
CACHE = {"type": "ephemeral", "ttl": "1h"}


def said(role: Role, *parts: Passage, path: str = "$.messages[0]") -> Utterance:
    return Utterance(role, parts, path)


def system(text: str) -> Utterance:
    return said("system", Words(text))


def assistant(*parts: Passage, path: str = "$.messages[1]") -> Utterance:
    return said("assistant", *parts, path=path)


def call(name: str = "call_1", arguments: str = "{}", **fields: Any) -> ToolCall:
    return ToolCall(name, "add", arguments, **fields)


def result(name: str = "call_1", *parts: Passage, **fields: Any) -> ToolResult:
    return ToolResult(name, "add", parts or (Words("2"),), **fields)


def messages(*turns: Utterance, model: str = NEW) -> list[tuple[str, Any]]:
    """Roles and contents that turns become."""
    body = asked(prompt(*turns, tools=(ADD,)), model).body
    return [(message["role"], message["content"]) for message in body["messages"]]


def refused(*turns: Utterance, model: str = NEW) -> tuple[str | None, str]:
    """The place and the words in which turns are refused."""
    with pytest.raises(Untranslatable) as error:
        asked(prompt(*turns, tools=(ADD,)), model)
    return error.value.param, error.value.message


def text(words: str, **more: Any) -> dict[str, Any]:
    return {"type": "text", "text": words, **more}


# The system


def test_leading_system_turns_are_the_system_s_blocks_with_their_borders() -> None:
    first = said("system", Words("one", CACHE), Words(" "), Words("two"))
    body = asked(prompt(first, system("three"), user())).body
    assert body["system"] == [text("one", cache_control=CACHE), text("two"), text("three")]
    assert body["messages"] == [{"role": "user", "content": "hi"}]


def test_no_system_says_nothing() -> None:
    assert "system" not in asked(prompt(said("system", Words(" ")), user())).body


@pytest.mark.parametrize(
    ("turns", "new", "old"),
    [
        # In its place: behind the user, before the assistant or last.
        ("us", "u:a s:b", "u:[a|<b>]"),
        ("usau", "u:a s:b a:c u:d", "u:[a|<b>] a:c u:d"),
        ("ussau", "u:a s:[b|c] a:d u:e", "u:[a|<b>|<c>] a:d u:e"),
        # Anthropic takes no system between two texts of the user's, nor behind the assistant.
        ("usu", "u:[a|<b>|c]", "u:[a|<b>|c]"),
        ("uasu", "u:a a:b u:[<c>|d]", "u:a a:b u:[<c>|d]"),
        ("uas", "u:a a:b u:<c>", "u:a a:b u:<c>"),
        ("asu", "a:a u:[<b>|c]", "a:a u:[<b>|c]"),
        ("usus", "u:[a|<b>|c] s:d", "u:[a|<b>|c|<d>]"),
    ],
)
def test_the_system_may_speak_amid_the_conversation_where_anthropic_lets_it(
    turns: str, new: str, old: str
) -> None:
    roles: dict[str, Role] = {"u": "user", "s": "system", "a": "assistant"}
    given = [said(roles[role], Words("abcde"[n])) for n, role in enumerate(turns)]

    def shown(model: str) -> str:
        told = []
        for role, content in messages(*given, model=model):
            blocks = [content] if isinstance(content, str) else [one["text"] for one in content]
            marks = [one.replace("<system>", "<").replace("</system>", ">") for one in blocks]
            told.append(f"{role[0]}:" + (marks[0] if len(marks) == 1 else f"[{'|'.join(marks)}]"))
        return " ".join(told)

    assert (shown(NEW), shown(OLD)) == (new, old)


def test_the_system_does_not_come_between_a_call_and_its_result() -> None:
    turns = [user(), assistant(call()), system("x"), said("user", result())]
    for model in (NEW, OLD):
        *_, (role, content) = messages(*turns, model=model)
        assert role == "user"
        assert [block["type"] for block in content] == ["tool_result", "text"]


def test_the_system_has_text_alone() -> None:
    there = asked(prompt(said("system", Picture("https://a/b.png"), Words("x")), user()))
    assert there.body["system"] == [text("x")]
    assert lost(there) == {"$.messages[0]": "the system's turn may have text alone"}


# Turns and their blocks


def test_neighbours_of_one_role_are_one_message() -> None:
    turns = [user("a"), user("b"), assistant(Words("c")), assistant(Words("d")), user("e")]
    assert messages(*turns) == [
        ("user", [text("a"), text("b")]),
        ("assistant", [text("c"), text("d")]),
        ("user", "e"),
    ]


def test_all_results_of_a_turn_come_first() -> None:
    turns = [user(), assistant(call("a"), call("b")), said("user", result("b")), user("and"),
             said("user", result("a"))]  # fmt: skip
    *_, (_, content) = messages(*turns)
    assert [block.get("tool_use_id") for block in content] == ["b", "a", None]


def test_what_is_blank_is_left_out() -> None:
    turns = [
        user(" "),
        user("a"),
        assistant(Words("\n"), call(), Regret(" ")),
        said("user", result("call_1", Words("")), Words(" ")),
        assistant(Words("")),
        user("b"),
    ]
    assert messages(*turns) == [
        ("user", "a"),
        ("assistant", [{"type": "tool_use", "id": "call_1", "name": "add", "input": {}}]),
        ("user", [{"type": "tool_result", "tool_use_id": "call_1"}, text("b")]),
    ]


def test_a_result_has_what_it_has() -> None:
    png = Picture("data:image/png;base64,AAEC")
    mine = Foreign("messages", {"type": "tool_reference", "tool_name": "x"})
    many = result("call_1", Words("a"), png, Paper(id="file_1"), mine, failed=True, cache=CACHE)
    *_, (_, content) = messages(user(), assistant(call()), said("user", many))
    assert content[0].pop("cache_control") == CACHE
    assert content[0].pop("is_error") is True
    assert [block["type"] for block in content[0]["content"]] == [
        "text", "image", "document", "tool_reference"
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "given"),
    [("", {}), (" ", {}), ("{}", {}), ('{"a":[1,null]}', {"a": [1, None]}),
     ('{"a":1e400}', None), ("[1]", None), ('{"a"', None), ('"x"', None), ("null", None)],
)  # fmt: skip
def test_arguments_are_an_object(arguments: str, given: object) -> None:
    turns = [user(), assistant(call(arguments=arguments)), said("user", result())]
    if given is None:
        where, why = refused(*turns)
        assert where == "$.messages[1]"
        assert "call_1 of add are no JSON object" in why
    else:
        assert messages(*turns)[1][1][0]["input"] == given


def test_text_for_a_custom_tool_is_in_an_object() -> None:
    turns = [user(), assistant(call(arguments="*** a", is_custom=True)), said("user", result())]
    assert messages(*turns)[1][1][0]["input"] == {"input": "*** a"}


@pytest.mark.parametrize("name", ["a|b", "x:y", "", "é", "toolu_pd_x"])
def test_an_odd_id_is_the_same_in_call_and_result(name: str) -> None:
    _, (_, calls), (_, results) = messages(
        user(), assistant(call(name)), said("user", result(name))
    )
    assert calls[0]["id"] == results[0]["tool_use_id"] != name


def test_a_refusal_is_what_the_model_said() -> None:
    assert messages(user(), assistant(Regret("no")), user("why"))[1] == ("assistant", "no")


def test_pictures_and_files_are_the_user_s() -> None:
    shown = (Picture("https://a/b.png", detail="low", cache=CACHE), Paper(id="file_1"))
    there = asked(prompt(said("user", *shown), assistant(*shown, Words("a")), user()))
    first, second, _ = there.body["messages"]
    assert [block["type"] for block in first["content"]] == ["image", "document"]
    assert first["content"][0]["cache_control"] == CACHE
    assert second["content"] == "a"
    assert lost(there) == {
        "$.messages[0]": "detail low has no counterpart",
        "$.messages[1]": "the assistant's turn may have no images and files",
    }


def test_audio_is_refused() -> None:
    assert refused(said("user", Sound("AAEC", "wav"))) == (
        "$.messages[0]", "Anthropic takes no audio here"
    )  # fmt: skip


def test_a_name_is_lost_by_its_place() -> None:
    there = asked(prompt(Utterance("user", (Words("a"),), "$.messages[3]", "bob")))
    assert lost(there) == {"$.messages[3].name": "has no counterpart"}


def test_what_anthropic_s_own_tools_did_stays_and_others_is_named() -> None:
    own = {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {}}
    other = Foreign("responses", {"type": "web_search_call"})
    there = asked(prompt(user(), assistant(Foreign("messages", own), other, Words("a")), user()))
    assert there.body["messages"][1]["content"] == [own, text("a")]
    assert lost(there) == {"$.messages[1]": "web_search_call has no counterpart"}


def test_what_tells_how_an_answer_was_made_does_not_go_back() -> None:
    told = [{"type": kind, "x": 1} for kind in ("fallback", "compaction", "citation", "new")]
    back = [{"type": kind} for kind in ("mcp_tool_use", "mcp_tool_result", "container_upload",
            "bash_code_execution_tool_result")]  # fmt: skip
    turn = assistant(*(Foreign("messages", one) for one in (*told, *back)), Words("a"))
    assert messages(user(), turn, user())[1] == ("assistant", [*back, text("a")])


# Reasoning and its signatures

HERE = Signed("anthropic", NEW, "sig")


def test_reasoning_goes_back_to_who_signed_it_as_it_came() -> None:
    hidden = Thought("", HERE._replace(text="data"), is_hidden=True)
    turn = assistant(Thought("a", HERE), hidden, call("a"), Thought("", HERE), call("b"))
    _, (_, content), _ = messages(user(), turn, said("user", result("a"), result("b")))
    assert [block["type"] for block in content] == [
        "thinking", "redacted_thinking", "tool_use", "thinking", "tool_use"
    ]  # fmt: skip
    assert content[0] == {"type": "thinking", "thinking": "a", "signature": "sig"}
    assert content[1] == {"type": "redacted_thinking", "data": "data"}
    assert content[3] == {"type": "thinking", "thinking": "", "signature": "sig"}


@pytest.mark.parametrize(
    "signed",
    [Signed("google", NEW, "sig"), Signed("anthropic", "claude-opus-5", "sig"),
     Signed("", "", "sig"), Signed("anthropic", NEW, ""), None],
)  # fmt: skip
def test_reasoning_of_others_is_left_out_without_a_word(signed: Signed | None) -> None:
    there = asked(prompt(user(), assistant(Thought("secret", signed), Words("a")), user()))
    assert "secret" not in str(there.body)
    assert there.body["messages"][1]["content"] == "a"
    assert not there.lost


# What Anthropic would refuse


def test_a_conversation_may_begin_with_the_assistant() -> None:
    assert messages(assistant(Words("a")), user("b")) == [("assistant", "a"), ("user", "b")]


@pytest.mark.parametrize(
    ("turns", "place", "why"),
    [
        ([said("user", result(), path="$.messages[4]")], "$.messages[4]", "no message before"),
        ([user(), said("user", result(), path="$.messages[1]")], "$.messages[1]",
         "no message before"),
        ([user(), assistant(call()), user("x", "$.messages[2]")], "$.messages[2]",
         "call call_1 is not answered here"),
        ([user(), assistant(call(), path="$.messages[7]")], "$.messages[7]",
         "call call_1 is not answered"),
        ([user(), assistant(call("a"), call("b")), said("user", result("a"), path="$.messages[2]")],
         "$.messages[2]", "call b is not answered here"),
        ([system("a")], "$.messages", "wants a message"),
        ([user(" ")], "$.messages", "wants a message"),
        ([user(), assistant(Words("so"), path="$.messages[1]")], "$.messages[1]", "go on with"),
    ],
)  # fmt: skip
def test_what_would_be_refused_is_by_its_place(
    turns: list[Utterance], place: str, why: str
) -> None:
    param, message = refused(*turns)
    assert param == place
    assert why in message


def test_old_models_go_on_with_the_assistant_s_turn() -> None:
    turns = user(), assistant(Words("The answer is \n"))
    assert messages(*turns, model=OLD)[1] == ("assistant", "The answer is")


def test_all_models_go_on_with_a_turn_that_was_paused() -> None:
    own = {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {}}
    assert messages(user(), assistant(Foreign("messages", own)))[1] == ("assistant", [own])
