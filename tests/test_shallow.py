"""Short cuts to a canonical form: bodies of one name are alike in every way that shows."""

import orjson
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from proxy.core import shallow as module
from proxy.core.contract import FIELDS, check
from proxy.core.interaction import CHAT_COMPLETIONS, Request
from proxy.core.normalize import EXCLUDED, examine
from proxy.core.redact import Redactor
from proxy.core.rules import Rules
from proxy.core.schema import SOUND
from proxy.core.shallow import NAMING, bare, shallow
from proxy.engine.deferred import deferral

from .secret_samples import HEX

REDACTOR = Redactor()
RULES = st.sampled_from(
    [Rules(), Rules.build(["$.user", "$.messages[*].name", "$..x"], ["uuid", "iso-time"])]
)
SECRET = "sk-" + HEX[:32]

# Members as they are written: keys with and without escapes, values of every kind.
VALUES = st.sampled_from(
    [
        '"m"',
        '"x,\\"user\\":\\"u"',
        '"gpt"',
        "1",
        "1.0",
        "0.5",
        "-0",
        "1e999",
        "1" * 30,
        "01",
        "NaN",
        "true",
        "null",
        "[]",
        "{}",
        '[{"role":"user","content":"hi"}]',
        '[{"role": "user", "content": "hi", "name": null}]',
        '[{"role":"user","content":"hi","x":1.0}]',
        '{"include_usage":true}',
        '{"user":"u"}',
        '{"a":{"user":"u"}}',
        '"24h"',
        '"\\ud800"',
        '"é"',
        f'"{SECRET}"',
        '"API_KEY"',
        '"' + "x" * 65 + '"',
        "[" * 199 + "]" * 199,
        "[" * 201 + "1" + "]" * 201,
    ]
)
NAMING_VALUES = st.sampled_from(['"u-1"', '"u-2"', '"a:b c"', '""']) | st.sampled_from(
    ['"x,y"', '"\\u0041"', '"é"', "null", "7", f'"{SECRET}"', '"API_KEY"', '"sk-"', '"}"', '"]"']
    + [f'"{"x" * length}"' for length in (64, 65)]
)
KEYS = st.sampled_from(
    """model messages temperature seed stream stream_options store deferred metadata stop tools
    prompt_cache_retention user x modle Users us\\u0065r é \\u00e9 a\\"b ://:p@h""".split()
) | st.sampled_from([SECRET, ""])
MEMBERS = st.tuples(KEYS, VALUES)
NAMING_MEMBERS = st.tuples(st.sampled_from(NAMING), NAMING_VALUES)
MODEL, CHAT = ("model", '"m"'), ("messages", '[{"role":"user","content":"hi"}]')
COMPACT = ",", ":"
STYLES = st.sampled_from([*[COMPACT] * 8, *[(", ", ": ")] * 4, (" ,", ":"), (",", " : ")])
AROUND = st.sampled_from(["%s"] * 20 + [" %s", "%s\n", "\ufeff%s", "%s x", "[%s]", "%s,", "%s}"])


def written(members, style=COMPACT, around="%s"):
    comma, colon = style
    text = comma.join(f'"{key}"{colon}{value}' for key, value in members)
    return (around % (f"{{{text}}}")).encode("utf-8", "surrogatepass")


@st.composite
def pairs(draw):
    """Two bodies that are alike, but for what may change nothing, and at times for more."""
    some = [MODEL, CHAT] * draw(st.sampled_from([1, 1, 1, 0])) + draw(st.lists(MEMBERS, max_size=2))
    tail = draw(st.lists(NAMING_MEMBERS, max_size=3))
    other = [(key, draw(NAMING_VALUES)) for key, _ in tail]
    if draw(st.booleans()):
        other = draw(st.lists(NAMING_MEMBERS, max_size=3))
    one, two = [*some, *tail], [*some, *other]
    if draw(st.booleans()):
        two = draw(st.permutations(two))
    style, around = draw(STYLES), draw(AROUND)
    return written(one, style, around), written(two, draw(st.just(style) | STYLES), around)


