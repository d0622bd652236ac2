"""A request's canonical form, made once for the same bytes."""

import asyncio
from itertools import chain
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from promptdeck.core.interaction import CHAT_COMPLETIONS, Request
from promptdeck.core.matching.rules import Rules
from promptdeck.core.secrets.redact import Redactor
from promptdeck.engine import asking
from promptdeck.engine.asking import Canonicals
from promptdeck.engine.checking import Contract
from promptdeck.engine.incoming import Incoming
from tests.core.matching.test_body import calls


def incoming(body: bytes, **headers: str) -> Incoming:
    named = tuple((name.replace("_", "-"), value) for name, value in headers.items())
    return Incoming(Request("POST", "/v1/chat/completions", "", body), named)


async def test_bytes_seen_before_are_not_judged_again() -> None:
    judged: list[object] = []

    def check(body: object) -> str:
        judged.append(body)
        return "odd"

    canonicals = Canonicals(Rules(), Redactor.build(), check)
    first = await canonicals.asked(incoming(b'{"model": "m"}'))
    again = await canonicals.asked(incoming(b'{"model": "m"}'))
    assert judged == [{"model": "m"}]
    assert (first.key, first.warning) == (again.key, again.warning)
    other = await canonicals.asked(incoming(b'{"model":"m"}'))
    assert other.key == first.key
    assert len(judged) == 2


async def test_every_line_of_cache_control_counts() -> None:
    asked = await Canonicals(Rules(), Redactor.build(), None).asked(
        incoming(b"{}", Cache_Control="no-store", cache_control="max-age=5")
    )
    assert asked.wants.no_store
    assert asked.wants.max_age == 5


async def test_the_memo_forgets_the_oldest_when_it_weighs_too_much(monkeypatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setattr(asking, "_MEMO_BYTES", 300)
    seen: list[object] = []

    def check(body: object) -> str:
        seen.append(body)
        return ""

    canonicals = Canonicals(Rules(), Redactor.build(), check)
    bodies = [b'{"model": "%d"}' % number for number in range(20)]
    for body in [*bodies, bodies[-1], bodies[0]]:
        await canonicals.asked(incoming(body))
    assert len(seen) == 21


ORDERED = b'{"model":"m","messages":[],"user":"one"}'


@pytest.mark.parametrize(
    "again",
    [
        b'{"model":"m","messages":[],"user":"two"}',
        b'{"user":"two","messages":[],"model":"m"}',
        b'{ "messages": [],\n"mod\\u0065l": "m" }',
    ],
)
async def test_a_body_that_differs_in_nothing_that_counts_is_not_judged(again: bytes) -> None:
    judged: list[object] = []

    def check(body: object) -> str:
        judged.append(body)
        return ""

    canonicals = Canonicals(Rules(), Redactor.build(), check)
    first = await canonicals.asked(incoming(ORDERED))
    second = await canonicals.asked(incoming(again))
    assert second.known is first.known
    assert len(judged) == 1


def warn(body: object) -> str:
    return "odd"


NO_NAME = Redactor.build([{"name": "who", "pattern": "user"}])
OTHER_PATH = "/v1/files"


@pytest.mark.parametrize(
    ("body", "redactor", "check", "path"),
    [
        (ORDERED, Redactor.build(), warn, CHAT_COMPLETIONS),
        (ORDERED, NO_NAME, None, CHAT_COMPLETIONS),
        (ORDERED, Redactor.build(), None, OTHER_PATH),
        (ORDERED.replace(b"[]", b"1e30"), Redactor.build(), None, CHAT_COMPLETIONS),
        (ORDERED.replace(b"[]", b'"token=' + b"a1b2" * 8 + b'"'), NO_NAME, None, CHAT_COMPLETIONS),
    ],
)
async def test_what_is_odd_is_looked_at_each_time(
    body: bytes, redactor: Redactor, check: Any, path: str
) -> None:
    canonicals = Canonicals(Rules(), redactor, check)
    other = body.replace(b'"one"', b'"two"')
    first, second = [
        await canonicals.asked(Incoming(Request("POST", path, "application/json", sent), ()))
        for sent in (body, other)
    ]
    assert second.known is not first.known
    alone = Canonicals(Rules(), redactor, check)
    request = Request("POST", path, "application/json", other)
    assert (await alone.asked(Incoming(request, ()))).known == second.known


async def test_others_are_served_while_a_large_body_is_parsed() -> None:
    turns = 0
    inside: list[bool] = []

    async def others() -> None:
        nonlocal turns
        while not inside:
            turns += 1
            await asyncio.sleep(0)

    def check(body: object) -> str:
        # Goes on only when the loop has turned meanwhile.
        seen = turns
        while turns < seen + 3:
            pass
        inside.append(True)
        return ""

    canonicals = Canonicals(Rules(), Redactor.build(), check)
    large = b'{"model":"m","messages":[],"x":"%b"}' % (b"x" * 300_000)
    asked, _ = await asyncio.gather(canonicals.asked(incoming(large)), others())
    assert inside
    assert asked.form.canonical.endswith(b'x"}')


async def test_the_key_in_a_recording_is_without_the_users_rules() -> None:
    ruled = Canonicals(Rules.build(["$.seed"]), Redactor.build(), None)
    plain = Canonicals(Rules(), Redactor.build(), None)
    body = incoming(b'{"model":"m","seed":7}')
    asked = await ruled.asked(body)
    assert ruled.base_key(asked) != asked.key
    assert ruled.base_key(asked) == plain.base_key(await plain.asked(body))


async def test_what_was_forgotten_is_learnt_again_under_all_its_names(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(asking, "_MEMO_BYTES", 100)
    canonicals = Canonicals(Rules(), Redactor.build(), None)
    one, two = ORDERED, ORDERED.replace(b"one", b"two")
    first = await canonicals.asked(incoming(one))
    assert (await canonicals.asked(incoming(two))).known is first.known
    await canonicals.asked(incoming(ORDERED.replace(b'"m"', b'"other"')))
    again = await canonicals.asked(incoming(two))
    assert again.known is not first.known
    assert (await canonicals.asked(incoming(two))).known is again.known
    assert (await canonicals.asked(incoming(one))).known is again.known


async def outcome(canonicals: Canonicals, path: str, body: bytes) -> object:
    request = Request("POST", path, "application/json", body)
    asked = await canonicals.asked(Incoming(request, ()))
    known = asked.known
    return known._replace(names=(), refused=None), str(known.refused), canonicals.also(asked)


@settings(max_examples=150)
@given(st.lists(calls(), min_size=1, max_size=4))
def test_what_came_before_makes_no_difference(asked: list[tuple[str, bytes, bytes]]) -> None:
    def fresh() -> Canonicals:
        return Canonicals(Rules(), Redactor.build(), Contract(strict=False).check)

    async def go() -> None:
        shared = fresh()
        bodies = [[(path, body) for body in both] for path, *both in asked]
        for path, body in [*chain.from_iterable(bodies), *bodies[0]]:
            assert await outcome(shared, path, body) == await outcome(fresh(), path, body)

    asyncio.run(go())
