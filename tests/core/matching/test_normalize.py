"""The canonical form of a request: what counts makes another key, what does not makes the same."""

import json  # noqa: TID251  bodies as clients write them: spaced, in ASCII, of odd numbers
import random
import re
import string
from collections.abc import Callable
from itertools import combinations
from typing import Any

import orjson
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from promptdeck.core.dialects.base import MARKERS, essence, is_json
from promptdeck.core.dialects.chat.counting import EQUAL, EXCLUDED, matching_table
from promptdeck.core.interaction import CHAT_COMPLETIONS, Request, Variant
from promptdeck.core.matching.clean import keepable
from promptdeck.core.matching.normalize import normalize
from promptdeck.core.matching.rules import NO_RULES, Rules
from promptdeck.core.secrets.redact import Redactor
from promptdeck.core.text.jsontext import parse

REDACTOR = Redactor()
JSON_TYPE = "application/json"


def chat(body: bytes | str, query: str = "") -> Request:
    data = body.encode() if isinstance(body, str) else body
    return Request("POST", CHAT_COMPLETIONS + query, JSON_TYPE, data)


def asked(value: Any) -> Request:
    return chat(orjson.dumps(value))


def canonical(request: Request, rules: Rules = NO_RULES, redactor: Redactor = REDACTOR) -> bytes:
    return normalize(request, rules, redactor).canonical


def of(value: Any) -> bytes:
    return canonical(asked(value))


# What does not count


@pytest.mark.parametrize("name", EXCLUDED)
def test_an_excluded_field_does_not_count_at_the_top(name: str) -> None:
    values = (None, True, {"a": [1]}) if name == "stream_options" else (None, True, False)
    assert {of({"model": "m", name: value}) for value in values} == {of({"model": "m"})}


OTHER_VALUES = ["x", 1, 0.5, ["x"], {"x": 1}, [], {}, ""]


@pytest.mark.parametrize("name", sorted(EXCLUDED.keys() - {"stream"}))
@pytest.mark.parametrize("value", OTHER_VALUES, ids=repr)
def test_an_excluded_field_does_not_count_whatever_it_holds(name: str, value: Any) -> None:
    assert of({"model": "m", name: value}) == of({"model": "m"})


@pytest.mark.parametrize("name", EXCLUDED)
@pytest.mark.parametrize(
    "nest",
    [
        lambda field: {"tools": [{"function": {"parameters": {"properties": field}}}]},
        lambda field: {"messages": [{"role": "user", "content": "x", **field}]},
        lambda field: {"model": {"model": "m", "settings": field}},
        lambda field: {"generation_config": field},
        lambda field: {name.upper(): value for name, value in field.items()},
        lambda field: {f" {name}": value for name, value in field.items()},
    ],
    ids=["tool schema", "message", "model settings", "object", "upper case", "space"],
)
def test_an_excluded_name_counts_anywhere_else(
    name: str, nest: Callable[[Any], Any], request: pytest.FixtureRequest
) -> None:
    if name in MARKERS and "message-" in request.node.name:
        return  # there it marks a place for a cache
    assert len({of(nest(field)) for field in ({name: True}, {name: False}, {})}) == 3


@pytest.mark.parametrize("name", EXCLUDED)
def test_where_no_model_is_asked_every_field_counts(name: str) -> None:
    with_it = Request("POST", "/v1/threads", JSON_TYPE, orjson.dumps({"input": "x", name: True}))
    without = Request("POST", "/v1/threads", JSON_TYPE, b'{"input": "x"}')
    assert canonical(with_it) != canonical(without)


SERVER = {"url": "https://mcp.example/", "name": "s"}


@pytest.mark.parametrize("servers", [SERVER, [SERVER], ["org/slug", SERVER]])
def test_credentials_of_mcp_servers_do_not_count_but_the_servers_do(servers: Any) -> None:
    def spec(value: Any) -> Any:
        if isinstance(value, list):
            return [spec(item) for item in value]
        return value | {"credentials": {"s": "blob"}} if isinstance(value, dict) else value

    assert of({"mcp_servers": spec(servers)}) == of({"mcp_servers": servers})
    assert of({"mcp_servers": servers}) != of({})


@pytest.mark.parametrize(
    "body",
    [
        {"mcp_servers": [{"url": "u", "auth": {"credentials": "x"}}]},
        {"tools": [{"credentials": "x"}]},
        {"mcp_servers": [[{"credentials": "x"}]]},
    ],
)
def test_credentials_count_where_the_contract_has_none(body: Any) -> None:
    other = json.loads(json.dumps(body).replace('"x"', '"y"'))
    assert of(body) != of(other)


# Which variant


