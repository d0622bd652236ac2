"""Every upstream behind every client: what one says, the other hears."""

from itertools import product
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from promptdeck.core.dialects.chat.dialect import CHAT
from promptdeck.core.dialects.gemini.dialect import GEMINI
from promptdeck.core.dialects.messages.dialect import MESSAGES
from promptdeck.core.dialects.responses.dialect import RESPONSES
from promptdeck.core.dialects.streamed import Streamed
from promptdeck.core.dialects.translate import translation
from promptdeck.core.dialects.translate.aim import Aim, Written
from promptdeck.core.dialects.translate.neutral import Picture, Prompt, Signal, Tool
from promptdeck.core.dialects.translate.translation import Translation, answered
from promptdeck.core.interaction import Frame, Response, Variant
from promptdeck.core.text import sse

from .strategies import added_up, essence_of, prompts, signals

DIALECTS: dict[str, Streamed] = {one.name: one for one in (CHAT, MESSAGES, RESPONSES, GEMINI)}
NAMES = {"chat": "local", "messages": "anthropic", "responses": "openai", "gemini": "google"}
# Those that take most: what others refuse is their families' business.
MODELS = {
    "chat": "m-1", "messages": "claude-sonnet-4-5", "responses": "gpt-4.1", "gemini": "gemini-3-pro"
}  # fmt: skip
NOW = 1700000000
STREAM = (("content-type", "text/event-stream"),)


def aim_at(dialect: str) -> Aim:
    provider = NAMES[dialect] if dialect != "chat" else ""
    return Aim(NAMES[dialect], dialect, MODELS[dialect], provider)


def native(dialect: str, answer: list[Signal]) -> list[bytes]:
    """An answer as an upstream of this dialect streams it."""
    telling = translation._telling(DIALECTS[dialect], {}, Variant.SSE_USAGE, NOW)
    return [*(one for signal in answer for one in telling.tell(signal)), *telling.end()]


def heard(dialect: str, body: bytes) -> dict[str, Any]:
    """What a stream of this dialect says, but for what not every dialect can."""
    hearing = translation._hearing(DIALECTS[dialect], aim_at(dialect))
    told = [one for frame in sse.frames(body) for one in hearing.hear(sse.parse(frame))]
    return plain(added_up([*told, *hearing.end()]))


def plain(whole: dict[str, Any]) -> dict[str, Any]:
    """An answer without its names, and counts that some leave out where they are zero."""
    usage = whole["usage"]
    counts = (usage.prompt, usage.completion, usage.total, usage.cached or 0, usage.reasoning or 0)
    choices = {
        number: {key: choice[key] for key in ("text", "mused", "calls", "finished")}
        for number, choice in whole["choices"].items()
    }
    return {"choices": choices, "usage": counts, "broke": whole["broke"]}


def variant_of(client: str) -> Variant:
    return Variant.SSE_USAGE if client == "chat" else Variant.SSE


PAIRS = pytest.mark.parametrize(("upstream", "client"), [*product(DIALECTS, DIALECTS)])


@PAIRS
@settings(max_examples=8)
@given(st.data())
def test_what_an_upstream_says_its_client_hears(
    upstream: str, client: str, data: st.DataObject
) -> None:
    also = ("bare",) if "gemini" not in (upstream, client) else ()
    several = {upstream, client} <= {"chat", "gemini"}  # others have one choice
    answer = data.draw(signals(also=also, choices=2 if several else 1))
    frames = native(upstream, answer)
    there, here = DIALECTS[upstream], DIALECTS[client]
    made = Translation(there, here, variant_of(client), {"model": "m-1"}, aim_at(upstream), NOW)
    body = b"".join(frames)
    assert heard(client, made.feed(body) + made.rest()) == plain(added_up(answer))
    # And whole, however it came.
    recorded = Response(200, STREAM, tuple(Frame(n, one) for n, one in enumerate(frames)))
    for response in (recorded, there.in_variant(recorded, Variant.JSON)):
        assert response is not None
        whole = answered(response, there, here, Variant.JSON, {}, aim_at(upstream), NOW)
        cut = b"".join(here.cut(here.message(whole)))
        assert heard(client, cut) == plain(added_up(answer))


def read(dialect: str, sent: Written) -> Prompt:
    prompt: Prompt = translation._module(dialect, "reads").prompt_of(sent.body, sent.target)
    return prompt


def write(dialect: str, prompt: Prompt) -> Written:
    sent: Written = translation._module(dialect, "writes").written(prompt, aim_at(dialect))
    return sent


@PAIRS
@settings(max_examples=8)
@given(prompt=prompts(also=("pictures",)))
def test_what_a_client_asks_its_upstream_is_asked(
    upstream: str, client: str, prompt: Prompt
) -> None:
    asked = write(client, prompt)
    there = write(upstream, read(client, asked))
    expected, found = essence_of(read(client, asked)), essence_of(read(upstream, there))
    for same in ("turns", "tools", "choice", "stream"):
        assert comparable(found[same]) == comparable(expected[same]), same


def comparable(value: Any) -> Any:
    """A value of the neutral form, but for what a dialect adds though nobody said so."""
    if isinstance(value, Tool):
        return value._replace(strict=value.strict or None)
    if isinstance(value, Picture):
        return value._replace(mime="")
    if isinstance(value, tuple) and value[:1] == ("system",):
        return "\n\n".join(part.text for part in value[1])  # as `instructions` is
    if isinstance(value, list | tuple) and not hasattr(value, "_fields"):
        return [comparable(one) for one in value]
    return value


@PAIRS
@settings(max_examples=4)
@given(st.data())
def test_a_stream_that_was_cut_never_ends_well(
    upstream: str, client: str, data: st.DataObject
) -> None:
    """What is not kept for it is told as a failure, and what is kept is not."""
    frames = native(upstream, data.draw(signals()))
    there, here = DIALECTS[upstream], DIALECTS[client]
    for count in range(len(frames)):
        cut = Translation(there, here, variant_of(client), {"model": "m"}, aim_at(upstream), NOW)
        told = sse.frames(b"".join([*map(cut.feed, frames[:count]), cut.rest()]))
        kept = Response(200, STREAM, tuple(Frame(0, one) for one in frames[:count]))
        answer = Response(200, STREAM, tuple(Frame(0, one) for one in told))
        assert (here.problem_with(answer) is None) is (there.problem_with(kept) is None), count
