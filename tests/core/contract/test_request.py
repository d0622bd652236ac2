"""core/contract: real SDKs' requests, what each field enforces, and the words for what is wrong."""

import json  # noqa: TID251  bodies as clients write them: spaced, in ASCII, in any order
import random
import re
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from promptdeck.core.contract import answers
from promptdeck.core.contract.request import BODY, FIELDS, body_shape, check, fields_table, in_key
from promptdeck.core.contract.schema import JSONSchema
from promptdeck.core.contract.tools import SETTINGS
from promptdeck.core.contract.violations import judge
from promptdeck.core.dialects.chat.counting import EXCLUDED
from promptdeck.core.dialects.chat.dialect import CHAT
from promptdeck.core.dialects.interpreted import understood
from promptdeck.core.dialects.table import dialect_in
from promptdeck.core.interaction import CHAT_COMPLETIONS, Interaction, Request
from promptdeck.core.matching.clean import keepable
from promptdeck.core.matching.fingerprint import fingerprint
from promptdeck.core.matching.normalize import normalize
from promptdeck.core.matching.rules import NO_RULES
from promptdeck.core.secrets.redact import Redactor
from promptdeck.core.text import sse
from promptdeck.core.text.jsontext import parse
from promptdeck.core.text.paths import child_path
from promptdeck.stores.cassettes import file as cassette_file
from tests import ROOT
from tests.chats import ANY_JSON
from tests.contract_strategies import requests, spoilt, values
from tests.schema_oracle import accepts
from tests.secret_samples import A_SAMPLE

REDACTOR = Redactor()


def violations(body: Any) -> list[str]:
    return [str(found) for found in check(body).violations]


def warnings(body: Any) -> list[str]:
    return [str(found) for found in check(body).warnings]


def paths(body: Any) -> list[str]:
    return [found.path for found in check(body).violations]


def told(*messages: Any) -> dict[str, Any]:
    return {"model": "m", "messages": [*messages]}


# Real requests

