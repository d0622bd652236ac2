"""Several cassettes made one: put together, or merged as git merges, recording by recording.

Git merges lines, and two people who record in the same gap of a file conflict
although neither touched what the other wrote. Recordings have ids: one that only
one side added, changed or removed is no conflict. One that both sides have and
not alike is, and is marked as git marks it.
"""

import heapq
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from promptdeck.core.text.jsontext import JSON
from promptdeck.errors import CassetteError

from .dump import HEADER
from .edit import Content, Piece, by_id, content, edit, pieces, read_pieces
from .load import entries
from .save import Numbers, cut_number
from .section import section_in


class Merged(NamedTuple):
    """The outcome of `merge`."""

    recordings: int
    """In the file now."""
    duplicates: list[str]
    """Ids, as their own file had them, of what was there already."""
    renumbered: list[tuple[str, str]]
    """Ids that stood for another recording, before and after."""


def merge(target: Path, sources: Sequence[Path]) -> Merged:
    """Put all of `sources` into `target`, beside what it has; duplicates once, sorted by id.

    What one file has several times it has on purpose: so many times it stays. CassetteError,
    also for a source that cannot be read, leaves `target` as it was. All must have the
    same rules of their own.
    """
    found = [read_pieces(path) for path in sources if not _same(path, target)]
    section = _one_section([*([target] if target.exists() else []), *sources])
    duplicates: list[str] = []
    renumbered: list[tuple[str, str]] = []

    def change(before: list[Piece]) -> list[Piece]:
        kept, gone = _united([before, *found])
        duplicates.extend(gone)
        numbers = Numbers(())
        after = []
        for piece in kept:
            name = piece.interaction.id
            if not numbers.take(name):
                one = piece.interaction._replace(id=numbers.next(cut_number(name)[0]))
                piece = piece.becoming(one)
                renumbered.append((name, one.id))
            after.append(piece)
        return sorted(after, key=by_id)

    return Merged(
        len(edit(target, change, create=True, section=section).after), duplicates, renumbered
    )


def _one_section(paths: Sequence[Path]) -> JSON:
    """The rules that all of these files have. CassetteError where they are not the same."""
    found = [section_in(path) for path in paths]
    for path, section in zip(paths, found, strict=True):
        if section != found[0]:
            raise CassetteError(
                f"{path}: its section `match` is not that of {paths[0]}; make them alike first"
            )
    return found[0] if found else None


def _same(path: Path, other: Path) -> bool:
    """True if two paths lead to one file."""
    return os.path.realpath(path) == os.path.realpath(other)


def _united(files: Iterable[Sequence[Piece]]) -> tuple[list[Piece], list[str]]:
    """Each content as often as the file that has it most often, and the ids of what is left out."""
    have: Counter[Content] = Counter()
    kept: list[Piece] = []
    gone: list[str] = []
    for found in files:
        seen: Counter[Content] = Counter()
        for piece in found:
            what = content(piece.interaction)
            seen[what] += 1
            if seen[what] > have[what]:
                kept.append(piece)
            else:
                gone.append(piece.interaction.id)
        have |= seen
    return kept, gone


# As git merges


class NotByRecording(Exception):
    """These three files must be merged as text; the message says why."""


class ThreeWay(NamedTuple):
    """The outcome of a merge of two sides."""

    text: str
    """The whole file, with git's marks around conflicts."""
    conflicts: list[str]
    """Ids, in the order in which they stand in the text between marks."""


def three_way(base: bytes, ours: bytes, theirs: bytes, path: Path) -> ThreeWay:
    """Merge what both sides made of `base`, recording by recording; empty contents are no file.

    `path` is for messages. NotByRecording where the files must be merged as text.
    """
    headers, sides = zip(*(_side(data, path) for data in (base, ours, theirs)), strict=True)
    header = _settled(*headers)
    if header is None:
        raise NotByRecording("both sides changed what stands above the first recording")
    before, mine, other = sides
    merged: list[Piece] = []
    conflicts: list[str] = []
    for name in {**mine, **other}:
        found = [side.get(name) for side in (before, mine, other)]
        one = _settled(*map(_text, found))
        if one is None:
            conflicts.append(name)
            merged.append(_marked(*found[1:]))
        elif one:
            merged.append(next(piece for piece in found[1:] if piece and _text(piece) == one))
    placed = list(heapq.merge(*_by_side(merged, mine), key=by_id))
    text = header + "".join(f"\n{_text(piece)}\n" for piece in placed)
    if not conflicts:
        _check(text, placed, path)
    order = [piece.interaction.id for piece in placed]
    return ThreeWay(text, sorted(conflicts, key=order.index))


def _side(data: bytes, path: Path) -> tuple[str, dict[str, Piece]]:
    """The header and the recordings of one side, by their ids. NotByRecording."""
    if not data:
        return HEADER, {}
    try:
        header, found = pieces(data, path)
    except CassetteError as error:
        raise NotByRecording(str(error)) from None
    named = {piece.interaction.id: piece for piece in found}
    if len(named) < len(found):
        raise NotByRecording(f"{path}: an id stands more than once; run promptdeck cassette fix")
    return header, named


def _text(piece: Piece | None) -> str:
    """A piece's text without the empty lines around it; the empty text for none."""
    return piece.text.strip("\n") if piece else ""


def _settled(before: str, mine: str, other: str) -> str | None:
    """The text that both sides agree on or only one has changed; None for a conflict."""
    if mine == other or other == before:
        return mine
    return other if mine == before else None


_MARKS = ("<<<<<<< ours", "=======", ">>>>>>> theirs")


def _marked(mine: Piece | None, other: Piece | None) -> Piece:
    """Two pieces between git's marks, as one piece; one of them may have been removed."""
    begin, between, end = _MARKS
    texts = [f"{_text(piece)}\n" if piece else "" for piece in (mine, other)]
    text = f"{begin}\n{texts[0]}{between}\n{texts[1]}{end}\n"
    [one, *_] = filter(None, (mine, other))
    return one._replace(text=text)


def _by_side(merged: Iterable[Piece], mine: dict[str, Piece]) -> Iterator[list[Piece]]:
    """Two lists: our recordings in the order in which they stand, and new ones by their ids."""
    found = list(merged)
    yield [piece for piece in found if piece.interaction.id in mine]
    yield sorted((piece for piece in found if piece.interaction.id not in mine), key=by_id)


def _check(text: str, placed: Sequence[Piece], path: Path) -> None:
    """NotByRecording if a merged text does not read as these recordings."""
    try:
        written = [entry.interaction for entry in entries(text, str(path))]
    except CassetteError as error:
        raise NotByRecording(str(error)) from None
    if written != [piece.interaction for piece in placed]:
        raise NotByRecording(f"{path}: the merge would have altered a recording")
