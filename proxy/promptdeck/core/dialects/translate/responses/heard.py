"""The items of an answer's output as they come: text, reasoning, calls, and OpenAI's own tools."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from promptdeck.core.dialects.pieces import as_list, as_object
from promptdeck.core.dialects.translate.aim import Aim
from promptdeck.core.dialects.translate.naming import own_name
from promptdeck.core.dialects.translate.neutral import (
    Aside,
    CallClosed,
    CallOpened,
    CallSaid,
    Cited,
    Declined,
    Foreign,
    Marked,
    Mused,
    Sealed,
    Signal,
    Signed,
    Spoken,
    Thought,
    Weighed,
)
from promptdeck.core.text.jsontext import JSON, JSONObject

from .wrapping import unwrapped

# By the type of an event without its `response.` and its `.delta` or `.done`: the type of its
# item, the list in it in which its text stands, the name of the place there, the text's key.
_TEXTS: Mapping[str, tuple[str, str, str, str]] = {
    "output_text": ("message", "content", "content_index", "text"),
    "refusal": ("message", "content", "content_index", "refusal"),
    "reasoning_text": ("reasoning", "content", "content_index", "text"),
    "reasoning_summary_text": ("reasoning", "summary", "summary_index", "text"),
    # As they were called before July 2025, and still are by some servers.
    "reasoning": ("reasoning", "content", "content_index", "text"),
    "reasoning_summary": ("reasoning", "summary", "summary_index", "text"),
    "function_call_arguments": ("function_call", "", "", "arguments"),
    "custom_tool_call_input": ("custom_tool_call", "", "", "input"),
}
# By the type of an event that tells a part as it is done: the list in which that stands.
_WHOLE = {"content_part": "content", "reasoning_summary_part": "summary"}
# The parts of an item, and the text's key in each.
_PARTS: Mapping[JSON, str] = {
    "output_text": "text",
    "text": "text",
    "refusal": "refusal",
    "reasoning_text": "text",
    "summary_text": "text",
}
_CALLS = {"function_call": "arguments", "custom_tool_call": "input"}


@dataclass
class _HeardPart:
    """A text that is under way: how much of it was told, and what of what belongs to it."""

    pieces: list[str] = field(default_factory=list)
    begins: int = 0
    """Where it begins in the whole text of the answer."""
    cited: int = 0
    weighed: int = 0

    @property
    def told(self) -> str:
        """What was told of it."""
        return "".join(self.pieces)


@dataclass
class _HeardItem:
    """An item that is under way."""

    kind: str
    number: int = -1
    """Which call it is."""
    is_open: bool = False
    """Whether the call was told of: not before its name is known."""
    parts: dict[tuple[str, int], _HeardPart] = field(default_factory=dict)
    phase: str = ""
    first: JSONObject = field(default_factory=dict)
    """The item as it began: some have all in it, and tell it in pieces once more."""
    is_done: bool = False


class HeardItems:
    """What was heard of an answer's items: each event gives what it tells anew."""

    def __init__(self, aim: Aim) -> None:
        self._aim = aim
        self._items: dict[int, _HeardItem] = {}
        self._spoken = 0
        self._for_call: Signed | None = None
        """The signature of the call that comes next."""
        self.calls = 0
        """How many calls there were."""

    def heard(self, kind: str, value: JSONObject) -> Iterator[Signal]:
        """The signals of an event of an item; none of any other."""
        index = value.get("output_index")
        at = index if type(index) is int else max(self._items, default=0)
        if kind in ("response.output_item.added", "response.output_item.done"):
            told = as_object(value.get("item"))
            yield from self._whole(at, told, is_done=kind.endswith(".done"))
            return
        what, _, step = kind.removeprefix("response.").rpartition(".")
        if what in _TEXTS:
            yield from self._text(at, what, step, value)
        elif (item := self._items.get(at)) is None or item.is_done or item.number >= 0:
            return  # nothing but a message and reasoning has parts
        elif what == "output_text.annotation":
            part = self._part(item, "content", value.get("content_index"))
            yield from self._annotated(part, [value.get("annotation")])
        elif what in _WHOLE and step == "done":
            place = _WHOLE[what]
            yield from self._told(item, place, value.get(f"{place}_index"), value.get("part"))

    def rest(self, output: list[JSON]) -> Iterator[Signal]:
        """What the whole output tells of items, and no event has; and the ends of those."""
        # One that leaves some out has other places: only what is of one kind there is the same.
        for at, told in enumerate(map(as_object, output)):
            item = self._items.get(at)
            if item.kind == told.get("type") if item else len(self._items) <= at:
                yield from self._whole(at, told, is_done=True)
        for at, item in [*self._items.items()]:
            if item.first and not item.is_done:
                yield from self._whole(at, item.first, is_done=True)
            if item.number >= 0 and not item.is_done:
                item.is_done = True
                yield from self._closed(item)

    def _whole(self, at: int, told: JSONObject, *, is_done: bool) -> Iterator[Signal]:
        """An item as it begins or as it is done: what of it was not told before."""
        kind = told.get("type")
        if not isinstance(kind, str):
            return
        if at not in self._items:
            yield from self._begun(at, kind, told)
        item = self._items[at]
        if item.is_done or item.kind != kind:
            return
        item.is_done = is_done
        if not is_done:
            item.first = told
            if kind in _CALLS and not item.is_open:
                yield from self._opened(item, told)
            yield from self._phased(item, told)
        elif kind in _CALLS:
            yield from self._called(item, told)
        elif kind in ("message", "reasoning"):
            yield from self._phased(item, told)
            for place in ("summary", "content"):
                for number, part in enumerate(as_list(told.get(place))):
                    yield from self._told(item, place, number, part)
            yield from self._sealed(item, told)
        else:
            yield Aside(Foreign("responses", told))

    def _begun(self, at: int, kind: str, told: JSONObject) -> Iterator[Signal]:
        """An item that was not heard of before."""
        item = self._items[at] = _HeardItem(kind)
        if kind in _CALLS:
            item.number, self.calls = self.calls, self.calls + 1
            if told.get("name"):
                yield from self._opened(item, told)
        yield from self._phased(item, told)

    def _phased(self, item: _HeardItem, told: JSONObject) -> Iterator[Signal]:
        """In which phase a message is spoken: told once, as soon as it is known."""
        phase = told.get("phase")
        if item.kind == "message" and not item.phase and isinstance(phase, str) and phase:
            item.phase = phase
            yield Aside(Foreign("responses", {"type": "phase", "phase": phase}))

    def _called(self, item: _HeardItem, told: JSONObject) -> Iterator[Signal]:
        """A call that is done."""
        if not item.is_open:
            yield from self._opened(item, told)
        arguments = told.get(_CALLS[item.kind])
        yield from self._more(item, self._part(item, "", 0), item.kind, arguments)
        yield from self._closed(item)

    def _opened(self, item: _HeardItem, told: JSONObject) -> Iterator[Signal]:
        """The beginning of a call, with what has come of its arguments before its name."""
        item.is_open = True
        ids = (told.get("call_id"), told.get("id"), f"call_{item.number}")
        name = told.get("name")
        yield CallOpened(
            item.number,
            next(one for one in ids if isinstance(one, str) and one),
            own_name(name) if isinstance(name, str) else "",
            self._for_call,
            is_custom=item.kind == "custom_tool_call",
        )
        self._for_call = None
        if said := "".join(part.told for part in item.parts.values()):
            yield CallSaid(item.number, said)

    def _closed(self, item: _HeardItem) -> Iterator[Signal]:
        """The end of a call; one without arguments has an empty object of them."""
        if not item.is_open:
            yield from self._opened(item, {})
        if item.kind == "function_call" and not any(part.pieces for part in item.parts.values()):
            yield CallSaid(item.number, "{}")
        yield CallClosed(item.number)

    def _text(self, at: int, what: str, step: str, value: JSONObject) -> Iterator[Signal]:
        """An event that tells a piece of a text, or all of it."""
        kind, place, number, key = _TEXTS[what]
        if at not in self._items:
            named = {"call_id": value.get("item_id"), "name": value.get("name")}
            yield from self._begun(at, kind, named)
        item = self._items[at]
        if item.kind != kind or item.is_done:
            return
        part = self._part(item, place, value.get(number) if number else 0)
        if step == "delta":
            yield from self._said(item, part, what, value.get("delta"))
        else:
            yield from self._more(item, part, what, value.get(key))
        if what == "output_text":
            yield from self._weighed(part, value.get("logprobs"), is_all=step != "delta")

    def _told(self, item: _HeardItem, place: str, number: JSON, told: JSON) -> Iterator[Signal]:
        """A part of an item as it is done."""
        value = as_object(told)
        kind = value.get("type")
        key = _PARTS.get(kind) if isinstance(kind, str) else None
        if key is None:
            return
        part = self._part(item, place, number)
        what = {"summary": "reasoning_summary_text"}.get(place, str(value["type"]))
        yield from self._more(item, part, what, value.get(key))
        yield from self._weighed(part, value.get("logprobs"), is_all=True)
        yield from self._annotated(part, as_list(value.get("annotations"))[part.cited :])

    def _part(self, item: _HeardItem, place: str, number: JSON) -> _HeardPart:
        at = (place, number if type(number) is int else 0)
        if at not in item.parts:
            item.parts[at] = _HeardPart(begins=self._spoken)
        return item.parts[at]

    def _more(self, item: _HeardItem, part: _HeardPart, what: str, text: JSON) -> Iterator[Signal]:
        """What a whole text has beyond what was told of it; nothing where it is another text."""
        told = part.told
        if isinstance(text, str) and text.startswith(told):
            yield from self._said(item, part, what, text[len(told) :])

    def _said(self, item: _HeardItem, part: _HeardPart, what: str, text: JSON) -> Iterator[Signal]:
        """A piece of a text."""
        if not isinstance(text, str) or not text:
            return
        is_first = not part.pieces
        part.pieces.append(text)
        if item.number >= 0:
            if item.is_open:
                yield CallSaid(item.number, text)
        elif item.kind == "reasoning":
            # Parts of a summary are paragraphs: nothing else would keep them apart.
            others = sum(1 for one in item.parts.values() if one.pieces)
            if is_first and others > 1:
                yield Mused("\n\n", is_summary="summary" in what)
            yield Mused(text, is_summary="summary" in what)
        elif what == "refusal":
            yield Declined(text)
        else:
            self._spoken += len(text)
            yield Spoken(text)

    def _sealed(self, item: _HeardItem, told: JSONObject) -> Iterator[Signal]:
        """A block of reasoning that is done, where its item has what it can be sent back by."""
        encrypted = told.get("encrypted_content")
        if not item.is_done or not isinstance(encrypted, str) or not encrypted:
            return
        signed, of, text = unwrapped(encrypted, self._aim.upstream, self._aim.model)
        if of == "call":
            self._for_call = signed
            return
        if of == "text":
            yield Marked(signed)
            return
        texts = [part.told for part in item.parts.values() if part.pieces]
        places = [place for (place, _), part in item.parts.items() if part.pieces]
        name = told.get("id")
        yield Sealed(
            Thought(
                text or "\n\n".join(texts),
                signed,
                is_hidden=of == "hidden" if of else not texts,
                is_summary="summary" in places,
                id=name if isinstance(name, str) else "",
            )
        )

    def _annotated(self, part: _HeardPart, annotations: list[JSON]) -> Iterator[Signal]:
        """Sources, by their place in the whole text of the answer."""
        for annotation in map(as_object, annotations):
            part.cited += 1
            if annotation.get("type") != "url_citation":
                if annotation:
                    yield Aside(Foreign("responses", annotation))
                continue
            inner = {key: value for key, value in annotation.items() if key != "type"}
            for key in ("start_index", "end_index"):
                if type(inner.get(key)) is int:
                    inner[key] += part.begins
            yield Cited({"type": "url_citation", "url_citation": inner})

    def _weighed(self, part: _HeardPart, logprobs: JSON, *, is_all: bool) -> Iterator[Signal]:
        """Log probabilities that were not told before: the next ones, or all up to here."""
        told = [one for one in as_list(logprobs) if isinstance(one, dict)]
        new = told[part.weighed :] if is_all else told
        part.weighed += len(new)
        if new:
            yield Weighed(tuple(_weight(one) for one in new))


def _weight(told: JSONObject) -> JSONObject:
    """A token's log probability as chat completions have it: none leaves out its bytes there."""
    return {"bytes": None, **told, "top_logprobs": [
        {"bytes": None, **one} for one in as_list(told.get("top_logprobs")) if isinstance(one, dict)
    ]}  # fmt: skip