MESSAGE = {"content": "string", "role": "developer", "name": "name"}
# What dedalus_labs 0.3.0 sends in its tests of all parameters.
DEDALUS: dict[str, Any] = {
    "model": "openai/gpt-5",
    "agent_attributes": {"accuracy": 0.9, "complexity": 0.8},
    "audio": {"format": "wav", "voice": "string"},
    "automatic_tool_execution": True,
    "cached_content": "cached_content",
    "correlation_id": "correlation_id",
    "credentials": {"connection_name": "external-service", "values": {"api_key": "sk-..."}},
    "deferred": True,
    "deferred_calls": [
        {
            "id": "id",
            "name": "name",
            "arguments": {"foo": "string"},
            "blocked_by": ["string"],
            "dependencies": ["string"],
            "venue": "venue",
        }
    ],
    "frequency_penalty": -2,
    "function_call": "function_call",
    "functions": [{"name": "name", "description": "description", "parameters": {"foo": "bar"}}],
    "generation_config": {"foo": "string"},
    "guardrails": [{"foo": "bar"}],
    "handoff_config": {"foo": "bar"},
    "handoff_mode": True,
    "inference_geo": "inference_geo",
    "logit_bias": {"foo": 0},
    "logprobs": True,
    "max_completion_tokens": 0,
    "max_tokens": 1,
    "max_turns": 5,
    "mcp_servers": "dedalus-labs/example-server",
    "messages": [MESSAGE],
    "metadata": {"foo": "string"},
    "modalities": ["string"],
    "model_attributes": {"gpt-5": {"accuracy": 0.95, "speed": 0.6}},
    "n": 1,
    "output_config": {"foo": "string"},
    "parallel_tool_calls": True,
    "prediction": {"content": "string", "type": "content"},
    "presence_penalty": -2,
    "prompt_cache_key": "prompt_cache_key",
    "prompt_cache_retention": "prompt_cache_retention",
    "prompt_mode": "reasoning",
    "reasoning_effort": "reasoning_effort",
    "response_format": {"type": "text"},
    "safe_prompt": True,
    "safety_identifier": "safety_identifier",
    "safety_settings": [
        {
            "category": "HARM_CATEGORY_UNSPECIFIED",
            "threshold": "HARM_BLOCK_THRESHOLD_UNSPECIFIED",
        }
    ],
    "search_parameters": {"foo": "string"},
    "seed": 0,
    "service_tier": "service_tier",
    "speed": "standard",
    "stop": ["string"],
    "store": True,
    "stream": False,
    "stream_options": {"foo": "string"},
    "system_instruction": {"foo": "string"},
    "temperature": 0,
    "thinking": {"budget_tokens": 1024, "type": "enabled"},
    "tool_choice": "string",
    "tool_config": {"foo": "string"},
    "tools": [{"function": {"name": "name"}, "type": "function"}],
    "top_k": 0,
    "top_logprobs": 0,
    "top_p": 0,
    "user": "user",
    "verbosity": "verbosity",
    "web_search_options": {"foo": "string"},
}
# What openai 3.54.0 sends in its.
OPENAI: dict[str, Any] = {
    "messages": [MESSAGE],
    "model": "gpt-6-astra",
    "audio": {"format": "wav", "voice": "alloy"},
    "frequency_penalty": -2,
    "function_call": "none",
    "functions": [{"name": "name", "description": "description", "parameters": {"foo": "bar"}}],
    "logit_bias": {"foo": 0},
    "logprobs": True,
    "max_completion_tokens": 0,
    "max_tokens": 0,
    "metadata": {"foo": "string"},
    "modalities": ["text"],
    "moderation": {
        "model": "model",
        "policy": {"input": {"mode": "score"}, "output": {"mode": "score"}},
    },
    "n": 1,
    "parallel_tool_calls": True,
    "prediction": {"content": "string", "type": "content"},
    "presence_penalty": -2,
    "prompt_cache_key": "prompt-cache-key-1234",
    "prompt_cache_options": {"mode": "implicit", "ttl": "30m"},
    "prompt_cache_retention": "in_memory",
    "reasoning_effort": "none",
    "response_format": {"type": "text"},
    "safety_identifier": "safety-identifier-1234",
    "seed": -9007199254740991,
    "service_tier": "auto",
    "stop": "\n",
    "store": True,
    "stream": False,
    "stream_options": {"include_obfuscation": True, "include_usage": True},
    "temperature": 1,
    "tool_choice": "none",
    "tools": [
        {
            "function": {
                "name": "name",
                "description": "description",
                "parameters": {"foo": "bar"},
                "strict": True,
            },
            "type": "function",
        }
    ],
    "top_logprobs": 0,
    "top_p": 1,
    "user": "user-1234",
    "verbosity": "low",
    "web_search_options": {
        "search_context_size": "low",
        "user_location": {
            "approximate": {
                "city": "city",
                "country": "country",
                "region": "region",
                "timezone": "timezone",
            },
            "type": "approximate",
        },
    },
}
CALL = {"id": "call_1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
RUNNER = {
    "model": ["openai/gpt-5"],
    "messages": [{"role": "system", "content": "Be kind."}, {"role": "user", "content": "hi"}],
    "mcp_servers": [],
    "credentials": None,
    "tools": None,
}


@pytest.mark.parametrize("body", [DEDALUS, OPENAI], ids=["dedalus", "openai"])
@pytest.mark.parametrize("stream", [False, True])
def test_what_the_sdks_own_tests_send_is_accepted(body: dict[str, Any], stream: bool) -> None:
    assert violations({**body, "stream": stream}) == []


def test_the_dedalus_sdk_sends_every_field_but_none_that_is_unknown() -> None:
    assert DEDALUS.keys() == FIELDS.keys()


@pytest.mark.parametrize(
    "body",
    [
        {"model": "openai/gpt-5"},
        dict.fromkeys(FIELDS.keys() - {"automatic_tool_execution"}) | {"model": "m"},
        RUNNER,
        # The runner's second turn, and its orphan when it streams.
        told({"role": "assistant", "tool_calls": [CALL]},
             {"role": "tool", "tool_call_id": "call_1", "content": "3"}),
        told({"role": "user", "content": "x"},
             {"role": "tool", "tool_call_id": "call_1", "content": "3"}),
        {"model": "m", "mcp_servers": {"slug": "a/b", "version": "v1"}},
        {"model": "m", "mcp_servers": ["a/b", {"url": "https://x/mcp"}]},
        {"model": {"model": "m", "settings": {"temperature": 0.1, "reasoning": {"effort": "low"}}}},
        # A response of either SDK written back into the conversation.
        told({"role": "assistant", "content": None, "refusal": None, "annotations": [],
              "audio": None, "function_call": None, "tool_calls": None, "reasoning_content": "x"}),
        told({"role": "assistant", "content": "x", "tool_calls": []}),
        # Mistral, Gemini, Anthropic and OpenRouter.
        told({"role": "assistant", "content": [{"type": "thinking", "thinking": []}]},
             {"role": "user", "content": [{"type": "image_url", "image_url": "https://x/y.png"}]},
             {"role": "assistant", "tool_calls": [{"function": {"name": "f", "arguments": {}}}]},
             {"role": "tool", "name": "f", "content": "x"}),
        told({"role": "assistant", "tool_calls": [{**CALL, "thought_signature": "c2ln"}]}),
        told({"role": "system", "content": [
            {"type": "text", "text": "x", "cache_control": {"type": "ephemeral"}}]}),
        {"model": "m", "tools": [{"type": "web_search"}, {"function": {"name": "f"}}]},
        {"model": "m", "tools": [], "functions": []},
        {"model": "m", "seed": 1.0, "max_tokens": 10.0, "logit_bias": {"50256": -0.5}},
    ],
)  # fmt: skip
def test_what_real_programs_send_is_accepted(body: dict[str, Any]) -> None:
    assert violations(body) == []


def test_what_dedalus_runner_sends_draws_no_warning() -> None:
    assert warnings(RUNNER) == []


@pytest.mark.parametrize(
    "choice",
    [
        None,
        "auto",
        "required",
        {"type": "function", "function": {"name": "f"}},
        {"type": "custom", "custom": {"name": "f"}},
        {"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": [{}]}},
        {"type": "auto", "disable_parallel_tool_use": True},
        {"type": "any"},
        {"type": "tool", "name": "f"},
        {"type": "none"},
    ],
)
def test_tool_choices_of_openai_and_anthropic_are_accepted(choice: Any) -> None:
    assert check({"model": "m", "tool_choice": choice}) == ((), ())


