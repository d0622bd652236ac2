"""The messages of a chat request as turns of a prompt."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from promptdeck.core.dialects.base import MARKERS
from promptdeck.core.dialects.pieces import as_list, as_object, index_of, objects_in, written
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

from . import details
from .calls import signature_of
from .details import Detail, Standing

_ROLES: Mapping[str, Role] = {
    "system": "system",
    "developer": "system",
    "user": "user",
    "assistant": "assistant",
    "tool": "user",
    "function": "user",
}


class _CallsMade(NamedTuple):
    """The calls that were made so far."""

    names: dict[str, str]
    """The tool's name, by the call's id."""
    customs: set[str]
    """The ids of those that took text."""
    unanswered: list[str]
    """The ids of calls of functions, which have none of their own on the wire, by name."""


def turns_of(messages: JSON) -> Iterator[Utterance]:
    """The turns of a request's messages, one for each. Untranslatable at what cannot be read."""
    if isinstance(messages, str):
        messages = [{"role": "user", "content": messages}]
    said = _CallsMade({}, set(), [])
    for at, message in enumerate(as_list(messages)):
        path = f"$.messages[{at}]"
        role = message.get("role") if isinstance(message, dict) else None
        if not isinstance(role, str) or role not in _ROLES:
            raise Untranslatable(f"{path} must be a message with a known role", param=path)
        kind: str = role
        if kind in ("tool", "function"):
            parts: tuple[Passage, ...] = (_result(message, kind, said, path),)
        elif kind == "assistant":
            parts = tuple(_assistant(message, said, path, at))
        else:
            parts = _content(message.get("content"), path, mark_of(message))
        name = message.get("name") if kind != "function" else None
        yield Utterance(_ROLES[kind], parts, path, name if isinstance(name, str) else "")


def _result(message: JSONObject, kind: str, said: _CallsMade, path: str) -> ToolResult:
    parts = _content(message.get("content"), path, None)
    name = message.get("name")
    if kind == "function":
        named = next((one for one in said.unanswered if said.names[one] == name), "")
        if named:
            said.unanswered.remove(named)
    else:
        answered = message.get("tool_call_id")
        named = answered if isinstance(answered, str) else ""
    return ToolResult(
        named,
        said.names.get(named) or (name if isinstance(name, str) else ""),
        parts,
        message.get("is_error") is True,
        named in said.customs,
        mark_of(message),
    )


def _assistant(message: JSONObject, said: _CallsMade, path: str, at: int) -> Iterator[Passage]:
    """What a message of the assistant holds, in the order in which it was said.

    Where a block of reasoning stood amid text or calls is told by its detail; of all else the
    order is reasoning, text, calls.
    """
    found = _with_native(details.read(message), message)
    calls = [*_calls(message, said, at)]
    ids = {call.id for call in calls}
    # OpenRouter's entry for a signature of Google's on a call has the call's id and says no more.
    found = [
        one._replace(of="call") if one.thought.is_hidden and one.thought.id in ids else one
        for one in found
    ]
    signers = {one.thought.id: one.thought.signed for one in found if one.of == "call"}
    calls = [call._replace(signed=signers.get(call.id) or call.signed) for call in calls]
    found = [one for one in found if one.of != "call"]
    has_blocks = any(one.of == "" and one.foreign is None for one in found)
    if not has_blocks and (text := _reasoning(message)):
        found.insert(0, Detail(Thought(text), Standing()))
    content = message.get("content")
    if isinstance(content, str) or (content is None and not message.get("refusal")):
        yield from _interleaved(content or "", mark_of(message), calls, found)
    else:
        yield from (_passage(one) for one in found)
        yield from _content(content, path, None)
        if isinstance(refusal := message.get("refusal"), str) and refusal:
            yield Regret(refusal)
        yield from calls
    if audio := as_object(message.get("audio")):
        yield Foreign("chat", {"audio": audio})


