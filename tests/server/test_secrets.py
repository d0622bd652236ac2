"""No secret reaches a disk or the log, wherever in a request or an answer it stands.

Each published shape, by a fake made from its format, in each place, over a real server.
"""

import logging
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any
from urllib.parse import quote

import orjson
import pytest

from promptdeck.core.secrets.redact import Redactor
from promptdeck.stores.cassettes.verify import verify
from tests.conftest import Start
from tests.innocent_texts import INNOCENT
from tests.scripted_upstream import DONE, chunk, completion, raw
from tests.secret_samples import TOKENS, published

SECRETS = sorted({secret for _, secret in (*TOKENS, *published(20261128))})
# Each mode takes a quarter: all of them, everywhere, at each size of piece take two minutes.
QUARTERS = [("cache", SECRETS[::4]), ("record-missing", SECRETS[1::4])]
BATCH = 46
CHAT, FORM = "/v1/chat/completions", "multipart/form-data; boundary=BB"


def said(text: str) -> str:
    return f"see {text} here"


def chat(*messages: Any, **more: Any) -> tuple[str, Any]:
    return CHAT, {"model": "m", "messages": [*messages], **more}


def user(content: Any) -> Any:
    return {"role": "user", "content": content}


def called(arguments: str) -> Any:
    return {"id": "c", "type": "function", "function": {"name": "f", "arguments": arguments}}


def arguments(text: str) -> str:
    return orjson.dumps({"q": said(text)}).decode()


def tool(text: str) -> Any:
    return {"type": "function", "function": {"name": "f", "description": said(text)}}


def form(texts: list[str]) -> bytes:
    parts = [
        f'--BB\r\nContent-Disposition: form-data; name="p{n}"; filename="{said(text)}"\r\n\r\n'
        f"{said(text)}\r\n"
        for n, text in enumerate(texts)
    ]
    return "".join([*parts, "--BB--\r\n"]).encode()


Asking = Callable[[list[str]], tuple[str, Any]]
ASKED: dict[str, Asking] = {
    "prompt": lambda texts: chat(*(user(said(text)) for text in texts)),
    "system": lambda texts: chat(*({"role": "system", "content": said(t)} for t in texts)),
    "part": lambda texts: chat(user([{"type": "text", "text": said(text)} for text in texts])),
    "call": lambda texts: chat(
        {"role": "assistant", "tool_calls": [called(arguments(text)) for text in texts]}
    ),
    "result": lambda texts: chat(
        *({"role": "tool", "tool_call_id": "c", "content": arguments(text)} for text in texts)
    ),
    "metadata": lambda texts: chat(
        user(f"of {SECRETS.index(texts[0])}"),
        metadata={f"k{n}": said(text) for n, text in enumerate(texts)},
    ),
    "tool": lambda texts: chat(user("t"), tools=[tool(text) for text in texts]),
    "unknown": lambda texts: chat(user("u"), odd=[[{"x": text} for text in texts]]),
    "form": lambda texts: ("/v1/audio/transcriptions", form(texts)),
    "urlencoded": lambda texts: (
        "/v1/audio/speech",
        "&".join(f"p{n}={quote(said(text), safe='')}" for n, text in enumerate(texts)).encode(),
    ),
    "text": lambda texts: ("/v1/tokenize", "\n".join(map(said, texts)).encode()),
    "query": lambda texts: (
        f"/v1/embeddings?n={SECRETS.index(texts[0])}&"
        + "&".join(f"p{n}={quote(text, safe='')}" for n, text in enumerate(texts)),
        {"model": "m", "input": "q"},
    ),
    "responses": lambda texts: (
        "/v1/responses",
        {"model": "m", "input": [{"role": "user", "content": said(text)} for text in texts]},
    ),
    "messages": lambda texts: (
        "/v1/messages",
        {
            "model": "m",
            "max_tokens": 1,
            "messages": [
                {
                    "role": "assistant",
                    "content": [
                        {"type": "tool_use", "id": "t", "name": "f", "input": {"q": said(text)}}
                        for text in texts
                    ],
                }
            ],
        },
    ),
    "gemini": lambda texts: (
        "/v1beta/models/g:generateContent",
        {
            "contents": [
                {"parts": [{"functionCall": {"name": "f", "args": {"q": said(t)}}} for t in texts]}
            ]
        },
    ),
}
TYPES = {"form": FORM, "urlencoded": "application/x-www-form-urlencoded", "text": "text/plain"}
ANSWERS = {
    "/v1/responses": {"object": "response", "status": "completed", "output": []},
    "/v1/messages": {"type": "message", "content": [], "stop_reason": "end_turn"},
    "/v1beta/models/g:generateContent": {"candidates": [{"finishReason": "STOP"}]},
}


def batches(texts: list[str]) -> Iterable[list[str]]:
    return (texts[at : at + BATCH] for at in range(0, len(texts), BATCH))


def on_disk(folder: Path) -> str:
    """All that lies in the folder, JSON's and YAML's escapes undone as far as they may matter."""
    data = b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())
    return data.decode("utf-8", "replace").replace("\\/", "/").replace('\\"', '"')


