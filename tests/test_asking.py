"""A request's canonical form, made once for the same bytes."""

from proxy.core.interaction import Request
from proxy.core.redact import Redactor
from proxy.core.rules import Rules
from proxy.engine import asking
from proxy.engine.asking import Canonicals, Incoming


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
