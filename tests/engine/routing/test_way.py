"""way: what leaves no choice goes straight on, and what names nobody known is refused."""

from typing import Any

import orjson
import pytest

from promptdeck.core.dialects.providers import Route
from promptdeck.core.dialects.translate.neutral import Signed
from promptdeck.core.dialects.translate.signing import SEAL, sealed
from promptdeck.core.interaction import Request
from promptdeck.engine.incoming import Incoming
from promptdeck.engine.routing import way
from promptdeck.errors import Unsendable

from .scripted import Got, ScriptedWay, answer, asking, routing

STRAIGHT: dict[str, Incoming] = {
    "a bare model": asking("gpt-5"),
    "no model": asking(None),
    "its own provider": asking("a/x")._replace(route=Route("http://brought/v1", "k", b"{}")),
    "no model's endpoint": asking("a/x", at="files"),
    "a list of files": Incoming(Request("GET", "/v1/models", "", b""), ()),
    "no JSON": Incoming(Request("POST", "/v1/chat/completions", "", b'{"model":"a/x'), ()),
}


@pytest.mark.parametrize("what", STRAIGHT)
async def test_what_leaves_no_choice_goes_straight_on(what: str) -> None:
    incoming, default = STRAIGHT[what], ScriptedWay(answer("default"))
    routed = routing({"": default, "a": ScriptedWay(answer("a"))})
    begun = routed.begin(incoming, Got(), lambda _: None)
    assert begun is not None or what == "no JSON"
    await routed.fly(incoming, Got())
    assert all(one is incoming for one in default.seen)
    assert len(default.seen) == (2 if begun else 1)


async def test_what_leaves_one_is_not_begun_at_once() -> None:
    default = ScriptedWay(answer("default"))
    assert routing({"": default}).begin(asking("openai/x"), Got(), lambda _: None) is None
    assert not default.seen


@pytest.mark.parametrize(("model", "near"), [("antropic/x", "anthropic"), ("a/", None), ([], None)])
async def test_a_model_of_nobody_is_refused(model: Any, near: str | None) -> None:
    with pytest.raises(Unsendable) as caught:
        await routing({}).fly(asking(model), Got())
    error = caught.value
    assert (error.status, error.param, error.retry) == (400, "$.model", False)
    assert near is None or f"did you mean {near}/x?" in error.message


async def test_a_bare_model_in_a_list_is_the_default_upstreams_with_the_clients_key() -> None:
    default = ScriptedWay(answer("default"))
    key = ("Authorization", "Bearer theirs")
    got = Got()
    await routing({"": default}).fly(asking(["gpt-5"], key), got)
    [seen] = default.seen
    assert orjson.loads(seen.request.body)["model"] == "gpt-5"
    assert key in seen.headers
    assert got.headers["x-promptdeck-served"] == "openai/gpt-5; dialect=chat"


async def test_what_was_signed_elsewhere_does_not_go_to_a_bare_model_either() -> None:
    assert way.SEAL == SEAL
    signature = sealed(Signed("google", "gemini-3", "c2ln"))
    thinking = {"type": "thinking", "thinking": "hm", "signature": signature}
    content = [thinking, {"type": "text", "text": "a"}]
    incoming = asking(
        "claude",
        at="messages",
        max_tokens=9,
        messages=[{"role": "user", "content": "q"}, {"role": "assistant", "content": content}],
    )
    default = ScriptedWay(answer("default"))
    await routing({"": default}).fly(incoming, Got())
    body = orjson.loads(default.seen[0].request.body)
    assert body["messages"][1]["content"] == [{"type": "text", "text": "a"}]


async def test_of_a_prefix_that_is_no_upstreams_it_is_said_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    default = ScriptedWay(answer("default"))
    own = routing({"": default, "local": ScriptedWay(answer("a"))}, default="http://own/v1")
    with caplog.at_level("INFO", "promptdeck"):
        for model in ("meta-llama/Llama-3", "meta-llama/Llama-4", "bare", "local/x"):
            await own.fly(asking(model), Got())
        nobody = routing({"": default}, default="http://own/v1")
        await nobody.fly(asking("Qwen/x"), Got())
    assert default.models == ["meta-llama/Llama-3", "meta-llama/Llama-4", "bare", "Qwen/x"]
    [told] = [record.message for record in caplog.records]
    assert "no upstream is called 'meta-llama', but local" in told
