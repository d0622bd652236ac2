"""Short cuts to a canonical form: bodies of one name are alike in every way that shows."""

import orjson
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from promptdeck.core.contract.request import FIELDS, check
from promptdeck.core.contract.schema import SOUND
from promptdeck.core.dialects.base import LABELS
from promptdeck.core.dialects.chat.counting import EXCLUDED, NAMING
from promptdeck.core.dialects.chat.dialect import CHAT
from promptdeck.core.dialects.table import dialect_of
from promptdeck.core.interaction import CHAT_COMPLETIONS, Request
from promptdeck.core.matching.body import Body, bare, deep
from promptdeck.core.matching.normalize import examine
from promptdeck.core.matching.rules import Rules
from promptdeck.core.secrets.redact import Redactor
from promptdeck.core.text.jsontext import Unfaithful, parse
from promptdeck.engine.deferred import deferral
from tests.secret_samples import HEX

REDACTOR = Redactor()
# A path of each dialect, and what a small request of it must have.
CALLS = {
    CHAT_COMPLETIONS: ("messages", '[{"role":"user","content":"hi"}]'),
    "/v1/messages": ("messages", '[{"role":"user","content":"hi"}]'),
    "/v1/responses": ("input", '[{"role":"user","content":"hi"}]'),
    "/v1beta/models/m:generateContent": ("contents", '[{"role":"user","parts":[{"text":"hi"}]}]'),
    "/api/chat": ("messages", '[{"role":"user","content":"hi"}]'),
    "/v2/chat": ("messages", '[{"role":"user","content":"hi"}]'),
    "/v1/completions": ("prompt", '"hi"'),
    "/v1/embeddings": ("input", '["hi"]'),
}
PATHS = st.sampled_from([*CALLS, CHAT_COMPLETIONS])
NONE = Rules()
RULES = st.sampled_from(
    [Rules(), Rules.build(["$.user", "$.messages[*].name", "$..x"], ["uuid", "iso-time"])]
)
SECRET = "sk-" + HEX[:32]

# Members as they are written: keys with and without escapes, values of every kind.
TEXTS = [
    '"m"',
    '"x,\\"user\\":\\"u"',
    '"gpt"',
    "1",
    "1.0",
    "10e-1",
    "0.5",
    "0.50000000000000000001",
    "-0",
    "-0.0",
    "1e999",
    "1" * 30,
    "18446744073709551615",
    "18446744073709551616",
    "01",
    "NaN",
    "true",
    "null",
    "[]",
    "{}",
    '[{"role":"user","content":"hi"}]',
    '[{"role": "user", "content": "hi", "name": null}]',
    '[{"content":"hi","role":"user","name":null}]',
    '[{"role":"user","content":"hi","x":1.0}]',
    '[{"role":"tool","role":"user","content":"hi"}]',
    f'[{{"content":"{SECRET}","role":"user","content":"hi"}}]',
    '[{"type":"message","role":"user","content":[{"text":"hi","type":"input_text"}]}]',
    '[{"type":"item_reference","id":"i"}]',
    '[{"parts":[{"inline_data":{"data":"a-_=","mime_type":"b"}}]}]',
    '{"id":"container_1"}',
    '{"include_usage":true}',
    '{"include_usage":1,"include_usage":true}',
    '{"user":"u"}',
    '{"a":{"user":"u"}}',
    '"24h"',
    '"\\ud800"',
    '"é"',
    '"\\u00e9"',
    f'"{SECRET}"',
    f'"\\u0073{SECRET[1:]}"',
    '"API_KEY"',
    '"' + "x" * 65 + '"',
    "[" * 199 + "]" * 199,
    "[" * 201 + "1" + "]" * 201,
    "[" * 260 + "]" * 260,
]
VALUES = st.sampled_from(TEXTS)
NAMING_VALUES = st.sampled_from(['"u-1"', '"u-2"', '"a:b c"', '""']) | st.sampled_from(
    ['"x,y"', '"\\u0041"', '"é"', "null", "7", f'"{SECRET}"', '"API_KEY"', '"sk-"', '"}"', '"]"']
    + [f'"{"x" * length}"' for length in (64, 65)]
    + ['"\\\\"', '"\\""', '"\\n"', '"store"', f'"\\"{SECRET}"', '"[redacted:openai]"']
)
LABEL_VALUES = NAMING_VALUES | st.sampled_from(
    [
        '{"user_id":"u-1"}',
        '{"user_id": "u-2", "n":[1,true,null]}',
        '{"n":1e999}',
        '{"n":1.0}',
        "{}",
        "1.5",
        "1" * 30,
        "[[[[[[1]]]]]]",
        f'{{"a":"{SECRET}"}}',
        '{"name":"API_KEY","value":"hunter2hunter2"}',
        '{"api_key":"x"}',
        '"' + "x" * 300 + '"',
    ]
)
KEYS = st.sampled_from(
    """input contents container background previous_response_id conversation system_instruction
    system model messages temperature seed stream stream_options store deferred metadata stop tools
    prompt_cache_retention user x modle Users us\\u0065r é \\u00e9 a\\"b ://:p@h
    st\\u006fre""".split()
) | st.sampled_from([SECRET, ""])
MEMBERS = st.tuples(KEYS, VALUES)
NAMING_MEMBERS = st.tuples(st.sampled_from(sorted(NAMING)), NAMING_VALUES)
LABEL_MEMBERS = st.tuples(st.sampled_from([*LABELS]), LABEL_VALUES)
MODEL = ("model", '"m"')
COMPACT = ",", ":"
STYLES = st.sampled_from([*[COMPACT] * 8, *[(", ", ": ")] * 4, (" ,", ":"), (",\n", " : ")])
AROUND = st.sampled_from(["%s"] * 20 + [" %s", "%s\n", "\ufeff%s", "%s x", "[%s]", "%s,", "%s}"])


