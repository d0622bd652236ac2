"""The items of an answer's output as they are told, event by event."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from promptdeck.core.dialects.pieces import as_list, as_object
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
    Weighed,
)
from promptdeck.core.text.jsontext import JSON, JSONObject

from .wrapping import Of, wrapped


class _PartKind(NamedTuple):
    """How a part of an item is told."""

    place: str
    """The list in the item in which it stands."""
    part: str
    """The beginning of the type of the events of its begin and end."""
    text: str
    """That of those that tell its text."""
    key: str = "text"


_CONTENT = "content_part"
_KINDS: Mapping[str, _PartKind] = {
    "output_text": _PartKind("content", _CONTENT, "output_text"),
    "refusal": _PartKind("content", _CONTENT, "refusal", "refusal"),
    "reasoning_text": _PartKind("content", _CONTENT, "reasoning_text"),
    "summary_text": _PartKind("summary", "reasoning_summary_part", "reasoning_summary_text"),
}
_CITATIONS = ("file_citation", "container_file_citation", "file_path")


class _ToldItem(NamedTuple):
    """The message, or the block of reasoning, that is being told."""

    item: JSONObject
    at: int
    """Its place in the output."""


class _ToldPart(NamedTuple):
    """The part of it that is."""

    kind: str
    value: JSONObject
    at: JSONObject
    """What its events say of where it is."""
    pieces: list[str]
    begins: int
    """Where its text begins in the text of the whole answer."""


class ToldOutput:
    """The output of one response: each signal gives the events that tell of it.

    They have no sequence number yet, and hold values that go on growing: each is to be written
    before the next is asked for. Calls may be under way beside a message or reasoning that is.
    """

    def __init__(self, stem: str, spaces: Mapping[str, tuple[str, str]]) -> None:
        """`stem` makes ids of items; `spaces` has the namespace and the name of tools that are
        known by another name upstream."""
        self.items: list[JSONObject] = []
        """The output as far as it has been told."""
        self.asides: list[JSON] = []
        """What another provider has and this protocol has not."""
        self._stem = stem
        self._spaces = spaces
        self._open: _ToldItem | None = None
        self._part: _ToldPart | None = None
        self._calls: dict[int, tuple[_ToldItem, list[str]]] = {}
        self._phase: JSON = None
        self._mark: Signed | None = None
        """The signature of the message that is under way."""
        self._spoken = 0

    def tell(self, signal: Signal) -> Iterator[JSONObject]:
        """The events of a signal; none of one that tells nothing of the output."""
        match signal:
            case Spoken() | Declined() | Mused():
                yield from self._text(signal)
            case Sealed():
                yield from self._sealed(signal)
            case Marked(signed):
                yield from self._marked(signed)
            case CallOpened() | CallSaid() | CallClosed():
                yield from self._called(signal)
            case Cited(citation):
                inner = as_object(citation.get("url_citation"))
                yield from self._cited({"type": "url_citation", **self._placed(inner)})
            case Weighed(content):
                yield from self._weighed([_weight(one) for one in content])
            case Aside(part):
                yield from self._beside(part)
            case _:
                pass

    def close(self, status: str) -> Iterator[JSONObject]:
        """The ends of all that is under way; `status` is what became of it."""
        yield from self._shut(status)
        for number in list(self._calls):
            yield from self._called(CallClosed(number), status)

    # Messages and reasoning

    def _text(self, signal: Spoken | Declined | Mused) -> Iterator[JSONObject]:
        if isinstance(signal, Mused):
            kind = "summary_text" if signal.is_summary else "reasoning_text"
            yield from self._said("reasoning", kind, signal.text)
        elif isinstance(signal, Declined):
            yield from self._said("message", "refusal", signal.text)
        else:
            if self._mark is not None:  # it is of what came before
                yield from self._shut()
            yield from self._said("message", "output_text", signal.text)
            self._spoken += len(signal.text)

    def _said(self, kind: str, part: str, text: str) -> Iterator[JSONObject]:
        """A piece of text in a part of a kind, of an item of a kind: both are opened if need be."""
        yield from self._opened(kind, part)
        if self._part is None or not text:
            return
        self._part.pieces.append(text)
        event = {"type": f"response.{_KINDS[part].text}.delta", **self._part.at, "delta": text}
        yield event | ({"logprobs": []} if part == "output_text" else {})

    def _opened(self, kind: str, part: str) -> Iterator[JSONObject]:
        if self._open is None or self._open.item["type"] != kind:
            yield from self._shut()
            yield from self._begun(kind)
        if self._open is None or (self._part is not None and self._part.kind == part):
            return
        yield from self._part_shut()
        how = _KINDS[part]
        value: JSONObject = {"type": part, how.key: ""}
        if part == "output_text":
            value |= {"annotations": [], "logprobs": []}
        parts = self._open.item.setdefault(how.place, [])
        number = "summary_index" if how.place == "summary" else "content_index"
        at = {"item_id": self._open.item["id"], "output_index": self._open.at}
        at[number] = len(parts)
        parts.append(value)
        self._part = _ToldPart(part, value, at, [], self._spoken)
        yield {"type": f"response.{how.part}.added", **at, "part": value}

    def _begun(self, kind: str, name: str = "") -> Iterator[JSONObject]:
        if kind == "message":
            item = self._made("msg", name) | {"type": kind, "role": "assistant", "content": []}
            item["status"] = "in_progress"
            if self._phase is not None:
                item["phase"], self._phase = self._phase, None
        else:
            item = self._made("rs", name) | {"type": kind, "summary": []}
        self._open = _ToldItem(item, len(self.items))
        yield self._added(item)

    def _made(self, prefix: str, name: str = "") -> JSONObject:
        """An item's beginning: its id, which is made unless it has one."""
        return {"id": name or f"{prefix}_{self._stem}_{len(self.items)}"}

    def _added(self, item: JSONObject) -> JSONObject:
        """The event that begins an item, which is the output's last then."""
        self.items.append(item)
        index = len(self.items) - 1
        begun = {"output_index": index, "item": item}
        return {"type": "response.output_item.added", **begun}

    def _part_shut(self) -> Iterator[JSONObject]:
        if (part := self._part) is None:
            return
        self._part = None
        how = _KINDS[part.kind]
        text = part.value[how.key] = "".join(part.pieces)
        logprobs = {"logprobs": part.value["logprobs"]} if part.kind == "output_text" else {}
        yield {"type": f"response.{how.text}.done", **part.at, how.key: text, **logprobs}
        yield {"type": f"response.{how.part}.done", **part.at, "part": part.value}

    def _shut(self, status: str = "completed") -> Iterator[JSONObject]:
        """The end of the message, or of the reasoning, that is under way."""
        yield from self._part_shut()
        if (item := self._open) is None:
            return
        self._open = None
        if "status" in item.item:
            item.item["status"] = status
        yield {
            "type": "response.output_item.done",
            "output_index": item.at,
            "item": item.item,
        }
        if self._mark is not None:
            signed, self._mark = self._mark, None
            yield from self._signature(signed, "text")

    def _sealed(self, signal: Sealed) -> Iterator[JSONObject]:
        """A block of reasoning that has ended: the one under way, or one that had no text."""
        thought = signal.thought
        is_told = self._part is not None and self._open is not None
        if (
            self._open is None
            or self._open.item["type"] != "reasoning"
            or (is_told and not thought.text)
        ):
            yield from self._shut()
            yield from self._begun("reasoning", thought.id)
            kind = "summary_text" if thought.is_summary else "reasoning_text"
            if thought.text:
                yield from self._said("reasoning", kind, thought.text)
        if self._open is not None and thought.signed is not None:
            of: Of = "hidden" if thought.is_hidden else "thought"
            sealed = wrapped(thought.signed, of, thought.text)
            self._open.item["encrypted_content"] = sealed
        yield from self._shut()

    def _marked(self, signed: Signed) -> Iterator[JSONObject]:
        """The signature of a text, which is told when that is done: sources may be told yet."""
        if self._open is not None and self._open.item["type"] == "message":
            self._mark = signed
        else:
            yield from self._signature(signed, "text")

    def _signature(self, signed: Signed, of: Of) -> Iterator[JSONObject]:
        """A signature of what is no reasoning, as an item of its own."""
        yield from self._shut()
        yield from self._begun("reasoning")
        if self._open is not None:
            self._open.item["encrypted_content"] = wrapped(signed, of)
        yield from self._shut()

    # What belongs to a text

    def _placed(self, citation: JSONObject) -> JSONObject:
        """A citation whose places are those of its part; all of it that the SDK's type wants."""
        begins = self._part.begins if self._part is not None else self._spoken
        places = {
            key: max(citation[key] - begins, 0) if type(citation.get(key)) is int else 0
            for key in ("start_index", "end_index")
        }
        texts = {key: str(citation.get(key) or "") for key in ("title", "url")}
        return {**citation, **places, **texts}

    def _cited(self, annotation: JSONObject) -> Iterator[JSONObject]:
        yield from self._opened("message", "output_text")
        if self._part is None:
            return
        annotations = self._part.value["annotations"]
        annotations.append(annotation)
        at = {**self._part.at, "annotation_index": len(annotations) - 1}
        kind = "response.output_text.annotation.added"
        yield {"type": kind, **at, "annotation": annotation}

    def _weighed(self, tokens: list[JSONObject]) -> Iterator[JSONObject]:
        """Log probabilities: they ride on a piece of text, be it empty."""
        yield from self._opened("message", "output_text")
        if self._part is None:
            return
        self._part.value["logprobs"].extend(tokens)
        kind = "response.output_text.delta"
        yield {"type": kind, **self._part.at, "delta": "", "logprobs": tokens}

    def _beside(self, part: Foreign) -> Iterator[JSONObject]:
        """What one provider has alone: of this very protocol a phase, an annotation, an item."""
        kind = part.value.get("type")
        if part.dialect != "responses":
            self.asides.append({"dialect": part.dialect, **part.value})
        elif kind == "phase":
            yield from self._shut()
            self._phase = part.value.get("phase")
        elif kind in _CITATIONS:
            yield from self._cited(part.value)
        elif kind is not None:
            yield from self._shut()
            yield self._added(part.value)
            at = {"output_index": len(self.items) - 1, "item": part.value}
            yield {"type": "response.output_item.done", **at}

    # Calls

    def _called(
        self, signal: CallOpened | CallSaid | CallClosed, status: str = "completed"
    ) -> Iterator[JSONObject]:
        if isinstance(signal, CallOpened):
            if signal.signed is not None:
                yield from self._signature(signal.signed, "call")
            yield from self._shut()
            item = self._call(signal)
            self._calls[signal.number] = (_ToldItem(item, len(self.items)), [])
            yield self._added(item)
            return
        if signal.number not in self._calls:
            return
        (item, index), pieces = self._calls[signal.number]
        is_custom = item["type"] == "custom_tool_call"
        kind = (
            "response.custom_tool_call_input" if is_custom else ("response.function_call_arguments")
        )
        at = {"item_id": item["id"], "output_index": index}
        if isinstance(signal, CallSaid):
            pieces.append(signal.text)
            yield {"type": f"{kind}.delta", **at, "delta": signal.text}
            return
        del self._calls[signal.number]
        key = "input" if is_custom else "arguments"
        item[key] = "".join(pieces)
        if "status" in item:
            item["status"] = status
        named = {} if is_custom else {"name": item["name"]}
        yield {"type": f"{kind}.done", **at, **named, key: item[key]}
        yield {"type": "response.output_item.done", "output_index": index, "item": item}

    def _call(self, signal: CallOpened) -> JSONObject:
        space, name = self._spaces.get(signal.name, ("", signal.name))
        named = {"call_id": signal.id, "name": name} | ({"namespace": space} if space else {})
        if signal.is_custom:
            return {**self._made("ctc"), "type": "custom_tool_call", **named, "input": ""}
        item = {**self._made("fc"), "type": "function_call", **named, "arguments": ""}
        return {**item, "status": "in_progress"}


def _weight(told: JSONObject) -> JSONObject:
    """A token's log probability, with its bytes, which may not be left out here."""

    def whole(one: JSONObject) -> JSONObject:
        token = str(one.get("token", ""))
        told: Any = one.get("bytes")
        own = told if isinstance(told, list) else list(token.encode("utf-8", "surrogatepass"))
        return {**one, "token": token, "bytes": own}

    top = [whole(one) for one in as_list(told.get("top_logprobs")) if isinstance(one, dict)]
    return {**whole(told), "top_logprobs": top}
