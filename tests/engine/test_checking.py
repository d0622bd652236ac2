"""Requests judged by the contract: what a client sees of it."""

import openai
import pytest

from tests.conftest import Start


async def test_a_wrong_type_is_400_with_the_path_and_every_violation(start: Start) -> None:
    deck = await start(mode="cache")
    got = await deck.chat(temperature="hot", response_format={"type": "json_objekt"})
    assert (got.status, got.headers["x-should-retry"]) == (400, "false")
    assert got.json["error"]["param"] == got.json["param"]
    paths = {item["path"]: item for item in got.json["details"]["violations"]}
    assert set(paths) == {"$.temperature", "$.response_format.type"}
    assert paths["$.response_format.type"]["hint"].strip('"') == "json_object"
    assert deck.upstream.seen == []


async def test_openai_raises_a_bad_request_that_names_the_place(start: Start) -> None:
    deck = await start(mode="replay")
    async with openai.AsyncOpenAI(base_url=deck.server.base_url, api_key="k") as client:
        with pytest.raises(openai.BadRequestError) as caught:
            await client.chat.completions.create(model=7, messages=[])  # type: ignore[call-overload]
    assert caught.value.param == "$.model"
    assert "expected" in caught.value.message


async def test_a_documented_range_is_a_warning_and_strict_makes_it_an_error(start: Start) -> None:
    deck = await start(mode="cache")
    got = await deck.chat(temperature=9)
    assert got.status == 200
    assert got.headers["Warning"].startswith('299 promptdeck "$.temperature: expected ')
    again = await deck.chat(temperature=9)
    assert again.headers["Warning"] == got.headers["Warning"]
    strict = await start(mode="cache", environ={"PROMPTDECK_CONTRACT_STRICT": "true"})
    assert (await strict.chat("new", temperature=9)).json["param"] == "$.temperature"


async def test_an_ordinary_request_has_no_warning(start: Start) -> None:
    deck = await start(mode="cache")
    assert "Warning" not in (await deck.chat(temperature=1)).headers


async def test_unknown_fields_pass_and_count(start: Start) -> None:
    deck = await start(mode="cache")
    first = await deck.chat(num_ctx=1024)
    assert first.status == 200
    assert "hit" not in (await deck.chat(num_ctx=2048)).cache_status


async def test_a_model_alone_is_enough(start: Start) -> None:
    deck = await start(mode="cache")
    got = await deck.request("POST", "/v1/chat/completions", b'{"model": "m"}')
    assert got.status == 200


async def test_in_passthrough_upstream_judges(start: Start) -> None:
    deck = await start(mode="passthrough")
    got = await deck.chat(temperature="hot")
    assert (got.status, len(deck.upstream.seen)) == (200, 1)
