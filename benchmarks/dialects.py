"""What it costs to tell an answer in another dialect: a frame of a stream, a whole answer.

In this process and on its own CPU clock, without a server: what a translated stream adds to a
passed one. The answer is one of 400 words; a whole one has ten times as many.
"""

import time
from collections.abc import Callable, Iterator

import orjson
from measure import Case, Figure, Row, Target, alternate
from workbench import Bench

from promptdeck.core.dialects.chat.dialect import CHAT
from promptdeck.core.dialects.gemini.dialect import GEMINI
from promptdeck.core.dialects.messages.dialect import MESSAGES
from promptdeck.core.dialects.responses.dialect import RESPONSES
from promptdeck.core.dialects.streamed import Streamed
from promptdeck.core.dialects.translate.aim import Aim
from promptdeck.core.dialects.translate.translation import Translation, answered
from promptdeck.core.interaction import Frame, Response, Variant

_FIGURES = (Figure("us a frame", 1, against="x", spread=True), Figure("ms a whole answer", 2))
_DIALECTS: tuple[Streamed, ...] = (CHAT, MESSAGES, RESPONSES, GEMINI)
_WORDS = 400
_MOST = 60
"""Microseconds that a frame may take."""
_NOW = 1_700_000_000
_STREAM, _JSON = (("content-type", "text/event-stream"),), (("content-type", "application/json"),)


def cases(bench: Bench) -> Iterator[Case]:
    """Each upstream behind each client of another dialect."""
    sides = {
        f"{upstream.name} to {client.name}": _round(upstream, client)
        for client in _DIALECTS
        for upstream in _DIALECTS
        if client is not upstream
    }
    rows = alternate(bench.size.rounds, sides)
    targets = tuple(Target(16, side, "us a frame", side, "", most=_MOST) for side in sides)
    yield Case("an answer in another dialect", _FIGURES, rows, targets)


def _round(upstream: Streamed, client: Streamed) -> Callable[[], Row]:
    frames = _answer(upstream, _WORDS).frames
    whole = upstream.in_variant(_answer(upstream, _WORDS * 10), Variant.JSON)
    aim, asked = Aim("upstream", upstream.name, "m"), {"model": "m"}
    variant = Variant.SSE_USAGE if client is CHAT else Variant.SSE

    def measured() -> Row:
        translation = Translation(upstream, client, variant, asked, aim, _NOW)
        began = time.process_time()
        for frame in frames:
            translation.feed(frame.data)
        translation.rest()
        streamed = time.process_time()
        answered(whole, upstream, client, Variant.JSON, asked, aim, _NOW)
        done = time.process_time()
        return (streamed - began) / len(frames) * 1e6, (done - streamed) * 1e3

    return measured


def _answer(upstream: Streamed, count: int) -> Response:
    """An answer of so many words in a dialect: a chat's, told as that dialect tells it."""
    content = "".join(f" word{n}" for n in range(count))
    usage = {"prompt_tokens": 9, "completion_tokens": count, "total_tokens": 9 + count}
    choice = {
        "index": 0,
        "message": {"role": "assistant", "content": content, "refusal": None},
        "finish_reason": "stop",
    }
    completion = {"id": "c", "object": "chat.completion", "created": _NOW, "model": "m"}
    body = orjson.dumps({**completion, "choices": [choice], "usage": usage})
    whole = Response(200, _JSON, (Frame(0, body),))
    aim = Aim("upstream", "chat", "m")
    variant = Variant.SSE_USAGE if upstream is CHAT else Variant.SSE
    told = answered(whole, CHAT, upstream, variant, {"model": "m"}, aim, _NOW)
    return told._replace(headers=_STREAM)
