"""A request's input as turns: the items of one turn of the model's are one turn."""

from collections.abc import Iterator, Mapping

from promptdeck.core.dialects.pieces import as_list, as_object
from promptdeck.core.dialects.translate.aim import Untranslatable
from promptdeck.core.dialects.translate.neutral import (
    Foreign,
    Paper,
    Passage,
    Picture,
    Regret,
    Role,
    Signed,
    Sound,
    Thought,
    ToolCall,
    ToolResult,
    Utterance,
    Words,
)
from promptdeck.core.text.jsontext import JSON, JSONObject

from .namespaces import flat
from .wrapping import unwrapped

_ROLES: Mapping[JSON, Role] = {
    "user": "user",
    "assistant": "assistant",
    "system": "system",
    "developer": "system",
}
_CALLS = {"function_call": "arguments", "custom_tool_call": "input"}
_RESULTS = ("function_call_output", "custom_tool_call_output")
# What stands for a conversation that nobody else can read.
_KEPT = {
    "item_reference": "the item is kept by its provider: send the item itself",
    "compaction": "what was said before is encrypted for its provider",
}


def turns_of(asked: JSON) -> tuple[list[Utterance], list[JSON]]:
    """The turns of an input, and the tools that are added amid it.

    Untranslatable where the input, or a part of it, cannot be understood or is kept elsewhere.
    """
    if isinstance(asked, str):
        return [Utterance("user", (Words(asked),), "$.input")], []
    if asked is not None and not isinstance(asked, list):
        raise Untranslatable("$.input must be a string or a list of items", param="$.input")
    reading = _ReadItems()
    for number, item in enumerate(as_list(asked)):
        reading.read(item, f"$.input[{number}]")
    return reading.turns, reading.tools


class _ReadItems:
    """An input that is being read, item by item."""

    def __init__(self) -> None:
        self.turns: list[Utterance] = []
        self.tools: list[JSON] = []
        self._names: dict[str, str] = {}
        """By its id: the tool that a call was of."""
        self._for_call: Signed | None = None
        """The signature of the call that comes next."""

    def read(self, item: JSON, path: str) -> None:
        if not isinstance(item, dict):
            raise Untranslatable(f"{path} must be an item", param=path)
        kind = item.get("type", "message")
        if not isinstance(kind, str):
            raise Untranslatable(f"{path}.type must be a string", param=f"{path}.type")
        if kind == "message":
            self._message(item, path)
        elif kind == "reasoning":
            self._reasoning(item, path)
        elif kind in _CALLS:
            self._by_model(self._call(item, kind), path)
        elif kind in _RESULTS:
            self.turns.append(Utterance("user", (self._result(item, kind, path),), path))
        elif kind == "additional_tools":
            self.tools += as_list(item.get("tools"))
        elif kind in _KEPT:
            raise Untranslatable(f"{path} cannot be sent: {_KEPT[kind]}", param=path)
        else:
            self._by_model(Foreign("responses", item), path)

    def _by_model(self, part: Passage, path: str) -> None:
        """Add a part to the turn of the model's that is under way, or begin one."""
        if self.turns and self.turns[-1].role == "assistant":
            turn = self.turns[-1]
            self.turns[-1] = turn._replace(parts=(*turn.parts, part))
        else:
            self.turns.append(Utterance("assistant", (part,), path))

    def _message(self, item: JSONObject, path: str) -> None:
        told = item.get("role")
        role = _ROLES.get(told) if isinstance(told, str) else None
        if role is None:
            place = f"{path}.role"
            raise Untranslatable(f"{place} must be one of {', '.join(_ROLES)}", param=place)
        parts = list(_parts(item.get("content"), f"{path}.content"))
        if role != "assistant":
            self.turns.append(Utterance(role, tuple(parts), path))
            return
        # Its phase is for OpenAI's models alone, and no part of what was said.
        for part in parts:
            self._by_model(part, path)

    def _reasoning(self, item: JSONObject, path: str) -> None:
        """Reasoning; or the signature of the call behind it, or of the text before it."""
        encrypted, name = item.get("encrypted_content"), item.get("id")
        # Whose it is where promptdeck has not sealed it: of which model is not said.
        made = unwrapped(encrypted, "openai") if isinstance(encrypted, str) and encrypted else None
        if made is not None and made.of == "call":
            self._for_call = made.signed
            return
        if made is not None and made.of == "text":
            self._mark(made.signed, path)
            return
        content, summary = (
            [part["text"] for part in map(as_object, as_list(item.get(place))) if _has_text(part)]
            for place in ("content", "summary")
        )
        text = "".join(content) if content else "\n\n".join(summary)
        thought = Thought(
            (made.text if made else "") or text,
            made.signed if made else None,
            is_hidden=made is not None and (made.of == "hidden" if made.of else not text),
            is_summary=bool(summary) and not content,
            id=name if isinstance(name, str) else "",
        )
        self._by_model(thought, path)

    def _mark(self, signed: Signed, path: str) -> None:
        """Give the text before it its signature; one without a text has an empty one."""
        turn = self.turns[-1] if self.turns else None
        last = turn.parts[-1] if turn is not None and turn.parts else None
        if turn is not None and turn.role == "assistant" and isinstance(last, Words):
            parts = (*turn.parts[:-1], last._replace(signed=signed))
            self.turns[-1] = turn._replace(parts=parts)
        else:
            self._by_model(Words("", signed=signed), path)

    def _call(self, item: JSONObject, kind: str) -> ToolCall:
        name = flat(item.get("namespace"), item.get("name"))
        ids = (item.get("call_id"), item.get("id"))
        own = next((one for one in ids if isinstance(one, str) and one), "")
        self._names[own] = name
        signed, self._for_call = self._for_call, None
        arguments = item.get(_CALLS[kind])
        said = arguments if isinstance(arguments, str) else ""
        return ToolCall(own, name, said, signed, kind == "custom_tool_call")

    def _result(self, item: JSONObject, kind: str, path: str) -> ToolResult:
        own = item.get("call_id")
        own = own if isinstance(own, str) else ""
        name = self._names.get(own) or flat(item.get("namespace"), item.get("name"))
        parts = tuple(_parts(item.get("output"), f"{path}.output"))
        return ToolResult(own, name, parts, is_custom=kind == "custom_tool_call_output")


