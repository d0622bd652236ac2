"""Long chats of which parts were read before come to what they would if nothing had been."""

import asyncio

import orjson
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from promptdeck.core.counts import Counts
from promptdeck.core.interaction import CHAT_COMPLETIONS, Request
from promptdeck.core.matching.body import Body, deep
from promptdeck.core.matching.repeated import Repeated, name_of
from promptdeck.core.matching.rules import Rules
from promptdeck.core.secrets.redact import Redactor
from promptdeck.core.text.jsontext import Unfaithful
from promptdeck.engine.asking import Canonicals, Incoming
from promptdeck.engine.checking import Contract
from tests.secret_samples import HEX

SECRET = "sk-" + HEX[:32]
PADDING = "x" * 8192

CALL = '{"id":"c","type":"function","function":{"name":"f","arguments":"{ \\"a\\": 1.0 }"}}'

# Objects as they are written; some that are odd, wrong, no objects, or look like several.
OBJECTS = st.sampled_from(
    [
        '{"role":"user","content":"hi"}',
        '{"content":"hi","role":"user"}',
        '{ "role": "user", "content": "h\\u0069" }',
        '{"role":"assistant","content":null,"refusal":null}',
        '{"role":"user","content":[{"type":"text","text":"hi"}]}',
        '{"role":"user","content":[{"type":"text","text":"a"},{"type":"text","text":"b"}]}',
        '{"role":"user","content":"},{"}',
        '{"role":"user","content":"},{\\"role\\":\\"user\\",\\"content\\":\\"hi\\"},{"}',
        '{"role":"user","content":"}, {"}',
        '{"},{":",","},{":":"}',
        '{"role":"user","content":"hi","x":1.0}',
        '{"role":"user","content":"hi","x":1e300}',
        '{"role":"user","content":"hi","role":"user"}',
        '{"role":"user","content":"1234567890123456789"}',
        f'{{"role":"user","content":"{SECRET}"}}',
        f'{{"content":"{SECRET}","role":"user","content":"hi"}}',
        '{"role":"user","content":"API_KEY"}',
        '{"role":"usr","content":"hi"}',
        '{"role":"user","content":[{"type":"image_url","image_url":{"url":"x","detail":"big"}}]}',
        '{"role":"tool","tool_call_id":"c","content":"ok"}',
        f'{{"role":"assistant","tool_calls":[{CALL},{CALL}]}}',
        '{"type":"function","function":{"name":"f"}}',
        '{"type":"function","function":{"name":"g","parameters":{"type":"object"}}}',
        '{"function":{"name":"f"},"type":"function"}',
        "{}",
        "1234567890123456789",
        "null",
        "{",
        '"},{"',
    ]
)
GOOD = st.sampled_from(
    [
        '{"role":"user","content":"hi"}',
        '{"role":"assistant","content":null,"refusal":null}',
        '{"role":"user","content":[{"type":"text","text":"hi"}],"name":"n"}',
    ]
)
TOOLS = st.sampled_from(
    [
        '{"type":"function","function":{"name":"f"}}',
        '{"type":"function","function":{"name":"g","strict":true}}',
    ]
)
BETWEEN = st.sampled_from([",", ",", ", ", ",\n    ", " ,", ",\t"])


def listed(items):
    return st.tuples(BETWEEN, st.lists(items, max_size=8)).map(
        lambda drawn: f"[{drawn[0].join(drawn[1])}]"
    )


MESSAGES = listed(GOOD) | listed(GOOD) | listed(GOOD | OBJECTS)
LISTS = st.tuples(st.sampled_from(["messages", "tools", "x", "functions"]), listed(OBJECTS))
MEMBERS = st.lists(
    LISTS
    | st.tuples(st.just("tools"), listed(TOOLS))
    | st.sampled_from(
        [
            ("stream", "true"),
            ("store", "true"),
            ("temperature", "1.0"),
            ("modle", "1"),
            ("x", '{"messages":[{"a":1},{"a":2},{"a":3}]}'),
            ("seed", "1234567890123456789"),
        ]
    ),
    max_size=2,
)