# The fields


def test_there_are_sixty_fields_and_fifty_one_settings() -> None:
    assert len(FIELDS) == 60
    assert len(SETTINGS.fields) == 51
    assert [*BODY.required] == ["model"]


@pytest.mark.parametrize("name", FIELDS)
def test_null_is_accepted_where_the_contract_has_it(name: str) -> None:
    refused = name in ("model", "automatic_tool_execution")
    assert (paths({"model": "m", name: None}) == []) is not refused


# As the tables of the API have them, written down once more.
KINDS = {
    "string object list": "model",
    "list null": """messages tools functions modalities safety_settings guardrails
        deferred_calls""",
    "number null": "temperature top_p presence_penalty frequency_penalty",
    "integer null": """max_tokens max_completion_tokens top_k n seed top_logprobs max_turns""",
    "boolean null": """stream parallel_tool_calls logprobs safe_prompt handoff_mode deferred
        store""",
    "boolean": "automatic_tool_execution",
    "string null": """prompt_mode user safety_identifier prompt_cache_key prompt_cache_retention
        cached_content reasoning_effort correlation_id service_tier speed inference_geo
        verbosity""",
    "string object null": "system_instruction tool_choice function_call",
    "string list null": "stop",
    "object list null": "credentials",
    "string object list null": "mcp_servers",
    "object null": """stream_options response_format tool_config logit_bias audio thinking
        prediction agent_attributes model_attributes handoff_config metadata generation_config
        output_config search_parameters web_search_options""",
}
KINDS_OF = {name: set(kinds.split()) for kinds, names in KINDS.items() for name in names.split()}
OF_KIND = {
    "null": None,
    "boolean": True,
    "integer": 5,
    "number": 0.5,
    "string": "x",
    "list": [],
    "object": {},
}
ENUMS = {"prompt_mode": "reasoning", "speed": "fast"}