def _has_text(part: JSONObject) -> bool:
    return isinstance(part.get("text"), str)


def _parts(content: JSON, path: str) -> Iterator[Passage]:
    """The parts of a content that is a text, or a list of them."""
    if content is None:
        return
    if isinstance(content, str):
        yield Words(content)
        return
    if not isinstance(content, list):
        raise Untranslatable(f"{path} must be a string or a list of parts", param=path)
    for number, part in enumerate(map(as_object, content)):
        yield _part(part, f"{path}[{number}]")


def _part(part: JSONObject, path: str) -> Passage:
    match part:
        case {"type": "input_text" | "output_text" | "text" | "summary_text", "text": str(text)}:
            citations = map(as_object, as_list(part.get("annotations")))
            cited = tuple(_citation(one) for one in citations if one.get("type") == "url_citation")
            return Words(text, _mark_of(part), citations=cited)
        case {"type": "refusal", "refusal": str(text)}:
            return Regret(text)
        case {"type": "input_image"}:
            url = part.get("image_url") or part.get("file_id")
            detail = part.get("detail")
            if isinstance(url, str):
                told = detail if isinstance(detail, str) and detail != "auto" else ""
                return Picture(url, detail=told, cache=_mark_of(part))
        case {"type": "input_file"}:
            return _file(part)
        case {"type": "input_audio", "input_audio": {"data": str(data), "format": str(form)}}:
            return Sound(data, form)
        case _:
            pass
    kind = part.get("type")
    raise Untranslatable(f"{path} cannot be sent: a part of type {kind} is not known", param=path)


def _citation(annotation: JSONObject) -> JSONObject:
    inner = {key: value for key, value in annotation.items() if key != "type"}
    return {"type": "url_citation", "url_citation": inner}


def _file(part: JSONObject) -> Paper:
    named = {
        name: value if isinstance(value := part.get(key), str) else ""
        for name, key in (("id", "file_id"), ("name", "filename"))
    }
    data, url = part.get("file_data"), part.get("file_url")
    where = data if isinstance(data, str) and data else url
    if where is data and isinstance(data, str) and not data.startswith("data:"):
        kind = "text/plain" if named["name"].endswith((".txt", ".md")) else "application/pdf"
        where = f"data:{kind};base64,{data}"
    return Paper(where if isinstance(where, str) else "", cache=_mark_of(part), **named)


def _mark_of(part: JSONObject) -> JSON:
    """A breakpoint of the cache in Anthropic's form, whose longer lifetime is an hour."""
    if not isinstance(mark := part.get("prompt_cache_breakpoint"), dict):
        return None
    return {"type": "ephemeral"} | ({"ttl": "1h"} if "ttl" in mark else {})
