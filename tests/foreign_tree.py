"""A tree of recordings in the layouts of other tools, and what the clients that made them ask.

`exchanges` are of many protocols, as values; `LAYOUTS` write them as a tool would. All texts
are made up.
"""

import base64
import gzip
import json  # noqa: TID251  what other tools write with
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import orjson
import yaml

from promptdeck.core.text import sse
from tests.recordings import chunk, completion

JSON = "application/json"
SSE = "text/event-stream; charset=utf-8"


class Exchange(NamedTuple):
    """What was asked and answered, and where its client asks promptdeck for it."""

    url: str
    at: str
    """Behind `/cassette/NAME`."""
    body: bytes
    answer: bytes
    kind: str = JSON
    """The answer's content type."""
    method: str = "POST"
    sent: str = JSON
    status: int = 200
    tells: bool = False
    """Whether the answer says which endpoint was asked."""


def chat(text: str, **more: Any) -> bytes:
    return orjson.dumps(
        {"model": "m", "messages": [{"role": "user", "content": text}], **more},
    )


def events(*values: Any, named: bool = False, end: bytes = b"") -> bytes:
    frames = (sse.encode(orjson.dumps(one), one["type"] if named else "") for one in values)
    return b"".join(frames) + end


SAID = "Größe: “12 µm” — \\n is no line end, \u2028 is one. \U0001f9f5"
COMPLETION = orjson.dumps(completion(SAID))
CHUNKS = [
    chunk({"role": "assistant", "content": ""}),
    *(chunk({"content": word}) for word in SAID.split(" ")),
    chunk({}, "stop"),
]
DONE = b"data: [DONE]\n\n"
RESPONSE = {"id": "resp_1", "object": "response", "status": "completed", "output": []}
MESSAGE = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "m",
    "content": [{"type": "text", "text": SAID}],
    "stop_reason": "end_turn",
    "usage": {"input_tokens": 3, "output_tokens": 5},
}
MESSAGE_EVENTS = (
    {"type": "message_start", "message": {**MESSAGE, "content": [], "stop_reason": None}},
    {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": SAID}},
    {"type": "content_block_stop", "index": 0},
    {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 5}},
    {"type": "message_stop"},
)
CANDIDATES = {"candidates": [{"content": {"parts": [{"text": SAID}]}, "finishReason": "STOP"}]}
EMBEDDINGS = {"object": "list", "data": [{"object": "embedding", "index": 0, "embedding": [0.5]}]}
FORM = (
    b'--b0-3f\r\nContent-Disposition: form-data; name="model"\r\n\r\nwhisper-1\r\n'
    b'--b0-3f\r\nContent-Disposition: form-data; name="file"; filename="a.txt"\r\n'
    b"Content-Type: text/plain\r\n\r\nsome sound\r\n--b0-3f--\r\n"
)
FORM_KIND = "multipart/form-data; boundary=b0-3f"
OPENAI = "https://api.openai.com/v1"
LINES = b'{"event_type":"text-generation","text":"x"}\n{"event_type":"stream-end"}\n'


