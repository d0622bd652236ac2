"""Recordings made small: every text comes back byte for byte, whatever it is."""

import random

import orjson
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from promptdeck.core.matching.rules import Rules
from promptdeck.stores.sqlite.dictionaries import Dictionaries, Dictionary, deflate, shipped
from promptdeck.stores.sqlite.packing import (
    context_of,
    cuts,
    dictionary_of,
    digests,
    pack,
    pack_piece,
    slots_of,
    unpack,
    unpack_piece,
)
from tests.recordings import (
    ANY_BYTES,
    JSON,
    STRINGS,
    STYLES,
    _written,
    chat_request,
    interaction,
    stored,
)

WORDS = st.sampled_from("to be or not that is the question".split())
LONG = st.lists(WORDS | STRINGS, min_size=0, max_size=400).map(" ".join)
LEARNT = Dictionary(7, b"the question of a store " * 1300)
_LEARNT = [(deflate([LEARNT.text], shipped()),)]
KNOWN = Dictionaries(lambda query, number: _LEARNT if number == LEARNT.number else [])
DICTIONARY = st.sampled_from([shipped(), LEARNT])
MESSAGE = st.fixed_dictionaries(
    {"role": st.sampled_from(["user", "assistant"]), "content": LONG | JSON}, optional={"x": JSON}
)
BODY = st.dictionaries(
    STRINGS | st.sampled_from(["messages", "tools", "input"]),
    JSON | LONG | st.lists(MESSAGE, max_size=6),
    max_size=5,
)


def blob(meta, body, canonical, answer, *more):
    """What `pack` makes of an answer in two parts, joined."""
    half = len(answer) // 2
    return b"".join(pack(meta, body, canonical, (answer[:half], answer[half:]), *more))


@st.composite
def texts(draw):
    """A body and a canonical form that are related as in life, or not at all."""
    value = draw(BODY)
    body = draw(st.just(orjson.dumps(value)) | st.builds(_written, st.just(value), STYLES))
    form = orjson.dumps(draw(st.just(value) | BODY), option=orjson.OPT_SORT_KEYS)
    whole = draw(st.sampled_from([True, True, False]))
    return body, b"POST /v1/x\n" + form if whole else draw(ANY_BYTES)


@settings(deadline=None)
@given(texts() | st.tuples(ANY_BYTES, ANY_BYTES), st.binary(max_size=50), DICTIONARY)
@example((b'{"a":[],"a":["%s"]}' % (b"x" * 300), b'\n{"a":["%s"]}' % (b"x" * 300)), b"", LEARNT)
@example((b'{"a":"\\ud800"}' * 30, b'\n{"a":"\\ud800"}' * 30), b"", LEARNT)
@example((b'{"a":{"b":["%s"]},"b":["%s"]}' % (b"x" * 300, b"x" * 300),) * 2, b"", LEARNT)
@example((b'{"a":' + b"[" * 300 + b"1" * 300 + b"]" * 300 + b"}",) * 2, b"", LEARNT)
@example((b'{"a":"%s"}' % (b"x" * 2000), b'\n{"b":1,"a":"%s"}' % (b"x" * 2000)), b"", LEARNT)
def test_a_request_of_any_bytes_comes_back(pair, answer, dictionary):
    body, canonical = pair
    slots = slots_of(body, canonical)
    kept = [piecewise(slot.elements, 0, dictionary) for slot in slots]
    assert kept == [slot.elements for slot in slots]
    told = unpack(blob(["x", 1], body, canonical, answer, slots, dictionary), kept, KNOWN)
    assert told == (["x", 1], body, canonical, answer)


def piecewise(elements, known, dictionary):
    """Packed piece by piece behind those that are `known`, and read again."""
    read = list(elements[:known])
    for start, end in zip([known, *cuts(elements, known)], cuts(elements, known), strict=False):
        data = pack_piece(elements[start:end], context_of(elements[:start]), dictionary)
        read += unpack_piece(data, context_of(read), KNOWN)
    return read


@settings(deadline=None)
@given(st.lists(st.tuples(LONG | JSON, LONG | JSON), min_size=1, max_size=8), st.data(), DICTIONARY)
def test_pieces_behind_any_beginning_come_back(values, data, dictionary):
    elements = [(orjson.dumps(a), orjson.dumps(b)) for a, b in values]
    known = data.draw(st.integers(0, len(elements) - 1))
    assert piecewise(elements, known, dictionary) == elements


@given(st.lists(st.tuples(st.binary(max_size=3), st.binary(max_size=3)), max_size=5, unique=True))
def test_each_beginning_has_a_name_of_its_own(elements):
    names = digests(elements)
    assert len(set(names)) == len(elements)
    assert digests(elements[:-1]) == names[:-1]


def test_where_one_text_ends_and_the_next_begins_is_in_the_name():
    assert digests([(b"ab", b"c")]) != digests([(b"a", b"bc")])
    assert digests([(b"1", b""), (b"", b"2")]) != digests([(b"1", b"2")])


@given(st.lists(st.integers(0, 600), min_size=1, max_size=9), st.data())
def test_cuts_lead_from_what_is_known_to_the_end(sizes, data):
    elements = [(b"x" * size, b"") for size in sizes]
    known = data.draw(st.integers(0, len(elements) - 1))
    ends = cuts(elements, known)
    assert ends == sorted(set(ends))
    assert known < ends[0]
    assert ends[-1] == len(elements)


def test_a_system_prompt_and_all_but_the_question_are_cut_off():
    elements = [(b"x" * 300, b"")] * 6
    assert cuts(elements, 0) == [1, 5, 6]
    assert cuts(elements, 5) == [6]
    assert cuts([(b"short", b"")] * 6, 0) == [6]