@pytest.mark.parametrize(
    ("body", "variant"),
    [
        ({}, Variant.JSON),
        ({"stream": None}, Variant.JSON),
        ({"stream": False, "stream_options": {"include_usage": True}}, Variant.JSON),
        ({"stream": True}, Variant.SSE),
        ({"stream": True, "stream_options": None}, Variant.SSE),
        ({"stream": True, "stream_options": {"include_usage": False}}, Variant.SSE),
        ({"stream": True, "stream_options": {"include_usage": True}}, Variant.SSE_USAGE),
        ({"metadata": {"stream": True}}, Variant.JSON),
        ([{"stream": True}], Variant.JSON),
    ],
)
def test_stream_and_include_usage_choose_the_variant(body: Any, variant: Variant) -> None:
    assert normalize(asked(body), NO_RULES, REDACTOR).variant is variant
    # A number that no 64 bits hold makes it a body that only its bytes can stand for.
    text = json.dumps([body, 1 << 70] if isinstance(body, list) else body | {"seed": 1 << 70})
    assert normalize(chat(text), NO_RULES, REDACTOR).variant is variant


@pytest.mark.parametrize("stream", ["true", 1, "false", 0, 1.0, {}, []])
def test_a_stream_flag_that_servers_read_differently_counts(stream: Any) -> None:
    """Some servers take "true" for true: what they answer must not be served to others."""
    plain = {of({"stream": value}) for value in (True, False, None)}
    assert of({"stream": stream}) not in plain
    usage = {"stream": True, "stream_options": {"include_usage": stream}}
    assert of(usage) not in plain


def test_other_endpoints_have_one_variant() -> None:
    request = Request("POST", "/v1/embeddings", JSON_TYPE, b'{"stream": true}')
    form = normalize(request, NO_RULES, REDACTOR)
    assert (form.variant, form.dialect.converts) == (Variant.JSON, False)


# What is equal


@pytest.mark.parametrize(("one", "other"), [pair for _, *pair in EQUAL])
def test_the_examples_of_what_is_equal_are_equal(one: str, other: str) -> None:
    assert canonical(chat(one)) == canonical(chat(other))


NULLABLE = """messages temperature max_tokens max_completion_tokens top_p top_k n seed
    system_instruction prompt_mode response_format tools tool_choice parallel_tool_calls tool_config
    functions function_call mcp_servers stop presence_penalty frequency_penalty logit_bias logprobs
    top_logprobs modalities audio cached_content reasoning_effort thinking prediction safe_prompt
    safety_settings guardrails agent_attributes model_attributes handoff_config handoff_mode
    deferred_calls max_turns generation_config output_config search_parameters web_search_options
    verbosity cache_control container""".split()


@pytest.mark.parametrize("name", NULLABLE)
def test_null_is_absent_for_the_contracts_nullable_fields(name: str) -> None:
    assert of({"model": "m", name: None}) == of({"model": "m"})


@pytest.mark.parametrize("name", ["model", "automatic_tool_execution", "top_a", "Top_p"])
def test_null_counts_for_every_other_field(name: str) -> None:
    assert of({name: None}) != of({})


MESSAGE_NULLS = "content refusal name audio tool_calls function_call annotations reasoning_content"


@pytest.mark.parametrize("name", MESSAGE_NULLS.split())
def test_null_is_absent_in_a_message_but_not_below_it(name: str) -> None:
    role = {"role": "assistant"}
    assert of({"messages": [role | {name: None}]}) == of({"messages": [role]})
    assert of({"messages": [role | {"x": {name: None}}]}) != of({"messages": [role | {"x": {}}]})


@pytest.mark.parametrize("name", ["role", "tool_call_id", "reasoning", "cache_control"])
def test_null_counts_for_every_other_field_of_a_message(name: str) -> None:
    assert of({"messages": [{name: None}]}) != of({"messages": [{}]})


ABSENT = object()
TRICKY = [
    *(ABSENT, None, [], {}, "", 0, 1, True, False, 0.5, 10**15, "x", "null", "[]", "0"),
    *(["x"], ["x", "x"], [["x"]], [None], [0], [""], {"x": None}, {"x": []}, [{}], {"": "x"}),
    *([{"type": "text", "text": "x"}], [{"type": "text", "text": "x", "y": None}]),
    *({"type": "text", "text": "x"}, [{"type": "text", "text": None}], [{"text": "x"}]),
    *([{"type": "text", "text": "x"}] * 2, '{"a":1}', '{"a":2}', "1", "1.5", '"x"', '["x"]'),
]
# Places where values are told apart, and which of TRICKY are one there.
PLACES: list[tuple[str, Callable[[Any], Any], list[list[Any]]]] = [
    ("unknown field", lambda value: {"foo": value}, []),
    ("model", lambda value: {"model": value}, [["x", ["x"]], ["", [""]]]),
    ("stop", lambda value: {"stop": value}, [[ABSENT, None], ["x", ["x"]], ["", [""]]]),
    ("tools", lambda value: {"tools": value}, [[ABSENT, None, []]]),
    ("mcp_servers", lambda value: {"mcp_servers": value}, [[ABSENT, None, []]]),
    ("temperature", lambda value: {"temperature": value}, [[ABSENT, None]]),
    ("functions", lambda value: {"functions": value}, [[ABSENT, None]]),
    ("messages", lambda value: {"messages": value}, [[ABSENT, None]]),
    ("message field", lambda value: {"messages": [{"x": value}]}, []),
    ("role", lambda value: {"messages": [{"role": value}]}, []),
    (
        "content",
        lambda value: {"messages": [{"content": value}]},
        [[ABSENT, None], ["x", [{"type": "text", "text": "x"}]]],
    ),
    ("tool calls", lambda value: {"messages": [{"tool_calls": value}]}, [[ABSENT, None]]),
    (
        "arguments",
        lambda value: {"messages": [{"tool_calls": [{"function": {"arguments": value}}]}]},
        [],
    ),
    (
        "arguments of the deprecated function call",
        lambda value: {"messages": [{"function_call": {"arguments": value}}]},
        [],
    ),
    ("tool schema", lambda value: {"tools": [{"function": {"parameters": value}}]}, []),
]


