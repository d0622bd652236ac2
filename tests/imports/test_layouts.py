"""Cassettes as public projects have them, imported and replayed to the real client.

Each layout was seen in a public repository: the openai client of several ages,
vcrpy over httpx, requests and aiohttp, and serializers of projects' own. The
texts are made up.
"""

import asyncio
import base64
import gzip
import json  # noqa: TID251  vcrpy's JSON serializer is the standard library's
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest
import yaml
from click.testing import CliRunner

from promptdeck.cli.transfer import import_command
from tests.conftest import Start

HOST = "https://api.openai.com/v1"
ASKED: Any = [{"role": "user", "content": "Which river runs through the town of Ülm?"}]
SAID = "The Blau — a short one.\nIt ends there."


def chat(**body: Any) -> dict[str, Any]:
    return {"messages": ASKED, "model": "gpt-4o-mini", **body}


def completion() -> dict[str, Any]:
    choice = {
        "index": 0,
        "message": {"role": "assistant", "content": SAID, "refusal": None},
        "logprobs": None,
        "finish_reason": "stop",
    }
    usage = {"prompt_tokens": 11, "completion_tokens": 9, "total_tokens": 20}
    head = {"id": "chatcmpl-1", "object": "chat.completion", "created": 1700000000}
    return {**head, "model": "gpt-4o-mini-2024-07-18", "choices": [choice], "usage": usage}


def stream() -> str:
    head = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1700000000}

    def event(delta: dict[str, str], finish: str | None = None) -> str:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
        value = {**head, "model": "gpt-4o-mini-2024-07-18", "choices": [choice]}
        return f"data: {json.dumps(value, separators=(',', ':'), ensure_ascii=False)}\n\n"

    words = SAID.replace(" ", " |").split("|")
    events = [event({"role": "assistant", "content": ""})]
    events += [*(event({"content": word}) for word in words), event({}, "stop")]
    return "".join([*events, "data: [DONE]\n\n"])


def exchange(
    body: Any, answer: Any, *, path: str = "/chat/completions", sent: Any = None, **headers: str
) -> dict[str, Any]:
    """Headers with lists of values, as vcrpy has them from httpx."""
    came = {"content-type": "application/json", "x-request-id": "req_1", **headers}
    return {
        "request": {
            "body": body,
            "headers": {"content-type": ["application/json"], **(sent or {})},
            "method": "POST",
            "uri": HOST + path,
        },
        "response": {
            "body": {"string": answer},
            "headers": {
                "Set-Cookie": ["__cf_bm=a; path=/", "_cfuvid=b; path=/"],
                "Transfer-Encoding": ["chunked"],
                **{name.replace("_", "-"): [value] for name, value in came.items()},
            },
            "status": {"code": 200, "message": "OK"},
        },
    }


def dumped(*exchanges: dict[str, Any], **options: Any) -> bytes:
    return yaml.dump({"interactions": [*exchanges], "version": 1}, **options).encode()


def httpx_packed() -> bytes:
    body = gzip.compress(json.dumps(completion(), indent=2).encode(), mtime=0)
    asked = json.dumps(chat(), separators=(",", ":"), ensure_ascii=False)
    return dumped(exchange(asked, body, content_encoding="gzip"))


def httpx_unpacked_but_still_said_to_be_packed() -> bytes:
    body = json.dumps(completion(), indent=2)
    return dumped(exchange(json.dumps(chat()), body, content_encoding="gzip"))


def requests_of_the_old_client() -> bytes:
    found = exchange(json.dumps(chat(), indent=2).encode(), json.dumps(completion()))
    found["request"]["method"] = "post"
    found["response"]["url"] = found["request"]["uri"]
    return dumped(found)


def response_content_of_vcrpy_5() -> bytes:
    found = exchange(json.dumps(chat()), "")
    response = found["response"]
    found["response"] = {
        "content": json.dumps(completion(), indent=2),
        "headers": response["headers"],
        "http_version": "HTTP/1.1",
        "status_code": 200,
    }
    return dumped(found)


def parsed_bodies() -> bytes:
    found = exchange(None, None)
    del found["request"]["body"], found["response"]["body"]
    found["request"]["parsed_body"], found["response"]["parsed_body"] = chat(), completion()
    found["request"]["headers"]["content-length"] = ["123"]
    return dumped(found, allow_unicode=True, explicit_end=True)


def lists_of_requests_and_responses_packed_whole() -> bytes:
    found = exchange(json.dumps(chat()).encode(), json.dumps(completion()).encode())
    lists = {"requests": [found["request"]], "responses": [found["response"]]}
    return gzip.compress(yaml.safe_dump(lists).encode())


def body_from_a_file() -> bytes:
    # PyYAML's full dumper wrote the object that requests was given.
    found = dumped(exchange("THE BODY", json.dumps(completion()))).decode()
    data = base64.b64encode(json.dumps(chat()).encode()).decode()
    pickled = (
        "!!python/object/new:_io.BytesIO\n"
        f"      state: !!python/tuple\n      - !!binary |\n        {data}\n      - 0\n      - null"
    )
    return found.replace("body: THE BODY", f"body: {pickled}").encode()