def test_the_types_of_all_fields_are_written_down() -> None:
    assert KINDS_OF.keys() == FIELDS.keys()


@pytest.mark.parametrize("kind", OF_KIND)
@pytest.mark.parametrize("name", FIELDS)
def test_a_field_takes_its_json_types_and_no_other(name: str, kind: str) -> None:
    value = ENUMS.get(name, "x") if kind == "string" else OF_KIND[kind]
    kinds = KINDS_OF[name] | ({"integer"} if "number" in KINDS_OF[name] else set())
    refused = f"$.{name}" in paths({"model": "m", name: value})
    assert refused is (kind not in kinds)


@pytest.mark.parametrize(
    ("body", "path", "hint"),
    [
        ({"response_format": {"type": "json_shema"}}, "$.response_format.type", "json_schema"),
        ({"thinking": {"type": "enable"}}, "$.thinking.type", "enabled"),
        ({"audio": {"voice": "x", "format": "wave"}}, "$.audio.format", "wav"),
        ({"prompt_mode": "resoning"}, "$.prompt_mode", "reasoning"),
        ({"speed": "fats"}, "$.speed", "fast"),
        (
            {"safety_settings": [{"category": "HARM_CATEGORY_TOXIC", "threshold": "OFF"}]},
            "$.safety_settings[0].category",
            "HARM_CATEGORY_TOXICITY",
        ),
        ({"messages": [{"role": "asistant"}]}, "$.messages[0].role", "assistant"),
        (
            {"messages": [{"role": "user", "content": [{"type": "image-url"}]}]},
            "$.messages[0].content[0].type",
            "image_url",
        ),
        ({"prediction": {"type": "contents", "content": "x"}}, "$.prediction.type", "content"),
        ({"temperature": "0.7"}, "$.temperature", "0.7"),
        ({"tools": CALL}, "$.tools", "a list of it"),
        ({"model": {"model": "m", "setings": {}}}, "$.model.setings", "settings"),
    ],
)
def test_a_mistyped_value_is_a_violation_with_a_hint(
    body: dict[str, Any], path: str, hint: str
) -> None:
    found = check({"model": "m", **body}).violations
    assert [(one.path, one.hint) for one in found] == [(path, hint)]


@pytest.mark.parametrize(
    ("message", "path"),
    [
        ({"content": "x"}, "$.messages[0].role"),
        ("x", "$.messages[0]"),
        ({"role": "user"}, "$.messages[0].content"),
        ({"role": "user", "content": None}, "$.messages[0].content"),
        ({"role": "user", "content": {"type": "text"}}, "$.messages[0].content"),
        ({"role": "user", "content": ["x"]}, "$.messages[0].content[0]"),
        ({"role": "system", "content": [{"type": "text"}]}, "$.messages[0].content[0].text"),
        ({"role": "function", "content": "x"}, "$.messages[0].name"),
        (
            {"role": "assistant", "tool_calls": [{"id": "x", "type": "function"}]},
            "$.messages[0].tool_calls[0].function",
        ),
        (
            {"role": "assistant", "tool_calls": [{"type": "custom", "custom": {"name": "x"}}]},
            "$.messages[0].tool_calls[0].custom.input",
        ),
    ],
)
def test_a_message_that_no_provider_takes_is_a_violation(message: Any, path: str) -> None:
    assert paths(told(message)) == [path]


@pytest.mark.parametrize("body", [None, [], "x", 1, True])
def test_a_body_that_is_no_object_is_one_violation(body: Any) -> None:
    assert [found[:2] for found in check(body).violations] == [("$", "an object")]


def test_a_missing_model_is_named_with_what_stands_in_its_place() -> None:
    found = check({"modle": "m"}).violations
    assert [(one.path, one.found, one.hint) for one in found] == [
        ("$.model", 'nothing but "modle"', "model")
    ]


# Warnings