def exchanges() -> list[Exchange]:
    """One of each kind, and of some several: in this order they were recorded."""
    azure = "/openai/deployments/gpt-4o/chat/completions?api-version=2024-10-21"
    compatible = [
        ("https://api.groq.com/openai/v1", "/v1"),
        ("https://api.groq.com/openai/v1", "/openai/v1"),
        ("https://open.bigmodel.cn/api/paas/v4", "/v1"),
        ("https://dashscope.aliyuncs.com/compatible-mode/v1", "/v1"),
        ("https://openrouter.ai/api/v1", "/v1"),
        ("https://api.fireworks.ai/inference/v1", "/v1"),
        ("https://models.github.ai/inference", "/v1"),
        ("https://generativelanguage.googleapis.com/v1beta/openai", "/v1"),
        ("https://gateway.example/v1/acc/gw/openai", "/v1"),
    ]
    tool = {"messages": [], "tools": [{"type": "function", "function": {"name": "f"}}]}
    return [
        Exchange(f"{OPENAI}/chat/completions", "/v1/chat/completions", chat("a"), COMPLETION,
                 tells=True),
        Exchange(f"{OPENAI}/chat/completions", "/v1/chat/completions", chat("b", stream=True),
                 events(*CHUNKS, end=DONE), SSE, tells=True),
        Exchange("https://router.huggingface.co/v1/chat/completions", "/v1/chat/completions",
                 chat("c", stream=True), events(*CHUNKS), SSE, tells=True),
        *(Exchange(f"{base}/chat/completions", f"{at}/chat/completions",
                   chat(f"{base}{at}", thinking={"clear_thinking": True}),
                   orjson.dumps(completion(base)), tells=True)
          for base, at in compatible),
        *(Exchange(f"{base}/embeddings", "/v1/embeddings",
                   orjson.dumps({"model": "e", "input": base}), orjson.dumps(EMBEDDINGS),
                   tells=True)
          for base, at in compatible if at == "/v1"),
        Exchange(f"https://res.openai.azure.com{azure}", azure, chat("azure"), COMPLETION),
        Exchange(f"https://res.openai.azure.com{azure}", "/v1" + azure.removeprefix("/openai"),
                 chat("azure, its base_url ends in /v1"), COMPLETION),
        Exchange(f"{OPENAI}/responses", "/v1/responses",
                 orjson.dumps({"model": "m", "input": "a", "previous_response_id": None}),
                 orjson.dumps(RESPONSE), tells=True),
        Exchange(f"{OPENAI}/responses", "/v1/responses",
                 orjson.dumps({"model": "m", "input": "b", "stream": True}),
                 events({"type": "response.created", "response": {**RESPONSE, "status": "queued"}},
                        {"type": "response.completed", "response": RESPONSE}, named=True),
                 SSE, tells=True),
        Exchange("https://api.anthropic.com/v1/messages", "/v1/messages",
                 chat("a", max_tokens=5), orjson.dumps(MESSAGE), tells=True),
        Exchange("https://api.anthropic.com/v1/messages", "/v1/messages",
                 chat("b", max_tokens=5, stream=True), events(*MESSAGE_EVENTS, named=True), SSE,
                 tells=True),
        Exchange("https://gateway.example/v1/acc/gw/anthropic/v1/messages", "/v1/messages",
                 chat("gateway", max_tokens=5), orjson.dumps(MESSAGE), tells=True),
        Exchange("https://generativelanguage.googleapis.com/v1beta/models/g-2:generateContent",
                 "/v1beta/models/g-2:generateContent",
                 orjson.dumps({"contents": [{"parts": [{"text": "a"}]}]}),
                 orjson.dumps(CANDIDATES)),
        Exchange(
            "https://generativelanguage.googleapis.com/v1beta/models/g-2:streamGenerateContent"
            "?alt=sse",
            "/v1beta/models/g-2:streamGenerateContent?alt=sse",
            orjson.dumps({"contents": [{"parts": [{"text": "b"}]}]}), events(CANDIDATES), SSE),
        Exchange("https://us-central1-aiplatform.googleapis.com/v1/projects/p/locations/l"
                 "/publishers/google/models/g:generateContent",
                 "/v1/projects/p/locations/l/publishers/google/models/g:generateContent",
                 orjson.dumps({"contents": [{"parts": [{"text": "c"}]}]}),
                 orjson.dumps(CANDIDATES)),
        Exchange("http://localhost:11434/api/chat", "/api/chat", chat("a"),
                 b'{"message":{"content":"x"},"done":false}\n{"done":true}\n',
                 "application/x-ndjson"),
        Exchange("http://localhost:11434/api/embeddings", "/api/embeddings",
                 orjson.dumps({"model": "e", "prompt": "a"}), b'{"embedding":[0.5]}'),
        Exchange("https://api.cohere.com/v2/chat", "/v2/chat", chat("a"),
                 b'{"id":"1","message":{"role":"assistant"},"finish_reason":"COMPLETE"}'),
        Exchange("https://api.cohere.com/v1/chat", "/v1/chat",
                 orjson.dumps({"message": "x", "stream": True}), LINES, "application/stream+json"),
        Exchange("https://bedrock-runtime.us-east-1.amazonaws.com/model/an.claude-v2%3A1/converse",
                 "/model/an.claude-v2%3A1/converse", orjson.dumps(tool),
                 b'{"output":{"message":{"role":"assistant"}},"stopReason":"end_turn"}'),
        Exchange("http://localhost:9999", "/v1/", chat("root"), b'{"ok":true}'),
        Exchange("http://localhost:8000/mcp", "/v1/mcp",
                 b'{"jsonrpc":"2.0","method":"notifications/initialized"}', b"", status=202),
        Exchange(f"{OPENAI}/files/file-1", "/v1/files/file-1", b"", b"", "", "DELETE", "", 204),
        Exchange(f"{OPENAI}/models", "/v1/models", b"", b'{"object":"list","data":[]}', JSON,
                 "GET", ""),
        *(Exchange(f"{OPENAI}/batches/b-1", "/v1/batches/b-1", b"", orjson.dumps({"status": one}),
                   JSON, "GET", "")
          for one in ("validating", "in_progress", "completed")),
        Exchange(f"{OPENAI}/audio/transcriptions", "/v1/audio/transcriptions", FORM,
                 b'{"text":"some sound"}', JSON, "POST", FORM_KIND),
    ]  # fmt: skip


