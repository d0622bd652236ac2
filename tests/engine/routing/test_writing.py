"""writing: a request made anew for each choice, from the client's own bytes, with its own keys."""

from typing import Any

import orjson
import pytest

from promptdeck.core.dialects.providers import Route
from promptdeck.core.interaction import Request
from promptdeck.core.routing.upstreams import Declared
from promptdeck.engine.incoming import Incoming, SentBody
from promptdeck.engine.routing.writing import fields_of
from promptdeck.errors import Unsendable

from .scripted import Got, ScriptedWay, answer, asking, routing, said

HEADERS = (("Authorization", "Bearer theirs"), ("X-App", "1"), ("anthropic-beta", "b"))


async def sent(incoming: Incoming, name: str = "a", **declared: Declared) -> Incoming:
    """What an upstream gets of a request."""
    way = ScriptedWay(answer("yes"))
    await routing({name: way}, **declared).fly(incoming, Got())
    [seen] = way.seen
    return seen


async def test_in_its_own_dialect_the_bytes_pass_but_for_the_model() -> None:
    text = (
        b'{ "messages" :[{"role":"user","content":"\\u00e9 hi"}],\n"model": "a/x/y" , "odd": 1.0e5}'
    )
    request = Request("POST", "/v1/chat/completions", "application/json", text)
    seen = await sent(Incoming(request, HEADERS))
    assert seen.request.body == text.replace(b"a/x/y", b"x/y")
    assert seen.request.target == "/v1/chat/completions"


async def test_the_clients_keys_stay_behind() -> None:
    seen = await sent(asking("a/x")._replace(headers=HEADERS))
    assert seen.headers == (("X-App", "1"),)
    assert seen.route is None


async def test_they_go_along_where_the_request_would_go_by_itself() -> None:
    ways = {"openai": ScriptedWay(answer("yes"))}
    own = Declared("openai")
    await routing(ways, openai=own).fly(asking("openai/x")._replace(headers=HEADERS), Got())
    assert ways["openai"].seen[0].headers == HEADERS[:2]


async def test_a_key_that_stands_in_the_body_is_sent_and_hidden_only_in_what_is_kept() -> None:
    hidden = asking("a/x", user="[REDACTED]")
    body = orjson.dumps({**orjson.loads(hidden.request.body), "user": "the-key"})
    seen = await sent(hidden._replace(packed=SentBody("", body)))
    assert orjson.loads(seen.sent[0])["user"] == "the-key"


async def test_googles_key_in_a_target_stays_behind() -> None:
    body = b'{"contents":[{"role":"user","parts":[{"text":"hi"}]}]}'
    target = "/v1beta/models/g%2Fgemini-x:generateContent?key=theirs"
    request = Request("POST", target, "application/json", body)
    google = Declared("g", url="http://corp/v1", dialects=("gemini",))
    route = Route("https://generativelanguage.googleapis.com/v1", "", body, is_home=True)
    way = ScriptedWay(
        said(b'{"candidates":[{"content":{"parts":[{"text":"a"}]},"finishReason":"STOP"}]}')
    )
    await routing({"g": way}, g=google).fly(Incoming(request, (), route), Got())
    [seen] = way.seen
    assert seen.request.target == "/v1beta/models/gemini-x:generateContent"
    assert seen.request.body == body


@pytest.mark.parametrize(
    ("dialects", "by_responses", "at", "target"),
    [
        (("chat", "responses"), (), "chat/completions", "/v1/chat/completions"),
        (("chat", "responses"), (), "responses", "/v1/responses"),
        (("chat",), (), "responses", "/v1/chat/completions"),
        (("messages", "chat"), (), "chat/completions", "/v1/chat/completions"),
        (("messages",), (), "chat/completions", "/v1/messages"),
        (("chat", "responses"), ("x*",), "chat/completions", "/v1/responses"),
        (("chat", "responses"), ("y*",), "chat/completions", "/v1/chat/completions"),
    ],
)
async def test_an_upstream_is_asked_in_the_clients_dialect_if_it_speaks_that(
    dialects: tuple[str, ...], by_responses: tuple[str, ...], at: str, target: str
) -> None:
    one = Declared("a", url="http://a/v1", dialects=dialects, by_responses=by_responses)
    body: dict[str, Any] = {"input": "hi"} if at == "responses" else {}
    seen = await sent(asking("a/x1", at=at, **body), a=one)
    assert seen.request.target == target


async def test_what_is_not_translated_goes_on_where_the_protocol_is_known() -> None:
    seen = await sent(asking("a/e", at="embeddings", input="hi"))
    assert seen.request.target == "/v1/embeddings"
    assert orjson.loads(seen.request.body)["model"] == "e"
    counted = Declared("a", url="http://a/v1", dialects=("messages",))
    seen = await sent(asking("a/e", at="messages/count_tokens"), a=counted)
    assert seen.request.target == "/v1/messages/count_tokens"
    with pytest.raises(Unsendable, match="a is asked in messages, which has no embeddings"):
        await sent(asking("a/e", at="embeddings", input="hi"), a=counted)


async def test_an_upstream_without_a_base_url_cannot_be_asked() -> None:
    with pytest.raises(Unsendable, match=r"upstreams\.nowhere\.base_url is not set"):
        await sent(asking("nowhere/x"), "nowhere", nowhere=Declared("nowhere"))


async def test_what_no_dialect_can_say_is_refused_by_its_place() -> None:
    one = Declared("a", url="http://a/v1", dialects=("gemini",))
    with pytest.raises(Unsendable) as caught:
        await sent(asking("a/x", messages=[5]), a=one)
    assert (caught.value.status, caught.value.param) == (400, "$.messages[0]")


def test_settings_become_fields() -> None:
    settings = {
        "temperature": 0.5,
        "seed": None,
        "reasoning": {"effort": "low"},
        "extra_args": {"user": "u"},
        "attributes": {"speed": 1},
        "timeout": 5,
        "stream": True,
        "voice": "alloy",
    }
    fields, unsaid = fields_of(settings)
    assert fields == {"temperature": 0.5, "user": "u", "reasoning_effort": "low"}
    assert unsaid == ["timeout", "voice"]
