"""choosing: from what a request says of its model to what is tried, in which order."""

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptdeck.core.routing.choosing import Choice, Choosing
from promptdeck.core.routing.upstreams import BUILTINS, Declared, named_upstreams
from promptdeck.errors import ClientError

OPENAI = "https://api.openai.com/v1"
OWN = "http://127.0.0.1:8000/v1"


def choosing(
    *declared: str,
    default: str = OPENAI,
    aliases: dict[str, list[str]] | None = None,
    patterns: dict[str, list[str]] | None = None,
) -> Choosing:
    said = [Declared(name, url=f"http://{name}/v1") for name in declared]
    return Choosing(default, named_upstreams(said, {}, {}), aliases or {}, patterns or {})


def names(chooser: Choosing, model: Any, **body: Any) -> list[str] | None:
    choices = chooser.choices({"model": model, **body})
    return None if choices is None else [f"{one.upstream or '-'}:{one.model}" for one in choices]


# One model


@pytest.mark.parametrize("name", BUILTINS)
def test_a_prefix_picks_the_upstream_where_the_default_is_no_gateway(name: str) -> None:
    assert names(choosing(), f"{name}/a/b") == [f"{name}:a/b"]


@pytest.mark.parametrize("model", ["gpt-5", "ft:gpt-4o:org::id", "", None, 5])
@pytest.mark.parametrize("default", [OPENAI, OWN])
def test_a_bare_model_goes_where_it_went(model: Any, default: str) -> None:
    assert names(choosing(default=default), model) is None


@pytest.mark.parametrize("name", [n for n, one in BUILTINS.items() if one.has_slashes])
@pytest.mark.parametrize("model", ["meta-llama/Llama-3", "openai/gpt-oss-120b", "anthropic/x"])
def test_slashes_of_a_gateways_own_pass(name: str, model: str) -> None:
    assert names(choosing(default=BUILTINS[name].url), model) is None


@pytest.mark.parametrize(
    "model", ["meta-llama/Llama-3", "openai/gpt-oss", "mistralai/Mistral-7B", "deepseek-ai/V3"]
)
def test_slashes_of_ones_own_servers_models_pass(model: str) -> None:
    assert names(choosing(default=OWN), model) is None
    assert names(choosing("mistral", "deepseek", default=OWN), model) is None


def test_an_upstream_that_is_declared_is_known_whatever_the_default_is() -> None:
    for default in (OWN, OPENAI, BUILTINS["openrouter"].url):
        chooser = choosing("local", "anthropic", default=default)
        assert names(chooser, "local/meta/llama") == ["local:meta/llama"]
        assert names(chooser, "anthropic/claude") == ["anthropic:claude"]


def test_models_of_googles_own_naming_pass() -> None:
    google = choosing(default=BUILTINS["google"].url)
    assert names(google, "models/gemini-3") is None
    assert names(google, "openai/gpt-5") == ["openai:gpt-5"]


@pytest.mark.parametrize(
    ("chooser", "model", "near"),
    [
        (choosing(), "antropic/claude", "anthropic"),
        (choosing(), "Anthropic/claude", "anthropic"),
        (choosing(), "zzzzzzzz/claude", None),
        (choosing("anthropic", default=OWN), "antrophic/claude", "anthropic"),
        (choosing("local", default=OWN), "locl/llama", "local"),
        (choosing("one", "two", default=OWN), "tow/llama", "two"),
        (choosing("one", "two", default=OWN), "Two/llama", "two"),
    ],
)
def test_an_unknown_upstream_is_refused_with_the_list_and_the_nearest(
    chooser: Choosing, model: str, near: str | None
) -> None:
    for said in (model, [model], ["gpt-5", {"model": model}]):
        with pytest.raises(ClientError) as caught:
            names(chooser, said)
        error = caught.value
        assert (error.status, error.code, error.param) == (400, "unknown_upstream", "$.model")
        assert error.details
        assert error.details["nearest"] == near
        assert ("did you mean" in error.message) is (near is not None)
        for name in error.details["upstreams"]:
            assert name in error.message