Layout = Callable[[Sequence[Exchange]], tuple[str, bytes]]
"""Writes exchanges as a file: its suffix and its bytes."""


def _headers(one: Exchange, **more: str) -> tuple[dict[str, str], dict[str, str]]:
    asked = {"Accept": "*/*", "Authorization": "Bearer sk-REDACTED"}
    if one.body:
        asked |= {"Content-Type": one.sent, "Content-Length": str(len(one.body))}
    came = {"Transfer-Encoding": "chunked", "X-Request-Id": "r1", **more}
    return asked, {"Content-Type": one.kind, **came} if one.kind else came


def _listed(headers: dict[str, str]) -> dict[str, list[str]]:
    return {name: [value] for name, value in headers.items()}


def _pair(one: Exchange, **more: str) -> dict[str, Any]:
    """As vcrpy lays one out."""
    asked, came = _headers(one, **more)
    return {
        "request": {
            "body": one.body.decode() or None,
            "headers": _listed(asked),
            "method": one.method,
            "uri": one.url,
        },
        "response": {
            "body": {"string": one.answer.decode()},
            "headers": _listed(came),
            "status": {"code": one.status, "message": "OK"},
        },
    }


def _dumped(value: Any, **options: Any) -> bytes:
    text: str = yaml.dump(value, Dumper=yaml.CSafeDumper, allow_unicode=True, **options)
    return text.encode()


def _packed(data: bytes) -> bytes:
    return gzip.compress(data, mtime=0)


def vcrpy(found: Sequence[Exchange]) -> tuple[str, bytes]:
    return ".yaml", _dumped({"interactions": list(map(_pair, found)), "version": 1})


def vcrpy_packed(found: Sequence[Exchange]) -> tuple[str, bytes]:
    pairs = [_pair(one, **{"Content-Encoding": "gzip"}) for one in found]
    for pair, one in zip(pairs, found, strict=True):
        pair["response"]["body"]["string"] = _packed(one.answer)
    return ".yaml", _dumped({"interactions": pairs, "version": 1}, default_style='"')


def vcrpy_json(found: Sequence[Exchange]) -> tuple[str, bytes]:
    return ".json", json.dumps({"version": 1, "interactions": list(map(_pair, found))}).encode()


def vcrpy_5(found: Sequence[Exchange]) -> tuple[str, bytes]:
    pairs = list(map(_pair, found))
    for pair in pairs:
        response = pair["response"]
        response["content"] = response.pop("body")["string"]
        response["status_code"] = response.pop("status")["code"]
    return ".yaml", _dumped({"interactions": pairs, "version": 1})


def vcrpy_aiohttp(found: Sequence[Exchange]) -> tuple[str, bytes]:
    # aiohttp's names of headers, as the full dumper writes them.
    suffix, data = vcrpy(found)
    tag = b"      ? !!python/object/apply:multidict._multidict.istr\n      - "
    for name in (b"Content-Type", b"Content-Length", b"Accept", b"X-Request-Id"):
        data = data.replace(b"      " + name + b":\n", tag + name + b"\n      :\n")
    return suffix, data


