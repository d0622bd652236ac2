"""A recorded stream with another text, as if the model had said it.

Only the frames that carry the text are written anew, in the style of those that
did. All others, with tool calls, finish reason, usage and end marker, stay byte
for byte, and the new frames share the time of the old ones.
"""

from collections.abc import Hashable, Iterator, Mapping, Sequence
from typing import NamedTuple

from promptdeck.core.interaction import Frame, Response
from promptdeck.core.text.jsontext import JSON, Unfaithful, parse, render, style_of
from promptdeck.core.text.lines import data_of

from .base import Dialect
from .pieces import as_object, whole_characters, words
from .streamed import Impossible, Streamed, TextLeaf

# Stands for a text while what is said is looked at: private characters, which no model writes
# in a row.
_MARK = "\ue000\ue001text\ue001\ue000"


def recut(dialect: Dialect, response: Response, told: str) -> Response:
    """The stream `response` with one of its texts replaced, so that it says `told`.

    Impossible if no change of a single text does, or if its frames cannot be read or deal out
    no such text.
    """
    if not isinstance(dialect, Streamed):
        raise Impossible("the text of such an answer cannot be put into its stream")
    for slot, before, after in _around(dialect, response):
        fits = told.startswith(before) and told.endswith(after)
        if fits and len(told) > len(before) + len(after):
            text = told[len(before) : len(told) - len(after)]
            frames = _with(dialect, response.frames, slot, text)
            new = Response(response.status, response.headers, frames)
            if dialect.says(new) == told:
                return new
    raise Impossible(
        "`says` was edited in more than one text at a time, or in what is no text of the answer,"
        " such as a tool call"
    )


def _around(dialect: Streamed, response: Response) -> Iterator[tuple[Hashable, str, str]]:
    """Each text that may be edited, and what is said before and after it."""
    try:
        answer = dialect.message(response)
    except Unfaithful as error:
        raise Impossible(f"its frames cannot be read: {error}") from None
    for leaf in [*dialect.texts(answer)]:
        if text := leaf.text:
            leaf.holder[leaf.key] = _MARK
            before, mark, after = whole_characters(dialect.text_of(answer)).partition(_MARK)
            leaf.holder[leaf.key] = text
            if mark:
                yield leaf.slot, before, after


class _Carrier(NamedTuple):
    """A frame that carries some of the text, or repeats it."""

    frame: Frame
    data: str
    """The frame's data, as it is written."""
    style: str
    """The name of the style that its JSON is written in."""
    value: JSON
    """The value in `data`."""
    leaves: list[TextLeaf]
    """The places of the text in `value`."""

    @property
    def deals(self) -> bool:
        """True if it carries a part of the text, False if it repeats the whole."""
        return all(leaf.deals for leaf in self.leaves)

    @property
    def plain(self) -> bool:
        """True if it carries nothing else, so that there may be more or fewer of its kind."""
        return self.deals and all(leaf.alone for leaf in self.leaves)

    def saying(self, text: str) -> bytes:
        """The frame's bytes with `text` in place of its own. It alters `value`."""
        for leaf in self.leaves:
            leaf.holder[leaf.key] = text
            # They were those of the old tokens.
            if logprobs := as_object(leaf.logprobs).get("logprobs"):
                leaf.logprobs["logprobs"] = [] if isinstance(logprobs, list) else None
        written = render(self.value, self.style)
        lines = "\ndata: ".join(written.split("\n"))
        old = "\ndata: ".join(self.data.split("\n"))
        return self.frame.data.replace(old.encode(), lines.encode(), 1)


def _with(
    dialect: Streamed, frames: Sequence[Frame], slot: Hashable, text: str
) -> tuple[Frame, ...]:
    """The frames with `text` in place of the one that they have in a slot; or Impossible."""
    found = _carriers(dialect, frames, slot)
    carriers = {n: carrier for n, carrier in found.items() if carrier.deals}
    if not carriers:
        raise Impossible("its frames hold no deltas of the text")
    spoken = words(text)
    counts = _counts(carriers, max(1, len(spoken)))
    total = sum(counts.values())
    offsets = [carrier.frame.offset_ms for carrier in carriers.values()]
    moments, texts = _moments(offsets[0], offsets[-1], total), _dealt(spoken, total)
    new: list[Frame] = []
    for n, frame in enumerate(frames):
        if n in carriers:
            new += (Frame(next(moments), carriers[n].saying(next(texts))) for _ in range(counts[n]))
        elif n in found:
            new.append(Frame(frame.offset_ms, found[n].saying(text)))
        else:
            new.append(frame)
    return tuple(_in_time(new))


def _carriers(dialect: Streamed, frames: Sequence[Frame], slot: Hashable) -> dict[int, _Carrier]:
    """The frames that carry some of the text in a slot, or all of it again, by their number."""
    texts = [data_of(frame.data) for frame in frames]
    values = [as_object(_read(text)) for text in texts]
    leaves: dict[int, list[TextLeaf]] = {}
    for n, leaf in dialect.dealt(values):
        if leaf.slot == slot and leaf.text:
            leaves.setdefault(n, []).append(leaf)
    return {
        n: _Carrier(frames[n], texts[n], style_of(texts[n], values[n]) or "compact", values[n], own)
        for n, own in leaves.items()
    }


def _read(text: str) -> JSON:
    try:
        return parse(text)
    except Unfaithful:
        return None


def _counts(carriers: Mapping[int, _Carrier], wanted: int) -> dict[int, int]:
    """The number of frames that take each carrier's place, by the carrier's number in the stream.

    All together as many as are wanted, as far as the plain ones allow: those at the end go
    first, and the last of them is the one that is repeated.
    """
    counts = dict.fromkeys(carriers, 1)
    plain = [n for n, carrier in carriers.items() if carrier.plain]
    surplus = len(carriers) - wanted
    if surplus > 0:
        counts.update(dict.fromkeys(plain[-surplus:], 0))
    elif plain:
        counts[plain[-1]] -= surplus
    return counts


def _dealt(words: Sequence[str], count: int) -> Iterator[str]:
    """All the words in `count` texts, as evenly as may be; some are empty if there are fewer."""
    total = len(words)
    return ("".join(words[n * total // count : (n + 1) * total // count]) for n in range(count))


def _moments(first: int, last: int, count: int) -> Iterator[int]:
    """`count` moments from `first` to `last`, in even steps."""
    return (first + (last - first) * n // max(1, count - 1) for n in range(count))


def _in_time(frames: Sequence[Frame]) -> Iterator[Frame]:
    """The frames, none before the one it follows: others may stand between the new ones."""
    now = 0
    for frame in frames:
        now = max(now, frame.offset_ms)
        yield Frame(now, frame.data)
