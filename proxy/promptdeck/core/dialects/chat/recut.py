"""A recorded stream with another text, as if the model had said it.

Only the frames that carry the text are cut anew, in the style of those that
did. All others, with tool calls, finish reason, usage and end marker, stay byte
for byte, and the new frames share the time of the old ones.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from promptdeck.core.interaction import Frame, Response
from promptdeck.core.text import sse
from promptdeck.core.text.jsontext import Unfaithful, compact, parse, render, style_of

from .cut import words
from .deltas import JSONObject, as_object, index_of, objects_in
from .fold import fold
from .saying import says


class Impossible(ValueError):
    """A stream cannot be made to say a text; the message says why."""


class _TextLeaf(NamedTuple):
    """The place of a text in an answer: a choice's message, and a key in it."""

    choice: int
    """The choice's index."""
    field: str


# What a stream deals out in words and `says` shows; the text of a call would have to stay JSON.
_TEXTS = ("content", "reasoning_content", "reasoning", "refusal")
# Stands for a text while `says` is looked at: private characters, which no model writes in a row.
_MARK = "\ue000\ue001text\ue001\ue000"


def recut(response: Response, told: str) -> Response:
    """The stream `response` with one of its texts replaced, so that `says` gives `told` for it.

    Impossible if no change of a single text does, or if its frames cannot be read or deal out
    no such text.
    """
    for leaf, before, after in _around(response):
        fits = told.startswith(before) and told.endswith(after)
        if fits and len(told) > len(before) + len(after):
            text = told[len(before) : len(told) - len(after)]
            new = Response(response.status, response.headers, _with(response.frames, leaf, text))
            if says(new) == told:
                return new
    raise Impossible(
        "`says` was edited in more than one text at a time, or in what is no text of the answer,"
        " such as a tool call"
    )


def _around(response: Response) -> Iterator[tuple[_TextLeaf, str, str]]:
    """Each text that may be edited, and what `says` has before and after it."""
    try:
        answer = fold(frame.data for frame in response.frames)
    except Unfaithful as error:
        raise Impossible(f"its frames cannot be read: {error}") from None
    for choice in objects_in([answer.get("choices")]):
        message = as_object(choice.get("message"))
        for field in _TEXTS:
            if isinstance(text := message.get(field), str) and text:
                message[field] = _MARK
                before, mark, after = _says(answer).partition(_MARK)
                message[field] = text
                if mark:
                    yield _TextLeaf(choice["index"], field), before, after


def _says(answer: JSONObject) -> str:
    """The text that `says` gives for a completion."""
    return says(Response(200, (), (Frame(0, compact(answer)),)))


class _Carrier(NamedTuple):
    """A frame that carries some of the text."""

    frame: Frame
    data: str
    """The frame's data, as it is written."""
    style: str
    """The name of the style that its JSON is written in."""
    value: JSONObject
    """The chunk in `data`."""
    choice: JSONObject
    """The choice in `value` that has the text."""
    field: str
    """The key of the text in the choice's delta."""
    plain: bool
    """True if it carries nothing else, so that there may be more or fewer of its kind."""

    def saying(self, text: str) -> bytes:
        """The frame's bytes with `text` in place of its own. It alters `value`."""
        self.choice["delta"][self.field] = text
        # They were those of the old tokens.
        if "logprobs" in self.choice:
            self.choice["logprobs"] = None
        written = render(self.value, self.style)
        return self.frame.data.replace(self.data.encode(), written.encode(), 1)


def _with(frames: Sequence[Frame], leaf: _TextLeaf, text: str) -> tuple[Frame, ...]:
    """The frames with `text` in place of the one that they have at `leaf`; or Impossible."""
    carriers = {n: found for n, frame in enumerate(frames) if (found := _carrier(frame, leaf))}
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
        else:
            new.append(frame)
    return tuple(_in_time(new))


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


def _carrier(frame: Frame, leaf: _TextLeaf) -> _Carrier | None:
    """The frame, read, if it carries some of the text at `leaf`; Impossible if it tells it all."""
    data = sse.parse(frame.data).data or ""
    try:
        value = as_object(parse(data))
    except Unfaithful:
        return None
    choices = objects_in([value.get("choices")])
    choice = next(_of_leaf(choices, leaf), None)
    if choice is None:
        return None
    if "message" in choice:
        raise Impossible("its frames repeat the whole message so far")
    # OpenAI pads its chunks with `obfuscation`, which may come more or fewer times.
    alone = choice["delta"].keys() <= {leaf.field, "obfuscation"} and len(choices) == 1
    plain = alone and choice.get("finish_reason") is None and value.get("usage") is None
    style = style_of(data, value) or "compact"
    return _Carrier(frame, data, style, value, choice, leaf.field, plain)


def _of_leaf(choices: Sequence[JSONObject], leaf: _TextLeaf) -> Iterator[JSONObject]:
    """The choices of a chunk that have some of the text at `leaf`."""
    for choice in choices:
        text = as_object(choice.get("delta")).get(leaf.field)
        if index_of(choice, 0) == leaf.choice and isinstance(text, str) and text:
            yield choice


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