@pytest.mark.parametrize(
    ("body", "warning"),
    [
        ({"temperature": 3}, "$.temperature: expected a number from 0 to 2, found 3"),
        ({"max_tokens": 0}, "$.max_tokens: expected an integer, at least 1, found 0"),
        ({"seed": -1}, "$.seed: expected an integer from 0 to 9223372036854775807, found -1"),
        ({"n": 129}, "$.n: expected an integer from 1 to 128, found 129"),
        ({"max_turns": 101}, "$.max_turns: expected an integer from 1 to 100, found 101"),
        (
            {"verbosity": "hgih"},
            '$.verbosity: expected one of low, medium, high, found "hgih"; did you mean high?',
        ),
        ({"modalities": ["smell"]},
         '$.modalities[0]: expected one of text, audio, image, found "smell"'),
        ({"stop": ["a"] * 5}, '$.stop: expected at most 4 of them, found ["a", "a", "a", …]'),
        ({"metadata": {"a": 1}}, "$.metadata.a: expected a string, found 1"),
        ({"logit_bias": {"a": 101}},
         "$.logit_bias.a: expected a number from -100 to 100, found 101"),
        ({"thinking": {"type": "enabled", "budget_tokens": 9}},
         "$.thinking.budget_tokens: expected an integer, at least 1024, found 9"),
        ({"stream": True, "stream_options": {"include_usage": "yes"}},
         '$.stream_options.include_usage: expected true or false, found "yes"'),
        ({"tools": [{"type": "custam"}]},
         '$.tools[0].type: expected one of function, custom, found "custam"; did you mean custom?'),
        ({"audio": {"voice": "alloy"}},
         "$.audio.format: expected one of wav, aac, mp3, flac, opus, pcm16, found nothing"),
        ({"audio": {"format": "wav", "foo": "bar"}},
         "$.audio.voice: expected a string or an object, found nothing"),
        (
            {"messages": [{"role": "tool", "content": "x"}]},
            "$.messages[0].tool_call_id: expected a string, found nothing",
        ),
        (
            {"messages": [{"role": "system", "content": [{"type": "image_url"}]}]},
            '$.messages[0].content[0].type: expected text, found "image_url"',
        ),
        # What goes together.
        ({"top_logprobs": 2}, "$.logprobs: expected true, as top_logprobs needs it, found nothing"),
        ({"top_logprobs": 2, "logprobs": False},
         "$.logprobs: expected true, as top_logprobs needs it, found false"),
        ({"stream_options": {"include_usage": True}},
         "$.stream: expected true, as stream_options needs it, found nothing"),
        ({"modalities": ["audio"]},
         "$.audio: expected an object, as modalities has audio, found nothing"),
        ({"max_tokens": 2000, "thinking": {"type": "enabled", "budget_tokens": 2000}},
         "$.thinking.budget_tokens: expected less than max_tokens, found 2000"),
        ({"mcp_servers": ["a/b", {"version": "v1"}]},
         '$.mcp_servers[1]: expected either a slug or a url, found {"version": "v1"}'),
    ],
)  # fmt: skip
def test_what_is_documented_is_a_warning_and_strict_a_violation(
    body: dict[str, Any], warning: str
) -> None:
    body = {"model": "m", **body}
    assert (violations(body), warnings(body)) == ([], [warning])
    strict = check(body, strict=True)
    assert ([*map(str, strict.violations)], strict.warnings) == ([warning], ())


@pytest.mark.parametrize(
    "body",
    [
        {"temperature": 2},
        {"temperature": 0, "top_p": 1.0, "top_k": 0, "n": 128, "seed": 2**63 - 1},
        {"presence_penalty": -2, "frequency_penalty": 2.0},
        {"stop": ["a"] * 4, "safety_identifier": "x" * 64},
        {"metadata": {"k" * 63 + hex(n)[-1]: "v" * 512 for n in range(16)}},
        {"thinking": {"type": "enabled", "budget_tokens": 1024}, "max_tokens": 1025},
        {"logit_bias": {"1": -100, "2": 100}, "agent_attributes": {"speed": 0, "cost": 1}},
    ],
)
def test_what_is_just_within_the_documented_limits_draws_no_warning(body: dict[str, Any]) -> None:
    assert check({"model": "m", **body}) == ((), ())


