"""Secrets taken out of recordings that were made before their shape was known."""

from collections import Counter
from pathlib import Path

from promptdeck.core.interaction import Frame, Headers, Interaction, Request, Response
from promptdeck.core.matching.clean import keepable
from promptdeck.core.secrets.answers import cleared_body, cleared_frames
from promptdeck.core.secrets.redact import Redactor

from .edit import EDITED, Piece
from .progress import Progress, silently
from .revise import Revised, becoming, named, revise


def redact(
    path: Path, redactor: Redactor, *, dry: bool = False, step: Progress = silently
) -> Revised:
    """Take out of a file what `redactor` recognises as a secret.

    Of recordings whose readable text was edited, `problems` tells. CassetteError.
    """
    secrets: Counter[str] = Counter()
    problems: list[str] = []

    def change(before: list[Piece]) -> list[Piece]:
        edited = (piece for piece in before if piece.says_otherwise)
        problems.extend(f"{path}:{piece.line}: {EDITED}" for piece in edited)
        new = [_redacted(piece.interaction, redactor, secrets) for piece in before]
        return becoming(before, named(before, new, redactor))

    return Revised(revise(path, change, dry, step), secrets, problems)


def _redacted(item: Interaction, redactor: Redactor, secrets: Counter[str]) -> Interaction:
    """An interaction without secrets, which are counted by kind in `secrets`."""
    found: Counter[str] = Counter()
    request = _redacted_request(item.request, redactor, found)
    frames = _redacted_frames(item.response, redactor, found)
    headers = _redacted_headers(item.response.headers, redactor, found)
    upstream = redactor.query(item.upstream)
    found["upstream"] += upstream != item.upstream
    found = +found  # without the kinds that were looked for and not found
    if not found:
        return item
    secrets.update(found)
    return item._replace(
        upstream=upstream,
        request=request,
        response=Response(item.response.status, headers, frames),
        redacted=item.redacted + found.total(),
    )


def _redacted_request(request: Request, redactor: Redactor, found: Counter[str]) -> Request:
    """A request as it would be kept today; what was taken out of it is counted in `found`."""
    kept, count = keepable(request, redactor)
    _, by_name = redactor.body(request.body)
    # Where what is kept lacks more than a look at the body tells, the kinds are not known.
    by_name = by_name if by_name.total() == count else Counter(request=count)
    if kept.target != request.target:
        by_name["query"] += 1
    if not by_name and b"credentials" in request.body and b"credentials" not in kept.body:
        by_name["credentials"] += 1
    found.update(+by_name)
    return kept if +by_name else request


def _redacted_frames(
    response: Response, redactor: Redactor, found: Counter[str]
) -> tuple[Frame, ...]:
    if response.is_stream:
        frames, counts = cleared_frames(redactor, response.frames)
        found.update(counts)
        return frames
    cleared = []
    for offset_ms, data in response.frames:
        data, counts = cleared_body(redactor, data)
        found.update(counts)
        cleared.append(Frame(offset_ms, data))
    return tuple(cleared)


def _redacted_headers(headers: Headers, redactor: Redactor, found: Counter[str]) -> Headers:
    cleared = []
    for name, value in headers:
        value, counts = redactor.text(value)
        found.update(counts)
        cleared.append((name, value))
    return tuple(cleared)