def mapping_bodies(found: Sequence[Exchange]) -> tuple[str, bytes]:
    pairs = list(map(_pair, found))
    for pair, one in zip(pairs, found, strict=True):
        if one.body.startswith(b"{"):
            pair["request"]["body"] = orjson.loads(one.body)
    return ".yaml", _dumped({"interactions": pairs, "version": 1}, sort_keys=False)


def parsed_bodies(found: Sequence[Exchange]) -> tuple[str, bytes]:
    pairs = list(map(_pair, found))
    for pair, one in zip(pairs, found, strict=True):
        for half, body in (("request", one.body), ("response", one.answer)):
            if body.startswith(b"{") and body.count(b"\n") == 0:
                del pair[half]["body"]
                pair[half]["parsed_body"] = orjson.loads(body)
    return ".yaml", _dumped({"interactions": pairs, "version": 1}, sort_keys=False)


def without_request_headers(found: Sequence[Exchange]) -> tuple[str, bytes]:
    pairs = list(map(_pair, found))
    for pair in pairs:
        pair["request"]["headers"] = {}
    return ".yaml", _dumped({"interactions": pairs, "version": 1})


def _blotted(mark: str, *, with_url: bool = False) -> Layout:
    def layout(found: Sequence[Exchange]) -> tuple[str, bytes]:
        pairs = [_pair(one) for one in found if one.tells or not with_url]
        for half in (pair[name] for pair in pairs for name in ("request", "response")):
            half["headers"] = {name: [mark] for name in half["headers"]}
            if with_url and "uri" in half:
                half["uri"] = mark
        halves = {name + "s": [pair[name] for pair in pairs] for name in ("request", "response")}
        return ".yaml.gz", _packed(_dumped(halves))

    return layout


def ruby_vcr(found: Sequence[Exchange]) -> tuple[str, bytes]:
    pairs = list(map(_pair, found))
    for number, (pair, one) in enumerate(zip(pairs, found, strict=True)):
        request, response = pair["request"], pair["response"]
        request["method"] = one.method.lower()
        request["body"] = {"encoding": "UTF-8", "string": one.body.decode()}
        if number % 2:
            packed = base64.encodebytes(one.answer).decode()
            response["body"] = {"encoding": "ASCII-8BIT", "base64_string": packed}
        else:
            response["body"] = {"encoding": "ASCII-8BIT", "string": one.answer.decode()}
        pair["recorded_at"] = f"Mon, 17 Feb 2025 12:00:{number:02} GMT"
    return ".yml", b"---\n" + _dumped({"http_interactions": pairs, "recorded_with": "VCR 6.3.1"})


def betamax(found: Sequence[Exchange]) -> tuple[str, bytes]:
    pairs = [_pair(one, **{"Content-Encoding": "gzip"}) for one in found]
    for pair, one in zip(pairs, found, strict=True):
        pair["request"]["body"] = {"encoding": "utf-8", "string": one.body.decode()}
        data = base64.b64encode(_packed(one.answer)).decode()
        pair["response"]["body"] = {"encoding": None, "base64_string": data}
        pair["response"]["url"] = one.url
        pair["recorded_at"] = "2025-02-17T12:00:00"
    value = {"http_interactions": pairs, "recorded_with": "betamax/0.9.0"}
    return ".json", json.dumps(value).encode()


def _go_vcr(version: int) -> Layout:
    def layout(found: Sequence[Exchange]) -> tuple[str, bytes]:
        entries = []
        for number, one in enumerate(found):
            asked, came = _headers(one)
            request = {"body": one.body.decode(), "form": {}, "headers": _listed(asked)}
            request |= {"url": one.url, "method": one.method}
            response = {"body": one.answer.decode(), "headers": _listed(came)}
            response |= {"status": f"{one.status} OK", "code": one.status, "duration": "1.5s"}
            entry: dict[str, Any] = {"request": request, "response": response}
            if version > 1:
                request |= {"proto": "HTTP/1.1", "content_length": len(one.body), "host": "a.b"}
                response |= {"proto": "HTTP/2.0", "content_length": -1, "uncompressed": True}
                entry = {"id": number, **entry}
            entries.append(entry)
        return ".yaml", b"---\n" + _dumped({"version": version, "interactions": entries})

    return layout


