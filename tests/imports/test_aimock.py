"""Journals of aimock, as version 1.43 gives them: what is carried, and why the rest is not."""

import asyncio
from typing import Any

import openai
import orjson
import pytest
from click.testing import CliRunner

from promptdeck.cli.transfer import import_command
from promptdeck.core.dialects.chat.dialect import CHAT
from promptdeck.core.interaction import Variant
from promptdeck.imports import NotCarried
from tests.conftest import Start
from tests.other_tools import carried, imported

USAGE = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}
CALL = {"id": "call_1", "name": "look", "arguments": '{"at":"sky"}'}


def entry(answer: Any = None, body: Any = None, **response: Any) -> dict[str, Any]:
    answer = {"content": "The answer"} if answer is None else answer
    asked = {"model": "gpt-4o", "messages": [{"role": "user", "content": "hi"}], "seed": 7}
    fixture = {"match": {"userMessage": "hi"}, "response": answer}
    return {
        "id": "req-B6Yn5kBSXqXnA4L5",
        "timestamp": 1795405698108,
        "method": "POST",
        "path": "/v1/chat/completions",
        "headers": {"host": "127.0.0.1:4010", "authorization": "[REDACTED]"},
        "body": {**asked, "_endpointType": "chat", **(body or {})},
        "response": {"status": 200, "fixture": fixture, **response},
    }


def only(tmp_path, found):
    [one] = carried(imported(tmp_path / "journal.json", orjson.dumps([found])))
    return one


def test_an_answered_request_is_carried_with_the_server_that_answered(tmp_path):
    one = only(tmp_path, entry({"content": "The answer", "usage": USAGE}))
    assert one.upstream == "http://127.0.0.1:4010/v1"
    assert one.recorded_at == 1795405698.108
    assert orjson.loads(one.request.body) == {
        "model": "gpt-4o",
        "messages": [{"role": "user", "content": "hi"}],
        "seed": 7,
    }
    answer = orjson.loads(one.response.body)
    assert (answer["id"], answer["created"]) == ("chatcmpl-B6Yn5kBSXqXnA4L5", 1795405698)
    assert answer["usage"] == USAGE
    assert CHAT.says(one.response) == "The answer"


def test_no_usage_is_made_up(tmp_path):
    assert "usage" not in orjson.loads(only(tmp_path, entry()).response.body)


def test_a_stream_and_its_tool_calls_are_carried(tmp_path):
    asked = {"stream": True, "stream_options": {"include_usage": True}}
    one = only(tmp_path, entry({"toolCalls": [CALL], "usage": USAGE}, asked))
    assert one.variant is Variant.SSE_USAGE
    assert b'"call_1"' in one.response.body
    assert one.response.frames[-1].data == b"data: [DONE]\n\n"
    assert b"_endpointType" not in one.request.body


@pytest.mark.parametrize(
    ("found", "reason"),
    [
        (entry(source="proxy", fixture=None), "without --record"),
        (entry(fixture=None), "its answer is not in the journal"),
        (entry({"embedding": [1]}), "its answer is not in the journal"),
        (entry({"content": "x", "blocks": []}), "its answer has blocks"),
        (entry({"toolCalls": [{**CALL, "id": ""}]}), "ids that aimock gave its tool calls"),
        (entry({"error": {"message": "no"}}, status=500), "status 500"),
        (entry(chaosAction="drop"), "by a fault"),
        (entry(interrupted=True), "by a fault"),
        (entry(body={"__aimock_truncated": True}), "64 KB"),
        (entry(body={"_endpointType": "embedding"}), "it is no chat completion"),
        (entry() | {"path": "/v1/messages"}, "it is no chat completion"),
        (entry() | {"body": None}, "which the journal does not hold"),
        (entry(body={"stream": True, "stream_options": {"include_usage": True}}), "its usage"),
        ({"path": "/", "timestamp": 1, "response": {}}, "not laid out as expected"),
    ],
)
def test_what_the_journal_does_not_hold_is_listed_with_the_reason(tmp_path, found, reason):
    one = only(tmp_path, found)
    assert isinstance(one, NotCarried)
    assert one.place == "$[0]"
    assert reason in one.reason


async def test_a_journal_is_replayed_to_the_client(start: Start) -> None:
    journal = start.folder / "journal.json"
    stream = entry(body={"stream": True}) | {"id": "req-2"}
    journal.write_bytes(orjson.dumps([entry(), stream]))
    argv = [str(journal), "--cassettes", str(start.folder / "cassettes"), "--format", "aimock"]
    assert CliRunner().invoke(import_command, argv, catch_exceptions=False).exit_code == 0
    deck = await start(mode="replay", cassette="journal")

    def use() -> tuple[str, str]:
        asked: Any = {"model": "gpt-4o", "messages": [{"role": "user", "content": "hi"}], "seed": 7}
        with openai.OpenAI(base_url=deck.server.base_url, api_key="none") as client:
            whole = client.chat.completions.create(**asked).choices[0].message.content
            chunks = client.chat.completions.create(**asked, stream=True)
            return whole, "".join(chunk.choices[0].delta.content or "" for chunk in chunks)

    assert await asyncio.to_thread(use) == ("The answer", "The answer")
