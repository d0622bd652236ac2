"""Changing cassette files that exist, in one step each.

Every edit reads a file, decides, and writes it in one step under the folder's
lock. A recording that stays as it was keeps its text, comments and all; one
with another id or key gets other lines for these; any other is laid out anew.
One that somebody altered is left to `fix`: any other change would make it look as if it had
been recorded so. What was written is what was meant: the new text is read before it
replaces the old.
"""

import os
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from promptdeck.core.dialects.table import says
from promptdeck.core.interaction import Interaction, Request, Variant
from promptdeck.core.matching.fingerprint import order
from promptdeck.core.text.jsontext import JSON
from promptdeck.core.text.yamltext import flow
from promptdeck.errors import CassetteError

from .digests import digests_of
from .dump import HEADER, dump, header_with
from .file import contents, decoded, locked, overwrite
from .load import each_entry, entries, unaltered
from .progress import Progress, silently
from .save import laid_anew, split, with_comments
from .section import section_of


class Piece(NamedTuple):
    """An interaction and its text in a file, with the comments above it."""

    line: int
    """Where the interaction begins in its file, from 1."""
    text: str
    interaction: Interaction
    says: str | None
    """The readable text of the file, which a person may have edited; None for none."""
    digests: str = ""
    """The line of its digests; empty where it has none."""
    altered: tuple[str, ...] = ()
    """What of it is not as that line has it."""

    @property
    def says_otherwise(self) -> bool:
        """True if the readable text is not what the frames say: somebody edited one of them."""
        return self.says is not None and self.says != says(self.interaction)

    def becoming(self, new: Interaction) -> "Piece":
        """The piece with another interaction: other lines for id and key, or laid anew.

        CassetteError where that would lose an edited text.
        """
        old = self.interaction
        if new == old:
            return self
        if old._replace(id=new.id, key=new.key) == new:
            text = _relabelled(self.text, new)
            if _reads_as(text, new):
                return self._replace(text=text, interaction=new)
        if self.says_otherwise:
            raise CassetteError(f"{old.id}: {EDITED}")
        return self.laid_anew(new)

    def laid_anew(self, new: Interaction) -> "Piece":
        """The piece with an interaction as `dump` writes it, between the comments around it.

        Comments within are lost. CassetteError where no form keeps the interaction exactly.
        """
        begin, end = _LEAD.match(self.text), with_comments(self.text, len(self.text))
        lead, trail = begin[0] if begin else "", self.text[end:]
        text = lead + dump(new) + (trail if "#" in trail else "")
        told = says(new) or None
        digests = str(digests_of(new, told))
        return self._replace(text=text, interaction=new, says=told, digests=digests, altered=())

    def accepted(self) -> "Piece":
        """The piece with the digests that fit it: itself, with another line for them, or laid anew.

        Also laid anew is one of an older version, with blanks at line ends that a hook would
        strip. CassetteError as `laid_anew` has it.
        """
        digests = str(digests_of(self.interaction, self.says))
        if digests == self.digests:
            return self
        if _BLANK_END.search(self.text):
            return self.laid_anew(self.interaction)
        line = f"  digest: {flow(digests)}"
        text, found = _DIGEST.subn(line, self.text, count=1)
        if not found:
            end = with_comments(self.text, len(self.text))
            text = f"{self.text[:end]}{line}\n{self.text[end:]}"
        if _reads_as(text, self.interaction):
            return self._replace(text=text, digests=digests, altered=())
        return self.laid_anew(self.interaction)


EDITED = "`says` is not what the frames say; run promptdeck cassette fix first"
_LEAD = re.compile(r"(?:(?:#[^\n]*)?\n)*")
_DIGEST = re.compile(r"^  digest: .*$", re.MULTILINE)
_BLANK_END = re.compile(r"[^\S\n]$", re.MULTILINE)


def _reads_as(text: str, new: Interaction) -> bool:
    """True if an item's text is read as this interaction."""
    try:
        return [entry.interaction for entry in entries(HEADER + text)] == [new]
    except CassetteError:  # an id of several lines
        return False


