"""A prompt as a request of Google's: each rule of its own, and what it cannot carry by its name."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from promptdeck.core.dialects.translate.aim import Aim, Untranslatable
from promptdeck.core.dialects.translate.gemini.reads import prompt_of
from promptdeck.core.dialects.translate.gemini.signatures import PLACEHOLDER
from promptdeck.core.dialects.translate.gemini.spoken import called_name, function_name, made_id
from promptdeck.core.dialects.translate.gemini.writes import written
from promptdeck.core.dialects.translate.neutral import (
    Foreign,
    Paper,
    Picture,
    Prompt,
    Regret,
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
from tests.conformance.google_rules import refusal
from tests.core.dialects.translate.strategies import essence_of, prompts, signatures

OLD, NEW = "gemini-2.5-flash", "gemini-3-flash-preview"
PNG = "data:image/png;base64,iVBORw0KGgo="
SIGNED = Signed("google", NEW, "c2ln")
FUNCTION = Tool("f", "d", {"type": "object", "properties": {}, "$defs": {"a": {"const": 1}}})


def aim(model=NEW):
    return Aim("google", "gemini", model, "google")


def said(role, *parts, n=0, **more):
    parts = tuple(Words(part) if isinstance(part, str) else part for part in parts)
    return Utterance(role, parts, f"$.messages[{n}]", **more)


def write(*turns, model=NEW, **asked):
    turns = tuple(turn._replace(path=f"$.messages[{n}]") for n, turn in enumerate(turns))
    return written(Prompt("chat", "m", turns or (said("user", "hi"),), **asked), aim(model))


def body(*turns, **asked):
    made = write(*turns, **asked)
    assert made.lost == ()
    return made.body


def contents(*turns, **asked):
    return [(one["role"], one["parts"]) for one in body(*turns, **asked)["contents"]]


def config(model=NEW, **asked):
    return body(model=model, **asked).get("generationConfig", {})


def lost(*turns, **asked):
    return {one.path for one in write(*turns, **asked).lost}


def call(name="c1", tool="f", arguments="{}", signed=None):
    return ToolCall(name, tool, arguments, signed)


def result(name="c1", *parts, failed=False):
    words = tuple(Words(part) if isinstance(part, str) else part for part in parts)
    return ToolResult(name, "f", words, failed)


def test_the_target_names_model_and_verb():
    assert write().target == f"/v1beta/models/{NEW}:generateContent"
    assert write(stream=True).target == f"/v1beta/models/{NEW}:streamGenerateContent?alt=sse"
    assert write(model="models/gemini-x").target == "/v1beta/models/gemini-x:generateContent"
    assert write(model="a/b:c").target == "/v1beta/models/a/b%3Ac:generateContent"
    assert write(model="tunedModels/a b").target == "/v1beta/tunedModels/a%20b:generateContent"


def test_leading_words_of_the_system_are_parts_of_its_instruction():
    made = body(said("system", "a", "b"), said("system", "c"), said("user", "hi"))
    assert made["systemInstruction"] == {"parts": [{"text": "a"}, {"text": "b"}, {"text": "c"}]}
    assert made["contents"] == [{"role": "user", "parts": [{"text": "hi"}]}]


def test_later_words_of_the_system_move_to_the_front_and_say_so():
    made = write(said("user", "hi"), said("system", "late"), said("user", "now"))
    assert made.body["systemInstruction"] == {"parts": [{"text": "late"}]}
    assert [one.path for one in made.lost] == ["$.messages[1]"]


def test_neighbours_of_one_role_are_one_turn():
    turns = [said("user", "a"), said("user", "b"), said("assistant", "c"), said("user", "d")]
    assert contents(*turns) == [
        ("user", [{"text": "a"}, {"text": "b"}]),
        ("model", [{"text": "c"}]),
        ("user", [{"text": "d"}]),
    ]


def test_an_empty_turn_is_put_before_the_models_and_named():
    made = write(said("assistant", "hello"), said("user", "hi"))
    assert made.body["contents"][0] == {"role": "user", "parts": [{"text": ""}]}
    assert [one.path for one in made.lost] == ["$.messages[0]"]


@pytest.mark.parametrize("model", ["gemini-3.6-flash", "gemini-4-argon", "gemini-99"])
def test_a_last_turn_of_the_models_is_refused_where_the_model_refuses_it(model):
    turns = [said("user", "hi"), said("assistant", "{")]
    with pytest.raises(Untranslatable) as refused:
        write(*turns, model=model)
    assert refused.value.param == "$.messages[1]"
    assert contents(*turns, model=OLD)[-1] == ("model", [{"text": "{"}])


def test_what_is_empty_is_left_out():
    assert contents(
        said("user", "", "hi"), said("assistant", ""), said("user", "again"), model=OLD
    ) == [("user", [{"text": "hi"}, {"text": "again"}])]


def test_results_stand_by_their_calls_in_number_and_order_whatever_order_they_came_in():
    turns = [
        said("user", "hi"),
        said("assistant", "", call("a", "f", '{"x": 1}', SIGNED), call("b", "g")),
        said("user", result("b", "two")),
        said("user", result("a", "one")),
        said("user", "go on"),
    ]
    assert contents(*turns)[1:] == [
        (
            "model",
            [
                {
                    "functionCall": {"id": "a", "name": "f", "args": {"x": 1}},
                    "thoughtSignature": "c2ln",
                },
                {"functionCall": {"id": "b", "name": "g", "args": {}}},
            ],
        ),
        (
            "user",
            [
                {"functionResponse": {"id": "a", "name": "f", "response": {"output": "one"}}},
                {"functionResponse": {"id": "b", "name": "g", "response": {"output": "two"}}},
                {"text": "go on"},
            ],
        ),
    ]


@pytest.mark.parametrize(
    ("turns", "place"),
    [
        ([said("assistant", call()), said("user", "no result")], "$.messages[2]"),
        ([said("assistant", call())], None),
        ([said("user", result())], "$.messages[1]"),
        ([said("assistant", call()), said("user", result("x"))], "$.messages[2]"),
        (
            [said("assistant", call("a"), call("b")), said("user", result("a")), said("user", "x")],
            "$.messages[3]",
        ),
        ([said("assistant", call(arguments="[1]")), said("user", result())], "$.messages[1]"),
        ([said("assistant", call(arguments='{"a":')), said("user", result())], "$.messages[1]"),
        ([said("user", Picture("data:image/png,abc"))], "$.messages[1]"),
        ([said("user", Paper(id="file-1"))], "$.messages[1]"),
    ],
)
def test_what_does_not_fit_together_is_refused_with_its_place(turns, place):
    with pytest.raises(Untranslatable) as refused:
        write(said("user", "hi"), *turns, model=OLD)
    assert refused.value.param == place
    assert refused.value.status == 400


def test_calls_of_one_id_are_answered_in_their_order():
    turns = [
        said("user", "hi"),
        said("assistant", call("", "f"), call("", "g")),
        said("user", result("", "one")),
        said("user", result("", "two")),
    ]
    made = contents(*turns, model=OLD)[-1][1]
    assert [one["functionResponse"]["name"] for one in made] == ["f", "g"]
    assert all("id" not in one["functionResponse"] for one in made)


def test_an_id_that_google_did_not_give_does_not_go_there():
    name = made_id("r", 0, 0)
    turns = [said("user", "hi"), said("assistant", call(name)), said("user", result(name, "x"))]
    _, (_, [asked]), (_, [told]) = contents(*turns, model=OLD)
    assert asked["functionCall"] == {"name": "f", "args": {}}
    assert told["functionResponse"] == {"name": "f", "response": {"output": "x"}}


@pytest.mark.parametrize(
    ("text", "failed", "response"),
    [
        ('{"a": [1]}', False, {"a": [1]}),
        ("[1]", False, {"output": "[1]"}),
        ("plain", False, {"output": "plain"}),
        ("", False, {"output": ""}),
        ("12345678901234567890123", False, {"output": "12345678901234567890123"}),
        ('{"n": 12345678901234567890123}', False, {"n": 12345678901234567890123}),
        ('{"n": NaN}', False, {"output": '{"n": NaN}'}),
        ("it broke", True, {"error": "it broke"}),
        ('{"a": 1}', True, {"error": '{"a": 1}'}),
    ],
)
def test_what_a_tool_returned_is_an_object(text, failed, response):
    turns = [
        said("user", "hi"),
        said("assistant", call()),
        said("user", result("c1", text, failed=failed)),
    ]
    [part] = contents(*turns, model=OLD)[-1][1]
    assert part["functionResponse"]["response"] == response


def test_media_are_within_a_result_where_the_model_takes_them_there():
    turns = [
        said("user", "hi"),
        said("assistant", call(signed=SIGNED)),
        said("user", result("c1", "see", Picture(PNG))),
    ]
    media = {"inlineData": {"mimeType": "image/png", "data": "iVBORw0KGgo="}}
    [part] = contents(*turns)[-1][1]
    assert part["functionResponse"]["parts"] == [media]
    told, beside = contents(*turns, model=OLD)[-1][1]
    assert "parts" not in told["functionResponse"]
    assert beside == media


@pytest.mark.parametrize(
    ("passage", "part"),
    [
        (Picture(PNG), {"inlineData": {"mimeType": "image/png", "data": "iVBORw0KGgo="}}),
        (
            Picture("data:image/jpg;base64,AA=="),
            {"inlineData": {"mimeType": "image/jpeg", "data": "AA=="}},
        ),
        (
            Picture("https://a.example/b.webp?s=1"),
            {"fileData": {"fileUri": "https://a.example/b.webp?s=1", "mimeType": "image/webp"}},
        ),
        (
            Picture("https://a.example/b"),
            {"fileData": {"fileUri": "https://a.example/b", "mimeType": "image/jpeg"}},
        ),
        (
            Picture("gs://b/c", "image/png"),
            {"fileData": {"fileUri": "gs://b/c", "mimeType": "image/png"}},
        ),
        (
            Paper("https://youtu.be/x"),
            {"fileData": {"fileUri": "https://youtu.be/x", "mimeType": "video/mp4"}},
        ),
        (
            Paper("https://generativelanguage.googleapis.com/v1beta/files/x"),
            {"fileData": {"fileUri": "https://generativelanguage.googleapis.com/v1beta/files/x"}},
        ),
        (
            Paper(id="files/abc"),
            {"fileData": {"fileUri": "https://generativelanguage.googleapis.com/v1beta/files/abc"}},
        ),
        (Sound("UklG", "wav"), {"inlineData": {"mimeType": "audio/wav", "data": "UklG"}}),
        (
            Paper("data:application/pdf;base64,JVBERi0=", name="a.pdf"),
            {"inlineData": {"mimeType": "application/pdf", "data": "JVBERi0="}},
        ),
        (Regret("I will not"), {"text": "I will not"}),
        (
            Foreign("gemini", {"executableCode": {"code": "1"}}),
            {"executableCode": {"code": "1"}},
        ),
    ],
)
def test_each_kind_of_part(passage, part):
    assert contents(said("user", passage)) == [("user", [part])]


def test_what_other_providers_ran_is_named():
    turns = [said("user", "hi"), said("assistant", "x", Foreign("messages", {})), said("user", "y")]
    assert lost(*turns) == {"$.messages[1]"}
    assert lost(said("system", Picture(PNG)), said("user", "hi")) == {"$.messages[0]"}
    assert lost(said("user", "hi", name="ann")) == {"$.messages[0].name"}
    assert lost(said("user", Picture(PNG, detail="low"))) == {"$.messages[0]"}
    assert lost(said("user", Words("hi", cache={"type": "ephemeral"}))) == {"$..cache_control"}


# Signatures


def test_the_first_call_of_each_step_of_the_current_turn_is_signed_or_has_the_placeholder():
    turns = [
        said("user", "hi"),
        said("assistant", call("a")),
        said("user", result("a", "x")),
        said("assistant", "so"),
        said("user", "next"),
        said("assistant", call("b"), call("c")),
        said("user", result("b", "x"), result("c", "x")),
        said("assistant", call("d", signed=SIGNED)),
        said("user", result("d", "x")),
    ]
    made = write(*turns)
    parts = [part for content in made.body["contents"] for part in content["parts"]]
    calls = [part.get("thoughtSignature") for part in parts if "functionCall" in part]
    assert calls == [None, PLACEHOLDER, None, "c2ln"]
    assert [one.path for one in made.lost] == ["$.messages[5]"]
    parts = [part for _, parts in contents(*turns, model=OLD) for part in parts]
    assert not any("thoughtSignature" in part for part in parts)


def test_a_signature_goes_only_where_it_came_from_and_its_reasoning_with_it():
    def parts(signed):
        turns = [
            said("user", "hi"),
            said("assistant", Thought("hm", signed), Words("so", signed=signed), "."),
            said("user", "go"),
        ]
        return contents(*turns)[1][1]

    assert parts(SIGNED) == [
        {"text": "hm", "thought": True, "thoughtSignature": "c2ln"},
        {"text": "so", "thoughtSignature": "c2ln"},
        {"text": "."},
    ]
    for other in (Signed("anthropic", NEW, "x"), Signed("google", OLD, "x"), None):
        assert parts(other) == [{"text": "so"}, {"text": "."}]


def test_what_google_alone_has_goes_back_signed_where_it_came_from():
    def parts(signed):
        code = {"executableCode": {"code": "1"}, "thoughtSignature": sealed(signed)}
        beside = {"groundingMetadata": {"webSearchQueries": ["q"]}}
        own = [Foreign("gemini", code), Foreign("gemini", beside)]
        return contents(said("user", "hi"), said("assistant", *own), said("user", "go"))[1][1]

    assert parts(SIGNED) == [{"executableCode": {"code": "1"}, "thoughtSignature": "c2ln"}]
    assert parts(SIGNED._replace(model=OLD)) == [{"executableCode": {"code": "1"}}]


def test_a_switch_of_model_is_no_loss():
    other = call(signed=Signed("anthropic", "claude", "x"))
    _, (_, [part]), _ = contents(
        said("user", "hi"), said("assistant", other), said("user", result("c1", "x"))
    )
    assert part["thoughtSignature"] == PLACEHOLDER


def test_an_empty_text_may_bear_a_signature():
    turns = [
        said("user", "hi"),
        said("assistant", "so", Words("", signed=SIGNED)),
        said("user", ""),
    ]
    told = contents(*turns, said("user", "go"))[1][1]
    assert told == [{"text": "so"}, {"text": "", "thoughtSignature": "c2ln"}]


# Tools


def test_functions_are_one_list_with_their_schemas_unchanged():
    bare = Tool("g", None, None)
    made = body(tools=(FUNCTION, bare))
    assert made["tools"] == [
        {
            "functionDeclarations": [
                {"name": "f", "description": "d", "parametersJsonSchema": FUNCTION.schema},
                {"name": "g"},
            ]
        }
    ]
    assert "toolConfig" not in made


@pytest.mark.parametrize(
    ("choice", "calling"),
    [
        (ToolChoice("auto"), {"mode": "AUTO"}),
        (ToolChoice("none"), {"mode": "NONE"}),
        (ToolChoice("required"), {"mode": "ANY"}),
        (ToolChoice("required", ("f",)), {"mode": "ANY", "allowedFunctionNames": ["f"]}),
        (ToolChoice("auto", ("f",)), {"mode": "VALIDATED", "allowedFunctionNames": ["f"]}),
    ],
)
def test_which_function_is_called(choice, calling):
    made = body(tools=(FUNCTION,), choice=choice)
    assert made["toolConfig"] == {"functionCallingConfig": calling}
    # Refused by Google where there are no functions.
    assert "toolConfig" not in write(choice=choice).body


def test_a_strict_tool_is_held_to_its_schema_where_the_model_can_be():
    strict = FUNCTION._replace(strict=True)
    assert body(tools=(strict,))["toolConfig"] == {"functionCallingConfig": {"mode": "VALIDATED"}}
    made = write(tools=(strict,), model="gemini-2.0-flash")
    assert "toolConfig" not in made.body
    assert [one.path for one in made.lost] == ["$.tools[0].strict"]


def test_the_clients_own_configuration_lies_below_what_the_contract_says():
    client = {
        "function_calling_config": {"mode": "ANY", "allowed_function_names": ["f"]},
        "retrieval_config": {"language_code": "de"},
    }
    made = body(tools=(FUNCTION,), options={"tool_config": client})["toolConfig"]
    assert made == {
        "functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": ["f"]},
        "retrievalConfig": {"languageCode": "de"},
    }
    made = body(tools=(FUNCTION,), options={"tool_config": client}, choice=ToolChoice("none"))
    assert made["toolConfig"]["functionCallingConfig"]["mode"] == "NONE"


@pytest.mark.parametrize(
    "asked",
    [
        {"options": {"web_search_options": {}}},
        {"options": {"web_search_options": {"search_context_size": "medium"}}},
        {"tools": (Foreign("gemini", {"google_search": {}}),)},
        {"tools": (Foreign("gemini", {"googleSearch": {}}),)},
        {"tools": (Foreign("messages", {"type": "web_search_20250305", "name": "web_search"}),)},
        {"tools": (Foreign("responses", {"type": "web_search"}),)},
    ],
)
def test_a_search_is_googles_and_goes_with_functions_in_newer_models(asked):
    assert body(**asked)["tools"] == [{"googleSearch": {}}]
    both = asked | {"tools": (FUNCTION, *asked.get("tools", ()))}
    made = body(**both)
    assert [*map(list, made["tools"])] == [["functionDeclarations"], ["googleSearch"]]
    assert made["toolConfig"] == {"includeServerSideToolInvocations": True}
    made = write(**both, model=OLD)
    assert [*map(list, made.body["tools"])] == [["functionDeclarations"]]
    assert len(made.lost) == 1


def test_tools_without_a_counterpart_are_named():
    foreign = Foreign("messages", {"type": "computer_20250124"})
    assert lost(tools=(FUNCTION, foreign)) == {"$.tools[1]"}
    found = {"search_context_size": "low"}
    assert lost(options={"web_search_options": found}) == {
        "$.web_search_options.search_context_size"
    }
    assert lost(tools=(FUNCTION,), parallel=False) == {"$.parallel"}


def test_a_name_that_google_refuses_is_another_there_and_the_clients_own_here():
    tool = FUNCTION._replace(name="2fa")
    choice = ToolChoice("required", ("2fa",))
    turns = [
        said("user", "hi"),
        said("assistant", call(tool="2fa", signed=SIGNED)),
        said("user", result("c1", "x")),
    ]
    made = body(*turns, tools=(tool,), choice=choice)
    assert refusal(NEW, made) is None
    [declared] = made["tools"][0]["functionDeclarations"]
    parts = [part for content in made["contents"] for part in content["parts"]]
    names = [
        declared["name"],
        *made["toolConfig"]["functionCallingConfig"]["allowedFunctionNames"],
        parts[1]["functionCall"]["name"],
        parts[2]["functionResponse"]["name"],
    ]
    assert names == ["_2fa"] * 4


@given(st.text("_-a0", min_size=1, max_size=5))
def test_names_are_told_apart_there_and_back(name):
    assert called_name(function_name(name)) == name
    assert re.match("[a-z_]", function_name(name))


# What else is asked


@pytest.mark.parametrize(
    ("name", "value", "there", "told"),
    [
        ("temperature", 0.5, "temperature", 0.5),
        ("temperature", 0, "temperature", 0),
        ("top_p", 0.9, "topP", 0.9),
        ("top_k", 5, "topK", 5),
        ("n", 2, "candidateCount", 2),
        ("max_tokens", 9, "maxOutputTokens", 9),
        ("stop", ["a"], "stopSequences", ["a"]),
        ("seed", 7, "seed", 7),
        ("presence_penalty", 0.1, "presencePenalty", 0.1),
        ("frequency_penalty", 0.1, "frequencyPenalty", 0.1),
        ("logprobs", True, "responseLogprobs", True),
        ("modalities", ["text", "audio"], "responseModalities", ["TEXT", "AUDIO"]),
    ],
)
def test_each_option_has_its_field(name, value, there, told):
    assert config(options={name: value}) == {there: told}


def test_how_many_log_probabilities():
    both = {"responseLogprobs": True, "logprobs": 3}
    assert config(options={"logprobs": True, "top_logprobs": 3}) == both
    assert config(options={"top_logprobs": 3}) == both


@pytest.mark.parametrize(
    ("name", "value", "there"),
    [
        ("safety_settings", [{"category": "A", "threshold": "OFF"}], "safetySettings"),
        ("cached_content", "cachedContents/x", "cachedContent"),
        ("store", True, "store"),
        ("metadata", {"a": "b"}, "labels"),
    ],
)
def test_some_stand_beside(name, value, there):
    assert body(options={name: value})[there] == value


def test_tiers_have_googles_names():
    assert body(options={"service_tier": "flex"})["serviceTier"] == "flex"
    for name in ("default", "standard"):
        assert body(options={"service_tier": name})["serviceTier"] == "standard"
    assert "serviceTier" not in body(options={"service_tier": "auto"})
    assert lost(options={"service_tier": "scale"}) == {"$.service_tier"}


def test_a_voice():
    voice = {"voiceConfig": {"prebuiltVoiceConfig": {"voiceName": "Kore"}}}
    assert config(options={"audio": {"voice": "Kore", "format": "pcm16"}}) == {
        "speechConfig": voice
    }
    assert lost(options={"audio": {"voice": {"id": "Kore"}, "format": "mp3"}}) == {"$.audio.format"}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("logit_bias", {"1": 1}),
        ("user", "u"),
        ("safety_identifier", "u"),
        ("prediction", {"type": "content", "content": "x"}),
        ("verbosity", "low"),
        ("safe_prompt", True),
        ("prompt_mode", "reasoning"),
        ("search_parameters", {"mode": "on"}),
        ("speed", "fast"),
        ("inference_geo", "us"),
        ("prompt_cache_key", "k"),
        ("prompt_cache_retention", "24h"),
        ("mcp_servers", ["a/b"]),
        ("deferred", True),
        ("seed", 2**40),
        ("metadata", {"a": 1}),
        ("stop", [*"abcdef"]),
        ("unheard_of", 1),
    ],
)
def test_what_has_no_counterpart_is_named(name, value):
    assert lost(options={name: value}) == {f"$.{name}"}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("n", 1),
        ("presence_penalty", 0),
        ("frequency_penalty", 0.0),
        ("logprobs", False),
        ("top_logprobs", 0),
        ("store", False),
        ("modalities", ["text"]),
        ("logit_bias", {}),
        ("metadata", {}),
        ("safe_prompt", False),
        ("deferred", False),
        ("credentials", {"a": 1}),
        ("agent_attributes", {"accuracy": 1}),
        ("max_turns", 3),
        ("stream_options", {"include_usage": True}),
    ],
)
def test_what_asks_for_nothing_and_what_is_ours_passes_without_a_word(name, value):
    assert body(options={name: value}) == body()


@pytest.mark.parametrize(
    ("model", "name", "value"),
    [
        ("gemini-4-hydrogen", "temperature", 0.5),
        ("gemini-4-hydrogen", "top_p", 0.5),
        ("gemini-4-hydrogen", "top_k", 5),
        ("gemini-4-argon", "n", 2),
        ("gemini-3.8-flash", "presence_penalty", 1),
        ("gemini-new", "frequency_penalty", 1),
    ],
)
def test_what_a_model_refuses_is_left_out_and_named(model, name, value):
    made = write(model=model, options={name: value})
    assert "generationConfig" not in made.body
    assert [one.path for one in made.lost] == [f"$.{name}"]


def test_the_form_of_an_answer():
    schema = {"type": "object", "$ref": "#/x"}
    told = {"responseMimeType": "application/json", "responseJsonSchema": schema}
    assert config(shape=Shape(schema, "n", strict=True)) == told
    assert config(shape=Shape()) == {"responseMimeType": "application/json"}
    assert config(shape=Shape(schema), tools=(FUNCTION,)) == told
    assert lost(shape=Shape(schema), tools=(FUNCTION,), model=OLD) == {"$.shape"}


def test_thinking_is_asked_for_and_shown():
    def thinking(model=NEW, **asked):
        return config(model, thinking=Thinking(**asked)).get("thinkingConfig")

    assert thinking(effort="low") == {"thinkingLevel": "LOW", "includeThoughts": True}
    assert thinking(effort="low", shown=False) == {"thinkingLevel": "LOW"}
    assert thinking(OLD, effort="none") == {"thinkingBudget": 0}
    assert thinking(OLD, budget=2000, mode="enabled") == {
        "thinkingBudget": 2000,
        "includeThoughts": True,
    }
    assert thinking(shown=True) == {"includeThoughts": True}
    assert thinking("gemini-2.0-flash", effort="none") is None


def test_the_clients_own_generation_config_lies_below_and_is_taken_in_either_spelling():
    client = {
        "max_output_tokens": 5,
        "topK": 3,
        "media_resolution": "MEDIA_RESOLUTION_LOW",
        "thinking_config": {"thinking_budget": 5, "include_thoughts": True},
        "response_schema": {"type": "STRING"},
    }
    made = config(
        options={"generation_config": client, "max_tokens": 9},
        thinking=Thinking(effort="high", shown=False),
        shape=Shape({"type": "object"}),
    )
    assert made == {
        "maxOutputTokens": 9,
        "topK": 3,
        "mediaResolution": "MEDIA_RESOLUTION_LOW",
        "thinkingConfig": {"thinkingLevel": "HIGH", "includeThoughts": True},
        "responseMimeType": "application/json",
        "responseJsonSchema": {"type": "object"},
    }
    both = {"thinkingConfig": {"thinkingLevel": "LOW", "thinkingBudget": 1}}
    assert config(options={"generation_config": both}) == {
        "thinkingConfig": {"thinkingLevel": "LOW"}
    }


# There and back


def plain(part):
    """A part without what Google does not tell of it."""
    if isinstance(part, Picture):
        return part._replace(mime="")
    if isinstance(part, Paper):
        return part._replace(name="", mime="")
    if isinstance(part, Thought):
        # Whose a client's signatures are is known, and not for which model.
        return Thought(part.text, part.signed._replace(model=""))
    return part


def same(prompt):
    turns = [turn._replace(parts=tuple(map(plain, turn.parts))) for turn in prompt.turns]
    shape = prompt.shape and prompt.shape._replace(name="")
    return essence_of(prompt._replace(turns=tuple(turns), shape=shape))


@given(
    prompts(signed=signatures("google", "m-1"), also={"pictures", "papers", "failures", "shape"})
)
@settings(max_examples=40)
def test_a_prompt_comes_back_as_it_was(prompt):
    made = written(prompt, aim("m-1"))
    assert made.lost == ()
    assert same(prompt_of(made.body, made.target)) == same(prompt)


MODELS = """gemini-2.0-flash gemini-2.5-pro gemini-2.5-flash gemini-2.5-flash-lite gemini-3-pro
    gemini-3-flash gemini-3.1-pro gemini-3.5-flash gemini-3.6-flash gemini-3.8-flash gemini-4-argon
    gemini-4-hydrogen gemini-99""".split()
EFFORTS = "none minimal low medium high xhigh max".split()
MUSINGS = st.builds(
    Thinking, st.sampled_from(EFFORTS), shown=st.none() | st.booleans()
) | st.builds(
    Thinking,
    budget=st.integers(-1, 99_999),
    mode=st.sampled_from(["enabled", "adaptive", "disabled"]),
)
OPTIONS = {
    "temperature": 1, "top_p": 1, "top_k": 1, "n": 2, "seed": 2**40, "presence_penalty": 1,
    "frequency_penalty": 1, "logprobs": True, "top_logprobs": 3, "store": True, "user": "u",
    "modalities": ["text", "audio"], "audio": {"voice": "a", "format": "mp3"}, "verbosity": "low",
    "service_tier": "flex", "metadata": {"a": "b"}, "web_search_options": {}, "speed": "fast",
    "generation_config": {"thinking_config": {"thinking_budget": 5}, "speech_config": {}},
}  # fmt: skip


@given(
    prompts(
        signed=signatures("google", "gemini-3-pro"),
        also={"pictures", "papers", "failures", "shape", "late", "custom"},
    ),
    st.sampled_from(MODELS),
    st.none() | MUSINGS,
    st.dictionaries(st.sampled_from([*OPTIONS]), st.none()),
)
@settings(max_examples=50)
def test_google_refuses_nothing(prompt, model, thinking, names):
    """Whatever is asked, of any model."""
    options = {**prompt.options, **{name: OPTIONS[name] for name in names}}
    made = written(prompt._replace(thinking=thinking, options=options), aim(model))
    assert refusal(model, made.body) is None


@given(prompts(signed=signatures("anthropic", "m-1"), also={"late", "custom"}))
@settings(max_examples=30)
def test_no_others_signature_goes_to_google(prompt):
    made = written(prompt, aim("m-1"))
    assert "c2ln'" not in repr(made.body)
    assert "AAEC'" not in repr(made.body)
    calls = 0
    for content in made.body["contents"]:
        answers = sum("functionResponse" in part for part in content["parts"])
        assert answers == calls
        calls = sum("functionCall" in part for part in content["parts"])