def written(members, style=COMPACT, around="%s"):
    comma, colon = style
    text = comma.join(f'"{key}"{colon}{value}' for key, value in members)
    return (around % (f"{{{text}}}")).encode("utf-8", "surrogatepass")


def says(text):
    """What a JSON text says, as far as anybody here can read it."""
    try:
        return orjson.dumps(parse(text), option=orjson.OPT_SORT_KEYS)
    except Unfaithful:
        return text


OTHER_WORDS = {text: [other for other in TEXTS if says(other) == says(text)] for text in TEXTS}


@st.composite
def pairs(draw, path=CHAT_COMPLETIONS):
    """Two bodies that are alike, but for what may change nothing, and at times for more."""
    call = [MODEL, CALLS[path]] * draw(st.sampled_from([1, 1, 1, 0]))
    some = call + draw(st.lists(MEMBERS, max_size=2))
    chat = path == CHAT_COMPLETIONS
    members, values = (NAMING_MEMBERS if chat else LABEL_MEMBERS), LABEL_VALUES
    tail = draw(st.lists(members, max_size=3))
    other = [(key, draw(NAMING_VALUES if chat else values)) for key, _ in tail]
    if draw(st.booleans()):
        other = draw(st.lists(members, max_size=3))
    one, two = [*some, *tail], [*some, *other]
    if draw(st.booleans()):
        two = [(key, draw(st.sampled_from(OTHER_WORDS.get(text, [text])))) for key, text in two]
    if draw(st.booleans()):
        two = draw(st.permutations(two))
    if two and draw(st.sampled_from([True, False, False])):
        # Of the members of one key the last counts.
        two = [(draw(st.sampled_from(two))[0], draw(VALUES)), *two]
    style, around = draw(STYLES), draw(AROUND)
    return written(one, style, around), written(two, draw(st.just(style) | STYLES), around)


@st.composite
def calls(draw):
    """A path, and two bodies that are alike in its dialect, or nearly."""
    path = draw(PATHS)
    return path, *draw(pairs(path))


def request(body, path=CHAT_COMPLETIONS):
    return Request("POST", path, "application/json", body)


