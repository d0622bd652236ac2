"""Recordings that were edited by hand mended: keys, ids, and frames that say what `says` does.

To mend is to accept: each gets the digests that fit what it is now.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from enum import StrEnum
from pathlib import Path

from promptdeck.core.dialects.interpreted import marked
from promptdeck.core.dialects.recut import recut
from promptdeck.core.dialects.streamed import Impossible
from promptdeck.core.dialects.table import dialect_answering
from promptdeck.core.headers import RENDERED
from promptdeck.core.interaction import Interaction, header
from promptdeck.core.secrets.redact import Redactor

from .echo import EditedAnswer, echoes
from .edit import Piece
from .progress import Progress, silently
from .revise import Revised, becoming, named, revise


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
    """Make keys, ids and digests again; where `says` was edited, cut the frames anew from it.

    Which of `says` and frames was edited is told by the digests or, in a file without them, by
    `before`: the file as it was, if that is known. Otherwise it was `says`, unless `keep`
    decides. What only a person can decide is a problem; requests that repeat an answer which
    was edited are warned of. CassetteError.
    """
    problems: list[str] = []
    warnings: list[str] = []

    def change(found: list[Piece]) -> list[Piece]:
        known = {piece.interaction.id: piece for piece in before()}
        mended: list[Piece] = []
        left: set[int] = set()
        for piece in found:
            try:
                mended.append(_mended(piece, known.get(piece.interaction.id), keep))
            except Impossible as error:
                problems.append(f"{path}:{piece.line}: {error}")
                left.add(len(mended))
                mended.append(piece)
        items = [_in_milliseconds(piece.interaction) for piece in mended]
        warnings.extend(_echoes(path, found, known, items))
        keyed = becoming(mended, named(mended, items, redactor, every=True))
        return [one if n in left else one.accepted() for n, one in enumerate(keyed)]

    changed = revise(path, change, dry, step, as_is=True)
    return Revised(changed, Counter(), problems, warnings)


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
    """A piece whose frames say what `says` does. Impossible where that is not to be had.

    `before` is the recording of the same id as it was, if that is known.
    """
    if not piece.says_otherwise:
        new = _marked(piece.interaction)
        return piece if new is piece.interaction else piece.laid_anew(new)
    item = piece.interaction
    if (keep or _edited(piece, before)) is Keep.FRAMES:
        return piece.laid_anew(_marked(item))
    said = recut(dialect_answering(item), item.response, piece.says or "")
    return piece.laid_anew(_marked(item._replace(response=said)))


def _marked(item: Interaction) -> Interaction:
    """A recording that tells what its client is told now, if it has told what that was."""
    return marked(item) if header(item.response.headers, RENDERED.lower()) else item


def _edited(piece: Piece, before: Piece | None) -> Keep:
    """Which of the two was edited. Impossible if both were."""
    if piece.digests:
        edited = {"says", "answer"} & set(piece.altered)
        if len(edited) < 2:
            return Keep.SAYS if "says" in edited else Keep.FRAMES
    elif before is None or before.interaction.response.frames == piece.interaction.response.frames:
        return Keep.SAYS
    elif before.says == piece.says:
        return Keep.FRAMES
    raise Impossible(
        "both `says` and the frames were edited: choose with --keep says or --keep frames"
    )


def _in_milliseconds(item: Interaction) -> Interaction:
    """An interaction whose time is as exact as a file holds it."""
    return item._replace(recorded_at=round(item.recorded_at, 3))