def request(body):
    return Request("POST", CHAT_COMPLETIONS, "application/json", body)


def seen(body, rules):
    """All that is found out about a body: its form, and what the contract says."""
    told = []
    examined = examine(
        request(body), rules, REDACTOR, inspect=lambda value: told.append(check(value))
    )
    flags = {name: value for name, value in top(body).items() if name not in NAMING}
    return examined, told, flags, deferral(request(body)) is None


def top(body):
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError:
        return {}
    return value if isinstance(value, dict) else {}


@pytest.mark.parametrize("name_of", [bare, shallow])
@settings(max_examples=500)
@given(pair=pairs(), rules=RULES)
@example(pair=(b'{"model":"m","user":5,"user":"a"}', b'{"model":"m","user":5}'), rules=Rules())
@example(pair=(b'{"model":"m","seed":1e999,"seed":1}', b'{"model":"m","seed":1}'), rules=Rules())
def test_bodies_of_one_name_are_treated_alike(name_of, pair, rules):
    one, two = pair
    name = name_of(one)
    if name is None or name != name_of(two):
        return
    examined, told, flags, deferred = seen(one, rules)
    # `Canonicals` goes by a name only where this is so.
    if not examined.plain or any(told[0]):
        return
    again, told_again, *rest = seen(two, rules)
    assert again.form == examined.form
    assert told_again == told
    assert rest == [flags, deferred]


@given(st.binary(max_size=40) | st.lists(MEMBERS).map(written))
def test_any_bytes_have_a_name_or_none(body):
    for name_of in (bare, shallow):
        assert name_of(body) is None or len(name_of(body)) == 16


needs_msgspec = pytest.mark.skipif(module._splitter() is None, reason="needs the extra `speed`")

BODY = b'{"model":"m","messages":[{"role":"user","content":"hi"}],"seed":7,"user":"u-1"}'


@pytest.mark.parametrize(
    "other",
    [
        b'{"seed":7,"model":"m","messages":[{"role":"user","content":"hi"}]}',
        b'{"prompt_cache_key":"k","model":"m","messages":[{"role":"user","content":"hi"}],"seed":7}',
        b'{"model": "m", "seed": 7, "messages": [{"role":"user","content":"hi"}], "user": "u-2"}',
    ],
)
@needs_msgspec
def test_order_spaces_and_who_asks_make_no_other_name(other):
    assert shallow(other) == shallow(BODY) is not None


@pytest.mark.parametrize(
    "other",
    [
        BODY.replace(b"7", b"8"),
        BODY.replace(b"7", b"7.0"),
        BODY.replace(b'"hi"', b'"ho"'),
        BODY.replace(b"seed", b"sead"),
        BODY.replace(b'"u-1"', b"null"),
        BODY.replace(b'"u-1"', b'"\\u0041"'),
        BODY.replace(b'"u-1"', b'"%b"' % (b"x" * 65)),
        BODY.replace(b'user":"u', b'metadata":"u'),
    ],
)
def test_all_else_makes_another_name(other):
    assert bare(other) != bare(BODY) is not None
    assert shallow(other) is None or shallow(other) != shallow(BODY)


@pytest.mark.parametrize(
    "body",
    [
        b'{"model":"m","mod\\u0065l":"n"}',
        b'{"model":"m","model":"n"}',
        b'{"model":"m"}\n',
        b'{ "model":"m"}',
        b"[]",
        b"",
        b'{"model":',
    ],
)
def test_what_is_written_oddly_has_no_name(body):
    assert bare(body) is shallow(body) is None


def test_only_the_value_at_the_very_end_is_passed_over_without_the_extra():
    assert bare(BODY) == bare(BODY.replace(b"u-1", b"u-2")) is not None
    assert bare(BODY) != bare(BODY[: BODY.index(b',"user"')] + b"}")
    assert bare(BODY[:-1] + b"]}") is None


@pytest.mark.parametrize("name", NAMING)
def test_a_naming_field_counts_nowhere_and_takes_any_short_text(name):
    assert name in EXCLUDED
    assert FIELDS[name].schema.check("x" * 64) == SOUND
