"""Why a request missed: the nearest recording and what differs, told to people and programs."""

import orjson
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from promptdeck.core.misses import explain as explaining
from promptdeck.core.misses.explain import Reason, explain, nearest
from promptdeck.core.text.jsontext import canonical
from promptdeck.core.text.wording import shared_text

SYSTEM = {"role": "system", "content": "You are a teacher of geography.\nBe brief."}
QUESTION = "Please name three rivers in Europe and the sea that each of them flows into."
OPENING = [
    SYSTEM,
    {"role": "user", "content": "Hello, what do you know?"},
    {"role": "assistant", "content": "Rivers, lakes, and some mountains."},
]
WEATHER = {
    "type": "function",
    "function": {
        "name": "weather",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
    },
}


def chat(question=QUESTION, opening=OPENING, **more):
    messages = [*opening, {"role": "user", "content": question}]
    return {"model": "openai/gpt-5", "messages": messages} | more


def form(value, line="POST /v1/chat/completions"):
    return f"{line}\n".encode() + (value if isinstance(value, bytes) else canonical(value))


RECORDED = [
    ("9aa1c0-004-5e2b77d1-1", form(chat())),
    ("9aa1c0-002-c81d0f39-1", form(chat("Hello, what do you know?", [SYSTEM]))),
    ("310f2b-001-00b7a1e4-1", form(chat("Write a poem about the sea.", []))),
    ("embedding", form({"model": "openai/small", "input": QUESTION}, "POST /v1/embeddings")),
]
NEAREST = "9aa1c0-004-5e2b77d1-1"
MEND = " Record it with --mode record-missing, or undo the change."


def message(asked, recorded=RECORDED, **more):
    return explain(form(asked), recorded, **more).message()


def missed(difference):
    return (
        f"No recording matches this request; the nearest, {NEAREST}, differs at {difference}.{MEND}"
    )


def test_one_changed_word_is_named():
    assert message(chat(QUESTION.replace("rivers", "lakes"))) == missed(
        '$.messages[3].content: recorded "Please name three rivers in Europe and the…", '
        'asked "Please name three lakes in Europe and the…" (rivers -> lakes)'
    )


def test_another_model_is_named():
    assert message(chat(model="openai/gpt-5-mini")) == missed(
        '$.model: recorded "openai/gpt-5", asked "openai/gpt-5-mini"'
    )


def test_an_added_temperature_is_named():
    assert message(chat(temperature=0.2)) == missed("$.temperature: not recorded, asked 0.2")


def test_an_inserted_message_is_named():
    inserted = {"role": "user", "content": "Speak up."}
    assert message(chat(opening=[OPENING[0], inserted, *OPENING[1:]])) == missed(
        '$.messages[1]: not recorded, asked {"content":"Speak up.","role":"user"}'
    )


def test_a_difference_in_blanks_is_seen():
    assert message(chat(QUESTION.replace("in Europe", "in\nEurope"))) == missed(
        '$.messages[3].content: recorded "…three rivers in Europe and the sea…", '
        r'asked "…three rivers in\nEurope and the sea…" (" " -> "\n")'
    )


def test_a_change_deep_in_a_tool_is_named():
    asked = orjson.loads(orjson.dumps(WEATHER))
    asked["function"]["parameters"]["properties"]["city"]["type"] = "array"
    recorded = [(NEAREST, form(chat(tools=[WEATHER])))]
    assert message(chat(tools=[asked]), recorded) == missed(
        '$.tools[0].function.parameters.properties.city.type: recorded "string", asked "array"'
    )


def test_further_places_are_counted():
    one = chat(model="m", temperature=1)
    assert message(one) == missed(
        '$.model: recorded "openai/gpt-5", asked "m", and in 1 more place'
    )
    assert message(one | {"seed": 1}).endswith(f"and in 2 more places.{MEND}")