def test_a_tool_and_a_call_of_an_unheard_of_kind_pass_with_a_warning() -> None:
    body = told({"role": "assistant", "tool_calls": [{"type": "builtin", "id": "1"}]})
    found = check({**body, "tools": [{"type": "web_search"}]})
    assert found.violations == ()
    assert {one.path for one in found.warnings} == {
        "$.messages[0].tool_calls[0].type",
        "$.tools[0].type",
    }


@pytest.mark.parametrize("strict", [False, True])
def test_an_unknown_key_passes_and_draws_a_warning_if_it_looks_like_a_typo(strict: bool) -> None:
    body = {"model": "m", "max_token": 5, "x_mine": 1, "min_tokens": 2}
    violations, warnings = check(body, strict=strict)
    assert violations == ()
    assert [*map(str, warnings)] == [
        "$.max_token: expected no such name, found a number; did you mean max_tokens?"
    ]


def test_what_is_odd_does_not_hang_on_the_order_of_many_unknown_keys() -> None:
    some = {"model": "m", "temperatur": 1, **{f"x{number:02}": 1 for number in range(30)}}
    other = dict(reversed(some.items()))
    assert check(some) == check(other)
    assert check(some).warnings


def test_a_body_of_many_unknown_keys_is_checked_in_no_time() -> None:
    body = {"model": "m", **{f"max_token{n}": n for n in range(100_000)}}
    assert len(check(body).warnings) == 20


@pytest.mark.parametrize(
    "body",
    [
        {"credentials": "sk-1"},
        {"credentials": {"connection_name": 1, "values": ["sk-1"]}},
        {"credentials": {"connection_name": "x", "values": {"key": {"v": "sk-1"}}}},
        {"mcp_servers": [{"slug": "a/b", "credentials": "sk-1"}]},
        {"model": {"model": "m", "settings": {"extra_headers": "sk-1"}}},
        {"model": {"model": "m", "extra_headers": {"Authorization": "sk-1"}}},
        {"credential": {"values": "sk-1"}},
    ],
)
def test_no_secret_is_in_what_is_said(body: dict[str, Any]) -> None:
    found = check({"model": "m", **body})
    assert found.violations or found.warnings
    assert "sk-1" not in str(found)


# Whatever the body


@given(ANY_JSON, st.booleans())
def test_no_json_at_all_raises(body: Any, strict: bool) -> None:
    check(body, strict=strict)


@settings(max_examples=150)
@given(st.dictionaries(st.sampled_from([*FIELDS]), ANY_JSON, max_size=6), st.booleans())
def test_no_value_of_any_field_raises(body: Any, strict: bool) -> None:
    check(body, strict=strict)


@settings(max_examples=120, deadline=None)
@given(requests(), st.randoms(use_true_random=False))
def test_a_valid_request_is_accepted_and_has_one_key_however_it_is_written(
    body: dict[str, Any], order: random.Random
) -> None:
    assert violations(body) == []
    sent = Request("POST", CHAT_COMPLETIONS, "application/json", orjson.dumps(body))
    shuffled = _shuffled(body, order)
    for text in (json.dumps(shuffled), json.dumps(shuffled, indent=1, ensure_ascii=False)):
        assert key(Request("POST", CHAT_COMPLETIONS, "application/json", text.encode())) == key(
            sent
        )
    assert key(keepable(sent, REDACTOR)[0]) == key(sent)
    canonical = normalize(sent, NO_RULES, REDACTOR).canonical.partition(b"\n")[2]
    assert key(Request("POST", CHAT_COMPLETIONS, "application/json", canonical)) == key(sent)
    # What counts of a valid request is a valid request.
    assert violations(parse(canonical)) == []


def key(request: Request) -> str:
    return fingerprint(normalize(request, NO_RULES, REDACTOR).canonical)