@st.composite
def chats(draw, messages=MESSAGES):
    members = [("model", '"m"'), ("messages", draw(messages)), *draw(MEMBERS)]
    members = draw(st.permutations([*members, ("padding", f'"{PADDING}"')]))
    return ("{" + ",".join(f'"{key}":{value}' for key, value in members) + "}").encode()


@st.composite
def conversations(draw):
    """Chats that have much in common."""
    common = st.sampled_from([*draw(st.lists(OBJECTS, min_size=1, max_size=2)), draw(GOOD)])
    return draw(st.lists(chats(listed(common)), min_size=2, max_size=5))


async def outcome(canonicals, body):
    request = Request("POST", CHAT_COMPLETIONS, "application/json", body)
    known = (await canonicals.asked(Incoming(request, ()))).known
    refused = known.refused
    said = (str(refused), refused.details) if refused else None
    return known._replace(names=(), refused=None), said


@given(st.lists(chats(), min_size=2, max_size=6) | conversations(), st.booleans())
def test_what_was_read_before_makes_no_difference(bodies, strict):
    def fresh():
        return Canonicals(Rules(), Redactor(), Contract(strict=strict).check)

    async def go():
        shared = fresh()
        for body in bodies:
            assert await outcome(shared, body) == await outcome(fresh(), body)

    asyncio.run(go())


@given(conversations())
def test_a_name_is_the_same_or_none_whatever_was_read_before(bodies):
    known = Repeated(7, lambda place, item: b"")
    for data in bodies:
        name = deep(Body(data))
        # What was cut in some other list is not read for a name.
        assert deep(Body(data, known)) in (name, None)
        if name:
            known.learn(known.cut(data))
        assert deep(Body(data, known)) in (name, None)


@pytest.mark.parametrize(
    ("one", "two"),
    [
        ([{"a": 1}], [{"a": 1.0}]),
        ([{"a": 1}], [name_of({"a": 1})]),
        ([{"a": 1}, {"a": 2}], [{"a": 2}, {"a": 1}]),
        ([{"a": 1}], {"a": 1}),
        ([], None),
    ],
)
def test_what_says_something_else_has_another_name(one, two):
    def name(messages):
        return deep(Body(orjson.dumps({"padding": PADDING, "messages": messages})))

    assert name(one) != name(two)
    assert name(one) is not None is not name(two)


ODD = {"role": "user", "content": []}
HIDING = {"role": "user", "content": SECRET}
PLAIN = {"role": "user", "content": "hi"}


@pytest.mark.parametrize("again", [ODD, HIDING, PLAIN])
@pytest.mark.parametrize("first", [ODD, HIDING, PLAIN])
async def test_what_is_odd_or_hides_a_secret_is_looked_at_each_time(first, again):
    def fresh():
        return Canonicals(Rules(), Redactor(), Contract(strict=False).check)

    def body(*objects):
        return text(*objects).replace(b"{", b'{"model":"m",', 1)

    shared = fresh()
    one, two = body(*[first] * 4, again), body(*[PLAIN] * 3, *[first] * 3, again, PLAIN)
    for sent in (body(*[PLAIN] * 5), one, two, body(*[again] * 5), two, one):
        assert await outcome(shared, sent) == await outcome(fresh(), sent)


def text(*objects, place="messages"):
    items = ",".join(orjson.dumps(item).decode() for item in objects)
    return f'{{"padding":"{PADDING}","{place}":[{items}]}}'.encode()


def items(*numbers):
    return [{"n": number} for number in numbers]


def write(place, item):
    return orjson.dumps([place, item["n"]])


@pytest.fixture
def repeated():
    known = Repeated(7, write)
    learn(known, text(*items(*range(10))))
    return known


def learn(known, data):
    known.learn(known.cut(data))


