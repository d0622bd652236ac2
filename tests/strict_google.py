"""A Google that refuses what the real one refuses, for scripted upstreams.

It says what a test tells it, a turn for each request that it takes: each event a whole answer with
CRLF, parallel calls one an event, and a signature on the first call of each step. A signature that
it has not given itself it knows for another's.
"""

import base64
import itertools
from collections.abc import Sequence
from typing import Any

import orjson
from aiohttp import web

from tests.conformance.google_rules import JSON, refusal
from tests.scripted_upstream import Seen

Part = dict[str, Any]


class StrictGoogle:
    """What answers requests, to be put among a scripted upstream's `answers`."""

    def __init__(self, *turns: Sequence[Part], reason: str = "STOP") -> None:
        self.turns = [*turns]
        self.reason = reason
        self.refused: list[str] = []
        self.asked: list[JSON] = []
        self.models: list[str] = []
        self._issued: set[str] = set()
        self._numbers = itertools.count(1)

    def reply(self, model: str, body: JSON) -> tuple[int, list[JSON]]:
        """The status for a request, and the answer as the events of a stream, or the error."""
        why = refusal(model, body, self._issued.__contains__)
        if why is not None:
            self.refused.append(why)
            error = {"code": 400, "message": why, "status": "INVALID_ARGUMENT"}
            return 400, [{"error": error}]
        self.asked.append(body)
        self.models.append(model)
        return 200, [*self._events(self.turns.pop(0), model)]

    async def __call__(self, seen: Seen, request: web.Request) -> web.StreamResponse:
        model, _, verb = request.path.rpartition("/")[2].partition(":")
        status, events = self.reply(model, seen.json)
        if status != 200:
            return _answer(events[0], status)
        if verb == "generateContent":
            return _answer(whole(events))
        if request.query.get("alt") != "sse":
            return _answer(events)
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        for frame in frames_of(events):
            await response.write(frame)
        return response

    def signature(self) -> str:
        """A new signature of ours."""
        made = base64.b64encode(f"signature {next(self._numbers)}".encode()).decode()
        self._issued.add(made)
        return made

    def _events(self, parts: Sequence[Part], model: str) -> list[JSON]:
        """The answers of a stream: one for each part, the last with the end."""
        number = next(self._numbers)
        head = {"modelVersion": model, "responseId": f"response-{number}"}
        calls = [part for part in parts if "functionCall" in part]
        told = [{**part, **self._signed(part, calls)} for part in parts]
        events: list[JSON] = []
        for n, part in enumerate(told):
            usage = {"promptTokenCount": 7, "candidatesTokenCount": n + 1, "thoughtsTokenCount": 3}
            usage["totalTokenCount"] = sum(usage.values())
            candidate: JSON = {"content": {"role": "model", "parts": [part]}, "index": 0}
            events.append({"candidates": [candidate], "usageMetadata": usage, **head})
        events[-1]["candidates"][0]["finishReason"] = self.reason
        return events

    def _signed(self, part: Part, calls: Sequence[Part]) -> Part:
        return {"thoughtSignature": self.signature()} if calls and part is calls[0] else {}


def call(name: str, args: JSON | None = None, id: str = "") -> Part:  # noqa: A002
    """A part that calls a function; its arguments may be absent, as Google sends none."""
    told = (
        {"name": name} | ({"args": args} if args is not None else {}) | ({"id": id} if id else {})
    )
    return {"functionCall": told}


def whole(events: Sequence[JSON]) -> JSON:
    """The answer of a body that is no stream: the last event with the parts of all."""
    parts = [part for one in events for part in one["candidates"][0]["content"]["parts"]]
    candidate = {**events[-1]["candidates"][0], "content": {"role": "model", "parts": parts}}
    return {**events[-1], "candidates": [candidate]}


def frames_of(events: Sequence[JSON]) -> list[bytes]:
    """Events as Google writes them."""
    return [b"data: %b\r\n\r\n" % orjson.dumps(event) for event in events]


def _answer(value: Any, status: int = 200) -> web.Response:
    return web.Response(
        status=status, body=orjson.dumps(value), headers={"Content-Type": "application/json"}
    )