def left(folder: Path, caplog: pytest.LogCaptureFixture) -> list[str]:
    log = [record.getMessage() for record in caplog.records if "promptdeck" in record.name]
    text = on_disk(folder) + "\n".join(log)
    return [secret for secret in SECRETS if secret in text or quote(secret, safe="") in text]


@pytest.mark.parametrize(("mode", "secrets"), QUARTERS)
async def test_no_secret_of_a_request_is_kept(
    start: Start, caplog: pytest.LogCaptureFixture, mode: str, secrets: list[str]
) -> None:
    caplog.set_level(logging.INFO)
    deck = await start(mode=mode, **({} if mode == "cache" else {"cassette": "c"}))
    for place, asking in ASKED.items():
        for texts in batches(secrets):
            path, body = asking(texts)
            answer = ANSWERS.get(path, completion("a"))
            deck.upstream.answers = [raw(orjson.dumps(answer))]
            data = body if isinstance(body, bytes) else orjson.dumps(body)
            kind = TYPES.get(place, "application/json")
            got = await deck.request("POST", path, data, Content_Type=kind)
            assert got.status == 200, place
            # Upstream gets what the client says.
            assert deck.upstream.seen[-1].body == data
    assert deck.server.counts().recorded >= len(ASKED) * (len(secrets) // BATCH)
    assert left(start.folder, caplog) == []


def pieces(text: str, size: int) -> list[str]:
    return [text[at : at + size] for at in range(0, len(text), size)]


def logprobs(tokens: list[str]) -> Any:
    return {
        "content": [
            {"token": one, "logprob": 0, "bytes": list(one.encode()), "top_logprobs": []}
            for one in tokens
        ]
    }


def streamed(texts: list[str], size: int) -> bytes:
    """A stream that says each text in pieces, and each piece thrice: text, token and bytes."""
    cut = [piece for text in texts for piece in [*pieces(text, size), " and "]]
    frames = []
    for piece in cut:
        choice = {"index": 0, "delta": {"content": piece}, "finish_reason": None}
        frames.append(chunk({}, choices=[{**choice, "logprobs": logprobs([piece])}]))
    return b"".join([*frames, chunk({}, "stop"), DONE])


def whole(texts: list[str], size: int) -> bytes:
    """The same as JSON, with a call that has them as its arguments."""
    text = " and ".join(texts)
    answer = completion(text)
    answer["choices"][0]["logprobs"] = logprobs(pieces(text, size))
    answer["choices"][0]["message"]["tool_calls"] = [called(arguments(one)) for one in texts]
    return orjson.dumps(answer)


@pytest.mark.parametrize(("mode", "secrets"), QUARTERS)
async def test_no_secret_of_an_answer_is_kept_however_it_is_cut(
    start: Start, caplog: pytest.LogCaptureFixture, mode: str, secrets: list[str]
) -> None:
    deck = await start(mode=mode, **({} if mode == "cache" else {"cassette": "c"}))
    for number, texts in enumerate(batches(secrets)):
        size = (1, 3, 7)[number % 3]
        deck.upstream.answers = [
            raw(streamed(texts, size), headers={"Content-Type": "text/event-stream"})
        ]
        # The client gets what upstream says; what is recorded says the same without secrets.
        got = await deck.chat(f"{number}", stream=True, logprobs=True)
        assert got.body == streamed(texts, size)
        deck.upstream.answers = [raw(whole(texts, size))]
        await deck.chat(f"{number}/json", logprobs=True)
        for form in ("", "/json"):
            got = await deck.chat(f"{number}{form}", stream=not form, logprobs=True)
            assert "hit" in got.cache_status
            assert spelt(texts, got.body, stream=not form) == set()
    assert left(start.folder, caplog) == []


def spelt(secrets: list[str], body: bytes, *, stream: bool) -> set[str]:
    """Each of the secrets that an answer says, by its text, its tokens or their bytes."""
    data = [line[6:] for line in body.split(b"\n") if line.startswith(b"data: {")]
    values = [orjson.loads(one) for one in (data if stream else [body])]
    choices = [choice for value in values for choice in value["choices"]]
    said = [choice.get("delta") or choice.get("message") or {} for choice in choices]
    tokens = [
        token for one in choices for token in (one.get("logprobs") or {}).get("content") or []
    ]
    texts = [
        "".join(one.get("content") or "" for one in said),
        "".join(one["token"] for one in tokens),
        bytes(byte for one in tokens for byte in one["bytes"] or []).decode("utf-8", "replace"),
        orjson.dumps([one.get("tool_calls") for one in said]).decode(),
    ]
    return {secret for secret in secrets for text in texts if secret in text}


async def test_no_innocent_text_is_altered(start: Start, caplog: pytest.LogCaptureFixture) -> None:
    recording = await start(mode="record", cassette="c")
    for number, texts in enumerate(batches(INNOCENT)):
        recording.upstream.answers = [raw(orjson.dumps(completion(" and ".join(texts))))]
        await recording.request("POST", CHAT, orjson.dumps(ASKED["prompt"](texts)[1]))
        recording.upstream.answers = [
            raw(streamed(texts, 5), headers={"Content-Type": "text/event-stream"})
        ]
        await recording.chat(f"{number}", stream=True)
    assert recording.server.counts().redacted == 0
    assert verify(start.folder / "cassettes" / "c.yaml", Redactor()) == []