def test_an_upstream_without_a_model_is_refused() -> None:
    with pytest.raises(ClientError, match="write openai/MODEL") as caught:
        names(choosing(), "openai/")
    assert caught.value.code == "bad_model"


# Lists and objects


def test_a_list_is_tried_in_its_order_with_each_models_settings() -> None:
    model = [
        "gpt-5",
        {"model": "anthropic/claude", "settings": {"temperature": 0}},
        {"name": "google/gemini", "settings": None},
    ]
    assert choosing().choices({"model": model}) == (
        Choice("", "gpt-5", "gpt-5"),
        Choice("anthropic", "claude", "anthropic/claude", {"temperature": 0}),
        Choice("google", "gemini", "google/gemini"),
    )


def test_an_object_alone_is_a_choice_even_of_a_bare_model() -> None:
    assert names(choosing(), {"model": "gpt-5"}) == ["-:gpt-5"]
    assert names(choosing(default=OWN), {"model": "a/b"}) == ["-:a/b"]


def test_a_list_goes_as_it_is_to_who_routes_by_itself() -> None:
    model = ["openai/gpt-5", "anthropic/claude"]
    dedalus = BUILTINS["dedalus"].url
    assert names(choosing(default=dedalus), model) is None
    assert names(choosing("anthropic", default=dedalus), model) == [
        "-:openai/gpt-5",
        "anthropic:claude",
    ]


@pytest.mark.parametrize("model", [[], [""], [None], [{}], ["a", 5], {"model": ""}, {}, [["a"]]])
def test_what_names_no_model_is_refused(model: Any) -> None:
    with pytest.raises(ClientError) as caught:
        names(choosing(), model)
    assert (caught.value.code, caught.value.param) == ("bad_model", "$.model")


# Aliases and patterns


def test_an_alias_stands_for_models_and_other_aliases() -> None:
    aliases = {"fast": ["openai/mini", "any"], "any": ["groq/a", "bare"], "loop": ["loop", "loop2"]}
    chooser = choosing(aliases=aliases)
    assert names(chooser, "fast") == ["openai:mini", "groq:a", "-:bare"]
    assert names(chooser, ["fast", "x"]) == ["openai:mini", "groq:a", "-:bare", "-:x"]
    assert names(chooser, "loop") == ["-:loop", "-:loop2"]
    assert names(chooser, "other") is None


def test_the_first_pattern_that_matches_counts_and_the_star_is_the_name() -> None:
    patterns = {
        "claude-*": ["anthropic/*", "openrouter/anthropic/*"],
        "gpt-?": ["xai/g"],
        "*": ["local/*"],
    }
    chooser = choosing("local", patterns=patterns)
    assert names(chooser, "claude-x") == ["anthropic:claude-x", "openrouter:anthropic/claude-x"]
    assert names(chooser, "gpt-5") == ["xai:g"]
    assert names(chooser, "gpt-55") == ["local:gpt-55"]
    # Who names an upstream means that one.
    assert names(chooser, "google/gemini") == ["google:gemini"]
    redirected = choosing(patterns={"openai/*": ["groq/x"]})
    assert names(redirected, "openai/gpt") == ["groq:x"]


# By how well they fit


def test_the_best_fit_comes_first_and_ties_keep_their_order() -> None:
    body: dict[str, Any] = {
        "agent_attributes": {"accuracy": 1.0},
        "model_attributes": {"b": {"accuracy": 0.9}, "openai/c": {"accuracy": 0.2}},
    }
    chooser = choosing()
    assert names(chooser, ["openai/c", "openai/x", "openai/b", "openai/y"], **body) == [
        "openai:b",
        "openai:x",
        "openai:y",
        "openai:c",
    ]
    scores = [one.score for one in chooser.choices({"model": ["openai/b", "x"], **body}) or ()]
    assert scores == [0.9, 0.5]