def test_countless_places_are_not_counted_to_the_end():
    recorded = [("long", form({"input": list(range(5000))}))]
    asked = {"input": list(range(5000, 0, -1))}
    assert "and in 999+ more places" in message(asked, recorded)


def test_another_endpoint_is_all_that_is_said():
    found = explain(form(chat(), "POST /v1/responses"), RECORDED[:3])
    assert found.message() == (
        f'No recording matches this request: {NEAREST}, the nearest, is of "POST '
        f'/v1/chat/completions", not "POST /v1/responses".{MEND}'
    )
    assert [item.path for item in found.differences] == ["endpoint"]
    assert found.diff == ""


def test_without_recordings_that_is_said():
    there_are_none = "No recording matches this request: there are no recordings"
    assert message(chat(), []) == f"{there_are_none}. Record it with --mode record-missing."
    assert message(chat(), [], cassette="agents/weather") == (
        f"{there_are_none} in agents/weather. Record it with --mode record-missing."
    )


def test_where_nothing_differs_no_difference_is_made_up():
    found = explain(form(chat()), RECORDED)
    assert found.message() == (
        f"No recording matches this request: {NEAREST} is of the same request, in another form "
        "perhaps (streamed or whole). Record it with --mode record-missing."
    )
    assert (found.differences, found.diff) == ((), "")
    assert found.details()["first_difference"] is None


def test_consumed_recordings_are_counted():
    found = explain(form(chat()), RECORDED, Reason.CONSUMED, times_recorded=2, times_played=3)
    assert found.message() == (
        "This request was recorded twice and has been played 3 times. "
        "Record it once more with --mode record-missing, or ask it less often."
    )
    assert found.details()["recorded"] == 2
    assert found.details()["played"] == 3
    assert (
        explain(b"", [], Reason.CONSUMED, times_recorded=1, times_played=1)
        .message()
        .startswith("This request was recorded once and has been played once.")
    )


def test_an_expired_recording_is_named():
    assert message(chat(), reason=Reason.EXPIRED) == (
        f"The recording of this request, {NEAREST}, has expired. "
        "Record it again with --mode record."
    )
    assert message(chat("Another?"), reason=Reason.EXPIRED).startswith(
        "The recording of this request has expired."
    )


def test_a_missing_cassette_is_named():
    found = explain(form(chat()), [], Reason.CASSETTE_MISSING, cassette="agents/weather")
    assert found.message() == (
        "There is no cassette agents/weather. Record it with --mode record-missing."
    )
    assert found.details()["cassette"] == "agents/weather"
    assert message(chat(), [], reason=Reason.CASSETTE_MISSING).startswith("There is no cassette.")


def test_details_say_it_to_a_program():
    found = explain(form(chat(QUESTION.replace("rivers", "lakes"), seed=7)), RECORDED).details()
    assert orjson.loads(orjson.dumps(found)) == found
    assert found.pop("diff").startswith("--- recorded\n+++ asked\n@@")
    assert [near["id"] for near in found["nearest"]] == [name for name, _ in RECORDED[:3]]
    assert 0.8 < found["nearest"][0]["similarity"] < 1
    del found["nearest"]
    assert found == {
        "reason": "not_recorded",
        "first_difference": (
            '$.messages[3].content: recorded "Please name three rivers in Europe and the…", '
            'asked "Please name three lakes in Europe and the…" (rivers -> lakes)'
        ),
        "differences": [
            {
                "path": "$.messages[3].content",
                "kind": "changed",
                "recorded": QUESTION,
                "asked": QUESTION.replace("rivers", "lakes"),
                "words": "rivers -> lakes",
            },
            {"path": "$.seed", "kind": "added", "asked": 7},
        ],
        "places": 2,
        "proposal": None,
        "departure": {
            "step": 2,
            "parent": RECORDED[1][0],
            "asked": f"user: {QUESTION.replace('rivers', 'lakes')}",
            "recorded": f"user: {QUESTION}",
            "then": "",
        },
    }


