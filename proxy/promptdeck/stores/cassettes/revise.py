"""Changing single recordings in cassette files: redact, rename a model, mend what was edited.

Whatever changes a request changes its key and so its id: both are made again.
An id that a person chose stays.
"""

import heapq
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple

from promptdeck.core.dialects.chat.recut import Impossible, recut
from promptdeck.core.interaction import Frame, Headers, Interaction, Request, Response
from promptdeck.core.matching.fingerprint import fingerprint, recording_id
from promptdeck.core.matching.normalize import keepable, normalize
from promptdeck.core.matching.rules import Rules
from promptdeck.core.secrets.redact import Redactor
from promptdeck.core.text import sse
from promptdeck.core.text.jsontext import JSON, Unfaithful, compact, parse, render, same, style_of

from .echo import EditedAnswer, echoes
from .edit import EDITED, Edit, Piece, by_id, edit
from .progress import Progress, silently
from .save import Numbers

_NO_RULES = Rules()


class Revised(NamedTuple):
    changed: list[tuple[str, str]]
    """Each recording that is written otherwise now: its id before and after."""
    secrets: Counter[str]
    """What was taken out, by its kind."""
    problems: list[str]
    """What only a person can decide, with its place."""
    warnings: Sequence[str] = ()
    """What a person should look at; nothing is wrong with the file."""


def _revise(path: Path, change: Edit, dry: bool, step: Progress) -> list[tuple[str, str]]:
    """Edit recording by recording; `change` gives as many as it was given, in their order."""
    done: list[tuple[str, str]] = []

    def whole(before: list[Piece]) -> list[Piece]:
        after = change(before)
        done.extend(
            (old.interaction.id, new.interaction.id)
            for old, new in zip(before, after, strict=True)
            if new.text != old.text
        )
        return _placed(before, after)

    edit(path, whole, dry=dry, step=step)
    return done


def _placed(before: Sequence[Piece], after: Sequence[Piece]) -> list[Piece]:
    """Those that got another id go where it sorts; the others stay in their order."""
    pairs = list(zip(before, after, strict=True))
    stay = [new for old, new in pairs if new.interaction.id == old.interaction.id]
    move = [new for old, new in pairs if new.interaction.id != old.interaction.id]
    return list(heapq.merge(stay, sorted(move, key=by_id), key=by_id))


# Redact


def redact(
    path: Path, redactor: Redactor, *, dry: bool = False, step: Progress = silently
) -> Revised:
    """Take out what is recognised as a secret today."""
    secrets: Counter[str] = Counter()
    problems: list[str] = []

    def change(before: list[Piece]) -> list[Piece]:
        edited = (piece for piece in before if piece.says_otherwise)
        problems.extend(f"{path}:{piece.line}: {EDITED}" for piece in edited)
        new = [_redacted(piece.interaction, redactor, secrets) for piece in before]
        return _becoming(before, _named(before, new, redactor))

    return Revised(_revise(path, change, dry, step), secrets, problems)


def _redacted(item: Interaction, redactor: Redactor, secrets: Counter[str]) -> Interaction:
    found: Counter[str] = Counter()
    request = _redacted_request(item.request, redactor, found)
    frames = _redacted_frames(item.response, redactor, found)
    headers = _redacted_headers(item.response.headers, redactor, found)
    upstream = redactor.query(item.upstream)
    found["upstream"] += upstream != item.upstream
    found = +found
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
    kept, count = keepable(request, redactor)
    _, by_name = redactor.body(request.body)
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
        frames, counts = redactor.stream(response.frames)
        found.update(counts)
        return frames
    cleared = []
    for offset_ms, data in response.frames:
        data, counts = redactor.body(data)
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


# Rename a model


def rename_model(
    path: Path,
    old: str,
    new: str,
    redactor: Redactor,
    *,
    dry: bool = False,
    step: Progress = silently,
) -> Revised:
    """Another name for a model, in requests and in answers that name it so."""

    def change(before: list[Piece]) -> list[Piece]:
        items = [_with_model(piece.interaction, old, new) for piece in before]
        return _becoming(before, _named(before, items, redactor))

    return Revised(_revise(path, change, dry, step), Counter(), [])


def _with_model(item: Interaction, old: str, new: str) -> Interaction:
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
    event = sse.parse(frame)
    data = (event.data or "").encode()
    written = _body(data, old, new)
    if written == data:
        return frame
    # Data of several lines is not in the frame as it reads.
    return frame.replace(data, written, 1) if data in frame else sse.encode(written, event.event)


def _body(body: bytes, old: str, new: str) -> bytes:
    """JSON with another model, written as it was; anything else as it is."""
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
    try:
        return same(parse(text), value)
    except Unfaithful:
        return False


# Where the other dialects' streams name it: `response.created`, `message_start`.
_HOLDERS = ("response", "message")


def _rename(value: JSON, old: str, new: str) -> bool:
    """In place; whether there was anything to rename."""
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


# Mend what was edited by hand


