"""Keys and ids of recordings: as they always were, unlike for the unlike, in a total order."""

from itertools import pairwise
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptdeck.core.interaction import CHAT_COMPLETIONS, Request
from promptdeck.core.matching.fingerprint import TAG, fingerprint, order, recording_id
from promptdeck.core.matching.normalize import normalize
from promptdeck.core.matching.rules import Rules
from promptdeck.core.secrets.redact import Redactor

KEY = f"{TAG}:0123456789abcdef0123456789abcdef"


def canonical(value: Any, target: str = CHAT_COMPLETIONS) -> bytes:
    request = Request("POST", target, "application/json", orjson.dumps(value))
    return normalize(request, Rules(), Redactor()).canonical


def turns(count: int, opening: str = "hi", system: str = "be kind") -> Any:
    """A conversation of `count` messages: system, user, and then both sides by turns."""
    said = [{"role": "system", "content": system}, {"role": "user", "content": opening}]
    sides = ("assistant", "user")
    said += [{"role": sides[n % 2], "content": f"turn {n}"} for n in range(count - 2)]
    return {"model": "m", "messages": said[:count]}


def id_of(value: Any, ordinal: int = 1) -> str:
    form = canonical(value)
    return recording_id(form, fingerprint(form), ordinal)


# Fingerprints


def test_a_fingerprint_is_as_it_always_was() -> None:
    assert fingerprint(b"POST /v1/chat/completions\n{}") == "p1:46be4a264f77bed1c3bfbf5bcd644f00"


@given(st.binary(max_size=50), st.binary(max_size=50))
def test_other_bytes_have_another_fingerprint(one: bytes, other: bytes) -> None:
    assert (fingerprint(one) == fingerprint(other)) is (one == other)


def test_other_rules_make_another_fingerprint() -> None:
    rules = [
        Rules(),
        Rules.build(ignore=["$.seed"]),
        Rules.build(ignore=["$.user"]),
        Rules.build(ignore=["$.seed", "$.user"]),
        Rules.build(ignore=["$..seed"]),
        Rules.build(replace=["uuid"]),
        Rules.build(replace=["date"]),
        Rules.build(replace=["date", "uuid"]),
        Rules.build(replace=[{"pattern": "a", "with": "b"}]),
        Rules.build(replace=[{"pattern": "a", "with": "c"}]),
    ]
    assert len({fingerprint(b"x", each.digest) for each in rules}) == len(rules)
    assert fingerprint(b"x", Rules().digest) == fingerprint(b"x")


# Recording ids


def test_an_id_is_as_it_always_was() -> None:
    assert id_of(turns(4)) == "1afd41-004-f1e3dcb2-1"
    assert id_of({"model": "m"}) == "7dbea3-000-401febf1-1"


@given(st.integers(2, 40), st.integers(2, 40), st.text(), st.text())
def test_turns_of_a_conversation_share_their_root(
    one: int, other: int, opening: str, system: str
) -> None:
    roots = {id_of(turns(count, opening, system)).split("-")[0] for count in (one, other)}
    assert len(roots) == 1


@pytest.mark.parametrize(
    "other",
    [
        turns(4, opening="hello"),
        turns(4, system="be brief"),
        {"messages": turns(4)["messages"][1:]},
        {"messages": []},
        {},
        [],
    ],
)
def test_another_opening_is_another_conversation(other: Any) -> None:
    assert id_of(other).split("-")[0] != id_of(turns(4)).split("-")[0]


def test_how_a_message_is_written_is_no_other_conversation() -> None:
    spelled: Any = turns(4)
    spelled["messages"][1] = {"content": [{"text": "hi", "type": "text"}], "role": "user"}
    assert id_of(spelled) == id_of(turns(4))


def test_a_conversation_without_a_user_is_known_by_all_of_it() -> None:
    said = [{"role": "system", "content": "x"}, {"role": "assistant", "content": "y"}, "odd"]
    ids = {id_of({"messages": said[:count]}).split("-")[0] for count in (1, 2, 3)}
    assert len(ids) == 3