def php_vcr(found: Sequence[Exchange]) -> tuple[str, bytes]:
    entries = []
    for one in found:
        asked, came = _headers(one)
        request = {"method": one.method, "url": one.url, "headers": asked, "body": one.body}
        status = {"http_version": "1.1", "code": str(one.status), "message": "OK"}
        response = {"status": status, "headers": came, "body": one.answer.decode()}
        entries.append({"request": request, "response": response, "index": 0})
    return ".yml", _dumped(entries)


def exvcr(found: Sequence[Exchange]) -> tuple[str, bytes]:
    entries = []
    for one in found:
        asked, came = _headers(one)
        request = {"options": {}, "body": "", "url": one.url, "headers": asked}
        request |= {"method": one.method.lower(), "request_body": one.body.decode()}
        response = {"binary": False, "type": "ok", "status_code": one.status}
        response |= {"body": one.answer.decode(), "headers": list(map(list, came.items()))}
        entries.append({"request": request, "response": response})
    return ".json", json.dumps(entries).encode()


def reqcassette(found: Sequence[Exchange]) -> tuple[str, bytes]:
    pairs = list(map(_pair, found))
    for pair, one in zip(pairs, found, strict=True):
        url = urlsplit(one.url)
        pair["request"] |= {"uri": f"{url.scheme}://{url.netloc}{url.path}"}
        pair["request"] |= {"query_string": url.query}
        pair["response"]["status"] = one.status
        for half, body in (("request", one.body), ("response", one.answer)):
            del pair[half]["body"]
            if body.startswith(b"{") and body.count(b"\n") == 0:
                pair[half] |= {"body_type": "json", "body_json": orjson.loads(body)}
            else:
                data = base64.b64encode(body).decode()
                pair[half] |= {"body_type": "blob", "body_blob": data}
    return ".json", json.dumps({"version": "1.0", "interactions": pairs}).encode()


def own_key(found: Sequence[Exchange]) -> tuple[str, bytes]:
    """As a project's own recorder in JavaScript: plain headers, a stream as its pieces."""
    entries = []
    for one in found:
        asked, came = _headers(one)
        body = orjson.loads(one.body) if one.body[:1] == b"{" else one.body.decode()
        pieces = [frame.decode() for frame in sse.frames(one.answer)]
        request = {"method": one.method, "url": one.url, "headers": asked, "body": body}
        answer = pieces if one.kind == SSE else one.answer.decode()
        response = {"status": one.status, "headers": came, "body": answer}
        entries.append({"request": request, "response": response})
    return ".json", json.dumps({"version": 3, "recordings": entries}).encode()


def own_lines(found: Sequence[Exchange]) -> tuple[str, bytes]:
    entries = orjson.loads(own_key(found)[1])["recordings"]
    return ".jsonl", b"".join(orjson.dumps(one) + b"\n" for one in entries)


def nock(found: Sequence[Exchange]) -> tuple[str, bytes]:
    entries = []
    for number, one in enumerate(found):
        asked, came = _headers(one, **({"Content-Encoding": "gzip"} if number % 2 else {}))
        url = urlsplit(one.url)
        port = "" if url.port else ":443" if url.scheme == "https" else ":80"
        data = _packed(one.answer)
        parsed = one.answer.startswith(b"{") and one.answer.count(b"\n") == 0
        plain = orjson.loads(one.answer) if parsed else one.answer.decode()
        entries.append(
            {
                "scope": f"{url.scheme}://{url.netloc}{port}",
                "method": one.method,
                "path": url.path + (f"?{url.query}" if url.query else ""),
                "body": orjson.loads(one.body) if one.body[:1] == b"{" else one.body.decode(),
                "status": one.status,
                "response": [data[:9].hex(), data[9:].hex()] if number % 2 else plain,
                "rawHeaders": [text for item in came.items() for text in item],
                "reqheaders": asked,
                "responseIsBinary": False,
            }
        )
    return ".json", json.dumps(entries).encode()


