"""An Anthropic that refuses what the real one refuses, for scripted upstreams.

It says what a test tells it, a turn for each request that it takes: a list of blocks of content, or
an error. It thinks before each turn where a request or its model asks for that, and knows a
signature that it has not given itself, for this model, for another's.
"""

import itertools
from collections.abc import Sequence
from typing import Any

import orjson
from aiohttp import web

from tests.conformance.anthropic_rules import JSON, refusal
from tests.scripted_upstream import Seen, stream

Block = dict[str, Any]

USAGE = {"input_tokens": 10, "cache_creation_input_tokens": 2, "cache_read_input_tokens": 3,
         "output_tokens": 20, "output_tokens_details": {"thinking_tokens": 5}}  # fmt: skip


class StrictAnthropic:
    """What answers requests, to be put among a scripted upstream's `answers`."""

    def __init__(self, *turns: Sequence[Block] | str, thought: str = "Hm.") -> None:
        self.turns = [*turns]
        """What is left to say: blocks, or the type of an error."""
        self.thought = thought
        self.refused: list[str] = []
        self.asked: list[JSON] = []
        self._issued: dict[str, set[str]] = {}
        """The signatures that were given, by model."""
        self._numbers = itertools.count(1)

    def reply(self, body: JSON, headers: JSON) -> tuple[int, JSON]:
        """The status for a request, and the message or the error."""
        ours = self._issued.setdefault(str(body.get("model")), set())
        if why := refusal(body, headers, frozenset(ours)):
            self.refused.append(why)
            return 400, error("invalid_request_error", why)
        self.asked.append(body)
        turn = self.turns.pop(0)
        if isinstance(turn, str):
            return {"overloaded_error": 529, "rate_limit_error": 429}[turn], error(turn, turn)
        content = [*self._thinking(body, ours), *turn]
        calls = any(block["type"] == "tool_use" for block in content)
        return 200, {
            "id": f"msg_{next(self._numbers)}",
            "type": "message",
            "role": "assistant",
            "model": body["model"],
            "content": content,
            "stop_reason": "tool_use" if calls else "end_turn",
            "stop_sequence": None,
            "usage": USAGE,
        }

    async def __call__(self, seen: Seen, request: web.Request) -> web.StreamResponse:
        headers = {name.lower(): value for name, value in seen.headers.items()}
        status, value = self.reply(seen.json, headers)
        if status == 200 and seen.json.get("stream"):
            return await stream(events(value))(seen, request)
        return web.Response(
            status=status,
            body=orjson.dumps(value),
            headers={"Content-Type": "application/json", "request-id": "req_1"},
        )

    def _thinking(self, body: JSON, ours: set[str]) -> list[Block]:
        """What the model thinks first: its text is hidden where nobody asks to see it."""
        thinking = body.get("thinking", {})
        always = body["model"].startswith(("claude-opus-5", "claude-fable"))
        if thinking.get("type") not in ("enabled", "adaptive") and not always:
            return []
        made = f"c2lnbmF0dXJl{next(self._numbers)}"
        ours.add(made)
        # Of 4.6 and before it is shown unless it is not wanted.
        hides = "omitted" if always else "summarized"
        shown = thinking.get("display", hides) == "summarized"
        text = self.thought if shown else ""
        return [{"type": "thinking", "thinking": text, "signature": made}]


def call(name: str, given: JSON | None = None, id: str = "toolu_1") -> Block:  # noqa: A002
    """A block that calls a tool."""
    return {"type": "tool_use", "id": id, "name": name, "input": given or {}}


def said(text: str) -> Block:
    """A block of text."""
    return {"type": "text", "text": text}


def error(kind: str, message: str) -> JSON:
    """An error's body."""
    return {"type": "error", "error": {"type": kind, "message": message}, "request_id": "req_1"}


def events(message: JSON) -> list[bytes]:
    """A message as Anthropic streams it."""
    begun = {**message, "content": [], "stop_reason": None}
    told: list[JSON] = [{"type": "message_start", "message": begun}, {"type": "ping"}]
    for index, block in enumerate(message["content"]):
        empty, deltas = _dealt(block)
        told.append({"type": "content_block_start", "index": index, "content_block": empty})
        told += ({"type": "content_block_delta", "index": index, "delta": one} for one in deltas)
        told.append({"type": "content_block_stop", "index": index})
    ending = {"stop_reason": message["stop_reason"], "stop_sequence": None}
    told.append({"type": "message_delta", "delta": ending, "usage": message["usage"]})
    told.append({"type": "message_stop"})
    return [b"event: %b\ndata: %b\n\n" % (one["type"].encode(), orjson.dumps(one)) for one in told]


def _dealt(block: Block) -> tuple[Block, list[JSON]]:
    """A block as it begins, and its deltas."""
    match block["type"]:
        case "text":
            half = len(block["text"]) // 2
            texts = [block["text"][:half], block["text"][half:]]
            return said(""), [{"type": "text_delta", "text": text} for text in texts if text]
        case "thinking":
            deltas = [{"type": "thinking_delta", "thinking": block["thinking"]}]
            signed = {"type": "signature_delta", "signature": block["signature"]}
            empty = {**block, "thinking": "", "signature": ""}
            return empty, [*(deltas if block["thinking"] else []), signed]
        case "tool_use":
            text = orjson.dumps(block["input"]).decode()
            pieces = ["", text[:3], text[3:]] if block["input"] else [""]
            deltas = [{"type": "input_json_delta", "partial_json": piece} for piece in pieces]
            return {**block, "input": {}}, deltas
    return block, []
