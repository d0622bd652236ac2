"""A request of Google's as a prompt: both spellings, calls without ids, its own form of schemas."""

from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from promptdeck.core.dialects.translate.aim import Untranslatable
from promptdeck.core.dialects.translate.gemini.reads import prompt_of
from promptdeck.core.dialects.translate.gemini.schemas import json_schema
from promptdeck.core.dialects.translate.gemini.signatures import PLACEHOLDER
from promptdeck.core.dialects.translate.neutral import (
    Foreign,
    Paper,
    Picture,
    Shape,
    Signed,
    Sound,
    Thinking,
    Thought,
    Tool,
    ToolCall,
    ToolChoice,
    ToolResult,
    Utterance,
    Words,
)
from promptdeck.core.dialects.translate.signing import sealed
from tests.chats import ANY_JSON

SIGNED = Signed("google", "", "c2ln")
TARGET = "/v1beta/models/m:generateContent"


def read(target=TARGET, **body):
    return prompt_of({"contents": [{"parts": [{"text": "hi"}]}], **body}, target)


def turns(*contents):
    return [(turn.role, [*turn.parts]) for turn in read(contents=[*contents]).turns]


def model(*parts):
    return {"role": "model", "parts": [*parts]}


def user(*parts):
    return {"role": "user", "parts": [*parts]}


def call(name, args=None, **more):
    return {"functionCall": {"name": name, "args": args or {}, **more}}


def result(name, response, **more):
    return {"functionResponse": {"name": name, "response": response, **more}}


@pytest.mark.parametrize(
    ("target", "name", "stream"),
    [
        (TARGET, "m", False),
        ("/v1/models/m:streamGenerateContent?alt=sse", "m", True),
        ("/v1beta/models/m:streamGenerateContent", "m", True),
        (
            "/v1beta/models/anthropic/claude-opus-5:generateContent",
            "anthropic/claude-opus-5",
            False,
        ),
        ("/v1beta/models/llama3%3A8b:generateContent?key=a:b", "llama3:8b", False),
        ("/v1beta/models/llama3:8b:generateContent", "llama3:8b", False),
        ("/v1/projects/p/locations/l/publishers/google/models/m:generateContent", "m", False),
    ],
)
def test_the_target_names_model_and_verb(target, name, stream):
    prompt = read(target)
    assert (prompt.model, prompt.stream) == (name, stream)


def test_a_target_that_names_none_is_refused():
    with pytest.raises(Untranslatable):
        read("/v1/chat")


BOTH = [
    {"systemInstruction": {"parts": [{"text": "be brief"}]}},
    {"system_instruction": {"parts": {"text": "be brief"}}},
    {"system_instruction": "be brief"},
]


@pytest.mark.parametrize("asked", BOTH)
def test_the_system_speaks_first(asked):
    first, second = read(**asked).turns
    assert first == Utterance("system", (Words("be brief"),), "$.systemInstruction")
    assert second == Utterance("user", (Words("hi"),), "$.contents[0]")


@pytest.mark.parametrize(
    ("part", "passage"),
    [
        ({"text": "a"}, Words("a")),
        (
            {"text": "a", "thoughtSignature": "c2ln"},
            Words("a", signed=SIGNED),
        ),
        (
            {"inline_data": {"mime_type": "image/png", "data": "-_8"}},
            Picture("data:image/png;base64,+/8=", "image/png"),
        ),
        ({"inlineData": {"mimeType": "audio/mp3", "data": "AA=="}}, Sound("AA==", "mp3")),
        (
            {"inlineData": {"mimeType": "application/pdf", "data": "AA==", "displayName": "a.pdf"}},
            Paper("data:application/pdf;base64,AA==", name="a.pdf", mime="application/pdf"),
        ),
        (
            {"fileData": {"mimeType": "image/png", "fileUri": "gs://a/b"}},
            Picture("gs://a/b", "image/png"),
        ),
        ({"file_data": {"file_uri": "https://youtu.be/x"}}, Paper("https://youtu.be/x")),
        ({"executableCode": {"code": "1"}}, Foreign("gemini", {"executableCode": {"code": "1"}})),
        (
            {"functionCall": {"id": "x", "name": "f", "args": {"a_b": None}}},
            ToolCall("x", "f", '{"a_b":null}'),
        ),
        (
            {"function_call": {"name": "f"}, "thought_signature": PLACEHOLDER},
            ToolCall("call_1", "f", "{}"),
        ),
    ],
)
def test_each_kind_of_part(part, passage):
    assert turns(model(part)) == [("assistant", [passage])]


def test_contents_may_be_one_turn_and_its_role_in_capitals():
    asked = {"contents": {"role": "USER", "parts": {"text": "hi"}}}
    assert read(**asked).turns == (Utterance("user", (Words("hi"),), "$.contents"),)
    assert read(contents="hi").turns == (Utterance("user", (Words("hi"),), "$.contents"),)


