"""Providers that speak each protocol exactly, and refuse what the real ones refuse.

    python tests/conformance/protocols.py

Each provider is below a path of its own, `/anthropic/v1`, and takes its own key alone; a request
that brings any other provider's key is refused, and said on stderr, as all refusals are. Ids are
made at random, as the providers make theirs. What the model says is in turns.py.
"""

import re
import signal
import socket
from collections.abc import Iterator
from typing import Any

import click
import google_rules
import orjson
from aiohttp import web
from anthropic_rules import refusal
from turns import CREATED, JSON, NUMBERS, Call, Refused, Turn, made_id, need, only, pieces
from wire import in_json, refusals, sse, written

# Chat completions: OpenAI's, Azure's, Mistral's, Groq's.

_CHAT = (
    "model messages tools tool_choice stream stream_options temperature top_p max_tokens n seed"
    " max_completion_tokens parallel_tool_calls response_format user stop store metadata"
    " reasoning_effort prompt_cache_key safety_identifier random_seed safe_prompt"
)


def _chat_turn(asked: JSON, call_id: str = r"[\w-]+") -> Turn:
    only(asked, _CHAT)
    need(asked, "model", "messages")
    open_calls: set[str] = set()
    results = []
    for message in asked["messages"]:
        if message["role"] == "tool":
            if message["tool_call_id"] not in open_calls:
                raise Refused("messages with role 'tool' must follow their 'tool_calls'")
            open_calls.remove(message["tool_call_id"])
            results.append(_text(message["content"]))
        elif open_calls:
            raise Refused("'tool_calls' must be followed by a message for each 'tool_call_id'")
        for call in message.get("tool_calls") or ():
            if not re.fullmatch(call_id, call["id"]):
                raise Refused(f"Tool call id was {call['id']} but must be {call_id}")
            orjson.loads(call["function"]["arguments"])
            open_calls.add(call["id"])
        if message["role"] == "user":
            results.clear()
    tools = [tool["function"] for tool in asked.get("tools") or ()]
    schemas = {tool["name"]: tool.get("parameters") or {} for tool in tools}
    return Turn(orjson.dumps(asked["messages"]).decode(), schemas, results)


def _text(content: Any) -> str:
    """The text of a content that is one, or a list of parts."""
    if isinstance(content, str):
        return content
    return "".join(str(part.get("text") or "") for part in content or ())


