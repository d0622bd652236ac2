"""The message that a stream of events adds up to, as it would have come without `stream`.

What the SDK's own accumulator makes of a stream (anthropic 2.14, `lib/streaming`) is made
here, and what that leaves out is kept: members that it has never heard of.
"""

from collections.abc import Iterable

from promptdeck.core.dialects.pieces import OTHER_EVENTS, as_list, as_object, index_of, typed
from promptdeck.core.text.jsontext import JSON, JSONObject, parse

# Strings of a delta that are whole, where all others go on from delta to delta.
_WHOLE = ("signature", "content", "encrypted_content")
_ENVELOPE = ("type", "delta", "usage")
# All that are known; those that are not read below tell nothing of a message.
_READ = frozenset(
    """message_start content_block_start content_block_delta content_block_stop message_delta
    message_stop ping error""".split()
)


def fold(frames: Iterable[bytes]) -> JSONObject:
    """The message that a stream's frames add up to; an empty object without `message_start`.

    Unfaithful if the data of an event is no JSON, or a tool's arguments add up to none.
    """
    message: JSONObject = {}
    blocks: dict[int, Block] = {}
    others: list[JSON] = []
    for kind, value in typed(frames):
        index = index_of(value, len(blocks))
        if kind == "message_start" and not message:
            message = {**as_object(value.get("message"))}
            blocks = dict(enumerate(map(Block, as_list(message.get("content")))))
        elif kind == "content_block_start":
            blocks[index] = Block(value.get("content_block"))
        elif kind == "content_block_delta" and index in blocks:
            blocks[index].grow(as_object(value.get("delta")))
        elif kind == "message_delta":
            _end(message, value)
        elif kind not in _READ:
            others.append(value)
    message |= _beside(message, others)
    if message or blocks:
        message["content"] = [blocks[index].whole() for index in sorted(blocks)]
    for block in message.get("content", ()):
        # Another model went on: the answer is its (anthropic 2.14, `_beta_messages.py`).
        if as_object(block).get("type") == "fallback":
            message["model"] = as_object(block.get("to")).get("model", message.get("model"))
    return message


def _beside(message: JSONObject, others: list[JSON]) -> JSONObject:
    """The member `other_events` of a folded message, as an object to be merged into it.

    Empty where `others`, the unknown events of the stream, are none, or there is no message.
    """
    told = [*as_list(message.get(OTHER_EVENTS)), *others]
    return {OTHER_EVENTS: told} if message and others else {}


def _end(message: JSONObject, value: JSONObject) -> None:
    """Take over what a `message_delta` tells: its counts are totals, so they replace."""
    usage = {**as_object(message.get("usage"))}
    rest = {key: item for key, item in value.items() if key not in _ENVELOPE}
    _replace(message, as_object(value.get("delta")) | rest)
    if told := as_object(value.get("usage")):
        _replace(usage, told)
        message["usage"] = usage


def _replace(holder: JSONObject, told: JSONObject) -> None:
    """Put members in the place of those of an object; null says nothing of what is there."""
    holder |= {key: item for key, item in told.items() if item is not None or key not in holder}


class Block:
    """One block of the content, on its way."""

    def __init__(self, begun: JSON) -> None:
        self._value: JSON = {**begun} if isinstance(begun, dict) else begun
        self._arguments: list[str] = []

    @property
    def arguments(self) -> str:
        """What has come of a call's arguments, as text."""
        return "".join(self._arguments)

    def grow(self, delta: JSONObject) -> None:
        """Add a delta: text goes on, citations are gathered, arguments wait for their end."""
        if not isinstance(value := self._value, dict):
            return
        for key, more in delta.items():
            old = value.get(key)
            if key == "partial_json" and isinstance(more, str):
                self._arguments.append(more)
            elif key == "citation":
                value["citations"] = [*as_list(value.get("citations")), more]
            elif key != "type":
                goes_on = key not in _WHOLE and isinstance(old, str) and isinstance(more, str)
                value[key] = old + more if goes_on else more

    def whole(self) -> JSON:
        """The block, with the arguments of its call read. Unfaithful if they are no JSON."""
        if text := self.arguments.strip():
            self._value["input"] = parse(text)
        elif self._arguments:
            self._value.setdefault("input", {})
        return self._value
