"""The table of rows: each field of the contract is in it, or is nobody's but Dedalus's."""

from importlib import import_module

import orjson
import pytest

from promptdeck.core.contract.request import FIELDS
from promptdeck.core.dialects.chat.dialect import CHAT
from promptdeck.core.dialects.translate import translation as door
from promptdeck.core.dialects.translate.aim import Aim, Written
from promptdeck.core.dialects.translate.chat.reads import prompt_of
from promptdeck.core.dialects.translate.fields import PLACES, ROWS, STRIPPED, Reach, reaches
from promptdeck.core.interaction import Request
from promptdeck.core.text.jsontext import JSON, JSONObject

DEDALUS = {"guardrails", "mcp_servers"}
"""Of these, what another provider has of the same name is there in the table."""


def test_each_field_of_the_contract_has_a_row_or_is_dedalus_s() -> None:
    assert ROWS.keys() | STRIPPED.keys() | DEDALUS == FIELDS.keys()
    assert not ROWS.keys() & STRIPPED.keys()
    assert all(row.keys() == {*PLACES} for row in ROWS.values())


@pytest.mark.parametrize(
    ("field", "said"),
    [
        ("temperature", "all"),
        ("top_k", "Anthropic, Google, Mistral"),
        ("stop", "all but OpenAI's Responses"),
        ("max_turns", "Dedalus; promptdeck's own"),
        ("mcp_servers", "Dedalus"),
    ],
)
def test_whom_a_field_reaches_in_words(field: str, said: str) -> None:
    assert reaches(field) == said


# A value of each field that asks for something, and one that asks for nothing where there is such.
SAMPLES: dict[str, JSON] = {
    "temperature": 0.5, "max_tokens": 100, "max_completion_tokens": 100, "top_p": 0.5, "top_k": 3,
    "n": 2, "seed": 7, "prompt_mode": "reasoning", "stop": ["x"], "presence_penalty": 0.5,
    "frequency_penalty": 0.5, "logit_bias": {"1": 2}, "logprobs": True, "user": "ann",
    "safety_identifier": "ann", "modalities": ["text", "audio"],
    "audio": {"voice": "alloy", "format": "wav"}, "prompt_cache_key": "k",
    "prompt_cache_retention": "24h", "cached_content": "cachedContents/1",
    "reasoning_effort": "low", "prediction": {"type": "content", "content": "x"},
    "safe_prompt": True,
    "safety_settings": [{"category": "HARM_CATEGORY_HARASSMENT", "threshold": "OFF"}],
    "guardrails": [{"block_on_error": True}], "speed": "fast", "inference_geo": "us",
    "metadata": {"a": "b"}, "store": True, "deferred": True, "search_parameters": {"mode": "on"},
    "web_search_options": {"search_context_size": "low"}, "verbosity": "low",
    "response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": {}}},
    "system_instruction": "be brief", "stream": True,
}  # fmt: skip
IDLE: dict[str, JSON] = {
    "n": 1, "presence_penalty": 0, "frequency_penalty": 0.0, "logprobs": False, "logit_bias": {},
    "stop": [], "user": "", "modalities": ["text"], "safe_prompt": False, "safety_settings": [],
    "guardrails": [], "metadata": {}, "store": False, "deferred": False, "prediction": None,
    "search_parameters": {}, "parallel_tool_calls": True, "tools": [], "tool_choice": "auto",
    "mcp_servers": [], "credentials": None, "service_tier": "auto",
}  # fmt: skip
AIMS = {
    "openai": Aim("openai", "chat", "gpt-4.1", "openai"),
    "responses": Aim("openai", "responses", "gpt-4.1", "openai"),
    "anthropic": Aim("anthropic", "messages", "claude-opus-4-5", "anthropic"),
    "google": Aim("google", "gemini", "gemini-3-pro", "google"),
    "mistral": Aim("mistral", "chat", "mistral-medium", "mistral"),
    "xai": Aim("xai", "chat", "grok-4", "xai"),
}
WITH = {"top_logprobs": {"logprobs": True}, "audio": {"modalities": ["text", "audio"]}}


def sent(place: str, **fields: JSON) -> tuple[JSONObject, set[str]]:
    """The body that is sent of a request with these fields, and the places of what is lost."""
    body: JSONObject = {"model": "m", "messages": [{"role": "user", "content": "q"}], **fields}
    aim = AIMS[place]
    if fields.keys() & {"reasoning_effort", "verbosity"} and place in ("openai", "responses"):
        aim = aim._replace(model="gpt-5")  # where one may be chosen it is not for those that sample
    there: Written = import_module(
        f"promptdeck.core.dialects.translate.{aim.dialect}.writes"
    ).written(prompt_of(body, ""), aim)
    return there.body, {one.path.removeprefix("$.").partition(".")[0] for one in there.lost}


def stands(body: JSON, name: str) -> bool:
    """True where there is something at a place, whose name has dots."""
    for key in name.split("."):
        if isinstance(body, list):
            body = {key: item for one in body if isinstance(one, dict) for key, item in one.items()}
        if not isinstance(body, dict) or key not in body:
            return False
        body = body[key]
    return True


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("field", SAMPLES)
def test_a_field_is_where_the_table_says_or_it_is_named(field: str, place: str) -> None:
    body, lost = sent(place, **WITH.get(field, {}), **{field: SAMPLES[field]})
    reach = ROWS[field][place]
    if field == "max_tokens" and place in ("openai", "xai"):
        reach = Reach("max_completion_tokens")  # the newer name, which all of their models take
    if reach.partly:
        assert stands(body, reach.name) or field in lost
    elif reach.name and reach.name != "path":
        assert stands(body, reach.name)
        assert field not in lost
    elif not reach.name:
        assert not stands(body, field)
        assert field in lost


@pytest.mark.parametrize("place", ["openai", "mistral", "xai"])
@pytest.mark.parametrize("field", SAMPLES)
def test_so_it_is_where_the_client_s_bytes_pass(field: str, place: str) -> None:
    fields = {**WITH.get(field, {}), field: SAMPLES[field]}
    body = {"model": "m", "messages": [{"role": "user", "content": "q"}], **fields}
    request = Request("POST", "/v1/chat/completions", "application/json", orjson.dumps(body))
    there = door.written(request, CHAT, AIMS[place])
    found, reach = orjson.loads(there.body), ROWS[field][place]
    lost = {one.path.removeprefix("$.") for one in there.lost}
    if reach.name not in ("", "path"):
        assert (stands(found, reach.name) and field not in lost) or (reach.partly and field in lost)
    elif not reach.name:
        assert field in lost
        assert stands(found, field) is (place == "xai")  # who passes it over


@pytest.mark.parametrize("place", PLACES)
def test_what_asks_for_nothing_is_not_named(place: str) -> None:
    assert sent(place, **IDLE)[1] == set()


@pytest.mark.parametrize("place", PLACES)
def test_what_is_dedalus_s_goes_to_no_provider_without_a_word(place: str) -> None:
    body, lost = sent(place, **dict.fromkeys(STRIPPED, "x"))
    assert not lost
    assert not body.keys() & STRIPPED.keys()


@pytest.mark.parametrize("place", PLACES)
def test_mcp_servers_that_nobody_runs_are_named(place: str) -> None:
    assert sent(place, mcp_servers=["a/b"])[1] == {"mcp_servers"}