def test_what_says_nothing_is_left_out():
    assert turns(user({"text": "hi"}), model({"text": ""}), model(), {"parts": None}) == [
        ("user", [Words("hi")])
    ]


def test_calls_without_ids_get_some_and_their_results_the_same():
    contents = [
        user({"text": "hi"}),
        model(call("f"), call("g"), call("f")),
        user(result("g", {"output": "2"}), result("f", {"result": "1"}), result("f", {"a": 3})),
        model(call("f")),
        {"role": "function", "parts": [result("f", {"error": "bad"})]},
    ]
    made = turns(*contents)
    assert [part.id for part in made[1][1]] == ["call_1", "call_2", "call_3"]
    assert made[2] == (
        "user",
        [
            ToolResult("call_2", "g", (Words("2"),)),
            ToolResult("call_1", "f", (Words("1"),)),
            ToolResult("call_3", "f", (Words('{"a":3}'),)),
        ],
    )
    assert made[4] == ("user", [ToolResult("call_4", "f", (Words("bad"),), failed=True)])


def test_ids_that_are_there_pair_calls_and_results():
    made = turns(
        model(call("f", id="a"), call("f", id="b")),
        user(result("f", {"output": ""}, id="b"), result("f", {"output": [1]}, id="a")),
    )
    assert made[1][1] == [ToolResult("b", "f", ()), ToolResult("a", "f", (Words("[1]"),))]


def test_what_a_function_returned_may_be_more_than_text():
    media = {"inlineData": {"mimeType": "image/png", "data": "AA=="}}
    [_, (_, [made])] = turns(model(call("f")), user(result("f", {"output": "see"}, parts=[media])))
    assert made.parts == (Words("see"), Picture("data:image/png;base64,AA==", "image/png"))


def test_reasoning_is_one_thought_up_to_its_signature():
    signed = Signed("anthropic", "claude", "s")
    thinking = {"text": "a", "thought": True}
    assert turns(
        model(
            thinking,
            {"text": "b", "thought": True, "thoughtSignature": sealed(signed)},
            thinking,
            {"text": "so"},
            thinking,
        )
    ) == [("assistant", [Thought("ab", signed), Thought("a"), Words("so"), Thought("a")])]


@pytest.mark.parametrize(
    ("asked", "thinking"),
    [
        ({"thinkingBudget": 0}, Thinking(budget=0, mode="disabled")),
        ({"thinking_budget": -1, "include_thoughts": True}, Thinking(budget=-1, shown=True)),
        ({"thinkingLevel": "HIGH"}, Thinking(effort="high")),
        ({"thinkingLevel": "THINKING_LEVEL_UNSPECIFIED"}, Thinking()),
    ],
)
def test_thinking(asked, thinking):
    for config in ("generationConfig", "generation_config"):
        assert read(**{config: {"thinkingConfig": asked}}).thinking == thinking


def test_the_form_of_an_answer():
    def shape(**config):
        return read(generationConfig=config).shape

    schema = {"type": "STRING", "nullable": True}
    plain = {"type": ["string", "null"]}
    assert shape(responseMimeType="application/json", responseSchema=schema) == Shape(plain)
    assert shape(response_mime_type="application/json", response_json_schema=plain) == Shape(plain)
    assert shape(responseMimeType="application/json") == Shape()
    assert shape(responseMimeType="text/plain") is None
    odd = read(generationConfig={"responseMimeType": "text/x.enum"})
    assert odd.options == {"responseMimeType": "text/x.enum"}


def test_tools():
    made = read(
        tools=[
            {
                "function_declarations": [
                    {"name": "f", "description": "d", "parameters": {"type": "OBJECT"}},
                    {"name": "g", "parametersJsonSchema": {"type": "object", "x_y": 1}},
                    {"name": "h"},
                ]
            },
            {"googleSearch": {}, "codeExecution": {}},
        ]
    )
    assert made.tools == (
        Tool("f", "d", {"type": "object"}),
        Tool("g", None, {"type": "object", "x_y": 1}),
        Tool("h", None, {"type": "object", "properties": {}}),
        Foreign("gemini", {"codeExecution": {}}),
    )
    assert made.options == {"web_search_options": {"search_context_size": "medium"}}
    own = {"googleSearch": {"excludeDomains": ["a.example"]}}
    assert read(tools=[own]).tools == (Foreign("gemini", own),)