def _interleaved(
    text: str, cache: JSON, calls: Sequence[ToolCall], found: Sequence[Detail]
) -> Iterator[Passage]:
    """Text and calls, with what stood among them in its place."""
    said = called = 0
    for one in found:
        until = max(said, one.spot.said)
        if one.of == "text" and one.thought.signed is not None:
            yield Words(text[said:until], signed=one.thought.signed)
        elif text[said:until]:
            yield Words(text[said:until])
        yield from calls[called : one.spot.calls]
        said, called = until, max(called, one.spot.calls)
        if one.of != "text":
            yield _passage(one)
    if text[said:]:
        yield Words(text[said:], cache)
    yield from calls[called:]


def _passage(detail: Detail) -> Passage:
    return detail.foreign or (
        Words("", signed=detail.thought.signed) if detail.of == "text" else detail.thought
    )


def _with_native(found: Sequence[Detail], message: JSONObject) -> list[Detail]:
    """The entries, and among them what a provider alone had in its answer, as it was told."""
    among = [*found]
    for already, one in enumerate(objects_in([message.get("native_parts")])):
        value, dialect = one.get("value"), one.get("dialect")
        if isinstance(value, dict) and isinstance(dialect, str):
            before = index_of(as_object(one.get("after")), len(found), "reasoning_details")
            detail = Detail(Thought(""), details.spot_of(one), foreign=Foreign(dialect, value))
            among.insert(before + already, detail)
    return among


def _reasoning(message: JSONObject) -> str:
    for key in ("reasoning_content", "reasoning"):
        if isinstance(text := message.get(key), str) and text:
            return text
    return ""


def _calls(message: JSONObject, said: _CallsMade, at: int) -> Iterator[ToolCall]:
    for number, call in enumerate(objects_in([message.get("tool_calls")])):
        named = call.get("id")
        yield _call(call, named if isinstance(named, str) else f"call_{at}_{number}", said)
    if isinstance(legacy := message.get("function_call"), dict):
        named = f"call_{at}"
        said.unanswered.append(named)
        yield _call({"function": legacy}, named, said)


def _call(call: JSONObject, named: str, said: _CallsMade) -> ToolCall:
    custom = as_object(call.get("custom"))
    body = custom or as_object(call.get("function"))
    name = body.get("name")
    said.names[named] = name if isinstance(name, str) else ""
    if custom:
        said.customs.add(named)
    arguments = body.get("input" if custom else "arguments")
    if not isinstance(arguments, str):  # Mistral's way
        arguments = "" if arguments is None else written(arguments).decode()
    # Of a client that has kept no more than this: Dedalus and Google have it for Google's alone.
    signature = signature_of(call)
    signed = Signed("google", "", signature) if signature else None
    return ToolCall(named, said.names[named], arguments, signed, bool(custom), mark_of(call))


def mark_of(holder: JSONObject) -> JSON:
    """The marker for a prompt cache on a message, a part or a tool, in Anthropic's form."""
    for key in MARKERS:
        if isinstance(mark := holder.get(key), dict):
            return mark if key == "cache_control" else {"type": "ephemeral"}
    return None


def _content(content: JSON, path: str, cache: JSON) -> tuple[Passage, ...]:
    """The parts of a message's content; `cache` is the mark on the message itself."""
    if content is None:
        return ()
    if isinstance(content, str):
        return (Words(content, cache),)
    if not isinstance(content, list):
        raise Untranslatable(
            f"{path}.content must be text or a list of parts", param=f"{path}.content"
        )
    parts = [
        _part(part, f"{path}.content[{at}]", cache if at == len(content) - 1 else None)
        for at, part in enumerate(content)
    ]
    return tuple(parts)


