"""A provider that answers by the contract whatever it is asked: the upstream of the suites.

    python tests/conformance/upstream.py

Every answer has a number of its own, so that one that was replayed cannot be
taken for a new one. Offered tools, the model calls the first, then all the
others at once, then tells what they returned. Stored completions are missing on
purpose: promptdeck has to serve those itself.
"""

import asyncio
import itertools
import signal
import socket
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import click
import orjson
from aiohttp import web

JSON = dict[str, Any]
Asked = web.Request
Handler = Callable[[Asked], Awaitable[web.StreamResponse]]

_NUMBERS = itertools.count(1)
_CREATED = 1_700_000_000
_USAGE = {"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7}


async def chat(request: Asked) -> web.StreamResponse:
    asked = await request.json()
    number = next(_NUMBERS)
    messages, choices = _messages(asked, number), []
    for index, message in enumerate(messages):
        finish = "tool_calls" if "tool_calls" in message else "stop"
        choices.append({"index": index, "message": message, "finish_reason": finish})
    head = {
        "id": asked.get("id", f"chatcmpl-{number}"),
        "created": _CREATED,
        "model": _model(asked["model"]),
        "system_fingerprint": "fp_conformance",
    }
    if asked.get("stream"):
        return await _streamed(request, asked, head, choices)
    whole = [{**choice, "logprobs": None} for choice in choices]
    extra = _mcp(asked)
    return _json({**head, "object": "chat.completion", "choices": whole, "usage": _USAGE, **extra})


def _model(asked: Any) -> str:
    """The first of a list; a model may be an object with settings."""
    first = asked[0] if isinstance(asked, list) else asked
    return str(first["model"] if isinstance(first, dict) else first)


def _messages(asked: JSON, number: int) -> list[JSON]:
    history = asked.get("messages") or []
    results = [message["content"] for message in history if message["role"] == "tool"]
    tools = asked.get("tools") or []
    calls = [tools[:1], tools[1:]][len(results)] if len(results) < min(len(tools), 2) else []
    message: JSON = {"role": "assistant", "content": f"answer {number}", "refusal": None}
    if calls and asked.get("tool_choice") != "none":
        called = [_call(tool, f"call_{number}_{n}", n) for n, tool in enumerate(calls)]
        message |= {"content": None, "tool_calls": called}
    elif results:
        message["content"] += f" from {', '.join(map(str, results))}"
    copies = asked.get("n") or 1
    if copies not in range(1, 129):
        raise ValueError(f"n is {copies}")
    return [message] * copies


def _call(tool: JSON, name: str, n: int) -> JSON:
    function = tool["function"]
    given = {"string": "Zürich", "integer": n + 2, "number": n + 0.5, "boolean": True}
    properties = (function.get("parameters") or {}).get("properties", {})
    arguments = {key: given.get(schema.get("type")) for key, schema in properties.items()}
    text = orjson.dumps(arguments).decode()
    return {
        "id": name,
        "type": "function",
        "function": {"name": str(function["name"]), "arguments": text},
    }


def _mcp(asked: JSON) -> JSON:
    """What a server-side tool returned, where MCP servers are named."""
    if not asked.get("mcp_servers"):
        return {}
    result = {"tool_name": "search", "server_name": "docs", "arguments": {}, "is_error": False}
    return {"mcp_tool_results": [{**result, "result": f"found {next(_NUMBERS)}"}]}


async def _streamed(
    request: Asked, asked: JSON, head: JSON, choices: list[JSON]
) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
    await response.prepare(request)
    chunk = {**head, "object": "chat.completion.chunk"}
    for choice in choices:
        for delta in _deltas(choice["message"]):
            part = {"index": choice["index"], "delta": delta, "finish_reason": None}
            await _write(response, {**chunk, "choices": [part]})
        part = {"index": choice["index"], "delta": {}, "finish_reason": choice["finish_reason"]}
        await _write(response, {**chunk, "choices": [part], **_mcp(asked)})
    if (asked.get("stream_options") or {}).get("include_usage"):
        await _write(response, {**chunk, "choices": [], "usage": _USAGE})
    await response.write(b"data: [DONE]\n\n")
    return response


async def _write(response: web.StreamResponse, chunk: JSON) -> None:
    await response.write(b"data: " + orjson.dumps(chunk) + b"\n\n")
    await asyncio.sleep(0)  # a write of its own for each chunk


def _deltas(message: JSON) -> Iterator[JSON]:
    yield {"role": "assistant", "content": ""}
    for word in (message["content"] or "").split(" "):
        if word:
            yield {"content": f"{word} "}
    for index, call in enumerate(message.get("tool_calls", ())):
        arguments = call["function"]["arguments"]
        start = {**call, "index": index, "function": {**call["function"], "arguments": ""}}
        yield {"tool_calls": [start]}
        for piece in (arguments[:4], arguments[4:]):
            yield {"tool_calls": [{"index": index, "function": {"arguments": piece}}]}


async def models(request: Asked) -> web.Response:
    return _json({"object": "list", "data": [_listed("openai/gpt-5"), _listed("xai/grok-5")]})


async def model(request: Asked) -> web.Response:
    return _json(_listed(request.match_info["id"]))


def _listed(name: str) -> JSON:
    """In the forms of both APIs."""
    openai = {"id": name, "object": "model", "created": _CREATED, "owned_by": "openai"}
    return {**openai, "provider": "openai", "created_at": "2023-11-14T22:13:20Z"}


async def embeddings(request: Asked) -> web.Response:
    asked = await request.json()
    texts = asked["input"] if isinstance(asked["input"], list) else [asked["input"]]
    data = [
        {"object": "embedding", "index": n, "embedding": [0.5] * (asked.get("dimensions") or 3)}
        for n, _ in enumerate(texts)
    ]
    usage = {"prompt_tokens": 5, "total_tokens": 5}
    return _json({"object": "list", "model": asked["model"], "data": data, "usage": usage})


async def responses(request: Asked) -> web.Response:
    """Always whole: the Dedalus SDK has no stream here, though its test asks for one."""
    asked = await request.json()
    number = next(_NUMBERS)
    content = [{"type": "output_text", "text": f"answer {number}", "annotations": []}]
    output = {"type": "message", "id": f"msg_{number}", "role": "assistant", "content": content}
    return _json(
        {
            "id": f"resp_{number}",
            "object": "response",
            "created_at": _CREATED,
            "model": asked.get("model") or "openai/gpt-5",
            "status": "completed",
            "output": [{**output, "status": "completed"}],
        }
    )


async def completions(request: Asked) -> web.Response:
    asked = await request.json()
    number = next(_NUMBERS)
    choice = {"index": 0, "text": f"answer {number}", "finish_reason": "stop", "logprobs": None}
    head = {"id": f"cmpl-{number}", "object": "text_completion", "created": _CREATED}
    return _json({**head, "model": asked["model"], "choices": [choice], "usage": _USAGE})


async def images(request: Asked) -> web.Response:
    if request.content_type == "multipart/form-data":
        await _uploaded(request, "image")
    url = f"https://images.example/{next(_NUMBERS)}.png"
    return _json({"created": _CREATED, "data": [{"url": url}]})


async def speech(request: Asked) -> web.Response:
    await request.json()
    return web.Response(body=bytes(range(256)), content_type="audio/mpeg")


async def transcript(request: Asked) -> web.Response:
    size = len(await _uploaded(request, "file"))
    return _json({"text": f"answer {next(_NUMBERS)} to {size} bytes"})


async def _uploaded(request: Asked, name: str) -> bytes:
    part = (await request.post())[name]
    if not isinstance(part, web.FileField):
        raise TypeError(f"{name} is no file")
    return part.file.read()


async def ocr(request: Asked) -> web.Response:
    asked = await request.json()
    page = {"index": 0, "markdown": f"# {asked['document']['document_url']} {next(_NUMBERS)}"}
    return _json({"model": asked.get("model") or "mistral-ocr-latest", "pages": [page]})


def _json(value: JSON, status: int = 200) -> web.Response:
    return web.Response(status=status, body=orjson.dumps(value), content_type="application/json")


@web.middleware
async def _refusals(request: Asked, handler: Handler) -> web.StreamResponse:
    """A request that cannot be read is the client's fault, as with any provider."""
    try:
        return await handler(request)
    except web.HTTPException as error:
        return _refusal(error.status, error.reason)
    except (AttributeError, LookupError, TypeError, ValueError) as error:
        return _refusal(400, f"{type(error).__name__}: {error}")


def _refusal(status: int, message: str) -> web.Response:
    error = {"message": message, "type": "invalid_request_error", "param": None, "code": None}
    return _json({"error": error}, status)


def application() -> web.Application:
    app = web.Application(middlewares=[_refusals], client_max_size=64 * 1024 * 1024)
    app.router.add_get("/v1/models", models)
    app.router.add_get("/v1/models/{id:.+}", model)
    for path, handler in {
        "chat/completions": chat,
        "completions": completions,
        "embeddings": embeddings,
        "responses": responses,
        "images/{kind}": images,
        "audio/speech": speech,
        "audio/transcriptions": transcript,
        "audio/translations": transcript,
        "ocr": ocr,
    }.items():
        app.router.add_post(f"/v1/{path}", handler)
    return app


def main() -> None:
    listening = socket.create_server(("127.0.0.1", 0))
    click.echo(f"upstream http://127.0.0.1:{listening.getsockname()[1]}/v1")
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    web.run_app(application(), sock=listening, print=None, shutdown_timeout=0.1)


if __name__ == "__main__":
    main()
