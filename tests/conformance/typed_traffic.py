"""OpenAI's own answers to `/v1/responses`, told to clients of the other dialects.

    python -m pytest tests/conformance/typed_traffic.py

langchain-openai's source distribution has some 170 of them, recorded by VCR. What each client gets
says what OpenAI said: the text, the calls, the tokens; a request that is read and written again is
none that OpenAI refuses.
"""

import gzip
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import orjson
import pytest
import yaml

from promptdeck.core.dialects.table import TRANSLATED
from promptdeck.core.dialects.translate.aim import Aim, Untranslatable
from promptdeck.core.dialects.translate.responses.reads import prompt_of
from promptdeck.core.dialects.translate.responses.writes import written
from promptdeck.core.dialects.translate.translation import Translation, answered
from promptdeck.core.interaction import Frame, Response, Variant
from promptdeck.core.text import sse
from tests.conformance.openai_rules import refusal

HERE = Path(__file__).parent
RESPONSES = TRANSLATED["responses"]
JSON = dict[str, Any]


class Recorded(NamedTuple):
    """A request of langchain's and what OpenAI answered."""

    name: str
    asked: JSON
    answer: Response

    @property
    def aim(self) -> Aim:
        return Aim("openai", "responses", self.asked["model"], "openai")

    @property
    def output(self) -> list[JSON]:
        output: list[JSON] = RESPONSES.message(self.answer)["output"]
        return output


def _body(told: Any) -> bytes:
    body = told.get("string", b"") if isinstance(told, dict) else told
    data = body.encode() if isinstance(body, str) else body or b""
    return gzip.decompress(data) if data.startswith(b"\x1f\x8b") else data


def _recorded() -> Iterator[Recorded]:
    sys.path.append(str(HERE))
    from workshop import SDISTS, WORKSHOP, prepare

    prepare()
    folder = WORKSHOP / "sdist" / f"langchain_openai-{SDISTS['langchain_openai']}"
    for path in sorted((folder / "tests" / "cassettes").glob("*.yaml.gz")):
        cassette = yaml.load(gzip.decompress(path.read_bytes()), yaml.CSafeLoader)  # noqa: TID251
        pairs = zip(cassette["requests"], cassette["responses"], strict=True)
        for number, (request, response) in enumerate(pairs):
            asked, body = _body(request["body"]), _body(response["body"])
            if b'"input"' not in asked or b"resp_" not in body:
                continue  # their URLs are redacted: chats, embeddings, an error
            is_stream = body.startswith((b"event:", b"data:"))
            kind = "text/event-stream" if is_stream else "application/json"
            frames = sse.frames(body) if is_stream else [body]
            yield Recorded(
                f"{path.name.removesuffix('.yaml.gz')}-{number}",
                orjson.loads(asked),
                Response(200, (("content-type", kind),), tuple(Frame(0, one) for one in frames)),
            )


RECORDED = list(_recorded())


@pytest.fixture(params=RECORDED, ids=[one.name for one in RECORDED])
def recorded(request: pytest.FixtureRequest) -> Recorded:
    one: Recorded = request.param
    return one


def test_there_are_recordings() -> None:
    assert len(RECORDED) > 150


def said(output: list[JSON]) -> str:
    """The text of an answer."""
    parts = [part for item in output if item["type"] == "message" for part in item["content"]]
    return "".join(part["text"] for part in parts if part["type"] == "output_text")


def called(output: list[JSON]) -> list[tuple[str, Any]]:
    """The calls of functions in an answer, with their arguments."""
    return [
        (item["name"], orjson.loads(item["arguments"]))
        for item in output
        if item["type"] == "function_call"
    ]


@pytest.mark.parametrize("variant", [Variant.JSON, Variant.SSE_USAGE])
def test_every_client_is_told_what_openai_said(recorded: Recorded, variant: Variant) -> None:
    whole: JSON = RESPONSES.message(recorded.answer)
    told = {}
    for name in ("chat", "messages", "gemini"):
        client = TRANSLATED[name]
        asked = recorded.asked if name == "chat" else {}
        got = answered(recorded.answer, RESPONSES, client, variant, asked, recorded.aim, 7)
        assert got.status == 200, got.body
        told[name] = client.message(got)
    choice = told["chat"]["choices"][0]
    assert (choice["message"]["content"] or "") == said(whole["output"])
    functions = [
        (call["function"]["name"], orjson.loads(call["function"]["arguments"]))
        for call in choice["message"].get("tool_calls") or ()
        if call["type"] == "function"
    ]
    assert functions == called(whole["output"])
    assert told["chat"]["usage"]["total_tokens"] == whole["usage"]["total_tokens"]
    blocks = told["messages"]["content"]
    assert "".join(one["text"] for one in blocks if one["type"] == "text") == said(whole["output"])
    parts = told["gemini"]["candidates"][0]["content"]["parts"]
    texts = [one["text"] for one in parts if "text" in one and not one.get("thought")]
    assert "".join(texts) == said(whole["output"])
    signed = [item for item in whole["output"] if item.get("encrypted_content")]
    details = choice["message"].get("reasoning_details") or []
    assert len([one for one in details if one.get("upstream")]) == len(
        [item for item in signed if item["type"] == "reasoning"]
    )


def test_however_the_bytes_are_cut_all_is_told_alike(recorded: Recorded) -> None:
    def told(step: int) -> bytes:
        translation = Translation(
            RESPONSES, TRANSLATED["chat"], Variant.SSE_USAGE, recorded.asked, recorded.aim, 7
        )
        body = recorded.answer.body
        pieces = (body[at : at + step] for at in range(0, len(body), step))
        return b"".join([*map(translation.feed, pieces), translation.rest()])

    if not recorded.answer.is_stream:
        pytest.skip("it is no stream")
    assert told(61) == told(1009) == told(2**30)


def test_a_request_that_is_read_and_written_again_is_not_refused(recorded: Recorded) -> None:
    with suppress(Untranslatable):  # what the provider keeps, or has encrypted
        prompt = prompt_of(recorded.asked, "")
        assert refusal(written(prompt, recorded.aim).body) is None