def json_with_base64() -> bytes:
    found = exchange(json.dumps(chat()), "")
    data = base64.b64encode(json.dumps(completion()).encode()).decode()
    found["response"]["body"] = {"base64_string": data}
    return json.dumps({"version": 1, "interactions": [found]}).encode()


WHOLE = [
    httpx_packed,
    httpx_unpacked_but_still_said_to_be_packed,
    requests_of_the_old_client,
    response_content_of_vcrpy_5,
    parsed_bodies,
    lists_of_requests_and_responses_packed_whole,
    body_from_a_file,
    json_with_base64,
]


def one_text() -> bytes:
    asked = json.dumps(chat(stream=True))
    return dumped(exchange(asked, stream(), content_type="text/event-stream; charset=utf-8"))


def one_text_and_a_parsed_request() -> bytes:
    found = exchange(None, stream(), content_type="text/event-stream; charset=utf-8")
    del found["request"]["body"]
    found["request"]["parsed_body"] = chat(stream=True)
    return dumped(found, allow_unicode=True, default_style="|")


def packed_stream() -> bytes:
    data = gzip.compress(stream().encode(), mtime=0)
    kind = {"content_type": "text/event-stream", "content_encoding": "gzip"}
    return dumped(exchange(json.dumps(chat(stream=True)), data, **kind))


def binary_stream() -> bytes:
    asked = json.dumps(chat(stream=True)).encode()
    return dumped(exchange(asked, stream().encode(), content_type="text/event-stream"))


STREAMS = [one_text, one_text_and_a_parsed_request, packed_stream, binary_stream]


def imported(folder: Path, data: bytes, name: str = "test_it.yaml") -> None:
    (folder / "old").mkdir()
    (folder / "old" / name).write_bytes(data)
    argv = [str(folder / "old"), "--cassettes", str(folder / "cassettes")]
    ran = CliRunner().invoke(import_command, argv, catch_exceptions=False)
    assert ran.exit_code == 0, ran.output
    assert "1 recording from 1 file" in ran.output


async def replayed(start: Start, use: Any) -> Any:
    deck = await start(mode="replay", cassette="test_it")

    def work() -> Any:
        with openai.OpenAI(base_url=deck.server.base_url, api_key="none") as client:
            return use(client)

    return await asyncio.to_thread(work)


@pytest.mark.parametrize("layout", WHOLE, ids=lambda layout: layout.__name__)
async def test_a_whole_answer_is_replayed_to_the_client(start: Start, layout: Any) -> None:
    data = layout()
    imported(start.folder, data, "test_it.yaml.gz" if data[:2] == b"\x1f\x8b" else "test_it.yaml")
    answer = await replayed(start, lambda client: client.chat.completions.create(**chat()))
    assert answer.choices[0].message.content == SAID
    assert answer.usage.total_tokens == 20


@pytest.mark.parametrize("layout", STREAMS, ids=lambda layout: layout.__name__)
async def test_a_stream_is_replayed_to_the_client(start: Start, layout: Any) -> None:
    imported(start.folder, layout())

    def use(client: openai.OpenAI) -> list[str]:
        chunks: Any = client.chat.completions.create(**chat(stream=True))
        return [chunk.choices[0].delta.content or "" for chunk in chunks]

    words = await replayed(start, use)
    assert "".join(words) == SAID
    assert len(words) > 9


async def test_a_form_with_a_file_is_replayed_though_its_boundary_is_random(start: Start) -> None:
    sound = ("speech.wav", b"RIFF\x00\xff\xfe\x00WAVE", "audio/wav")
    form = httpx.Request("POST", HOST, data={"model": "whisper-1"}, files={"file": sound})
    kind = {"content-type": [form.headers["content-type"]]}
    path = "/audio/transcriptions"
    imported(start.folder, dumped(exchange(form.read(), '{"text": "Hi."}', path=path, sent=kind)))

    def use(client: openai.OpenAI) -> str:
        return client.audio.transcriptions.create(model="whisper-1", file=sound).text

    assert await replayed(start, use) == "Hi."


async def test_embeddings_in_base64_are_replayed(start: Start) -> None:
    numbers = base64.b64encode(b"\x00\x00\x80?" * 3).decode()
    item = {"object": "embedding", "index": 0, "embedding": numbers}
    answer = {"object": "list", "data": [item], "model": "e", "usage": {"prompt_tokens": 1}}
    body = {"input": ["a"], "model": "e", "encoding_format": "base64"}
    found = exchange(json.dumps(body), json.dumps(answer), path="/embeddings")
    imported(start.folder, dumped(found))
    got = await replayed(start, lambda client: client.embeddings.create(input=["a"], model="e"))
    assert got.data[0].embedding == [1.0, 1.0, 1.0]
