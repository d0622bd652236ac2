"""The test of an answer for being whole: a broken one or an error must not be kept for ever.

A chat answer is whole when it says so itself: every choice has a finish reason,
and a stream ends with `[DONE]`. Of an answer of another kind less can be asked:
its JSON parses, its stream ends behind an event and tells of no error.
"""

from collections.abc import Sequence
from http import HTTPStatus

import orjson

from promptdeck.core.interaction import Response
from promptdeck.core.text import sse
from promptdeck.core.text.jsontext import JSON
from promptdeck.core.text.runs import Run, runs

from .deltas import as_object, index_of, objects_in


def problem_with(
    response: Response, chat: bool, in_runs: Sequence[Run] | None = None
) -> str | None:
    """Why this answer must not be kept, in plain words; None if it is whole.

    `chat` is whether a chat completion was asked for. `in_runs` are a stream's frames as
    `runs` puts them together, if that has been done. The status is not judged.
    """
    kind = response.content_type.partition(";")[0].strip().lower()
    if kind == "text/event-stream":
        in_runs = runs(sse.frames(response.body)) if in_runs is None else in_runs
        # What tells whether a stream is whole is the same in all frames of a run.
        return _problem_with_stream([run.first for run in in_runs], chat)
    if kind == "application/json" or kind.endswith("+json"):
        return _problem_with_json(response.body, chat)
    has_body = response.status != HTTPStatus.NO_CONTENT
    return _problem_with_unnamed(response.body) if chat and has_body else None


def _problem_with_unnamed(body: bytes) -> str | None:
    """The problem with a chat answer whose content type is neither JSON nor a stream.

    It may be the login page of some network, or a good answer of a sloppy server.
    """
    if body.lstrip().startswith((b"{", b"[")):
        return _problem_with_json(body, chat=True)
    firsts = [run.first for run in runs(sse.frames(body))]
    if not any(sse.parse(frame).data for frame in firsts):
        return "the body is neither JSON nor a stream of events"
    return _problem_with_stream(firsts, chat=True)


def _problem_with_stream(frames: list[bytes], chat: bool) -> str | None:
    """The problem with a stream, of which the first frame of each run is enough."""
    if not frames:
        return "the stream is empty"
    events = [sse.parse(frame) for frame in frames]
    if _is_cut_off(frames[-1]) and not _is_done(events[-1].data or ""):
        return "the stream breaks off inside an event"
    texts = [event.data for event in events if event.data]
    values = [_value(text) for text in texts if not _is_done(text)]
    if any(event.event == "error" for event in events) or any(map(_is_error, values)):
        return "the stream reports an error"
    return _problem_with_chunks(values, done=len(values) < len(texts)) if chat else None


def _is_done(text: str) -> bool:
    return text.strip() == sse.DONE


def _is_cut_off(tail: bytes) -> bool:
    """True if a stream's last frame holds something and has no blank line to end it."""
    # A few servers close behind an odd blank line: that loses nothing.
    return bool(tail.strip()) and not sse.is_whole(tail)


def _value(text: str) -> JSON:
    """The JSON in an event's data, None if there is none; numbers of any size will do."""
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return None


def _is_error(value: JSON) -> bool:
    """True if an event's JSON tells of an error in chat's, Messages' or Responses' way."""
    item = as_object(value)
    return item.get("error") is not None or item.get("type") in ("error", "response.failed")


def _problem_with_chunks(chunks: list[JSON], *, done: bool) -> str | None:
    """The problem with the chunks of a chat stream; `done` if `[DONE]` came too."""
    if not all(isinstance(chunk, dict) for chunk in chunks):
        return "a chunk of the stream is no JSON object"
    if not done:
        return f"the stream ends without {sse.DONE}"
    choices = objects_in(chunk.get("choices") for chunk in chunks)
    if not choices:
        return "the stream has no choices"
    finished = {index_of(choice, 0) for choice in choices if choice.get("finish_reason")}
    return _problem_with_choices({index_of(choice, 0) for choice in choices} - finished)


def _problem_with_choices(unfinished: set[int]) -> str | None:
    """The problem that choices have no finish reason; `unfinished` are their indices, if any."""
    return f"choice {min(unfinished)} has no finish_reason" if unfinished else None


def _problem_with_json(body: bytes, chat: bool) -> str | None:
    """The problem with a body that ought to be JSON."""
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError:
        return "the body is not JSON"
    if not chat:
        return None
    if not isinstance(value, dict):
        return "the body is no JSON object"
    if value.get("error") is not None:
        return "the body reports an error"
    choices = objects_in([value.get("choices")])
    if not choices:
        # A deferred completion's receipt, say, which is no answer to the same prompt asked plainly.
        return "the body has no choices"
    return _problem_with_choices(
        {
            index_of(choice, at)
            for at, choice in enumerate(choices)
            if choice.get("finish_reason") is None
        }
    )