def _shuffled(value: Any, order: random.Random) -> Any:
    if isinstance(value, dict):
        items = [(name, _shuffled(item, order)) for name, item in value.items()]
        order.shuffle(items)
        return dict(items)
    return [_shuffled(item, order) for item in value] if isinstance(value, list) else value


@settings(max_examples=150, deadline=None)
@given(spoilt())
def test_a_wrong_type_is_a_violation_at_exactly_its_place(found: Any) -> None:
    body, path, wrong = found
    assert violations(body) == []
    place = "$"
    for step in path:
        place = child_path(place, step)
    assert paths(wrong) == [place]


SHAPES: dict[str, JSONSchema] = {}
BODY_SHAPE = body_shape(SHAPES)


@settings(max_examples=120, deadline=None)
@given(requests(most=3) | spoilt().map(lambda found: found[2]))
def test_the_json_schema_and_the_check_agree(body: Any) -> None:
    assert accepts(BODY_SHAPE, body, SHAPES) == (not violations(body))


# Answers


@given(values(answers.COMPLETION))
def test_what_is_drawn_as_a_completion_is_one(body: Any) -> None:
    assert judge(answers.COMPLETION.check(body)).violations == ()


RECORDED = [
    pytest.param(item, id=f"{path.stem} {number}")
    for path in sorted((ROOT / "cassettes").glob("*.yaml"))
    for number, item in enumerate(cassette_file.read(path))
    if dialect_in(item.request) is CHAT
]


@pytest.mark.parametrize("recorded", RECORDED)
def test_what_a_cassette_of_ours_tells_keeps_to_the_contract(recorded: Interaction) -> None:
    assert check(parse(recorded.request.body)) == ((), ())
    told = understood(recorded)  # some are other providers' answers, in their own protocols
    assert told.frames
    if not told.is_stream:
        assert judge(answers.COMPLETION.check(parse(told.body))).violations == ()
        return
    texts = [sse.parse(frame.data).data for frame in told.frames]
    assert texts.pop() == sse.DONE
    for text in texts:
        assert judge(answers.CHUNK.check(parse(text))).violations == ()


# README's table


def rows() -> dict[str, list[str]]:
    _, _, *lines = fields_table().splitlines()
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return {re.search(r"`(\w+)`", first)[1]: rest for first, *rest in cells}


def test_the_table_has_a_row_of_four_cells_for_each_field() -> None:
    assert [*rows()] == [*FIELDS]
    assert {len(row) for row in rows().values()} == {4}


SAMPLES = {"deferred": True, "n": 2, "messages": [], "credentials": {"a": 1}}


@pytest.mark.parametrize("name", sorted(FIELDS.keys() - {"model"}))
def test_the_table_says_truly_whether_a_field_is_in_the_key(name: str) -> None:
    value = SAMPLES.get(name, {"a": 1} if name == "stream_options" else "x")
    if name == "stream":
        value = True
    keys = {
        key(Request("POST", CHAT_COMPLETIONS, "application/json", orjson.dumps(body)))
        for body in ({"model": "m"}, {"model": "m", name: value})
    }
    counts = len(keys) == 2
    assert rows()[name][1].startswith("yes" if counts else "no: ")
    assert counts is (name not in EXCLUDED)


def test_the_table_says_what_counts_as_equal_in_a_field() -> None:
    assert in_key("stop") == "yes; equal: a stop sequence and a list of it alone"
    assert in_key("tools") == "yes; equal: an empty list and absent"
    assert in_key("mcp_servers").endswith("any `credentials` and none")
    assert in_key("temperature") == in_key("top_p") == "yes"


@given(st.sampled_from(["service_tier", "model", "temperature", "api_key", "odd"]), A_SAMPLE)
def test_what_is_said_of_a_request_holds_no_secret_of_it(key, sample):
    _, before, secret, after = sample
    body = {"model": "m", "messages": [], key: before + secret + after}
    for value in (body, {**body, "stop": {secret: 1}, secret: 2}):
        for strict in (False, True):
            found = check(value, strict=strict)
            said = [str(item) for item in (*found.violations, *found.warnings)]
            # Behind a name of its own and cut loose from that, a word may be no secret.
            assert not [text for text in said if secret in text and before == "see "]