class Keep(StrEnum):
    """Which of two that differ: the readable text or the frames."""

    SAYS = "says"
    FRAMES = "frames"


def fix(
    path: Path,
    redactor: Redactor,
    *,
    before: Callable[[], Iterable[Piece]] = tuple,
    keep: Keep | None = None,
    dry: bool = False,
    step: Progress = silently,
) -> Revised:
    """Make keys and ids again; where `says` was edited, cut the frames anew from it.

    `before` gives the file as it was, if that is known: it tells which of `says` and
    frames was edited. Otherwise it was `says`, unless `keep` decides. Warns of requests
    that repeat an answer which was edited.
    """
    problems: list[str] = []
    warnings: list[str] = []

    def change(found: list[Piece]) -> list[Piece]:
        known = {piece.interaction.id: piece for piece in before()}
        mended = []
        for piece in found:
            try:
                mended.append(_mended(piece, known.get(piece.interaction.id), keep))
            except Impossible as error:
                problems.append(f"{path}:{piece.line}: {error}")
                mended.append(piece)
        items = [_in_milliseconds(piece.interaction) for piece in mended]
        warnings.extend(_echoes(path, found, known, items))
        return _becoming(mended, _named(mended, items, redactor, every=True))

    return Revised(_revise(path, change, dry, step), Counter(), problems, warnings)


def _echoes(
    path: Path, found: Sequence[Piece], known: Mapping[str, Piece], now: Sequence[Interaction]
) -> Iterator[str]:
    """A warning for each request that repeats an answer which says something else now."""
    lines = {id(item): piece.line for piece, item in zip(found, now, strict=True)}
    edits = [
        EditedAnswer(known.get(item.id, piece).interaction.response, item)
        for piece, item in zip(found, now, strict=True)
    ]
    changed_ones = [edit for edit in edits if edit.before != edit.after.response]
    for edited, by in echoes(changed_ones, now):
        yield (
            f"{path}:{lines[id(by)]}: the request of {by.id} repeats the old answer of {edited.id}:"
            " a program that goes on from the new one will miss it; put the new text there, too,"
            " and run promptdeck cassette fix, or record it again"
        )


def _mended(piece: Piece, before: Piece | None, keep: Keep | None) -> Piece:
    """The piece with frames that say what `says` does."""
    if not piece.says_otherwise:
        return piece
    item = piece.interaction
    if (keep or _edited(piece, before)) is Keep.FRAMES:
        return piece.laid_anew(item)
    return piece.laid_anew(item._replace(response=recut(item.response, piece.says or "")))


def _edited(piece: Piece, before: Piece | None) -> Keep:
    if before is None or before.interaction.response.frames == piece.interaction.response.frames:
        return Keep.SAYS
    if before.says == piece.says:
        return Keep.FRAMES
    raise Impossible(
        "both `says` and the frames were edited since the last commit:"
        " choose with --keep says or --keep frames"
    )


def _in_milliseconds(item: Interaction) -> Interaction:
    return item._replace(recorded_at=round(item.recorded_at, 3))


# Keys and ids


def _becoming(before: Iterable[Piece], after: Iterable[Interaction]) -> list[Piece]:
    return [piece.becoming(item) for piece, item in zip(before, after, strict=True)]


def _named(
    before: Sequence[Piece], new: Sequence[Interaction], redactor: Redactor, *, every: bool = False
) -> list[Interaction]:
    """`new` with keys and ids made again, where a recording is another or for `every` one."""
    keyed, stems = [], []
    for piece, item in zip(before, new, strict=True):
        stem = ""
        if every or item != piece.interaction:
            base = normalize(item.request, _NO_RULES, redactor).canonical
            item = item._replace(key=fingerprint(base))
            if not item.id or _MADE.fullmatch(item.id):
                stem = recording_id(base, item.key, 0).removesuffix("0")
        keyed.append(item)
        stems.append(stem)
    names = _ids(keyed, stems)
    return [item._replace(id=name) for item, name in zip(keyed, names, strict=True)]


_MADE = re.compile(r"[0-9a-f]{6}-[0-9]{3,}-[0-9a-f]{8}-[0-9]{1,18}")


def _ids(items: Sequence[Interaction], stems: Sequence[str]) -> list[str]:
    """An id on each one's stem; without a stem the id stays, unless it stood there before.

    Where ids of a stem clash, all on it are numbered anew, in their order.
    """
    counts = Counter(item.id for item in items)
    clashing = {stem for item, stem in zip(items, stems, strict=True) if counts[item.id] > 1}
    seen: set[str] = set()
    kept = []
    for item, stem in zip(items, stems, strict=True):
        good = item.id.startswith(stem) and stem not in clashing if stem else item.id not in seen
        seen.add(item.id)
        kept.append(item.id if good else "")
    numbers = Numbers(filter(None, kept))
    return [
        name or numbers.next(stem or f"{item.id}-")
        for name, item, stem in zip(kept, items, stems, strict=True)
    ]
