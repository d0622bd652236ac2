"""OpenAI's `/v1/responses`, as a provider that refuses what OpenAI would and signs its reasoning.

    provider.answers[:] = [Responses(said("Hello"))]

It knows nothing of the code that translates for it; what it refuses is in conformance/openai_rules.
"""

import itertools
from collections.abc import Iterator
from typing import Any

import orjson
from aiohttp import web

from tests.conformance.openai_rules import refusal
from tests.scripted_upstream import Seen, raw, stream

JSON = dict[str, Any]

USAGE: JSON = {
    "input_tokens": 9,
    "input_tokens_details": {"cached_tokens": 4, "cache_write_tokens": 2},
    "output_tokens": 5,
    "output_tokens_details": {"reasoning_tokens": 3},
    "total_tokens": 14,
}


def said(text: str, **more: Any) -> JSON:
    """A message of the model's."""
    part = {"type": "output_text", "text": text, "annotations": [], "logprobs": []}
    return {"type": "message", "role": "assistant", "content": [part], **more}


def refused(text: str) -> JSON:
    """A message in which the model refuses."""
    return said("") | {"content": [{"type": "refusal", "refusal": text}]}


def called(name: str, arguments: str, call_id: str = "call_1") -> JSON:
    """A call of a function."""
    named = {"type": "function_call", "call_id": call_id, "name": name}
    return {**named, "arguments": arguments}


def thought(*summary: str) -> JSON:
    """Reasoning, encrypted when it is sent."""
    return {"type": "reasoning", "summary": [{"type": "summary_text", "text": t} for t in summary]}


class Responses:
    """An `Answer` of the scripted upstream: each call gets the next output, the last one again.

    `signed` are the encrypted reasonings that were given out: no others come back unrefused.
    """

    def __init__(self, *outputs: list[JSON] | JSON, **response: Any) -> None:
        self._outputs = [[one] if isinstance(one, dict) else one for one in outputs]
        self._response = response
        self._numbers = itertools.count(1)
        self.signed: set[str] = set()
        self.refusals: list[str] = []

    def reply(self, asked: JSON) -> tuple[int, JSON]:
        """The status and the response to a request's body; 400 and why for one that is refused."""
        why = refusal(asked, frozenset(self.signed))
        if why is not None:
            self.refusals.append(why)
            error = {"message": why, "type": "invalid_request_error", "param": None, "code": None}
            return 400, {"error": error}
        output = self._outputs.pop(0) if len(self._outputs) > 1 else self._outputs[0]
        return 200, self._made(asked, output)

    async def __call__(self, seen: Seen, request: web.Request) -> web.StreamResponse:
        assert seen.path.endswith("/responses")
        status, response = self.reply(seen.json)
        if status == 200 and seen.json.get("stream"):
            return await stream(frames_of(response))(seen, request)
        return await raw(orjson.dumps(response), status=status)(seen, request)

    def _made(self, asked: JSON, output: list[JSON]) -> JSON:
        """The response with these items; each has its id, as OpenAI gives them."""
        items = []
        for item in output:
            kind, number = item["type"], next(self._numbers)
            prefix = {"message": "msg", "function_call": "fc", "reasoning": "rs"}.get(kind, "x")
            made = {"id": f"{prefix}_{number:048x}", **item}
            if kind != "reasoning":
                made["status"] = "completed"
            elif "reasoning.encrypted_content" in (asked.get("include") or ()):
                made["encrypted_content"] = f"gAAAA-{asked['model']}-{number}"
                self.signed.add(made["encrypted_content"])
            items.append(made)
        return {
            "id": f"resp_{next(self._numbers):048x}", "object": "response", "created_at": 7,
            "model": f"{asked['model']}-2026-11-01", "status": "completed", "error": None,
            "incomplete_details": None, "output": items, "usage": USAGE, "store": asked["store"],
            "tools": asked.get("tools") or [], "tool_choice": asked.get("tool_choice") or "auto",
            "parallel_tool_calls": True, **self._response,
        }  # fmt: skip


def frames_of(response: JSON) -> list[bytes]:
    """The stream in which OpenAI sends a response."""
    return [
        b"event: %b\ndata: %b\n\n"
        % (event["type"].encode(), orjson.dumps({**event, "sequence_number": number}))
        for number, event in enumerate(_events(response))
    ]


_TEXTS = {
    "output_text": ("content_part", "output_text", "text", "content_index"),
    "refusal": ("content_part", "refusal", "refusal", "content_index"),
    "summary_text": ("reasoning_summary_part", "reasoning_summary_text", "text", "summary_index"),
}


def _events(response: JSON) -> Iterator[JSON]:
    begun = {**response, "status": "in_progress", "output": [], "usage": None}
    yield {"type": "response.created", "response": begun}
    yield {"type": "response.in_progress", "response": begun}
    for place, item in enumerate(response["output"]):
        at = {"output_index": place, "item_id": item["id"]}
        empty = {**item, "content": []} if "content" in item else {**item}
        empty |= {"summary": []} if "summary" in item else {}
        empty |= {"arguments": ""} if "arguments" in item else {}
        yield {"type": "response.output_item.added", "output_index": place, "item": empty}
        for number, part in enumerate([*item.get("summary", ()), *item.get("content", ())]):
            of, kind, key, index = _TEXTS[part["type"]]
            here = {**at, index: number}
            yield {"type": f"response.{of}.added", **here, "part": {**part, key: ""}}
            for text in _halves(part[key]):
                yield {"type": f"response.{kind}.delta", **here, "delta": text, "logprobs": []}
            yield {"type": f"response.{kind}.done", **here, key: part[key], "logprobs": []}
            yield {"type": f"response.{of}.done", **here, "part": part}
        if "arguments" in item:
            kind = "response.function_call_arguments"
            for text in _halves(item["arguments"]):
                yield {"type": f"{kind}.delta", **at, "delta": text}
            yield {"type": f"{kind}.done", **at, "arguments": item["arguments"]}
        yield {"type": "response.output_item.done", "output_index": place, "item": item}
    yield {"type": f"response.{response['status']}", "response": response}


def _halves(text: str) -> list[str]:
    half = len(text) // 2
    return [piece for piece in (text[:half], text[half:]) if piece]
