"""What all changes of single recordings have in common: keys and ids made again.

Whatever changes a request changes its key and so its id. An id that a person chose stays.
"""

import heapq
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from promptdeck.core.interaction import Interaction
from promptdeck.core.matching.fingerprint import fingerprint, recording_id
from promptdeck.core.matching.normalize import normalize
from promptdeck.core.matching.rules import NO_RULES
from promptdeck.core.secrets.redact import Redactor

from .edit import Edit, Piece, by_id, edit
from .progress import Progress
from .save import Numbers


class Revised(NamedTuple):
    """The outcome of a change of recordings, done or not."""

    changed: list[tuple[str, str]]
    """Each recording that is written otherwise now: its id before and after."""
    secrets: Counter[str]
    """What was taken out, by its kind."""
    problems: list[str]
    """What only a person can decide, with its place."""
    warnings: Sequence[str] = ()
    """What a person should look at; nothing is wrong with the file."""


def revise(
    path: Path, change: Edit, dry: bool, step: Progress, *, as_is: bool = False
) -> list[tuple[str, str]]:
    """Change a file recording by recording, or only say how (`dry`). CassetteError.

    `as_is` takes recordings that somebody altered, too. `change` gives as many pieces as it
    was given, in their order; those with another id move to where that sorts. Returns the ids,
    before and after, of those written otherwise.
    """
    done: list[tuple[str, str]] = []

    def whole(before: list[Piece]) -> list[Piece]:
        after = change(before)
        done.extend(
            (old.interaction.id, new.interaction.id)
            for old, new in zip(before, after, strict=True)
            if new.text != old.text
        )
        return _placed(before, after)

    edit(path, whole, dry=dry, as_is=as_is, step=step)
    return done


def _placed(before: Sequence[Piece], after: Sequence[Piece]) -> list[Piece]:
    """The pieces `after` in the order of the file: those with another id go where it sorts."""
    pairs = list(zip(before, after, strict=True))
    stay = [new for old, new in pairs if new.interaction.id == old.interaction.id]
    move = [new for old, new in pairs if new.interaction.id != old.interaction.id]
    return list(heapq.merge(stay, sorted(move, key=by_id), key=by_id))


def becoming(before: Iterable[Piece], after: Iterable[Interaction]) -> list[Piece]:
    """Pieces with other interactions, one for each. CassetteError as `Piece.becoming` has it."""
    return [piece.becoming(item) for piece, item in zip(before, after, strict=True)]


def named(
    before: Sequence[Piece], new: Sequence[Interaction], redactor: Redactor, *, every: bool = False
) -> list[Interaction]:
    """The interactions `new` with keys and ids made again where they differ from their pieces.

    Where `every` is true, all are made again. An id that is not of the form that promptdeck
    gives stays.
    """
    keyed, stems = [], []
    for piece, item in zip(before, new, strict=True):
        stem = ""
        if every or item != piece.interaction:
            base = normalize(item.request, NO_RULES, redactor).canonical
            item = item._replace(key=fingerprint(base))
            if not item.id or _MADE.fullmatch(item.id):
                stem = recording_id(base, item.key, 0).removesuffix("0")
        keyed.append(item)
        stems.append(stem)
    names = _ids(keyed, stems)
    return [item._replace(id=name) for item, name in zip(keyed, names, strict=True)]


_MADE = re.compile(r"[0-9a-f]{6}-[0-9]{3,}-[0-9a-f]{8}-[0-9]{1,18}")


def _ids(items: Sequence[Interaction], stems: Sequence[str]) -> list[str]:
    """An id for each interaction: its own if that is on its stem and no other's, else the next.

    An interaction without a stem keeps its id, unless it stood there before. Where ids of
    a stem clash, all on it are numbered anew, in their order.
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