@pytest.mark.parametrize(
    ("calling", "choice"),
    [
        ({"mode": "AUTO"}, ToolChoice("auto")),
        ({"mode": "VALIDATED"}, ToolChoice("auto")),
        ({"mode": "NONE"}, ToolChoice("none")),
        (
            {"mode": "ANY", "allowed_function_names": ["f"]},
            ToolChoice("required", ("f",)),
        ),
        ({"mode": "MODE_UNSPECIFIED"}, None),
        ({}, None),
    ],
)
def test_which_function_is_called(calling, choice):
    assert read(tool_config={"function_calling_config": calling}).choice == choice


def test_options_have_the_contracts_names_and_the_places_of_the_clients():
    made = read(
        generationConfig={
            "temperature": 0.5,
            "topP": 1,
            "top_k": 3,
            "candidateCount": 2,
            "maxOutputTokens": 5,
            "stopSequences": ["x"],
            "seed": 1,
            "presencePenalty": 1,
            "frequencyPenalty": 1,
            "responseLogprobs": True,
            "logprobs": 2,
            "responseModalities": ["TEXT", "AUDIO"],
            "speechConfig": {"languageCode": "de"},
            "mediaResolution": None,
        },
        safetySettings=[{"category": "A", "threshold": "OFF"}],
        cached_content="cachedContents/x",
        service_tier="standard",
        labels={"a_b": "c"},
        store=True,
        toolConfig={"retrievalConfig": {"languageCode": "de"}},
    )
    assert made.options == {
        "temperature": 0.5,
        "top_p": 1,
        "top_k": 3,
        "n": 2,
        "max_tokens": 5,
        "stop": ["x"],
        "seed": 1,
        "presence_penalty": 1,
        "frequency_penalty": 1,
        "logprobs": True,
        "top_logprobs": 2,
        "modalities": ["text", "audio"],
        "speechConfig": {"languageCode": "de"},
        "safety_settings": [{"category": "A", "threshold": "OFF"}],
        "cached_content": "cachedContents/x",
        "service_tier": "default",
        "metadata": {"a_b": "c"},
        "store": True,
        "tool_config": {"retrievalConfig": {"languageCode": "de"}},
    }
    assert made.path("n") == "$.generationConfig.candidateCount"
    assert made.path("safety_settings") == "$.safetySettings"
    assert made.path("tools") == "$.tools"


@pytest.mark.parametrize(
    ("contents", "place"),
    [
        ([{"role": "system", "parts": [{"text": "a"}]}], "$.contents[0].role"),
        ([{"parts": [1]}], "$.contents[0].parts[0]"),
    ],
)
def test_what_cannot_be_understood_is_refused_with_its_place(contents, place):
    with pytest.raises(Untranslatable) as refused:
        read(contents=contents)
    assert refused.value.param == place


@pytest.mark.parametrize(
    ("google", "plain"),
    [
        (
            {
                "type": "OBJECT",
                "properties": {
                    "any_of": {"type": "STRING", "format": "enum", "enum": ["a"], "nullable": True},
                    "n": {"type": "ARRAY", "items": {"type": "INTEGER"}, "minItems": "2"},
                },
                "propertyOrdering": ["n", "any_of"],
                "required": ["n"],
            },
            {
                "type": "object",
                "properties": {
                    "any_of": {"type": ["string", "null"], "enum": ["a", None]},
                    "n": {"type": "array", "items": {"type": "integer"}, "minItems": 2},
                },
                "required": ["n"],
            },
        ),
        (
            {"any_of": [{"type": "STRING"}, {"type": "NUMBER"}], "nullable": True, "example": 1},
            {"anyOf": [{"type": "string"}, {"type": "number"}, {"type": "null"}], "examples": [1]},
        ),
        (
            {"defs": {"A": {"type": "BOOLEAN"}}, "ref": "#/defs/A", "max_length": 3},
            {"$defs": {"A": {"type": "boolean"}}, "$ref": "#/$defs/A", "maxLength": 3},
        ),
        ({"type": "TYPE_UNSPECIFIED"}, {}),
        ({"type": "object", "additionalProperties": False}, None),
        (None, None),
    ],
)
def test_schemas_become_json_schema(google, plain):
    assert json_schema(google) == (plain if plain is not None or google is None else google)


BODIES = st.dictionaries(
    st.sampled_from(
        """contents systemInstruction tools toolConfig generationConfig safetySettings
        serviceTier x""".split()
    ),
    ANY_JSON
    | st.lists(
        st.dictionaries(
            st.sampled_from("role parts functionDeclarations functionCallingConfig".split()),
            ANY_JSON
            | st.lists(
                st.dictionaries(
                    st.sampled_from("text functionCall functionResponse inlineData name".split()),
                    ANY_JSON,
                ),
                max_size=2,
            ),
            max_size=2,
        ),
        max_size=2,
    ),
    max_size=4,
)


@given(BODIES)
@settings(max_examples=60)
def test_no_body_is_an_exception_of_another_kind(body):
    with suppress(Untranslatable):
        prompt_of(body, TARGET)