def of_chat(data):
    return Body(data, CHAT)


def seen(path, body, rules):
    """All that is found out about a body: its form, and what the contract says."""
    told = []
    asked = request(body, path)
    chat = path == CHAT_COMPLETIONS
    examined = examine(
        asked, rules, REDACTOR, inspect=lambda value: told.append(check(value)) if chat else None
    )
    flags = {name: value for name, value in top(body).items() if chat and name not in NAMING}
    return examined, told, flags, deferral(asked) is None


def top(body):
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError:
        return {}
    return value if isinstance(value, dict) else {}


@pytest.mark.parametrize("name_of", [bare, deep])
@given(call=calls(), rules=RULES)
@example((CHAT_COMPLETIONS, b'{"model":"m","user":5,"user":"a"}', b'{"model":"m","user":5}'), NONE)
@example(
    (CHAT_COMPLETIONS, b'{"model":"m","seed":1e999,"seed":1}', b'{"model":"m","seed":1}'), NONE
)
@example((CHAT_COMPLETIONS, b'{"model":"m","seed":null}', b'{"model":"m","seed":1e999}'), NONE)
@example(("/v1/messages", b'{"metadata":{"n":1e30},"a":1}', b'{"metadata":{"n":1},"a":1}'), NONE)
@example(("/v1/responses", b'{"metadata":{"n":1.0},"a":1}', b'{"metadata":{"n":1},"a":1}'), NONE)
def test_bodies_of_one_name_are_treated_alike(name_of, call, rules):
    path, one, two = call
    dialect = dialect_of("POST", path)
    name = name_of(Body(one, dialect))
    if name is None or name != name_of(Body(two, dialect)):
        return
    examined, told, flags, deferred = seen(path, one, rules)
    # `Canonicals` goes by a name only where this is so.
    if not examined.plain or any(map(any, told)):
        return
    again, told_again, *rest = seen(path, two, rules)
    assert again.form == examined.form
    assert told_again == told
    assert rest == [flags, deferred]


@given(PATHS, st.binary(max_size=40) | st.lists(MEMBERS | LABEL_MEMBERS).map(written))
def test_any_bytes_have_a_name_or_none(path, data):
    body = Body(data, dialect_of("POST", path))
    for name_of in (bare, deep):
        assert name_of(body) is None or 16 <= len(name_of(body)) <= 116


def test_a_name_is_short_however_many_labels_are_left_out():
    some = [b'{"model":"m"' + b',"user":"u"' * count + b"}" for count in (30, 40, 5000)]
    names = [bare(Body(data, dialect_of("POST", CHAT_COMPLETIONS))) for data in some]
    assert len(set(names)) == 3
    assert max(map(len, names)) <= 116


@pytest.mark.parametrize("path", [path for path in CALLS if path != CHAT_COMPLETIONS])
@pytest.mark.parametrize("label", LABELS)
def test_a_label_of_any_plain_value_makes_no_other_name_in_the_other_dialects(path, label):
    def names(**more):
        value = {"model": "m", CALLS[path][0]: ["hi"], **more}
        return deep(Body(orjson.dumps(value), dialect_of("POST", path)))

    for value in ("é" * 99, 7, None, {"user_id": "u", "more": [True, {"n": 1}]}):
        assert names(**{label: value}) == names()
    for value in (0.5, {"n": 1e300}, 2.0, [[[[[[1]]]]]]):
        assert names(**{label: value}) != names()


def test_what_is_stored_makes_a_name_but_where_it_is_stored_here():
    data = orjson.dumps({"model": "m", "input": [], "store": False, "user": "u"})
    assert len([*Body(data, dialect_of("POST", "/v1/responses")).names()]) == 2
    assert deep(of_chat(data)) is None


NUMBERS = st.integers(-(2**63), 2**64 - 1) | st.floats(-1e18, 1e18)
JSON_VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=8,
)


def name_of_value(value):
    return deep(of_chat(orjson.dumps({"a": value})))


