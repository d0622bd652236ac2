"""What came signed with a tool's call, for clients that keep of an answer only what they know.

Such a client sends the call back, but neither the reasoning before it nor the signature on it,
and the provider refuses that or reasons anew. Here is kept what it left out: found by the call,
in bounded room, for this process.
"""

from collections import OrderedDict
from collections.abc import Iterator
from typing import NamedTuple

from promptdeck.core.dialects.base import value_of
from promptdeck.core.text.jsontext import JSON, canonical

from .neutral import (
    CallClosed,
    CallOpened,
    CallSaid,
    Passage,
    Prompt,
    Sealed,
    Signal,
    Signed,
    Thought,
    ToolCall,
    Utterance,
)

_MOST_BYTES = 16 * 2**20
"""A signed block is 1 to 20 KB, that of long reasoning more: this holds some thousand turns."""

_CallKey = tuple[str, str, bytes]
"""A call's id, name and arguments. Ids alone would not do: some servers call the first of each
answer `call_0`."""


class _Came(NamedTuple):
    """What came with a call."""

    thoughts: tuple[Thought, ...]
    """The signed blocks since the call before, or since the answer began."""
    signed: Signed | None


class Memory:
    """Signed calls of the answers that were heard last."""

    def __init__(self, most_bytes: int = _MOST_BYTES) -> None:
        self._most = most_bytes
        self._held: OrderedDict[_CallKey, _Came] = OrderedDict()
        self._bytes = 0

    def keep(self, key: _CallKey, came: _Came) -> None:
        """Remember what came with a call; what was not asked for longest gives way."""
        if (old := self._held.pop(key, None)) is not None:
            self._bytes -= _size(key, old)
        self._held[key] = came
        self._bytes += _size(key, came)
        while self._bytes > self._most:
            self._bytes -= _size(*self._held.popitem(last=False))

    def restored(self, prompt: Prompt) -> Prompt:
        """A prompt with what its client left out of the turns whose calls are known here.

        Turns that have a signature of their own stay as they are.
        """
        if not self._held:
            return prompt
        return prompt._replace(turns=tuple(map(self._restored, prompt.turns)))

    def _restored(self, turn: Utterance) -> Utterance:
        if turn.role != "assistant" or any(map(_is_signed, turn.parts)):
            return turn
        parts: list[Passage] = []
        for part in turn.parts:
            came = self._came_with(part) if isinstance(part, ToolCall) else None
            if came is None or not isinstance(part, ToolCall):
                parts.append(part)
                continue
            # The first call's stood before all text: models think, speak and call in this order.
            at = len(parts) if any(isinstance(one, ToolCall) for one in parts) else 0
            parts[at:at] = came.thoughts
            parts.append(part._replace(signed=came.signed))
        # The client's own text of the same reasoning gives way to the signed.
        if any(map(_is_signed, parts)):
            parts = [one for one in parts if not _is_bare(one)]
        return turn._replace(parts=tuple(parts))

    def _came_with(self, call: ToolCall) -> _Came | None:
        key = _key(call.id, call.name, call.arguments)
        if (came := self._held.get(key)) is not None:
            self._held.move_to_end(key)
        return came


class Listener:
    """Hears one answer, and has a memory keep what of it is signed."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory
        self._thoughts: dict[int, list[Thought]] = {}
        self._calls: dict[tuple[int, int], tuple[CallOpened, list[str], tuple[Thought, ...]]] = {}

    def hear(self, signal: Signal) -> None:
        """Take the next signal of the answer."""
        match signal:
            case Sealed(thought, choice):
                self._thoughts.setdefault(choice, []).append(thought)
            case CallOpened(number=number, choice=choice):
                thoughts = tuple(self._thoughts.pop(choice, ()))
                if thoughts or signal.signed:
                    self._calls[choice, number] = signal, [], thoughts
            case CallSaid(number, text, choice) if (choice, number) in self._calls:
                self._calls[choice, number][1].append(text)
            case CallClosed(number, choice) if (choice, number) in self._calls:
                call, said, thoughts = self._calls.pop((choice, number))
                key = _key(call.id, call.name, "".join(said))
                self._memory.keep(key, _Came(thoughts, call.signed))


def _key(id: str, name: str, arguments: str) -> _CallKey:  # noqa: A002  the call's own word
    value: JSON = value_of((arguments or "{}").encode("utf-8", "surrogatepass"))
    try:
        return id, name, canonical(value)
    except (TypeError, RecursionError):  # no JSON at all, or none that can be written
        return id, name, arguments.encode("utf-8", "surrogatepass")


def _size(key: _CallKey, came: _Came) -> int:
    """About how many bytes an entry takes."""
    texts = [*key[:2], *_texts(came)]
    return 500 + len(key[2]) + sum(map(len, texts))


def _texts(came: _Came) -> Iterator[str]:
    for thought in came.thoughts:
        yield thought.text
        if thought.signed:
            yield thought.signed.text
    if came.signed:
        yield came.signed.text


def _is_signed(part: Passage) -> bool:
    """True for reasoning or a call that has its signature."""
    return isinstance(part, Thought | ToolCall) and part.signed is not None


def _is_bare(part: Passage) -> bool:
    return isinstance(part, Thought) and part.signed is None
