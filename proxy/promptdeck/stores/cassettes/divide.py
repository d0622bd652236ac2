"""A cassette divided into several."""

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from promptdeck.core.interaction import Interaction
from promptdeck.core.text.jsontext import JSON
from promptdeck.errors import CassetteError, UsageError

from .edit import Piece, edit, read_pieces
from .file import path_of
from .section import section_in


def divide(
    folder: Path, name: str, part_of: Callable[[Interaction], str]
) -> Mapping[str, list[str]]:
    """Write each part of cassette `name` to a cassette `name/PART`.

    `part_of` names the part of a recording, in whatever letters. Each part has the rules of the
    cassette, which itself stays.
    Returns the ids in each new cassette. UsageError, before anything is written, if there is
    such a cassette that holds something else; CassetteError.
    """
    parts: dict[str, list[Piece]] = defaultdict(list)
    spelled: dict[str, str] = {}
    for piece in read_pieces(path_of(folder, name)):
        part = _fit(part_of(piece.interaction))
        # Where case does not count in file names, two such parts would be one file.
        parts[f"{name}/{spelled.setdefault(part.casefold(), part)}"].append(piece)
    for part, found in parts.items():
        path = path_of(folder, part)
        if path.exists() and _texts(read_pieces(path)) != _texts(found):
            raise UsageError(f"there is a cassette {part} already, and it holds something else")
    section = section_in(path_of(folder, name))
    for part, found in parts.items():
        _create(path_of(folder, part), found, section)
    return {part: [piece.interaction.id for piece in found] for part, found in parts.items()}


def _texts(found: Iterable[Piece]) -> list[str]:
    return [piece.text for piece in found]


def _create(path: Path, found: list[Piece], section: JSON) -> None:
    """Write a file of these pieces. CassetteError if there is another by now."""

    def change(before: list[Piece]) -> list[Piece]:
        if before and _texts(before) != _texts(found):
            raise CassetteError("somebody else has just written it; nothing was changed there")
        return found

    edit(path, change, create=True, section=section)


def _fit(part: str) -> str:
    """A text as a part of a cassette's name, `other` where nothing of it can be in one."""
    # 80 characters leave room for the rest of a name, which has at most 255 bytes on most disks.
    return re.sub(r"[^A-Za-z0-9._-]+", "-", part)[:80].strip(".-") or "other"