@given(JSON_VALUES, JSON_VALUES)
@example(1, True)
@example(1, 1.0)
@example(0.0, -0.0)
@example(None, {})
def test_values_have_one_deep_name_only_if_they_are_the_same(one, two):
    same = orjson.dumps(one, option=orjson.OPT_SORT_KEYS) == orjson.dumps(
        two, option=orjson.OPT_SORT_KEYS
    )
    assert (name_of_value(one) == name_of_value(two)) is same


@given(st.lists(st.tuples(KEYS, VALUES) | NAMING_MEMBERS, max_size=4).map(written))
def test_what_is_read_for_a_name_is_what_the_body_says(data):
    body = of_chat(data)
    names = list(body.names())
    assert list(body.names()) == names
    try:
        expected = orjson.loads(data)
    except orjson.JSONDecodeError:
        with pytest.raises(Unfaithful):
            body.value()
    else:
        assert body.value() == expected


def test_names_are_found_one_after_the_other():
    body = of_chat(BODY)
    first = next(body.names())
    assert list(body.names()) == [first, deep(of_chat(BODY))]
    assert first == bare(of_chat(BODY))


BODY = b'{"model":"m","messages":[{"role":"user","content":"hi"}],"seed":7,"user":"u-1"}'


@pytest.mark.parametrize(
    "other",
    [
        b'{"seed":7,"model":"m","messages":[{"role":"user","content":"hi"}]}',
        b'{"prompt_cache_key":"k","model":"m","messages":[{"role":"user","content":"hi"}],"seed":7}',
        b'{"model": "m", "seed": 7, "messages": [{"role":"user","content":"hi"}], "user": "u-2"}',
        b'{"seed":7,"model":"m","messages":[{"content":"hi","role":"user"}]}',
        b' {"seed":7,"model":"m","messages":[ {"content":"h\\u0069", "role":"user"} ]}\n',
        orjson.dumps(orjson.loads(BODY), option=orjson.OPT_INDENT_2),
    ],
)
def test_order_spacing_and_who_asks_make_no_other_deep_name(other):
    assert deep(of_chat(other)) == deep(of_chat(BODY)) is not None


@pytest.mark.parametrize(
    "other",
    [
        BODY.replace(b"7", b"8"),
        BODY.replace(b"7", b"7.0"),
        BODY.replace(b"7", b"true"),
        BODY.replace(b'"hi"', b'"ho"'),
        BODY.replace(b"seed", b"sead"),
        BODY.replace(b'"u-1"', b"null"),
        BODY.replace(b'"u-1"', b'"\\u00e9"'),
        BODY.replace(b'"u-1"', b'"%b"' % (b"x" * 65)),
        BODY.replace(b'user":"u', b'metadata":"u'),
    ],
)
def test_all_else_makes_another_name(other):
    assert bare(of_chat(other)) != bare(of_chat(BODY)) is not None
    assert deep(of_chat(other)) != deep(of_chat(BODY)) is not None


@pytest.mark.parametrize(
    "data",
    [
        b"[]",
        b"",
        b'{"model":',
        b'{"model":"m","store":false}',
        b'{"model":"m","d\\u0065ferred":true}',
        b'{"model":%b}' % (b"[" * 260 + b"]" * 260),
        b'{"model":"%b"}' % (b"m" * 256 * 1024),
    ],
)
def test_what_has_more_done_or_takes_long_to_read_has_no_name(data):
    assert list(of_chat(data).names()) == []


def test_only_the_value_at_the_very_end_is_passed_over_without_reading():
    def name(data):
        return bare(of_chat(data))

    assert name(BODY) == name(BODY.replace(b"u-1", b"u-2")) is not None
    assert name(BODY) != name(BODY[: BODY.index(b',"user"')] + b"}")
    assert name(BODY[:-1] + b"]}") is None


@pytest.mark.parametrize("name", sorted(NAMING))
def test_a_naming_field_counts_nowhere_and_takes_any_short_text(name):
    assert name in EXCLUDED
    assert FIELDS[name].schema.check("x" * 64) == SOUND