def conversation_of(turns):
    messages = [{"role": "system", "content": "You are helpful. " * 30}]
    for n in range(turns):
        messages += [{"role": "user", "content": f"question {n} " * 20, "name": None}]
    return stored(interaction(messages=messages, tools=[{"type": "function", "n": "t" * 300}]))[1]


def test_messages_and_tools_of_a_chat_are_slots_though_their_keys_are_sorted():
    one = conversation_of(4)
    slots = slots_of(one.interaction.request.body, one.canonical)
    # Without the last question, to which there is no answer before.
    assert [len(slot.elements) for slot in slots] == [4, 1]
    assert all(ours != theirs for ours, theirs in slots[0].elements)


def test_a_longer_conversation_begins_as_the_shorter_one():
    short, long = (
        slots_of(one.interaction.request.body, one.canonical)[0].elements
        for one in (conversation_of(4), conversation_of(6))
    )
    assert digests(long)[: len(short)] == digests(short)


def test_both_forms_of_a_very_long_message_take_the_room_of_one():
    noise = bytes(range(33, 91)) * 2
    text = "".join(chr(33 + (n * n * 7919 + n // 97) % 90) for n in range(100_000))
    request = chat_request("", messages=[{"role": "user", "content": text, "name": "x"}])
    canonical = b"POST /\n" + orjson.dumps(orjson.loads(request.body), option=orjson.OPT_SORT_KEYS)
    [slot] = slots_of(request.body, canonical)
    data = pack_piece(slot.elements, noise, shipped())
    assert unpack_piece(data, noise, KNOWN) == slot.elements
    single = pack_piece([(ours, ours) for ours, _ in slot.elements], noise, shipped())
    assert len(data) < len(single) + 100


@pytest.mark.parametrize(
    ("before", "last", "elements"),
    [
        ("system", {"role": "user", "content": "x" * 300}, 1),
        ("system", {"role": "user", "content": "x" * 9000}, 2),
        ("system", {"role": "tool", "content": "x" * 300}, 2),
        ("system", "x" * 300, 2),
        ("assistant", {"role": "user", "content": "x" * 300}, 2),
    ],
)
def test_a_first_question_is_no_piece_unless_it_is_long(before, last, elements):
    messages = [{"role": before, "content": "You are helpful. " * 30}, last]
    one = stored(interaction(messages=messages))[1]
    [slot] = slots_of(one.interaction.request.body, one.canonical)
    assert len(slot.elements) == elements


def test_both_forms_of_a_question_take_the_room_of_one():
    question = "".join(chr(33 + (n * n * 7919 + n // 97) % 90) for n in range(3000))
    one = stored(interaction(question))[1]
    body = one.interaction.request.body
    packed = blob([], body, one.canonical, b"", slots_of(body, one.canonical), shipped())
    assert len(packed) < len(blob([], body, b"", b"", [], shipped())) + 100


def test_a_dictionary_of_what_was_packed_makes_the_like_smaller():
    def conversation(n):
        return stored(interaction(f"{n} {_sentence(n)}", _sentence(-n)))[1]

    def packed(one, dictionary):
        body, answer = one.interaction.request.body, one.interaction.response.body
        return blob(["x"], body, one.canonical, answer, [], dictionary)

    before = [packed(conversation(n), shipped()) for n in range(1, 50)]
    learnt = Dictionary(2, dictionary_of(before, KNOWN))
    assert len(learnt.text) <= 32768
    one = conversation(100)
    assert len(packed(one, learnt)) * 3 < len(packed(one, shipped())) * 2


def _sentence(seed):
    pick = random.Random(seed)
    things = "zeolite quokka umlaut fjord gazebo wombat yurt sphinx jukebox".split()
    return " ".join(f"the {pick.choice(things)} has no {pick.choice(things)}" for _ in range(40))


def test_a_chat_is_a_fraction_of_its_size():
    one = conversation_of(8)
    body = one.interaction.request.body
    slots = slots_of(body, one.canonical)
    assert len(blob([], body, one.canonical, b"{}", slots, shipped())) < 150


@settings(deadline=None)
@given(st.data())
def test_damage_is_told_or_harmless(data):
    body, canonical, answer = b'{"a":1}' * 30, b"POST /\n" + b'{"a":1}' * 30, b"yes" * 20
    packed = bytearray(blob(["x"], body, canonical, answer, [], shipped()))
    at = data.draw(st.integers(0, len(packed) - 1))
    packed[at] ^= 1 << data.draw(st.integers(0, 7))
    try:
        told = unpack(bytes(packed), [], KNOWN)
    except ValueError:
        return
    # To copy from another place of the same text is no damage.
    assert told == (["x"], body, canonical, answer)


@pytest.mark.parametrize("length", [0, 1, 2, 10, -1])
def test_what_is_cut_off_is_told(length):
    packed = blob(["x"], b"body", b"canonical", b"answer", [], shipped())
    with pytest.raises(ValueError):
        unpack(packed[:length], [], KNOWN)


def test_rules_that_change_messages_leave_them_cut():
    rules = Rules.build(ignore=["$.messages[*].name"])
    messages = [{"role": "user", "name": f"n{n}", "content": "hello " * 50} for n in range(3)]
    one = stored(interaction(messages=messages), rules)[1]
    [slot] = slots_of(one.interaction.request.body, one.canonical)
    assert all(b"name" in ours and b"name" not in theirs for ours, theirs in slot.elements)
