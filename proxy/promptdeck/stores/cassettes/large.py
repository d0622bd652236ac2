"""A large recording as an item of a file, written and proven a part at a time.

To write an answer of 16 MB as `dump` does, and to read it back, takes ten times its size. Here
a word of its own stands for each long text, what is left is written and read back as any other
item, and the texts come in its place in parts, each read back by itself. Of a stream some frames
are written and read back at a time.
"""

import base64
import re
from collections.abc import Iterator, Sequence
from itertools import count
from typing import NamedTuple

import xxhash

from promptdeck.core.interaction import Frame, Interaction, Request, Response
from promptdeck.core.text.jsontext import load, render
from promptdeck.core.text.outline import long_values, parts_of
from promptdeck.core.text.yamltext import quoted_part
from promptdeck.errors import CassetteError

from .digests import digests_of
from .dump import FORMS, as_stream, dump, reads_back, template_of, written
from .load import Template
from .reader import BadYAML, scalar

_LONG = 64 * 1024
"""Bytes of a text, and of a frame, from which it is written apart."""
_AT_ONCE = 128 * 1024
"""Bytes of frames that are written and read back at once."""
_FEW = 64
"""Frames of which two have the template, if any have one."""
_LINES = 57 * 1024
"""Bytes that make whole lines of base64 (RFC 2045: 57 to a line of 76)."""


class _LongText(NamedTuple):
    """Bytes that are written in the place of a word."""

    word: str
    data: bytes
    begin: int
    end: int
    style: str = ""
    """How a string of JSON is written, by its name in `jsontext`; empty for bytes of any kind."""

    def parts(self) -> Iterator[bytes]:
        """Them in parts that can each be read by themselves, or at least decoded."""
        return parts_of(self.data, self.begin, self.end)


def pieces(interaction: Interaction) -> Iterator[bytes]:
    """The text of one interaction as `dump` gives it, but for its `says` and long texts: in pieces.

    CassetteError if no form keeps it exactly, perhaps after some pieces.
    """
    frames = interaction.response.frames
    found = _stream(interaction) if as_stream(interaction.response) else _whole(interaction)
    for text in found if frames else [dump(interaction)]:
        yield text if isinstance(text, bytes) else text.encode()


# One body


def _whole(interaction: Interaction) -> Iterator[str | bytes]:
    """The text of an interaction whose answer is no stream."""
    for attempt in (_as_json, _as_text):
        if made := attempt(interaction):
            text, texts = made
            break
    else:
        text, texts = _as_base64(interaction)
    yield from _filled(_sealed(text, interaction), texts)


def _with_body(interaction: Interaction, body: bytes) -> Interaction:
    """The interaction with another body of its answer."""
    response = interaction.response
    [frame] = response.frames
    frames = (Frame(frame.offset_ms, body),)
    return interaction._replace(response=Response(response.status, response.headers, frames))


def _as_json(interaction: Interaction) -> tuple[str, dict[str, _LongText]] | None:
    """An item with words for the long texts of a body that is JSON, and these by their words.

    None where it is none that can be written again, or long without them.
    """
    [(_, body)] = interaction.response.frames
    words = _words(body)
    texts = {
        word: _LongText(word, body, begin, end)
        for (begin, end), word in zip(long_values(body, _LONG), words, strict=False)
    }
    short: list[bytes] = []
    at = 0
    for one in texts.values():
        short += (body[at : one.begin], one.word.encode())
        at = one.end
    item = _with_body(interaction, b"".join([*short, body[at:]]))
    text = _proven(item) if len(item.response.body) < _AT_ONCE else None
    told = (text or "").partition("\n  response:")[2]
    if text is None or "\n    json:" not in told:
        return None
    style = re.search(r"\n    style: (.+)\n", told)
    named = style[1].removesuffix(" newline") if style else "compact"
    texts = {word: one._replace(style=named) for word, one in texts.items()}
    return (text, texts) if all(map(_is_written_so, texts.values())) else None


def _is_written_so(text: _LongText) -> bool:
    """True if each part of a text of JSON is written again as it is by its style."""
    for part in text.parts():
        literal = b'"%b"' % part
        try:
            if render(load(literal), text.style).encode() != literal:
                return False
        except ValueError:
            return False
    return True


def _as_text(interaction: Interaction) -> tuple[str, dict[str, _LongText]] | None:
    """An item with a word for a body that is text; None where it is none."""
    [(_, body)] = interaction.response.frames
    if not _is_text(body):
        return None
    word = next(_words(body))
    text = _proven(_with_body(interaction, word.encode()))
    return (text, {word: _LongText(word, body, 0, len(body))}) if text else None


def _as_base64(interaction: Interaction) -> tuple[str, dict[str, _LongText]]:
    """An item with a word for a body of any bytes."""
    [(_, body)] = interaction.response.frames
    word = next(_words(body))
    if text := _proven(_with_body(interaction, word.encode())):
        lined = text.replace(f"\n    text: {word}\n", f"\n    base64: |-\n{word}\n")
        return lined, {word: _LongText(word, body, 0, len(body), "base64")}
    raise CassetteError(f"recording {interaction.id} cannot be written as YAML without loss")