def test_attributes_may_come_with_the_model() -> None:
    model = [{"model": "a"}, {"model": "b", "settings": {"attributes": {"speed": 1}, "n": 1}}]
    choices = choosing().choices({"model": model, "agent_attributes": {"speed": 0.3}})
    assert choices
    assert [(one.model, one.score, dict(one.settings)) for one in choices] == [
        ("b", 1.0, {"n": 1}),
        ("a", 0.5, {}),
    ]


# Seen without parsing

TEXTS = st.text(alphabet='ab/\\"{[:, \u00e9', max_size=8)
MODELS = st.one_of(
    TEXTS,
    st.none(),
    st.integers(),
    st.lists(TEXTS, max_size=2),
    st.fixed_dictionaries({"model": TEXTS}),
)


@given(
    MODELS,
    st.dictionaries(TEXTS, st.one_of(TEXTS, st.fixed_dictionaries({"model": TEXTS})), max_size=3),
    st.dictionaries(TEXTS, st.one_of(TEXTS, st.fixed_dictionaries({"model": TEXTS})), max_size=2),
    st.booleans(),
)
def test_whatever_is_a_choice_is_seen_in_the_text(
    model: Any, before: dict[str, Any], behind: dict[str, Any], indented: bool
) -> None:
    chooser = choosing()
    body = {**before, "model": model, **behind}
    data = orjson.dumps(body, option=orjson.OPT_INDENT_2 if indented else 0)
    try:
        chosen = chooser.choices(body) is not None
    except ClientError:
        chosen = True
    assert chooser.may_choose(data, "/v1/chat/completions") or not chosen


@pytest.mark.parametrize(
    ("body", "may"),
    [
        (b'{"model":"gpt-5","messages":[{"content":"a/b"}]}', False),
        (b'{"messages":[{"content":"the \\"model\\": a"}],"model" : "gpt-5"}', False),
        (b'{"model":null}', False),
        (b'{"input":"a"}', False),
        (b'name="model"\r\n\r\nopenai/whisper', False),
        (b'{"model":"a/b"}', True),
        (b'{"model":["a"]}', True),
        (b'{"model":\n{"model":"a"}}', True),
        (b'{"mod\\u0065l":"a/b"}', True),
        (b'{"tools":[{"model":{"type":"string"}}],"model":{"model":"a"}}', True),
        (b'{"tools":[{"model":{"type":"string"}}],"model":"a","stream":true}', False),
        (b'{"model":"a/b","metadata":{"model":"a"}}', True),
        (b'{"model":"a/b","metadata":{"x":1,"model":"a","y":"z"}}', True),
        (b'{"model":"a/b","messages":[{"content":"{\\"model\\":\\"a\\"}"}]}', True),
    ],
)
def test_a_bare_model_is_told_without_parsing(body: bytes, may: bool) -> None:
    assert choosing().may_choose(body, "/v1/chat/completions") is may


@pytest.mark.parametrize(
    ("target", "may"),
    [
        ("/v1beta/models/gemini-3:generateContent", False),
        ("/v1beta/models/google/gemini-3:generateContent?alt=sse", True),
        ("/v1beta/models/google%2Fgemini-3:generateContent", True),
        ("/v1beta/models/gemini-3:generateContent?x=/models/a/b", False),
    ],
)
def test_a_model_in_the_target_is_seen_too(target: str, may: bool) -> None:
    assert choosing().may_choose(b"{}", target) is may


def test_with_aliases_or_patterns_any_model_may_be_one() -> None:
    assert choosing(aliases={"a": ["b"]}).may_choose(b'{"model":"x"}', "/v1/messages")
    assert choosing(patterns={"a": ["b"]}).may_choose(b'{"model":"x"}', "/v1/messages")