def without_absent(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: without_absent(item) for key, item in value.items() if item is not ABSENT}
    return [without_absent(item) for item in value] if isinstance(value, list) else value


@pytest.mark.parametrize(
    ("place", "equal"), [place[1:] for place in PLACES], ids=[p[0] for p in PLACES]
)
def test_values_are_told_apart_in_every_place(
    place: Callable[[Any], Any], equal: list[list[Any]]
) -> None:
    def marked(value: Any) -> str:
        return "absent" if value is ABSENT else json.dumps(value)

    classes = [{marked(value) for value in group} for group in equal]
    for one, other in combinations({marked(value): value for value in TRICKY}.values(), 2):
        expected = any({marked(one), marked(other)} <= group for group in classes)
        forms = [of(without_absent(place(value))) for value in (one, other)]
        assert (forms[0] == forms[1]) is expected, (one, other)


@pytest.mark.parametrize(
    ("one", "other", "equal"),
    [
        ('{"a": 1.50, "b": "\\u0041"}', '{"b":"A","a":1.5}', True),
        ('{"a": 1}', '{"a": 2}', False),
        ('{"a": 1, "b": [1, 2]}', '{"a": 1, "b": [2, 1]}', False),
        ("{}", "", False),
        (" null ", "null", True),
        ('{"a": 1', '{"a":1', False),
        ('{"n": 1180591620717411303424}', '{"n":1180591620717411303425}', False),
    ],
)
@pytest.mark.parametrize("holder", ["tool_calls", "function_call"])
def test_arguments_are_compared_as_the_json_they_hold(
    one: str, other: str, equal: bool, holder: str
) -> None:
    def body(arguments: str) -> Any:
        call = {"name": "f", "arguments": arguments}
        value: Any = call if holder == "function_call" else [{"id": "1", "function": call}]
        return {"messages": [{"role": "assistant", holder: value}]}

    assert (of(body(one)) == of(body(other))) is equal


def test_text_is_not_normalised() -> None:
    texts = ["é", "e\u0301", "É", " é", "é ", "é\n", "é\r\n"]
    assert len({of({"messages": [{"content": text}]}) for text in texts}) == len(texts)


# Properties

NAMES = st.sampled_from(
    [
        *EXCLUDED,
        *"model messages tools stop content role arguments text name x é properties".split(),
    ]
) | st.text(max_size=4)
LEAVES = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(-1e6, 1e6)
    | st.text(max_size=8)
)
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=8,
)