def _relabelled(text: str, new: Interaction) -> str:
    """An item's text with the lines of its id and key exchanged, where it has such lines."""
    for field, value in (("id", new.id), ("key", new.key)):
        line = re.compile(rf"^(?:- |  ){field}: .*$", re.MULTILINE)
        if match := line.search(text):
            head = match[0].partition(": ")[0]
            text = f"{text[: match.start()]}{head}: {flow(value)}{text[match.end() :]}"
    return text


def pieces(
    data: bytes, path: Path, step: Progress = silently, *, as_is: bool = False
) -> tuple[str, list[Piece]]:
    """The header and, in order, the interactions of a file's contents.

    CassetteError names `path` and line; also for one that was altered, unless all are wanted
    `as_is`.
    """
    text = decoded(data, path)
    each = each_entry(text, str(path), step)
    found = list(each if as_is else unaltered(each, str(path)))
    header, items = split(text, path, as_is=as_is)
    if [item.id for item in items] == [entry.interaction.id for entry in found]:
        texts = [item.text for item in items]
    else:
        header = header_with(section_of(text))
        texts = [laid_anew(entry) for entry in found]
    laid = zip(found, texts, strict=True)
    return header, [
        Piece(line, text, one, told, digests, what)
        for (line, one, told, digests, what), text in laid
    ]


def read_pieces(path: Path) -> list[Piece]:
    """The interactions of a file in order. CassetteError names file and line."""
    return pieces(contents(path), path)[1]


Edit = Callable[[list[Piece]], list[Piece]]
"""From the pieces of a file to those it shall have. CassetteError says why it cannot be."""


class Edited(NamedTuple):
    """The pieces of a file before an edit and after it, done or not."""

    before: list[Piece]
    after: list[Piece]

    @property
    def differs(self) -> bool:
        """True if the text of the file is, or would be, another."""
        return [piece.text for piece in self.before] != [piece.text for piece in self.after]


def edit(
    path: Path,
    change: Edit,
    *,
    dry: bool = False,
    create: bool = False,
    as_is: bool = False,
    section: JSON = None,
    step: Progress = silently,
) -> Edited:
    """Change a file in one step, or only say how (`dry`).

    `create` makes the file and its folder where there is none, with a `section` of rules;
    `as_is` takes recordings that somebody altered, too. CassetteError leaves the file as it was.
    """
    real = Path(os.path.realpath(path))  # a link stays one
    with _writing(path):
        if create:
            real.parent.mkdir(parents=True, exist_ok=True)
        with locked(real.parent):
            new = create and not path.exists()
            header, before = header_with(section), list[Piece]()
            if not new:
                header, before = pieces(contents(path), path, _half(step, 0), as_is=as_is)
            try:
                edited = Edited(before, change(before))
            except CassetteError as error:
                raise CassetteError(f"{path}: {error}") from None
            if not dry and (new or edited.differs):
                overwrite(real, _whole(path, header, edited.after, _half(step, 1)))
    step(1)
    return edited


def _half(step: Progress, number: int) -> Progress:
    """A `Progress` for one half of an edit: reading (0), or reading what is to be written (1)."""
    return lambda share: step((number + share) / 2)


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    """A block in which an OSError becomes a CassetteError that names `path`."""
    try:
        yield
    except OSError as error:
        raise CassetteError(f"{path}: cannot be written: {error.strerror or error}") from None


def _whole(path: Path, header: str, found: Sequence[Piece], step: Progress) -> bytes:
    """The file to be written. CassetteError if it does not read as what is meant."""
    text = header + "".join(piece.text for piece in found)
    written = entries(text, str(path), step)
    if [entry.interaction for entry in written] != [piece.interaction for piece in found]:
        raise CassetteError(f"{path}: the edit would have altered a recording; nothing was changed")
    for entry, piece in zip(written, found, strict=True):
        # A file in another layout is laid anew, and with it goes what a person wrote there.
        if piece.says_otherwise and entry.says != piece.says:
            raise CassetteError(f"{path}:{piece.line}: {EDITED}")
    return text.encode()


Content = tuple[Request, Variant, int, str, bytes]
"""A request, and of its answer variant, status, content type and body."""


def content(item: Interaction) -> Content:
    """Equal for duplicates: recordings of one request and the same bytes, at whatever times."""
    response = item.response
    return item.request, item.variant, response.status, response.content_type, response.body


def by_id(piece: Piece) -> list[tuple[int, str]]:
    """The key by which pieces sort in a file."""
    return order(piece.interaction.id)