def _har(creator: str, content: Callable[[int, Exchange], dict[str, Any]]) -> Layout:
    def layout(found: Sequence[Exchange]) -> tuple[str, bytes]:
        entries = []
        for number, one in enumerate(found):
            asked, came = _headers(one, **{"Content-Encoding": "gzip"})
            post = {"mimeType": one.sent, "params": [], "text": one.body.decode()}
            entries.append(
                {
                    "startedDateTime": f"2025-02-17T12:00:{number:02}.000Z",
                    "time": 12,
                    "timings": {"send": 0, "wait": 10, "receive": 2},
                    "request": {
                        "method": one.method,
                        "url": one.url,
                        "headers": [{"name": k, "value": v} for k, v in asked.items()],
                        **({"postData": post} if one.body else {}),
                    },
                    "response": {
                        "status": one.status,
                        "headers": [{"name": k, "value": v} for k, v in came.items()],
                        "content": {"mimeType": one.kind, **content(number, one)},
                    },
                }
            )
        log = {"version": "1.2", "creator": {"name": creator, "version": "1"}, "entries": entries}
        return ".har", json.dumps({"log": log}).encode()

    return layout


def _polly(number: int, one: Exchange) -> dict[str, Any]:
    data = _packed(one.answer)
    pieces = [data[:10], data[10:]]
    if number % 2:
        return {"_isBinary": True, "text": json.dumps([piece.hex() for piece in pieces])}
    texts = [base64.b64encode(piece).decode() for piece in pieces]
    return {"encoding": "base64", "size": len(data), "text": json.dumps(texts)}


def _browser(number: int, one: Exchange) -> dict[str, Any]:
    del number
    return {"size": len(one.answer), "text": one.answer.decode()}


def _ddapm(one: Exchange, number: int) -> bytes:
    asked, came = _headers(one, **{"Content-Encoding": "gzip"})
    answer = one.answer.decode()
    if number % 2 and answer:
        answer = "base64:" + base64.b64encode(one.answer).decode()
    request = {"method": one.method, "url": one.url, "headers": asked, "body": one.body.decode()}
    status = {"code": one.status, "message": "OK"}
    response = {"status": status, "headers": came, "body": answer}
    return json.dumps({"request": request, "response": response}, indent=2).encode()


LAYOUTS: dict[str, Layout] = {
    "vcrpy": vcrpy,
    "vcrpy_packed": vcrpy_packed,
    "vcrpy_json": vcrpy_json,
    "vcrpy_5": vcrpy_5,
    "vcrpy_aiohttp": vcrpy_aiohttp,
    "mapping_bodies": mapping_bodies,
    "parsed_bodies": parsed_bodies,
    "without_request_headers": without_request_headers,
    "blotted": _blotted("**REDACTED**"),
    "filtered": _blotted("[FILTERED]"),
    "url_blotted": _blotted("**REDACTED**", with_url=True),
    "ruby_vcr": ruby_vcr,
    "betamax": betamax,
    "go_vcr_1": _go_vcr(1),
    "go_vcr_2": _go_vcr(2),
    "php_vcr": php_vcr,
    "exvcr": exvcr,
    "reqcassette": reqcassette,
    "own_key": own_key,
    "own_lines": own_lines,
    "nock": nock,
    "polly": _har("Polly.JS", _polly),
    "browser": _har("WebInspector", _browser),
}


BLOTTED = ("blotted", "filtered", "url_blotted")
"""Layouts that have lost all headers."""


def files(layout: str, found: Sequence[Exchange]) -> dict[str, tuple[bytes, list[Exchange]]]:
    """The files that a tool writes of exchanges: by name their bytes, and what is in each."""
    if layout == "ddapm":
        made = {}
        for number, one in enumerate(found):
            made[f"ddapm/call_{number}.json"] = (_ddapm(one, number), [one])
        return made
    suffix, data = LAYOUTS[layout](found)
    held = [one for one in found if one.tells or layout != "url_blotted"]
    return {layout + suffix: (data, held)}