TEXT = """\
No recording matches this request.
Nearest: 9aa1c0-004-5e2b77d1-1 (97% alike)
  $.messages[2].name
    not recorded
    asked    "T"
  $.messages[3].content  (rivers -> lakes)
    recorded "Please name three rivers in Europe and the…"
    asked    "Please name three lakes in Europe and the…"
--- recorded
+++ asked
@@ -13,8 +13,9 @@
     {
       "content": "Rivers, lakes, and some mountains.",
+      "name": "T",
       "role": "assistant"
     },
     {
-      "content": "Please name three rivers in Europe and the sea that each of them flows into.",
+      "content": "Please name three lakes in Europe and the sea that each of them flows into.",
       "role": "user"
     }
Record it with --mode record-missing, or undo the change."""


def test_text_says_it_on_a_terminal():
    opening = [*OPENING[:2], OPENING[2] | {"name": "T"}]
    asked = chat(QUESTION.replace("rivers", "lakes"), opening)
    assert explain(form(asked), RECORDED[:1]).text() == TEXT


def test_text_lists_a_few_places_and_counts_the_others():
    asked = chat() | {f"k{n}": n for n in range(7)}
    assert (
        "  $.k4\n    not recorded\n    asked    4\n  and 2 more places\n---"
        in explain(form(asked), RECORDED).text()
    )


def test_text_without_differences_is_the_message():
    found = explain(form(chat()), [])
    assert found.text() == found.message().replace(". ", ".\n")


def ids(asked, recorded, limit=3):
    return [near.id for near in nearest(asked, recorded, limit)]


def test_the_same_conversation_with_one_word_changed_is_nearest():
    changed = QUESTION.replace("rivers", "lakes")
    recorded = [
        (
            "other question",
            form(chat("Which is the highest mountain of Asia, and how high is it?")),
        ),
        ("shorter", form(chat(QUESTION, [SYSTEM]))),
        ("same", form(chat(changed))),
        ("longer", form(chat("Thanks", [*OPENING, {"role": "user", "content": changed}]))),
        ("other model", form(chat(QUESTION + " Thank you so much.", model="a/b"))),
        ("other", form(chat("Write a poem about the sea.", []))),
    ]
    assert ids(form(chat()), recorded)[0] == "same"
    assert ids(form(chat()), recorded[::-1])[0] == "same"


def test_the_same_prompt_for_another_model_is_near():
    recorded = [
        ("other", form(chat("Write a poem about the sea.", [SYSTEM]))),
        ("same", form(chat(model="anthropic/claude", temperature=1))),
    ]
    assert ids(form(chat()), recorded) == ["same", "other"]


def test_of_an_agents_turns_the_same_turn_is_nearest():
    def turn(length, opening="It is Monday."):
        talk = [
            {"role": ("user", "assistant")[n % 2], "content": f"Step {n}"} for n in range(length)
        ]
        return form({"model": "m", "messages": [{"role": "system", "content": opening}, *talk]})

    recorded = [(f"turn {n}", turn(n)) for n in range(1, 60, 2)]
    assert ids(turn(31, "It is Tuesday."), recorded)[0] == "turn 31"


def test_among_thousands_from_one_template_the_order_of_words_decides():
    def filled(a, b):
        return form(chat(f"Compare {a} with {b}. " + "Mind the facts, and be fair to both. " * 20))

    recorded = [(f"{a} {b}", filled(a, b)) for a in range(60) for b in range(60)]
    assert ids(filled(7, "8!"), recorded)[0].startswith("7 ")
    assert ids(filled(41, 42), recorded, limit=1) == ["41 42"]


def test_the_same_request_is_all_alike_and_nothing_else_is():
    asked = form(chat())
    first, second, *_ = nearest(asked, [("same", asked), ("near", form(chat(n=True)))])
    assert (first.id, first.similarity, first.canonical) == ("same", 1.0, asked)
    assert second.similarity < 1
    # In Python 1 equals True.
    assert nearest(form([1]), [("not the same", form([True]))])[0].similarity < 1


