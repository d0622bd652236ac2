"""A model renamed in recordings, as if it had been asked by its other name."""

import re
from collections import Counter
from pathlib import Path

from promptdeck.core.interaction import Frame, Interaction, Response
from promptdeck.core.secrets.redact import Redactor
from promptdeck.core.text import sse
from promptdeck.core.text.jsontext import JSON, Unfaithful, compact, parse, render, same, style_of
from promptdeck.core.text.lines import is_line

from .edit import Piece
from .progress import Progress, silently
from .revise import Revised, becoming, named, revise


def rename_model(
    path: Path,
    old: str,
    new: str,
    redactor: Redactor,
    *,
    dry: bool = False,
    step: Progress = silently,
) -> Revised:
    """Call model `old` `new` in a file's requests, and in answers that name it. CassetteError."""

    def change(before: list[Piece]) -> list[Piece]:
        items = [_with_model(piece.interaction, old, new) for piece in before]
        return becoming(before, named(before, items, redactor))

    return Revised(revise(path, change, dry, step), Counter(), [])


def _with_model(item: Interaction, old: str, new: str) -> Interaction:
    """An interaction in which model `old` is called `new`."""
    request, response = item.request, item.response
    frames = tuple(
        Frame(
            ms, _frame_with_model(data, old, new) if response.is_stream else _body(data, old, new)
        )
        for ms, data in response.frames
    )
    return item._replace(
        request=request._replace(body=_body(request.body, old, new)),
        response=Response(response.status, response.headers, frames),
    )


def _frame_with_model(frame: bytes, old: str, new: str) -> bytes:
    """A frame of a stream with its model renamed in its data."""
    if is_line(frame):
        return _body(frame, old, new)
    event = sse.parse(frame)
    data = (event.data or "").encode()
    written = _body(data, old, new)
    if written == data:
        return frame
    # Data of several lines is not in the frame as it reads.
    return frame.replace(data, written, 1) if data in frame else sse.encode(written, event.event)


def _body(body: bytes, old: str, new: str) -> bytes:
    """JSON with its model renamed, written as it was; anything else as it is."""
    try:
        text, value = body.decode(), parse(body)
    except ValueError:
        return body
    if not _rename(value, old, new):
        return body
    named = re.compile(r'("model"\s*:\s*)' + re.escape(compact(old).decode()))
    exchanged = named.sub(lambda found: found[1] + compact(new).decode(), text)
    # Where providers indent, no style of ours is theirs.
    if _parses_to(exchanged, value):
        return exchanged.encode()
    return render(value, style_of(text, parse(body)) or "compact").encode()


def _parses_to(text: str, value: JSON) -> bool:
    """True if a text is JSON of this value."""
    try:
        return same(parse(text), value)
    except Unfaithful:
        return False


_HOLDERS = ("response", "message")
"""Members in which other dialects' streams name the model: `response.created`, `message_start`."""


def _rename(value: JSON, old: str, new: str) -> bool:
    """Rename the model within a value, in place; False if it is not named there."""
    if not isinstance(value, dict):
        return False
    found = sum(_rename(value[key], old, new) for key in _HOLDERS if key in value) > 0
    model = value.get("model")
    if model == old:
        value["model"] = new
    elif isinstance(model, list) and old in model:
        value["model"] = [new if name == old else name for name in model]
    else:
        return found
    return True