def record(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({}, optional=fields)


def json_text(values: st.SearchStrategy[Any]) -> st.SearchStrategy[str]:
    return st.builds(json.dumps, values, indent=st.none() | st.just(1), ensure_ascii=st.booleans())


def bodies(text: st.SearchStrategy[str], values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    call = record(name=text, arguments=json_text(values) | text)
    part = record(type=st.just("text"), text=text) | values
    message = record(
        role=st.sampled_from(["system", "user", "assistant", "tool"]),
        content=st.none() | text | st.lists(part, max_size=2),
        tool_calls=st.none() | st.lists(record(id=text, function=call) | values, max_size=2),
        function_call=st.none() | call,
        refusal=st.none() | text,
        user=values,
    )
    server = text | record(url=text, credentials=st.dictionaries(text, text, max_size=2))
    known = record(
        model=text | st.lists(text, max_size=2),
        messages=st.none() | st.lists(message, max_size=3),
        stop=st.none() | text | st.lists(text, max_size=2),
        temperature=LEAVES,
        tools=st.none() | st.lists(record(function=record(parameters=values)), max_size=2),
        mcp_servers=st.none() | server | st.lists(server, max_size=2),
        credentials=values,
        stream=st.none() | st.booleans(),
        stream_options=st.none() | record(include_usage=st.none() | st.booleans()),
        user=values,
        metadata=values,
        foo=values,
    )
    return st.builds(dict.__or__, st.dictionaries(st.text(max_size=3), values, max_size=2), known)


BODIES = bodies(st.text(max_size=8), VALUES)


def otherwise_written(value: Any, draw: random.Random) -> Any:
    """The same value with its keys in another order and some integers as floats."""
    if isinstance(value, dict):
        items = list(value.items())
        draw.shuffle(items)
        return {key: otherwise_written(item, draw) for key, item in items}
    if isinstance(value, list):
        return [otherwise_written(item, draw) for item in value]
    if type(value) is int and abs(value) <= 2**53 and draw.random() < 0.5:
        return float(value)
    return value


@given(
    BODIES, st.randoms(use_true_random=False), st.booleans(), st.sampled_from([None, 0, 3, "\t"])
)
def test_how_a_body_is_written_does_not_matter(
    body: Any, draw: random.Random, ascii_only: bool, indent: int | str | None
) -> None:
    text = json.dumps(otherwise_written(body, draw), ensure_ascii=ascii_only, indent=indent)
    assert canonical(chat(f"\n {text}\t")) == of(body)


@given(VALUES, st.randoms(use_true_random=False), st.sampled_from([None, 2]))
def test_other_endpoints_compare_json_too(
    value: Any, draw: random.Random, indent: int | None
) -> None:
    def form(body: str) -> bytes:
        return canonical(Request("PUT", "/v1/x", "application/json; charset=utf-8", body.encode()))

    assert form(json.dumps(otherwise_written(value, draw), indent=indent)) == form(
        json.dumps(value)
    )


Place = tuple[str | int, ...]


def places(value: Any, at: Place = ()) -> list[tuple[Place, Any]]:
    found = [(at, value)]
    children = value.items() if isinstance(value, dict) else ()
    children = enumerate(value) if isinstance(value, list) else children
    for key, item in children:
        found += places(item, (*at, key))
    return found


def changed(value: Any, place: Place, change: Callable[[Any, Any], None]) -> Any:
    """A copy in which `change(holder, key)` was applied at `place`."""
    value = json.loads(json.dumps(value))
    holder = value
    for key in place[:-1]:
        holder = holder[key]
    change(holder, place[-1])
    return value


def counts(place: Place) -> bool:
    """Whether this place of a chat body is within the key."""
    if place[0] in EXCLUDED:
        return False
    inner = [key for key in place[:3] if not isinstance(key, int)]
    return inner[:2] != ["mcp_servers", "credentials"]


def of_another(value: Any) -> Any:
    """A value that means something else, of the same type if there is one."""
    match value:
        case bool():
            return not value
        case int() | float():
            return value / 2 + 1 if value != 2 else 3
        case str():
            return value + "!"
        case list():
            return [*value, 0]
        case dict():
            return value | {"another": 0}
        case _:
            return {"not": "null"}


def set_(holder: Any, key: Any, value: Any) -> None:
    holder[key] = value


@given(BODIES, st.data())
def test_any_change_of_a_value_that_counts_changes_the_key(body: Any, data: st.DataObject) -> None:
    there = [(at, old) for at, old in places(body) if at and counts(at)]
    assume(there)
    at, old = data.draw(st.sampled_from(there))
    new = data.draw(st.sampled_from([of_another(old), {"wrapped": old}, [[old]]]))
    assert of(changed(body, at, lambda holder, key: set_(holder, key, new))) != of(body)


@given(BODIES, NAMES, st.data())
def test_any_field_added_anywhere_changes_the_key(
    body: Any, name: str, data: st.DataObject
) -> None:
    there = [at for at, old in places(body) if isinstance(old, dict) and name not in old]
    there = [(*at, name) for at in there if counts((*at, name))]
    assume(there)
    at = data.draw(st.sampled_from(there))
    new = data.draw(st.sampled_from([0, "", False, {}, [0], "x"]))
    assert of(changed(body, at, lambda holder, key: set_(holder, key, new))) != of(body)


@given(BODIES, st.data())
def test_any_field_or_item_taken_away_changes_the_key(body: Any, data: st.DataObject) -> None:
    there = [at for at, old in places(body) if at and counts(at) and old is not None and old != []]
    assume(there)
    at = data.draw(st.sampled_from(there))
    assert of(changed(body, at, lambda holder, key: holder.pop(key))) != of(body)


@given(VALUES, VALUES)
def test_where_no_model_is_asked_all_values_are_told_apart(one: Any, other: Any) -> None:
    def form(value: Any) -> bytes:
        return canonical(Request("POST", "/v1/threads", JSON_TYPE, orjson.dumps(value)))

    def plain(value: Any) -> str:
        return json.dumps(integral(value), sort_keys=True)

    assert (form(one) == form(other)) is (plain(one) == plain(other))


def integral(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: integral(item) for key, item in value.items()}
    if isinstance(value, list):
        return [integral(item) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


# Bodies that stand for themselves

BIG = "1" * 30
ODD_TEXTS = [
    "",
    "{",
    "not json",
    '{"a": 1,}',
    '{"temperature": NaN}',
    '{"temperature": -Infinity}',
    '{"temperature": 1e999}',
    f'{{"seed": {BIG}}}',
    f'{{"seed": -{BIG}}}',
    '{"seed": 18446744073709551616}',
    '{"seed": -9223372036854775809}',
    '{"messages": [{"content": "\\ud83d"}]}',
    '{"messages": [{"content": "\\udc00 \\ud800"}]}',
    "[" * 10_000 + "]" * 10_000,
    '{"a":' * 10_000 + "1" + "}" * 10_000,
    '{"messages":' + "[" * 300 + "]" * 300 + "}",
    '{"credentials": {"a": "b"',
    '\ufeff{"model": "m"}',
    '{"model": "m"} {"model": "m"}',
    "'model'",
    "]}{[,:",
    '{"a":"\\',
]


@pytest.mark.parametrize("text", ODD_TEXTS, ids=lambda text: text[:20])
@pytest.mark.parametrize("path", [CHAT_COMPLETIONS, "/v1/embeddings"])
def test_what_no_parser_reads_faithfully_stands_for_itself(text: str, path: str) -> None:
    def form(body: str) -> bytes:
        return canonical(Request("POST", path, JSON_TYPE, body.encode()))

    kept, _ = keepable(Request("POST", path, JSON_TYPE, text.encode()), REDACTOR)
    assert form(text) == f"POST {path}\n".encode() + kept.body
    assert "credentials" in text or kept.body == text.encode()
    assert form(f" {text}") != form(text)


def test_all_odd_bodies_differ() -> None:
    assert len({canonical(chat(text)) for text in ODD_TEXTS}) == len(ODD_TEXTS)


@given(st.binary(max_size=40), st.binary(max_size=40))
def test_bytes_of_no_json_type_are_compared_as_they_are(one: bytes, other: bytes) -> None:
    forms = [
        canonical(Request("POST", "/v1/audio/x", "multipart/form-data; boundary=x", body))
        for body in (one, other)
    ]
    assert (forms[0] == forms[1]) is (one == other)


ODD_NUMBERS = st.sampled_from(
    ["NaN", BIG, f"{BIG}1", "-Infinity", '"\\ud800"', '"\\udfff"', "1e400"]
)


@given(BODIES, ODD_NUMBERS, ODD_NUMBERS)
def test_odd_values_are_told_apart(body: Any, one: str, other: str) -> None:
    def form(odd: str) -> bytes:
        return canonical(chat(json.dumps(body | {"odd": "(here)"}).replace('"(here)"', odd)))

    assert (form(one) == form(other)) is (one == other)
    assert form(one) not in (of(body), of(body | {"odd": 0}), of(body | {"odd": None}))


@given(st.binary(max_size=60) | st.text('{}[]:,"\\ \nx1é', max_size=60).map(str.encode))
def test_no_body_is_too_strange(body: bytes) -> None:
    kept, _ = keepable(chat(body), REDACTOR)
    assert canonical(kept) == canonical(chat(body))
    assert canonical(chat(body), explaining := Rules()) == canonical(chat(body), explaining)


@given(BODIES)
def test_a_canonical_form_is_never_that_of_an_odd_body(body: Any) -> None:
    """For what is read faithfully is no odd body."""
    parse(of(body).partition(b"\n")[2])


# What a recording keeps


def made_up(length: int) -> str:
    """Letters and digits as a key has them, never the same and never in this file."""
    draw = random.Random(length)
    return "aB3" + "".join(draw.choices(string.ascii_letters + string.digits, k=length - 3))


UUID = "0b2f6a1e-7c1d-4e5f-8a9b-0c1d2e3f4a5b"
SECRETS = [
    "sk-" + "proj-" + made_up(40),
    "sk-" + "lf-" + UUID,
    "sk-" + "ant-" + made_up(30) + "2024-01-02",
    "ghp_" + made_up(36),
    "AKIA" + "ABCDEFGHIJKLMNOP",
    "tok_1234567",
]
USER_PATTERNS = [
    {"name": "token", "pattern": r"tok_\d{7}"},
    {"name": "rest", "pattern": r"token=\S+"},
]
REDACTORS = st.sampled_from([REDACTOR, Redactor.build(USER_PATTERNS)])
RULES = st.sampled_from(
    [
        NO_RULES,
        Rules.build(replace=["uuid", "iso-time", "date"]),
        Rules.build(ignore=["$.seed", "$.messages[*].content", "$..name"]),
        Rules.build(
            ignore=["$.tools"], replace=[{"pattern": "[a-f0-9]{4,}|redacted", "with": "<hex>"}]
        ),
    ]
)
PIECES = st.sampled_from([*SECRETS, "Bearer ", "x", " ", '"', "\\", "\n", "é", "token=", UUID, "{"])
TEXTS = st.lists(PIECES, max_size=5).map("".join) | st.text(max_size=5)
SECRETIVE_VALUES = st.recursive(
    LEAVES | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=6,
)
SECRETIVE = bodies(TEXTS, SECRETIVE_VALUES)
# What makes a body one that its bytes stand for.
SPOILERS = st.sampled_from(["0", BIG, "NaN", '"\\ud800"'])


def spoiled(body: Any, spoiler: str, place: str) -> bytes:
    text = json.dumps(body | {place: {"x": "(here)"}}, ensure_ascii=False)
    return text.replace('"(here)"', spoiler).encode("utf-8", "surrogatepass")


@given(SECRETIVE, SPOILERS, st.sampled_from(["odd", "credentials", "user"]), RULES, REDACTORS)
@example({}, BIG, "credentials", NO_RULES, REDACTOR)
def test_what_is_kept_has_the_canonical_form_of_what_was_asked(
    body: Any, spoiler: str, place: str, rules: Rules, redactor: Redactor
) -> None:
    request = chat(spoiled(body, spoiler, place), "?key=abc&x=1")
    kept, _ = keepable(request, redactor)
    form = normalize(request, rules, redactor)
    assert normalize(kept, rules, redactor) == form
    assert keepable(kept, redactor) == (kept, 0)


@given(SECRETIVE_VALUES, RULES, REDACTORS, st.sampled_from([JSON_TYPE, "text/plain", ""]))
def test_so_it_is_on_other_endpoints(
    value: Any, rules: Rules, redactor: Redactor, content_type: str
) -> None:
    body = json.dumps(value, indent=1).encode()
    request = Request("POST", "/v1/embeddings?token=abc", content_type, body)
    kept, _ = keepable(request, redactor)
    assert canonical(kept, rules, redactor) == canonical(request, rules, redactor)
    assert keepable(kept, redactor) == (kept, 0)


EDGES = st.sampled_from(["", " ", '"', "'", "\n", "=", ": ", "(", ",", "é"])


@given(BODIES, st.sampled_from(SECRETS[:-1]), EDGES, EDGES, SPOILERS, st.data())
def test_what_is_kept_holds_no_secret(
    body: Any, secret: str, before: str, after: str, spoiler: str, data: st.DataObject
) -> None:
    strings = [(at, old) for at, old in places(body) if at and isinstance(old, str)]
    assume(strings)
    at, old = data.draw(st.sampled_from(strings))
    text = old + " " + before + secret + after
    holding = changed(body, at, lambda holder, key: set_(holder, key, text))
    request = chat(spoiled(holding, spoiler, "odd"))
    kept, count = keepable(request, REDACTOR)
    assert secret.encode() not in kept.body
    assert secret.encode() not in canonical(request)
    dropped = at[0] == "credentials" or not counts(at)
    assert count > 0 or dropped


@given(
    st.dictionaries(st.text(max_size=3), st.integers(1, 9) | st.booleans(), max_size=2),
    st.sampled_from(["credentials", "mcp_servers", "list of mcp_servers"]),
    SPOILERS,
    st.sampled_from([None, 1]),
)
def test_what_is_kept_holds_no_credentials(
    values: Any, where: str, spoiler: str, indent: int | None
) -> None:
    credentials: Any = [{"connection_name": "c", "values": {**values, "pin": "s3cr3t"}}, 90817263]
    server = {"credentials": credentials, "name": "s"}
    field, value = {
        "credentials": ("credentials", credentials),
        "mcp_servers": ("mcp_servers", server),
        "list of mcp_servers": ("mcp_servers", ["org/slug", server]),
    }[where]
    schema = {"properties": {"credentials": {"const": "schema stays"}}}
    body = {"a": "(here)", field: value, "tools": [{"function": {"parameters": schema}}]}
    text = json.dumps(body, indent=indent).replace('"(here)"', spoiler)
    cut_off = (text[: text.index(sign)] for sign in ('"tools"', '3t"', "7263"))
    for request in map(chat, (text, text + "}", *cut_off)):
        kept, _ = keepable(request, REDACTOR)
        assert b"s3cr" not in kept.body
        assert b"9081" not in kept.body
        assert canonical(kept) == canonical(request)
    assert b"schema stays" in keepable(chat(text), REDACTOR)[0].body


def test_no_more_than_the_credentials_is_taken_out_of_an_odd_body() -> None:
    odd = '{"credentials": {"a": [1]}, 2, "b": NaN, "credentials":3, "c": {"credentials": 4}}'
    bare = b'{"credentials":null, 2, "b": NaN, "credentials":null, "c": {"credentials": 4}}'
    assert keepable(chat(odd), REDACTOR)[0].body == bare


def test_credentials_that_show_only_behind_a_secret_are_not_kept() -> None:
    redactor = Redactor.build(USER_PATTERNS)
    request = chat('{ token={ "credentials": "s3cr"} NaN')
    kept, _ = keepable(request, redactor)
    assert b"s3cr" not in kept.body
    assert canonical(kept, NO_RULES, redactor) == canonical(request, NO_RULES, redactor)


def test_an_odd_body_is_matched_without_its_credentials() -> None:
    """The SDK encrypts them anew for each call, also beside half an emoji."""
    forms = {
        canonical(chat(f'{{"credentials": "{blob}", "messages": [{{"content": "\\ud83d"}}]}}'))
        for blob in ("one", "another one", "x" * 40)
    }
    assert len(forms) == 1


@pytest.mark.parametrize("odd", [BIG, "NaN", "[" * 900 + "]" * 900, "[" * 9000 + "]" * 9000])
def test_credentials_that_no_parser_reads_leave_a_body_that_one_does(odd: str) -> None:
    assert canonical(chat(f'{{"credentials": {odd}, "model": "m"}}')) == of({"model": "m"})


def test_what_is_kept_is_compact_and_otherwise_as_sent() -> None:
    text = '{ "stop": "x", "model": ["m"], "n": null, "top_p": 1.0,\n "user": "u", "stream": true }'
    kept, count = keepable(chat(text, "?api_key=abc"), REDACTOR)
    sent = b'{"stop":"x","model":["m"],"n":null,"top_p":1.0,"user":"u","stream":true}'
    assert (kept.body, count) == (sent, 0)
    assert kept.target.startswith(f"{CHAT_COMPLETIONS}?api_key=")
    assert "abc" not in kept.target


def test_secrets_are_counted() -> None:
    content = f"{SECRETS[0]} and {SECRETS[3]}"
    assert keepable(asked({"messages": [{"content": content}]}), REDACTOR)[1] == 2
    odd = chat(f'{{"seed": {BIG}, "messages": [{{"content": "{content}"}}]}}')
    assert keepable(odd, REDACTOR)[1] == 2


def test_a_secret_of_the_same_kind_makes_no_difference() -> None:
    forms = {of({"messages": [{"content": "use sk-" + "proj-" + made_up(n)}]}) for n in (30, 40)}
    assert len(forms) == 1
    assert b"[redacted:openai]" in forms.pop()


# Method, path, query, content type


@pytest.mark.parametrize(
    "other",
    [
        Request("GET", CHAT_COMPLETIONS, JSON_TYPE, b"{}"),
        Request("POST", CHAT_COMPLETIONS + "/", JSON_TYPE, b"{}"),
        Request("POST", CHAT_COMPLETIONS + "?a=1", JSON_TYPE, b"{}"),
        Request("POST", CHAT_COMPLETIONS + "?a=2", JSON_TYPE, b"{}"),
        Request("POST", "/v1/Chat/completions", JSON_TYPE, b"{}"),
        Request("POST", "/v1/completions", JSON_TYPE, b"{}"),
    ],
    ids=lambda request: f"{request.method} {request.target}",
)
def test_method_path_and_query_count(other: Request) -> None:
    assert canonical(other) != canonical(chat("{}"))


@pytest.mark.parametrize("name", ["key", "api_key", "access_token", "signature"])
def test_the_value_of_a_credential_in_the_query_does_not_count(name: str) -> None:
    assert canonical(chat("{}", f"?x=1&{name}=a")) == canonical(chat("{}", f"?x=1&{name}=b"))
    assert canonical(chat("{}", f"?x=1&{name}=a")) != canonical(chat("{}", f"?x=2&{name}=a"))


def test_a_target_of_odd_bytes_is_no_trouble() -> None:
    assert canonical(Request("GET", "/v1/\udcff", "", b"")) != canonical(
        Request("GET", "/v1/\udcfe", "", b"")
    )


@pytest.mark.parametrize(
    ("content_type", "json"),
    [
        ("application/json", True),
        ("Application/JSON ; charset=utf-8", True),
        ("application/vnd.x+json", True),
        ("application/jsonl", False),
        ("text/json-like", False),
        ("multipart/form-data; boundary=application/json", False),
        ("", False),
    ],
)
def test_json_is_known_by_its_media_type(content_type: str, json: bool) -> None:
    assert is_json(essence(content_type)) is json


def test_json_without_a_type_is_read_as_json() -> None:
    # As a tool leaves it that records no headers; every SDK declares it.
    bodies = [b'{"b": 1, "a": 2}', b'{"a":2,"b":1}']
    forms = [
        canonical(Request("POST", "/v1/messages", kind, body))
        for kind in ("", JSON_TYPE)
        for body in bodies
    ]
    assert len(set(forms)) == 1


@pytest.mark.parametrize("content_type", ["", "text/plain", "application/x-www-form-urlencoded"])
def test_a_chat_body_is_read_whatever_its_declared_type(content_type: str) -> None:
    request = Request("POST", CHAT_COMPLETIONS, content_type, b'{ "model": ["m"] }')
    assert canonical(request) == of({"model": "m"})


def test_in_0_1_0_the_declared_type_counted_for_all_but_chats() -> None:
    for path in ("/v1/messages", "/v1/embeddings"):
        request = Request("POST", path, "text/plain", b'{ "model": "m" }')
        once = normalize(request, NO_RULES, REDACTOR, once=True).canonical
        assert once == f"POST {path}\n".encode() + request.body
        assert canonical(request) == f'POST {path}\n{{"model":"m"}}'.encode()


# The user's rules


def test_ignored_paths_do_not_count_and_are_kept() -> None:
    rules = Rules.build(ignore=["$.messages[*].tool_call_id"])
    bodies = [{"messages": [{"role": "tool", "tool_call_id": name}]} for name in ("a", "b")]
    assert canonical(asked(bodies[0]), rules) == canonical(asked(bodies[1]), rules)
    assert of(bodies[0]) != of(bodies[1])
    assert b"tool_call_id" in keepable(asked(bodies[0]), REDACTOR)[0].body


@pytest.mark.parametrize(
    ("preset", "one", "other"),
    [
        ("uuid", f"id {UUID}!", f"id {UUID.replace('0', '1')}!"),
        ("iso-time", "at 2026-11-23T10:00:00Z.", "at 2025-01-02 03:04:05.678+01:00."),
        ("date", "on 2026-11-23.", "on 1999-01-01."),
    ],
)
def test_presets_replace_text_wherever_it_stands(preset: str, one: str, other: str) -> None:
    rules = Rules.build(replace=[preset])

    def request(text: str) -> Request:
        arguments = json.dumps({"x": text})
        calls = [{"function": {"arguments": arguments}}]
        messages = [{"content": text}, {"tool_calls": calls}]
        return chat(orjson.dumps({"messages": messages}))

    assert canonical(request(one), rules) == canonical(request(other), rules)
    assert canonical(request(one)) != canonical(request(other))
    assert one.encode() in keepable(request(one), REDACTOR)[0].body


def test_replacements_apply_to_the_query_too() -> None:
    rules = Rules.build(replace=["uuid"])
    one, other = (chat("{}", f"?run={name}") for name in (UUID, UUID.replace("0", "9")))
    assert canonical(one, rules) == canonical(other, rules)


def test_rules_see_the_canonical_form() -> None:
    rules = Rules.build(ignore=["$.stop[0]"])
    assert canonical(asked({"stop": "a"}), rules) == canonical(asked({"stop": ["b"]}), rules)


# What is told


def test_what_was_dropped_is_told_on_request() -> None:
    body = {
        "model": "m",
        "user": "u",
        "n": None,
        "tools": [],
        "mcp_servers": [{"url": "u", "credentials": {}}],
        "credentials": {},
        "seed": 1,
    }
    form = normalize(asked(body), Rules.build(ignore=["$.seed"]), REDACTOR, explain=True)
    assert dict(form.dropped) == {
        "$.user": EXCLUDED["user"],
        "$.n": "null means absent",
        "$.tools": "empty means absent",
        "$.mcp_servers[0].credentials": "secret",
        "$.credentials": "secret",
        "$.seed": "named in match.ignore",
    }
    assert normalize(asked(body), NO_RULES, REDACTOR).dropped == ()


def test_the_canonical_form_is_as_it_always_was() -> None:
    body = (
        '{"stream":true,"n":null,"stop":"x","model":["m"],"top_p":1.0,'
        '"messages":[{"content":[{"text":"é","type":"text"}],"role":"user"}]}'
    )
    assert canonical(chat(body, "?a=1")).decode() == (
        "POST /v1/chat/completions?a=1\n"
        '{"messages":[{"content":"é","role":"user"}],"model":"m","stop":["x"],"top_p":1}'
    )


def test_the_matching_table_names_every_field_and_every_equality() -> None:
    first, second = matching_table().split("\n\n")
    assert {*EXCLUDED} <= {*re.findall(r"`([^`]+)`", first)}
    for what, one, other in EQUAL:
        assert f"| {what} | `{one}` | `{other}` |" in second.splitlines()
    for table in (first, second):
        assert len({line.replace(r"\|", "").count("|") for line in table.splitlines()}) == 1


def multipart(boundary: str, text: str = "hi", *, quoted: bool = False) -> bytes:
    body = (
        f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\n\r\n'
        f"{text}\r\n--{boundary}--\r\n"
    ).encode()
    value = f'"{boundary}"' if quoted else boundary
    content_type = f"multipart/form-data; charset=utf-8; boundary={value}"
    request = Request("POST", "/v1/audio/transcriptions", content_type, body)
    return normalize(request, Rules(), Redactor.build()).canonical


def test_the_random_boundary_of_a_form_does_not_count() -> None:
    assert multipart("abc") == multipart("0f-1e'()+_,./:=?", quoted=True)
    assert multipart("abc") != multipart("abc", "ho")


FORM = (
    b'--x\r\nContent-Disposition: form-data; name="file"; filename="tmp%b.wav"\r\n\r\n'
    b"\xff\x00\xfe%b\r\n--x\r\n"
    b'Content-Disposition: form-data; name="prompt"\r\n\r\nin tmp%b\r\n--x--\r\n'
)


@pytest.mark.parametrize(
    ("kind", "make"),
    [
        ("multipart/form-data; boundary=x", lambda name: FORM % (name, b"", name)),
        ("text/plain", lambda name: b"see tmp" + name),
        ("application/x-www-form-urlencoded", lambda name: b"file=tmp" + name),
        (JSON_TYPE, lambda name: b'{"a": "tmp%b", "n": 1e999}' % name),
    ],
)
def test_replacing_reaches_every_body(kind: str, make: Callable[[bytes], bytes]) -> None:
    rules = Rules.build(replace=[{"pattern": "tmp[a-z0-9]+", "with": "TMP"}])

    def form(name: bytes, rules: Rules) -> bytes:
        request = Request("POST", "/v1/audio/transcriptions", kind, make(name))
        return normalize(request, rules, REDACTOR).canonical

    assert form(b"ab12", rules) == form(b"zz99", rules)
    assert form(b"ab12", Rules()) != form(b"zz99", Rules())


def test_what_is_no_text_counts_byte_for_byte_beside_what_is_replaced() -> None:
    rules = Rules.build(replace=[{"pattern": "tmp[a-z0-9]+", "with": "TMP"}])
    kind = "multipart/form-data; boundary=x"
    one, other = (
        normalize(
            Request("POST", "/v1/audio/transcriptions", kind, FORM % (b"a", sound, b"a")),
            rules,
            REDACTOR,
        ).canonical
        for sound in (b"\xe9", b"\xe8")
    )
    assert one != other