def test_other_endpoints_are_named_only_where_there_is_nothing_else():
    elsewhere = ("elsewhere", form(chat(), "POST /v1/messages"))
    other_method = ("other method", form(chat(), "PUT /v1/chat/completions"))
    poem = ("poem", form(chat("Write a poem.", [])))
    assert ids(form(chat()), [elsewhere, poem, other_method]) == ["poem"]
    assert ids(form(chat()), [elsewhere, other_method]) == ["other method", "elsewhere"]


def test_another_query_is_near_but_not_nearest():
    recorded = [(f"{n}", form(b"", f"GET /v1/models?limit={n}")) for n in (10, 20)]
    assert ids(form(b"", "GET /v1/models?limit=20"), recorded) == ["20", "10"]


@pytest.mark.parametrize(
    "make",
    [
        lambda word: {"input": f"The {word} flows"},
        lambda word: {"contents": [{"parts": [{"text": f"The {word} flows"}]}]},
        lambda word: [word, "flows"],
        lambda word: f"a line about {word} here".encode(),
        lambda word: b"\xff\x00" * 9 + word.encode(),
        lambda word: {"input": [*range(3000), word]},
    ],
)
def test_any_kind_of_body_can_be_near(make):
    recorded = [
        ("far", form({"x": None, "y": 3})),
        ("text", form(b"1 2 3")),
        ("near", form(make("river"))),
    ]
    assert ids(form(make("lake")), recorded)[0] == "near"


def test_only_a_few_of_many_recordings_are_compared_with_care(monkeypatch):
    compared = []

    def careful(one, other):
        compared.append((one, other))
        return shared_text(one, other)

    monkeypatch.setattr(explaining, "shared_text", careful)
    recorded = [(f"{n}", form({"input": f"word {n}"})) for n in range(2000)]
    asked = form({"input": "word 123!"})
    costs = []
    for count in (200, 2000):
        compared.clear()
        assert ids(asked, recorded[:count])[0] == "123"
        costs.append(len(compared))
    assert 0 < costs[1] == costs[0] < 100


JSON_BODY = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.floats(-9, 9) | st.text(max_size=9),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["messages", "input", "content", "a b"]), inner)
    ),
    max_leaves=12,
).map(canonical)
FORM = st.binary(max_size=30) | st.builds(
    lambda line, body: line + b"\n" + body,
    st.sampled_from([b"POST /v1/chat/completions", b"GET /v1/models?a=1", b"\xff ?", b""]),
    JSON_BODY | st.binary(max_size=30) | st.text(max_size=30).map(str.encode),
)


@given(
    FORM,
    st.lists(st.tuples(st.text(max_size=5), FORM), max_size=5),
    st.sampled_from(Reason),
)
@example(b"", [("", b"")], Reason.NOT_RECORDED)
def test_any_miss_can_be_explained(asked, recorded, reason):
    found = explain(asked, iter(recorded), reason, cassette="c", times_recorded=1, times_played=1)
    similarities = [near.similarity for near in found.nearest]
    assert bool(similarities) == bool(recorded)
    assert similarities == sorted(similarities, reverse=True)
    assert all(0 <= similarity <= 1 for similarity in similarities)
    assert all((near.similarity == 1) == (near.canonical == asked) for near in found.nearest)
    assert found.message().count("\n") == 0
    assert found.text().endswith(".")
    assert orjson.loads(orjson.dumps(found.details()))["reason"] == reason


@given(FORM, FORM)
def test_a_miss_names_a_difference_exactly_where_there_is_one(asked, recorded):
    found = explain(asked, [("one", recorded)])
    same = asked.partition(b"\n")[::2] == recorded.partition(b"\n")[::2]
    assert bool(found.differences) != same
