"""Recordings examined: predecessors, tokens, what was kept and what was lost."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from promptdeck.core.doctor.examining import Diagnosis, examine
from tests.core.doctor.conversations import LONG, chat, claude, recorded, tool
from tests.dialects import answer
from tests.recordings import interaction
from tests.translations import DIALECTS, MODELS, SAME
from tests.translations import recorded as translated

USAGE = {
    "prompt_tokens": 4000,
    "completion_tokens": 1,
    "total_tokens": 4001,
    "prompt_tokens_details": {"cached_tokens": 0},
}


def turns(dialect: str, *bodies: dict[str, Any], **more: Any) -> tuple[Diagnosis, ...]:
    found = examine(recorded(dialect, *bodies, **more))
    assert found.unread == ()
    return found.turns


def why(turn: Diagnosis) -> str:
    return turn.problem.cause.words if turn.problem else ""


def test_a_conversation_that_grows_keeps_everything() -> None:
    first, second, third = turns(
        "chat", chat("one"), chat("one", "1", "two"), chat("one", "1", "two", "2", "three")
    )
    assert (first.after, first.kept, first.could) == ("", None, 0)
    assert (second.after, third.after) == (first.id, second.id)
    assert (second.kept, third.kept, second.problem, third.problem) == (1.0, 1.0, None, None)
    assert second.could == len(LONG) // 4 // 128 * 128


def test_a_date_in_the_system_prompt() -> None:
    first, second = turns(
        "chat",
        chat("one", system=f"It is 10:59:00.\n{LONG}"),
        chat("one", "1", "two", system=f"It is 11:00:02.\n{LONG}"),
    )
    assert second.problem is not None
    assert (second.problem.path, second.problem.offset) == ("$.messages[0]", 7)
    assert ("10:59:00" in second.problem.old, "11:00:02" in second.problem.new) == (True, True)
    assert why(second) == "a date or time in the system prompt changed"
    assert second.kept is not None
    assert second.kept < 0.01
    assert (second.could, second.lost) == (0, first.prompt // 128 * 128)


def test_tokens_go_by_the_usage_of_the_answer() -> None:
    first, second = turns("chat", chat("one"), chat("one", "1", "two"), usage=USAGE)
    assert (first.prompt, first.measured, first.reused, first.written) == (4000, True, 0, None)
    assert second.could == 3968
    assert why(second).startswith("nothing in the prompt")
    assert second.lost == 3968
    estimated = turns("chat", chat("one"))[0]
    assert (estimated.measured, estimated.reused) == (False, None)


@pytest.mark.parametrize(
    ("dialect", "usage"),
    [
        (
            "messages",
            {
                "input_tokens": 10,
                "cache_read_input_tokens": 70,
                "cache_creation_input_tokens": 20,
                "output_tokens": 1,
            },
        ),
        (
            "responses",
            {
                "input_tokens": 100,
                "input_tokens_details": {"cached_tokens": 70},
                "output_tokens": 1,
                "total_tokens": 101,
            },
        ),
        (
            "gemini",
            {"promptTokenCount": 100, "cachedContentTokenCount": 70, "candidatesTokenCount": 1},
        ),
    ],
)
def test_each_dialects_usage_is_read(dialect: str, usage: Any) -> None:
    body = {**SAME[dialect][1], **({} if dialect == "gemini" else {"model": "m"})}
    [turn] = turns(dialect, body, usage=usage)
    assert (turn.prompt, turn.measured, turn.reused) == (100, True, 70)
    assert turn.written == (20 if dialect == "messages" else None)


@pytest.mark.parametrize("client", DIALECTS)
@pytest.mark.parametrize("stream", [True, False])
def test_answers_of_another_dialect_are_examined(client: str, stream: bool) -> None:
    for upstream in DIALECTS:
        [turn] = examine([translated(client, upstream, stream=stream)]).turns
        assert turn.model == MODELS[upstream][1]


def test_two_conversations_at_once_are_told_apart() -> None:
    a, b = "Where is the Rhine?", "How deep is Lake Geneva?"
    found = turns(
        "chat", chat(a), chat(b), chat(a, "1", "two"), chat(b, "1", "two"), chat(a, "1", "two", "2")
    )
    ids = [one.id for one in found]
    assert [one.after for one in found] == ["", ids[0], ids[0], ids[1], ids[2]]
    assert [one.follows for one in found] == [False, False, True, True, True]
    assert [one.problem for one in found] == [None] * 5
    assert found[1].could > 0  # the system prompt is the same


def test_also_where_a_date_breaks_all_of_them() -> None:
    def at(clock: str, *messages: str) -> dict[str, Any]:
        return chat(*messages, system=f"It is {clock}. {LONG}")

    found = turns(
        "chat", at("10:00", "a?"), at("10:01", "b?"), at("10:02", "a?", "1", "x"), at("10:03", "c?")
    )
    assert (found[2].after, found[2].follows) == (found[0].id, True)
    # A conversation of its own could have kept tools and system.
    assert [why(one) for one in found[1:]] == ["a date or time in the system prompt changed"] * 3


def test_another_program_keeps_nothing_and_that_is_no_fault() -> None:
    found = turns(
        "chat",
        chat("hi", tools=[tool("a")]),
        chat("go", tools=[tool("b")]),
        chat("so", system="Translate what you are given into plain French words."),
        chat("on", model="gpt-5-mini"),
    )
    assert [one.problem for one in found] == [None] * 4
    assert [one.kept for one in found] == [None] * 4


def test_the_same_request_again_or_less_of_it_breaks_nothing() -> None:
    found = turns("chat", chat("one", "1", "two"), chat("one", "1", "two"), chat("one"))
    assert [one.kept for one in found[1:]] == [1.0, 1.0]


def test_a_model_that_changes_back_goes_on_from_its_own_last_turn() -> None:
    found = turns(
        "chat",
        chat("one"),
        chat("one", "1", "two", model="gpt-5-mini"),
        chat("one", "1", "two", "2", "three"),
    )
    assert why(found[1]) == "the model was switched: gpt-5 -> gpt-5-mini"
    assert (found[2].after, found[2].problem) == (found[0].id, None)


@pytest.mark.parametrize(
    ("every", "second", "words"),
    [
        (10, claude("one", "1", "two"), ""),
        (301, claude("one", "1", "two"), "more time had passed"),
        (10, claude("one", "1", "two", system=[{"type": "text", "text": LONG}]), ""),
        (10, claude("one", *["x"] * 22, system=[{"type": "text", "text": LONG}]), "the breakpoint"),
    ],
)
def test_anthropics_rules(every: float, second: Any, words: str) -> None:
    found = turns("messages", claude("one"), second, every=every)
    assert why(found[1]).startswith(words)
    assert bool(why(found[1])) == bool(words)
    assert (found[1].kept, bool(found[1].lost)) == (1.0, bool(words))


def test_what_the_provider_did_reuse_is_no_problem_whatever_the_rules_say() -> None:
    usage = {"input_tokens": 10, "cache_read_input_tokens": 3400, "output_tokens": 1}
    found = turns("messages", claude("one"), claude("one", "1", "two"), every=400, usage=usage)
    assert found[1].problem is None


def test_failures_and_other_calls_are_left_out_and_what_is_not_understood_is_named() -> None:
    [good] = recorded("chat", chat("one"))
    failed = good._replace(response=good.response._replace(status=429))
    listing = interaction()._replace(
        request=good.request._replace(method="GET", target="/v1/models", body=b"")
    )
    stored = {"model": "m", "input": "hi", "previous_response_id": "resp_1"}
    found = examine([failed, listing, *recorded("responses", stored)])
    assert found.turns == ()
    [unread] = found.unread
    assert "kept by its provider" in unread.why


def test_one_prompt_asked_of_several_models_is_no_switch() -> None:
    found = turns("chat", chat("one"), chat("one", model="o4"), chat("one", model="gpt-6"))
    assert [one.problem for one in found] == [None] * 3


def test_conversations_that_part_in_their_last_question_break_nothing() -> None:
    found = turns("chat", chat("one", "1", "two"), chat("one", "1", "or two"), chat("one", "1"))
    assert [(one.kept, one.problem) for one in found[1:]] == [(1.0, None)] * 2
    # What is put into the last turn and is gone in the next one does break it.
    found = turns("chat", chat("one", "1", "two (hurry)"), chat("one", "1", "two", "2", "three"))
    assert why(found[1]) == "an earlier turn was rewritten"


_KEYS = """model messages input contents role content parts text type tools name function usage
    choices message output candidates usageMetadata prompt_tokens cache_control system""".split()
_ODD = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.sampled_from(["", "user", "text", "x"]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(_KEYS), inner, max_size=4)
    ),
    max_leaves=10,
)


@settings(max_examples=50)
@given(st.sampled_from(DIALECTS), st.dictionaries(st.sampled_from(_KEYS), _ODD), _ODD)
def test_whatever_was_recorded_is_examined_or_named(dialect: str, body: Any, told: Any) -> None:
    [one] = recorded(dialect, {"model": "m", **body})
    odd = one._replace(response=answer(told))
    found = examine([odd, odd])
    assert len(found.turns) + len(found.unread) == 2


def test_below_a_share() -> None:
    found = examine(
        recorded("chat", chat("one", system="a" + LONG), chat("one", system="b" + LONG))
    )
    assert found.below(None) == []
    assert found.below(0.9) == [found.turns[1]]
    assert found.below(0.0) == []