async def chat(request: web.Request) -> web.StreamResponse:
    asked = await request.json()
    mistral = request.path.startswith("/mistral")
    if "deployment" in request.match_info:
        if "api-version" not in request.query:
            raise Refused("Missing required query parameter: api-version")
        asked.setdefault("model", request.match_info["deployment"])
    said = _chat_turn(asked, "[a-zA-Z0-9]{9}" if mistral else r"[\w-]+").reply()
    head = {"id": made_id("chatcmpl-"), "created": CREATED, "model": asked["model"]}
    usage = {"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7}
    message: JSON = {"role": "assistant", "content": said if isinstance(said, str) else None}
    if isinstance(said, Call):
        called = {"name": said.name, "arguments": said.text}
        name = made_id("", 10)[:9] if mistral else made_id("call_")
        message["tool_calls"] = [{"id": name, "type": "function", "function": called}]
    finish = "tool_calls" if isinstance(said, Call) else "stop"
    if not asked.get("stream"):
        choice = {"index": 0, "message": message, "finish_reason": finish, "logprobs": None}
        return in_json({**head, "object": "chat.completion", "choices": [choice], "usage": usage})
    chunk = {**head, "object": "chat.completion.chunk"}
    choices = [
        *({"index": 0, "delta": delta, "finish_reason": None} for delta in _deltas(message)),
        {"index": 0, "delta": {}, "finish_reason": finish},
    ]
    events: list[JSON] = [{**chunk, "choices": [choice]} for choice in choices]
    if mistral:
        events[-1]["usage"] = usage
    elif (asked.get("stream_options") or {}).get("include_usage"):
        events.append({**chunk, "choices": [], "usage": usage})
    return await sse(request, events, end=b"data: [DONE]\n\n")


def _deltas(message: JSON) -> Iterator[JSON]:
    yield {"role": "assistant", "content": ""}
    for piece in pieces(message["content"] or ""):
        yield {"content": piece}
    for call in message.get("tool_calls", ()):
        arguments = call["function"]["arguments"]
        begun = {**call["function"], "arguments": ""}
        yield {"tool_calls": [{**call, "index": 0, "function": begun}]}
        for piece in pieces(arguments):
            yield {"tool_calls": [{"index": 0, "function": {"arguments": piece}}]}


# OpenAI's Responses.

_RESPONSES = (
    "model input instructions tools tool_choice stream stream_options temperature top_p store"
    " max_output_tokens parallel_tool_calls include reasoning text user metadata truncation"
    " previous_response_id prompt_cache_key prompt_cache_options safety_identifier service_tier"
    " client_metadata conversation prompt top_logprobs"
)


def _responses_turn(asked: JSON) -> Turn:
    only(asked, _RESPONSES, "Unknown parameter: '{}'.")
    need(asked, "model", "input")
    items = asked["input"] if isinstance(asked["input"], list) else []
    calls: set[str] = set()
    results = []
    for item in items:
        if item.get("type") == "function_call":
            orjson.loads(item["arguments"])
            calls.add(item["call_id"])
        elif item.get("type") == "function_call_output":
            if item["call_id"] not in calls:
                raise Refused(f"No tool call found for function call output {item['call_id']}.")
            calls.remove(item["call_id"])
            results.append(_text(item["output"]))
        elif item.get("role") == "user":
            results.clear()
    if calls:
        raise Refused(f"No tool output found for function call {calls.pop()}.")
    tools = [tool for tool in asked.get("tools") or () if tool["type"] == "function"]
    prompt = orjson.dumps([asked.get("instructions"), asked["input"]]).decode()
    return Turn(prompt, {tool["name"]: tool["parameters"] for tool in tools}, results)


async def responses(request: web.Request) -> web.StreamResponse:
    asked = await request.json()
    said = _responses_turn(asked).reply()
    usage = {
        "input_tokens": 5,
        "input_tokens_details": {"cached_tokens": 0},
        "output_tokens": 2,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": 7,
    }
    base = {"id": made_id("resp_", 48), "object": "response", "created_at": CREATED, "error": None}
    base |= {"model": asked["model"], "tools": asked.get("tools") or [], "tool_choice": "auto"}
    base |= {"parallel_tool_calls": True, "incomplete_details": None, "status": "in_progress"}
    item, deltas = _item(said)
    done = {**base, "status": "completed", "output": [item], "usage": usage}
    if not asked.get("stream"):
        return in_json(done)
    nothing = {"content": []} if "content" in item else {"arguments": ""}
    started = {**item, "status": "in_progress", **nothing}
    events: list[JSON] = [
        {"type": "response.created", "response": {**base, "output": []}},
        {"type": "response.output_item.added", "output_index": 0, "item": started},
        *({**delta, "output_index": 0, "item_id": item["id"]} for delta in deltas),
        {"type": "response.output_item.done", "output_index": 0, "item": item},
        {"type": "response.completed", "response": done},
    ]
    numbered = [{**event, "sequence_number": number} for number, event in enumerate(events)]
    return await sse(request, numbered, named=True)


def _item(said: Call | str) -> tuple[JSON, list[JSON]]:
    """The item that an answer is, and the events between its beginning and its end."""
    if isinstance(said, Call):
        item = {"type": "function_call", "id": made_id("fc_", 48), "call_id": made_id("call_")}
        item |= {"name": said.name, "arguments": said.text, "status": "completed"}
        kind = "response.function_call_arguments"
        deltas = [{"type": f"{kind}.delta", "delta": piece} for piece in pieces(said.text)]
        return item, [*deltas, {"type": f"{kind}.done", "arguments": said.text}]
    part = {"type": "output_text", "text": said, "annotations": [], "logprobs": []}
    message = {"type": "message", "id": made_id("msg_", 48), "role": "assistant", "content": [part]}
    at = {"content_index": 0}
    deltas = [
        {"type": "response.content_part.added", "part": {**part, "text": ""}, **at},
        *(
            {"type": "response.output_text.delta", "delta": piece, "logprobs": [], **at}
            for piece in pieces(said)
        ),
        {"type": "response.output_text.done", "text": said, "logprobs": [], **at},
        {"type": "response.content_part.done", "part": part, **at},
    ]
    return {**message, "status": "completed"}, deltas


# Anthropic's Messages.


def _messages_turn(asked: JSON, request: web.Request) -> Turn:
    need(asked, "model", "messages")
    # What counts tokens takes no `max_tokens`.
    if why := refusal(
        {"max_tokens": 1, **asked}, {name.lower(): value for name, value in request.headers.items()}
    ):
        raise Refused(why)
    last = asked["messages"][-1]["content"]
    blocks = [] if isinstance(last, str) else last
    results = [_text(b.get("content")) for b in blocks if b["type"] == "tool_result"]
    tools = {tool["name"]: tool.get("input_schema") or {} for tool in asked.get("tools") or ()}
    return Turn(orjson.dumps([asked.get("system"), asked["messages"]]).decode(), tools, results)


async def messages(request: web.Request) -> web.StreamResponse:
    asked = await request.json()
    need(asked, "max_tokens")
    said = _messages_turn(asked, request).reply()
    head = {"id": made_id("msg_01", 22), "type": "message", "role": "assistant"}
    head |= {"model": asked["model"], "stop_sequence": None}
    usage = {"input_tokens": 5, "output_tokens": 2}
    if isinstance(said, Call):
        block: JSON = {"type": "tool_use", "id": made_id("toolu_01", 22), "name": said.name}
        block, empty = block | {"input": said.arguments}, block | {"input": {}}
        deltas = [{"type": "input_json_delta", "partial_json": p} for p in pieces(said.text)]
        stop = "tool_use"
    else:
        block, empty = {"type": "text", "text": said}, {"type": "text", "text": ""}
        deltas = [{"type": "text_delta", "text": piece} for piece in pieces(said)]
        stop = "end_turn"
    if not asked.get("stream"):
        return in_json({**head, "content": [block], "stop_reason": stop, "usage": usage})
    start = {**head, "content": [], "stop_reason": None, "usage": {**usage, "output_tokens": 1}}
    events: list[JSON] = [
        {"type": "message_start", "message": start},
        {"type": "content_block_start", "index": 0, "content_block": empty},
        {"type": "ping"},
        *({"type": "content_block_delta", "index": 0, "delta": delta} for delta in deltas),
        {"type": "content_block_stop", "index": 0},
        {
            "type": "message_delta",
            "delta": {"stop_reason": stop, "stop_sequence": None},
            "usage": usage,
        },
        {"type": "message_stop"},
    ]
    return await sse(request, events, named=True)


async def count_tokens(request: web.Request) -> web.StreamResponse:
    asked = await request.json()
    return in_json({"input_tokens": len(_messages_turn(asked, request).prompt) + next(NUMBERS)})


# Google's generateContent.

_GEMINI = (
    "contents systemInstruction tools toolConfig safetySettings generationConfig cachedContent"
    " labels serviceTier store"
)


def _gemini_turn(asked: JSON) -> Turn:
    only(asked, _GEMINI, 'Unknown name "{}": Cannot find field.')
    need(asked, "contents")
    calls, results = 0, []
    for content in asked["contents"]:
        if content.get("role", "user") not in ("user", "model"):
            raise Refused("Please use a valid role: user, model.")
        parts = content["parts"]
        answers = [p["functionResponse"] for p in parts if "functionResponse" in p]
        if len(answers) != calls:
            raise Refused("the number of function response parts must equal the call parts")
        results = [_returned(answer["response"]) for answer in answers]
        called = [part for part in parts if "functionCall" in part]
        if called and "thoughtSignature" not in called[0]:
            raise Refused("Function call is missing a thought_signature in functionCall parts.")
        calls = len(called)
    declared = [
        one for tool in asked.get("tools") or () for one in tool.get("functionDeclarations", ())
    ]
    # Names are taken in either casing; google-genai 3.6 sends this one so.
    schemas = ("parametersJsonSchema", "parameters_json_schema", "parameters")
    tools = {
        one["name"]: next((one[schema] for schema in schemas if one.get(schema)), {})
        for one in declared
    }
    prompt = orjson.dumps([asked.get("systemInstruction"), asked["contents"]]).decode()
    return Turn(prompt, tools, results)


def _returned(response: JSON) -> str:
    """What a function returned, in whichever field its client puts that."""
    if not isinstance(response, dict):
        raise Refused("Proto field is not a message: function_response.response")
    return " ".join(str(value) for value in response.values())


async def gemini(request: web.Request) -> web.StreamResponse:
    asked = await request.json()
    turn, verb = _gemini_turn(asked), request.match_info["verb"]
    if verb == "countTokens":
        return in_json({"totalTokens": len(turn.prompt) + next(NUMBERS)})
    if why := google_rules.refusal(request.match_info["model"], asked):
        raise Refused(why)
    said = turn.reply()
    if isinstance(said, Call):
        call = {"id": made_id("", 8), "name": said.name, "args": said.arguments}
        parts: list[JSON] = [{"functionCall": call, "thoughtSignature": made_id("c2ln", 16)}]
    else:
        parts = [{"text": piece} for piece in pieces(said)]
    head = {"modelVersion": request.match_info["model"], "responseId": made_id("", 22)}
    head["usageMetadata"] = {
        "promptTokenCount": 5,
        "candidatesTokenCount": 2,
        "totalTokenCount": 7,
    }
    if verb == "generateContent":
        return in_json({"candidates": [_candidate(parts, last=True)], **head})
    frames = [{"candidates": [_candidate([p], last=p is parts[-1])], **head} for p in parts]
    if request.query.get("alt") == "sse":
        return await sse(request, frames, line_end=b"\r\n")
    return web.Response(body=orjson.dumps(frames), content_type="application/json")


def _candidate(parts: list[JSON], *, last: bool) -> JSON:
    content = {"content": {"role": "model", "parts": parts}, "index": 0}
    return content | ({"finishReason": "STOP"} if last else {})


# Cohere's and Ollama's.


async def cohere(request: web.Request) -> web.StreamResponse:
    asked = await request.json()
    said = _chat_turn({name: value for name, value in asked.items() if name != "documents"}).reply()
    usage = {"billed_units": {"input_tokens": 5, "output_tokens": 2}}
    finish = "TOOL_CALL" if isinstance(said, Call) else "COMPLETE"
    message: JSON = {"role": "assistant"}
    if isinstance(said, Call):
        call: JSON = {"id": made_id(f"{said.name}_", 10), "type": "function"}
        call["function"] = {"name": said.name, "arguments": said.text}
        message |= {"tool_plan": "I will ask.", "tool_calls": [call]}
    else:
        message["content"] = [{"type": "text", "text": said}]
    name = made_id("", 32)
    if not asked.get("stream"):
        return in_json({"id": name, "finish_reason": finish, "message": message, "usage": usage})
    block = {"content": {"type": "text", "text": ""}}
    events: list[JSON] = [
        {"type": "message-start", "id": name, "delta": {"message": {"role": "assistant"}}}
    ]
    if isinstance(said, Call):
        function = {"arguments": ""} | {"name": said.name}
        start = {"tool_calls": {**call, "function": function}}
        events += [{"type": "tool-call-start", "index": 0, "delta": {"message": start}}]
        for piece in pieces(said.text):
            part = {"tool_calls": {"function": {"arguments": piece}}}
            events += [{"type": "tool-call-delta", "index": 0, "delta": {"message": part}}]
        events += [{"type": "tool-call-end", "index": 0}]
    else:
        events += [{"type": "content-start", "index": 0, "delta": {"message": block}}]
        for piece in pieces(said):
            delta = {"message": {"content": {"text": piece}}}
            events += [{"type": "content-delta", "index": 0, "delta": delta}]
        events += [{"type": "content-end", "index": 0}]
    events += [{"type": "message-end", "delta": {"finish_reason": finish, "usage": usage}}]
    return await sse(request, events, named=True)


async def ollama(request: web.Request) -> web.StreamResponse:
    asked = await request.json()
    only(asked, "model messages tools stream options format keep_alive think")
    need(asked, "model", "messages")
    results = [m["content"] for m in asked["messages"] if m["role"] == "tool"]
    offered = {t["function"]["name"]: t["function"]["parameters"] for t in asked.get("tools") or ()}
    said = Turn(orjson.dumps(asked["messages"]).decode(), offered, results).reply()
    head = {"model": asked["model"], "created_at": "2023-11-14T22:13:20Z"}
    end = {"done": True, "done_reason": "stop", "prompt_eval_count": 5, "eval_count": 2}
    message: JSON = {"role": "assistant", "content": said if isinstance(said, str) else ""}
    if isinstance(said, Call):
        message["tool_calls"] = [{"function": {"name": said.name, "arguments": said.arguments}}]
    if asked.get("stream") is False:
        return in_json({**head, "message": message, **end})
    parts = [{"role": "assistant", "content": p} for p in pieces(message["content"])]
    lines: list[JSON] = [{**head, "message": part, "done": False} for part in parts or [message]]
    lines.append({**head, "message": {"role": "assistant", "content": ""}, **end})
    response = web.StreamResponse(headers={"Content-Type": "application/x-ndjson"})
    return await written(request, response, [orjson.dumps(line) + b"\n" for line in lines])


async def models(request: web.Request) -> web.StreamResponse:
    """The list of the provider that is asked."""
    number = next(NUMBERS)
    match request.match_info["provider"]:
        case "google":
            return in_json({"models": [{"name": f"models/gemini-{number}"}]})
        case "anthropic":
            one = {"type": "model", "id": f"claude-{number}", "display_name": "Claude"}
            one["created_at"] = "2026-01-01T00:00:00Z"
            ends = {"first_id": one["id"], "last_id": one["id"], "has_more": False}
            return in_json({"data": [one], **ends})
        case _:
            listed = {"id": f"gpt-{number}", "object": "model", "created": CREATED}
            return in_json({"object": "list", "data": [{**listed, "owned_by": "openai"}]})


def application() -> web.Application:
    app = web.Application(middlewares=[refusals], client_max_size=64 * 1024 * 1024)
    router = app.router
    for root in ("openai/v1", "azure/openai/v1", "mistral/v1", "groq/openai/v1"):
        router.add_post(f"/{root}/chat/completions", chat)
    router.add_post("/azure/openai/deployments/{deployment}/chat/completions", chat)
    router.add_post("/openai/v1/responses", responses)
    router.add_post("/anthropic/v1/messages", messages)
    router.add_post("/anthropic/v1/messages/count_tokens", count_tokens)
    router.add_post(
        "/google/{version:v1(?:beta)?}/models/{model}:"
        "{verb:generateContent|streamGenerateContent|countTokens}",
        gemini,
    )
    router.add_get("/{provider:openai|anthropic}/v1/models", models)
    router.add_get("/{provider:google}/{version:v1(?:beta)?}/models", models)
    router.add_post("/cohere/v2/chat", cohere)
    router.add_post("/ollama/api/chat", ollama)
    return app


def main() -> None:
    listening = socket.create_server(("127.0.0.1", 0))
    click.echo(f"providers http://127.0.0.1:{listening.getsockname()[1]}")
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    web.run_app(application(), sock=listening, print=None, shutdown_timeout=0.1)


if __name__ == "__main__":
    main()