def test_what_is_known_is_left_out_and_put_back(repeated):
    cut = repeated.cut(text(*items(0, 1, 2, 30, 4, 5, 6)))
    value = orjson.loads(cut.rest)
    assert cut.read(value)["messages"] == items(0, 30, 6)
    whole = orjson.loads(cut.whole(orjson.dumps(value["messages"])))
    known = [["messages", number] for number in (1, 2, 4, 5)]
    assert whole == [{"n": 0}, *known[:2], {"n": 30}, *known[2:], {"n": 6}]


async def test_what_is_odd_is_told_once_and_with_its_place(caplog):
    canonicals = Canonicals(Rules(), Redactor(), Contract(strict=False).check)
    sound = text(*[PLAIN] * 6).replace(b"{", b'{"model":"m",', 1)
    odd = text(*[PLAIN] * 5, ODD).replace(b"{", b'{"model":"m",', 1)
    for body in (sound, odd):
        await outcome(canonicals, body)
    [line] = caplog.messages
    assert line.startswith("odd request: $.messages[5].content")


def test_what_is_known_makes_no_other_name(repeated):
    data = text(*items(0, 1, 2, 30, 4, 5, 6))
    body = Body(data, repeated)
    assert deep(body) == deep(Body(data)) is not None
    assert body.cut.runs
    assert not body.is_news


def test_what_says_the_same_in_other_words_is_learnt_from_too():
    canonicals = Canonicals(Rules(), Redactor(), None)
    read = canonicals.reader(Counts("POST", CHAT_COMPLETIONS, "application/json"))
    body = read(text(*[PLAIN] * 5).replace(b":", b" : "))
    assert deep(body)
    assert body.is_news
    body.learn()
    assert not read(body.data).is_news
    assert read(body.data).cut.runs


@pytest.mark.parametrize(
    "other",
    [
        text(*items(0, 1, 2, 3), place="tools"),
        text(*items(0, 1, 2, 3), place="x"),
        text(*items(0, 1, 2, 3)).replace(b'"messages"', b'"messages":1,"x"'),
        text(*items(0, 1, 2, 3))[:-1] + b',"messages":[]}',
        b"[%b]" % text(*items(0, 1, 2, 3)),
    ],
)
def test_what_was_cut_elsewhere_is_not_read(repeated, other):
    cut = repeated.cut(other)
    with pytest.raises(Unfaithful):
        cut.read(orjson.loads(cut.rest))


@pytest.mark.parametrize(
    "other",
    [
        text(*items(0, 20, 21, 3)),
        text(*items(1, 2)),
        text(*items(0, 1, 2, 3)).replace(PADDING.encode(), b""),
        text(*items(0, 1, 2, 3)).replace(PADDING.encode(), 32 * PADDING.encode()),
        b"",
    ],
)
def test_where_nothing_is_known_or_to_be_gained_nothing_is_cut(repeated, other):
    cut = repeated.cut(other)
    assert cut is None or (cut.rest, cut.runs) == (other, {})


@given(st.binary() | st.lists(OBJECTS).map(lambda some: "},{".join(some).encode()))
@example(b"},{" * 5)
def test_any_bytes_are_cut_or_not(data):
    known = Repeated(7, write)
    data += PADDING.encode()
    learn(known, data)
    learn(known, data)


def test_what_was_learnt_first_is_forgotten_first(monkeypatch, repeated):
    monkeypatch.setattr("promptdeck.core.matching.repeated._MOST_BYTES", 1000)
    learn(repeated, text(*items(*range(100, 120))))
    assert not repeated.cut(text(*items(0, 1, 2, 3))).runs
    assert repeated.cut(text(*items(0, 117, 118, 3))).runs


def test_what_is_new_is_learnt_beside_what_is_known(repeated):
    more = text(*items(0, 1, 2, 30, 31, 4, 0))
    learn(repeated, more)
    cut = repeated.cut(more)
    assert cut.read(orjson.loads(cut.rest))["messages"] == items(0, 0)