def test_other_endpoints_are_sorted_by_endpoint() -> None:
    forms = [canonical({"input": text}, "/v1/embeddings") for text in ("a", "b")]
    ids = [recording_id(form, fingerprint(form), 1) for form in forms]
    assert ids[0].split("-")[:2] == ids[1].split("-")[:2]
    assert ids[0] != ids[1]


def test_turns_are_in_order_also_beyond_a_thousand() -> None:
    ids = [
        id_of(turns(count), n)
        for count in (2, 9, 10, 99, 999, 1000, 1001)
        for n in (1, 2, 9, 10, 11)
    ]
    backwards = ids[::-1]
    assert sorted(backwards, key=order) == ids
    assert ids[-1].split("-")[1] == "1001"


def test_conversations_lie_together() -> None:
    ids = [id_of(turns(count, opening)) for count in (2, 4, 6) for opening in "abcdefgh"]
    roots = [name.split("-")[0] for name in sorted(ids, key=order)]
    assert sum(one != other for one, other in pairwise(roots)) == len(set(roots)) - 1


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"not json",
        b"\xff",
        b'{"messages": "x"}',
        b'{"messages": [1, null, []]}',
        b'{"messages": [{"role": ["user"]}]}',
        b'{"messages": ' + b"[" * 300 + b"]" * 300 + b"}",
        b"[" * 10_000,
        b'{"seed": ' + b"1" * 40 + b', "messages": [{"role": "user"}]}',
        b'{"messages": [{"content": "\\ud800"}]}',
    ],
    ids=lambda body: repr(body[:20]),
)
def test_any_body_gets_an_id(body: bytes) -> None:
    assert order(recording_id(b"POST /v1/x\n" + body, KEY, 7))[-1] == (7, "7")


def test_the_key_in_an_id_is_that_without_its_tag() -> None:
    assert recording_id(b"GET /\n", KEY, 3).split("-", 2)[2] == "01234567-3"


# Order

IDS = st.text("09afz-٣²é", max_size=8) | st.text(max_size=6) | st.text("0-9", max_size=30)


@given(IDS, IDS)
def test_the_order_is_total_and_tells_all_ids_apart(one: str, other: str) -> None:
    assert (order(one) < order(other)) + (order(other) < order(one)) + (one == other) == 1


@given(st.lists(IDS, max_size=8), st.randoms(use_true_random=False))
def test_sorting_does_not_depend_on_where_it_starts(ids: list[str], draw: Any) -> None:
    shuffled = list(ids)
    draw.shuffle(shuffled)
    assert sorted(shuffled, key=order) == sorted(ids, key=order)


@given(st.integers(0, 10**18 - 1), st.integers(0, 10**18 - 1))
def test_numbers_are_ordered_by_value(one: int, other: int) -> None:
    assert (order(f"a-001-b-{one}") < order(f"a-001-b-{other}")) is (one < other)


@pytest.mark.parametrize(
    "odd", ["", "-", "9" * 10_000, "a-b-c-d-e", "٣", "²", "\ud800", "a-", "-1"]
)
def test_any_string_has_its_place(odd: str) -> None:
    assert sorted([odd, "a-1", odd], key=order).count(odd) == 2


@pytest.mark.parametrize("name", ["messages", "input", "contents"])
def test_a_conversations_turns_lie_together_in_their_order_in_every_protocol(name: str) -> None:
    opening = [{"role": "developer", "content": "be brief"}, {"role": "user", "content": "hi"}]
    call = [{"type": "function_call", "call_id": "c"}, {"type": "function_call_output"}]
    bodies = [{name: opening}, {name: [*opening, *call]}, {name: [*opening[:1], *call]}]
    forms = [b"POST /v1/x\n" + orjson.dumps(body) for body in bodies]
    first, second, other = (recording_id(form, fingerprint(form), 1) for form in forms)
    assert order(first) < order(second)
    assert first.split("-")[0] == second.split("-")[0] != other.split("-")[0]


def test_what_is_embedded_is_no_conversation() -> None:
    one, other = (
        recording_id(b'POST /v1/embeddings\n{"input":["%b"]}' % word, "p1:0", 1)
        for word in (b"a", b"b")
    )
    assert one == other
