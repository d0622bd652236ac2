"""Recordings taken out of a cassette: those nobody asks for, and repeated answers."""

from collections import defaultdict
from collections.abc import Callable, Collection, Hashable, Iterable, Sequence
from itertools import takewhile
from pathlib import Path

from promptdeck.core.interaction import Interaction, Request

from .edit import Content, Piece, content, edit
from .file import in_recorded_order
from .progress import Progress, silently

RequestName = Callable[[Interaction], Hashable]
"""Names the request that a recording answers: equal for those that replay plays in turn."""


def dedupe(
    path: Path, asked: RequestName, *, least: int = 1, dry: bool = False, step: Progress = silently
) -> list[str]:
    """Take out answers that replay does without, as it repeats a request's last one.

    Those are the later ones of equal answers at the end of what was recorded of a
    request: A, B, B becomes A, B, while A, B, A stays. At least `least` of each request
    stay. Returns the ids of those that went, or would go (`dry`). CassetteError.
    """
    return _take_out(path, lambda found: _spare(found, asked, least), dry, step)


def dedupe_anywhere(path: Path, *, dry: bool = False, step: Progress = silently) -> list[str]:
    """Take out all but the first of each content: A, B, A becomes A, B.

    Returns the ids of those that went, or would go (`dry`). CassetteError.
    """
    return _take_out(path, _repeated, dry, step)


def prune(
    path: Path, unused: Collection[str], *, dry: bool = False, step: Progress = silently
) -> list[str]:
    """Take out the recordings with these ids.

    Returns the ids of those that went, or would go (`dry`). CassetteError.
    """
    return _take_out(
        path, lambda found: [one for one in found if one.interaction.id in unused], dry, step
    )


def _take_out(
    path: Path, chosen: Callable[[list[Piece]], list[Piece]], dry: bool, step: Progress
) -> list[str]:
    """Take out of a file the pieces that `chosen` picks of all; returns their ids."""
    gone: list[str] = []

    def change(before: list[Piece]) -> list[Piece]:
        # By identity: equal recordings may stand in a file twice.
        going = set(map(id, chosen(before)))
        gone.extend(piece.interaction.id for piece in before if id(piece) in going)
        return [piece for piece in before if id(piece) not in going]

    edit(path, change, dry=dry, step=step)
    return gone


def _repeated(found: Iterable[Piece]) -> list[Piece]:
    """All but the first of each content."""
    first: dict[Content, Piece] = {}
    return [
        piece for piece in found if first.setdefault(content(piece.interaction), piece) is not piece
    ]


def _spare(found: Iterable[Piece], asked: RequestName, least: int) -> list[Piece]:
    """The answers that replay does without, request by request."""
    turns: dict[Hashable, list[Piece]] = defaultdict(list)
    for piece in in_recorded_order(found, lambda piece: piece.interaction):
        turns[asked(piece.interaction), piece.interaction.variant].append(piece)
    return [piece for group in turns.values() for piece in _spare_turns(group, least)]


def _spare_turns(group: Sequence[Piece], least: int) -> list[Piece]:
    """Of what answers one request, in turn, those that are the same as the last; `least` stay."""
    last = _answer(group[-1])
    run = list(takewhile(lambda piece: _answer(piece) == last, reversed(group)))[::-1]
    # A rule may make requests equal that differ: each keeps an answer for when it is gone.
    first: dict[Request, Piece] = {}
    spare = [one for one in run if first.setdefault(one.interaction.request, one) is not one]
    return spare[max(0, len(spare) - (len(group) - least)) :] if len(group) > least else []


def _answer(piece: Piece) -> tuple[object, ...]:
    """Equal for answers that are the same: status, content type and body."""
    _, _, *answer = content(piece.interaction)
    return tuple(answer)