def _part(part: JSON, path: str, cache: JSON) -> Passage:
    if isinstance(part, str):
        return Words(part, cache)
    if not isinstance(part, dict):
        raise Untranslatable(f"{path} must be an object", param=path)
    cache = mark_of(part) or cache
    kind = part.get("type") or "text"
    read = _PARTS.get(kind) if isinstance(kind, str) else None
    found = read(part) if read else None
    if found is None:
        # Anthropic's own parts go there as they are; what nobody knows is named when it is lost.
        is_anthropic_s = isinstance(kind, str) and kind in _ANTHROPICS
        return Foreign("messages" if is_anthropic_s else "chat", part)
    takes_cache = isinstance(found, Words | Picture | Paper)
    return found._replace(cache=cache) if takes_cache and cache is not None else found  # type: ignore[call-arg]


_ANTHROPICS = frozenset("tool_use tool_result search_result tool_reference".split())


def _text(part: JSONObject) -> Passage | None:
    text = part.get("text")
    return Words(text) if isinstance(text, str) else None


def _refusal(part: JSONObject) -> Passage | None:
    text = part.get("refusal")
    return Regret(text) if isinstance(text, str) else None


def _image(part: JSONObject) -> Passage | None:
    image = part.get("image_url")
    inner = {"url": image} if isinstance(image, str) else as_object(image)
    url, detail = inner.get("url"), inner.get("detail", part.get("detail"))
    mime = inner.get("mime_type", inner.get("format"))
    if not isinstance(url, str):
        return None
    return Picture(
        url, mime if isinstance(mime, str) else "", detail if isinstance(detail, str) else ""
    )


def _sound(part: JSONObject) -> Passage | None:
    audio = part.get("input_audio")
    inner = {"data": audio} if isinstance(audio, str) else as_object(audio)
    data, form = inner.get("data"), inner.get("format")
    if not isinstance(data, str):
        return None
    return Sound(data, form if isinstance(form, str) else "wav")


def _file(part: JSONObject) -> Passage | None:
    inner = as_object(part.get("file")) or part
    data, named, name = (inner.get(key) for key in ("file_data", "file_id", "filename"))
    url = data if isinstance(data, str) else inner.get("file_url", part.get("document_url"))
    if isinstance(url, dict):
        url = url.get("url")
    url = url if isinstance(url, str) else ""
    named = named if isinstance(named, str) else ""
    if not (url or named):
        return None
    mime = _DATA_URL.match(url)
    name = name if isinstance(name, str) else ""
    if data and not mime and not url.startswith(("http:", "https:")):
        # Base64 alone, as some clients send it: a PDF by all that is known.
        url = f"data:application/pdf;base64,{url}"
        mime = _DATA_URL.match(url)
    return Paper(url, named, name, mime["mime"] if mime else "")


_DATA_URL = re.compile(r"data:(?P<mime>[^;,]*)")


def _source(part: JSONObject) -> Passage | None:
    """An image or a document in Anthropic's form."""
    source = as_object(part.get("source"))
    data, mime, url = (source.get(key) for key in ("data", "media_type", "url"))
    if isinstance(data, str) and isinstance(mime, str):
        if source.get("type") == "text":
            return None
        url = f"data:{mime};base64,{data}"
    if not isinstance(url, str):
        return None
    mime = mime if isinstance(mime, str) else ""
    name = part.get("title")
    if part.get("type") == "image":
        return Picture(url, mime)
    return Paper(url, "", name if isinstance(name, str) else "", mime)


def _thinking(part: JSONObject) -> Passage | None:
    inner = part.get("thinking")
    if isinstance(inner, list):  # Mistral's
        text = "".join(one["text"] for one in objects_in([inner]) if "text" in one)
        return Thought(text)
    return details.of_block(part)


_PARTS = {
    "text": _text,
    "input_text": _text,
    "output_text": _text,
    "refusal": _refusal,
    "image_url": _image,
    "input_image": _image,
    "input_audio": _sound,
    "file": _file,
    "input_file": _file,
    "document_url": _file,
    "image": _source,
    "document": _source,
    "thinking": _thinking,
    "redacted_thinking": _thinking,
}
