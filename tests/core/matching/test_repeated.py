"""Long chats of which parts were read before come to what they would if nothing had been."""

import asyncio

import orjson
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from promptdeck.core.counts import Counts
from promptdeck.core.dialects.chat.dialect import CHAT
from promptdeck.core.interaction import CHAT_COMPLETIONS, Request
from promptdeck.core.matching.body import Body, deep
from promptdeck.core.matching.repeated import Repeated, name_of
from promptdeck.core.matching.rules import Rules
from promptdeck.core.secrets.redact import Redactor
from promptdeck.core.text.jsontext import Unfaithful
from promptdeck.engine.asking import Canonicals
from promptdeck.engine.checking import Contract
from promptdeck.engine.incoming import Incoming
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


# By path: the list that grows, and items of it, some of which are wrong or more than one object.
CALL_OF = '{"type":"tool_use","id":"t","name":"f","input":{"a":1.0}}'
GROWING = {
    CHAT_COMPLETIONS: ("messages", OBJECTS),
    "/v1/messages": (
        "messages",
        OBJECTS
        | st.sampled_from(
            [
                f'{{"role":"assistant","content":[{{"type":"text","text":"}},{{"}},{CALL_OF}]}}',
                f'{{"role":"assistant","content":[{{"type":"text","text":"a"}}, {CALL_OF}]}}',
                '{"role":"user","content":[{"type":"tool_result","content":"},  {"}]}',
                '{"role":"user","content":[{"type":"text","text":"a","cache_control":{}}]}',
            ]
        ),
    ),
    "/v1/responses": (
        "input",
        OBJECTS
        | st.sampled_from(
            [
                '{"type":"item_reference","id":"i"}',
                '{"type":"message","role":"user","content":"hi"}',
                '{"type":"function_call","call_id":"c","name":"f","arguments":"{}"}',
                '{"role":"user","content":[{"type":"input_text","text":"hi"}]}',
            ]
        ),
    ),
    "/v1beta/models/m:generateContent": (
        "contents",
        OBJECTS
        | st.sampled_from(
            [
                '{"parts":[{"text":"hi"}]}',
                '{"role":"model","parts":[{"function_call":{"name":"f","args":{"a_b":1}}}]}',
                '{"role":"model","parts":[{"text":"a"},{"thoughtSignature":"a-_=","text":""}]}',
                '{"role":"user","parts":{"text":"hi","x":null}}',
            ]
        ),
    ),
    "/api/chat": ("messages", OBJECTS),
    "/v2/chat": ("messages", OBJECTS),
}


@st.composite
def chats(draw, messages=MESSAGES, place="messages"):
    members = [("model", '"m"'), (place, draw(messages)), *draw(MEMBERS)]
    members = draw(st.permutations([*members, ("padding", f'"{PADDING}"')]))
    return ("{" + ",".join(f'"{key}":{value}' for key, value in members) + "}").encode()


@st.composite
def conversations(draw):
    """Chats that have much in common."""
    return draw(talks(OBJECTS, "messages"))


@st.composite
def talks(draw, objects, place):
    common = st.sampled_from([*draw(st.lists(objects, min_size=1, max_size=2)), draw(GOOD)])
    return draw(st.lists(chats(listed(common), place), min_size=2, max_size=5))


async def outcome(canonicals, body, path=CHAT_COMPLETIONS):
    request = Request("POST", path, "application/json", body)
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


@pytest.mark.parametrize("path", [path for path in GROWING if path != CHAT_COMPLETIONS])
@given(data=st.data())
def test_nor_does_it_in_the_other_dialects(path, data):
    place, objects = GROWING[path]
    bodies = data.draw(talks(objects, place))

    async def go():
        shared = Canonicals(Rules(), Redactor(), None)
        for body in bodies:
            fresh = Canonicals(Rules(), Redactor(), None)
            assert await outcome(shared, body, path) == await outcome(fresh, body, path)

    asyncio.run(go())


@pytest.mark.parametrize("path", GROWING)
def test_in_each_dialect_what_was_read_before_is_not_read_again(path):
    place, _ = GROWING[path]
    canonicals = Canonicals(Rules(), Redactor(), None)
    read = canonicals.reader(counts := Counts("POST", path, "application/json"))
    first = read(text(*[PLAIN] * 5, place=place))
    canonicals.at_once(counts.request(first.data), first)
    assert len(read(text(*[PLAIN] * 50, place=place)).cut.rest) < len(PADDING) + 150


async def test_in_each_dialect_what_was_read_in_one_list_is_read_again_in_another():
    for path, (place, _) in GROWING.items():
        shared = Canonicals(Rules(), Redactor(), None)
        for there in (place, "tools", "x"):
            body = text(*[{"parts": [], "content": "hi"}] * 5, place=there)
            fresh = Canonicals(Rules(), Redactor(), None)
            assert await outcome(shared, body, path) == await outcome(fresh, body, path)


def test_what_makes_a_call_stateful_is_seen_each_time():
    reference = {"type": "item_reference", "id": "msg_1"}
    canonicals = Canonicals(Rules(), Redactor(), None)
    read = canonicals.reader(counts := Counts("POST", "/v1/responses", "application/json"))
    for items in ([PLAIN, *[reference] * 3, PLAIN], [PLAIN] * 4, [PLAIN, reference, PLAIN, PLAIN]):
        body = read(text(*items, place="input"))
        known = canonicals.at_once(counts.request(body.data), body)
        assert known.form.stateful is (reference in items)


@given(conversations())
def test_a_name_is_the_same_or_none_whatever_was_read_before(bodies):
    known = Repeated(7, CHAT.lists, lambda place, item: b"")
    for data in bodies:
        name = deep(Body(data, CHAT))
        # What was cut in some other list is not read for a name.
        assert deep(Body(data, CHAT, known)) in (name, None)
        if name:
            known.learn(known.cut(data))
        assert deep(Body(data, CHAT, known)) in (name, None)


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
        return deep(Body(orjson.dumps({"padding": PADDING, "messages": messages}), CHAT))

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
    known = Repeated(7, CHAT.lists, write)
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
    body = Body(data, CHAT, repeated)
    assert deep(body) == deep(Body(data, CHAT)) is not None
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
    known = Repeated(7, CHAT.lists, write)
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