def _is_text(data: bytes) -> bool:
    """True if bytes are UTF-8."""
    try:
        for part in parts_of(data, 0, len(data)):
            part.decode()
    except UnicodeDecodeError:
        return False
    return True


def _words(data: bytes) -> Iterator[str]:
    """Words that stand for texts, of which none is in the data or in any other."""
    name = xxhash.xxh3_128_hexdigest(data)
    return (f"long{name}text{number:06}" for number in count())


def _proven(item: Interaction) -> str | None:
    """The text of an item that reads back as it; None where the richest form does not."""
    try:
        text = written(item, FORMS[0], told="")
        return text if reads_back(text, item) else None
    except (CassetteError, ValueError, TypeError, OverflowError, RecursionError):
        return None


def _sealed(text: str, interaction: Interaction) -> str:
    """An item's text with the digests of the interaction that it is to be."""
    begin, _, _ = text.rpartition("\n  digest: ")
    return f"{begin}\n  digest: {digests_of(interaction, None)}\n"


def _filled(text: str, texts: dict[str, _LongText]) -> Iterator[str | bytes]:
    """A text with what its words stand for. CassetteError where a part does not read back."""
    for part in re.split(r'("?long[0-9a-f]{32}text[0-9]{6}"?)', text):
        if found := texts.get(part.strip('"')):
            yield from _lines(found) if found.style == "base64" else _quoted(found.parts(), found)
        else:
            yield part


def _lines(text: _LongText) -> Iterator[bytes]:
    """Bytes as indented lines of base64, without the last line's end."""
    for at in range(0, len(text.data), _LINES):
        lines = base64.encodebytes(text.data[at : at + _LINES])
        last = at + _LINES >= len(text.data)
        yield (
            b"      "
            + lines.removesuffix(b"\n").replace(b"\n", b"\n      ")
            + (b"" if last else b"\n")
        )


def _quoted(parts: Iterator[bytes], of: _LongText) -> Iterator[str]:
    """A text in double quotes, by the parts in which it comes."""
    yield '"'
    for part in parts:
        text = load(b'"%b"' % part) if of.style else part.decode()
        shown = quoted_part(text)
        if not _reads(shown, text):
            raise CassetteError("a long text cannot be written as YAML without loss")
        yield shown
    yield '"'


def _reads(shown: str, text: str) -> bool:
    """True if what is shown in double quotes is read as a text."""
    try:
        return bool(scalar(f'"{shown}"') == text)
    except BadYAML:
        return False


# Frames


def _stream(interaction: Interaction) -> Iterator[str | bytes]:
    """The text of an interaction whose answer is a stream."""
    frames = interaction.response.frames
    template = template_of([frame for frame in frames[:_FEW] if len(frame.data) < _LONG])
    head, _ = _rows(interaction, (Frame(0, b"data: x\n\n"),), template)
    yield head
    # Whatever was asked, rows are the same.
    bare = interaction._replace(request=Request("GET", "/", "", b""))
    some: list[Frame] = []
    held = 0
    for frame in frames:
        if len(frame.data) >= _LONG:
            yield from _group(bare, some, template)
            some, held = [], 0
            yield from _row(frame)
            continue
        some.append(frame)
        held += len(frame.data)
        if held > _AT_ONCE:
            yield from _group(bare, some, template)
            some, held = [], 0
    yield from _group(bare, some, template)
    yield f"  digest: {digests_of(interaction, None)}\n"


def _group(
    interaction: Interaction, frames: Sequence[Frame], template: Template | None
) -> Iterator[str]:
    """The rows of some frames."""
    if frames:
        yield _rows(interaction, frames, template)[1]


def _rows(
    interaction: Interaction, frames: Sequence[Frame], template: Template | None
) -> tuple[str, str]:
    """The text of an item with these frames alone, up to its rows, and the rows.

    CassetteError if no form keeps them exactly.
    """
    response = interaction.response._replace(frames=tuple(frames))
    item = interaction._replace(response=response)
    for form in FORMS:
        try:
            text = written(item, form, template, told="")
            if reads_back(text, item):
                begin, rows, rest = text.partition("\n    frames:\n")
                return begin + rows, rest.rpartition("  digest: ")[0]
        except (CassetteError, ValueError, TypeError, OverflowError, RecursionError):
            continue
    raise CassetteError(f"recording {interaction.id} cannot be written as YAML without loss")


def _row(frame: Frame) -> Iterator[str | bytes]:
    """The row of a frame that is written apart."""
    ms, data = frame
    ended = data.endswith(b"\n\n")
    yield f"    - [{ms}, "
    if _is_text(data):
        yield "" if ended else '"exact", '
        size = len(data) - 2 * ended
        whole = _LongText("", data, 0, size)
        yield from _quoted(whole.parts(), whole)
    else:
        yield '"base64", "'
        for at in range(0, len(data), _LINES):
            yield base64.b64encode(data[at : at + _LINES])
        yield '"'
    yield "]\n"
