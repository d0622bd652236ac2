"""The parts of contents as passages, each call and its result by one id.

Google's older models give calls no id: what they return is told apart by its order. Others want
one, so that a call gets a number, the same each time that the conversation is sent.
"""

from collections.abc import Iterable, Iterator
from itertools import count
from typing import Any

from promptdeck.core.dialects.pieces import as_object, written
from promptdeck.core.dialects.translate.aim import Untranslatable
from promptdeck.core.dialects.translate.neutral import (
    Foreign,
    Paper,
    Passage,
    Picture,
    Sound,
    ToolCall,
    ToolResult,
    Words,
)
from promptdeck.core.text.jsontext import JSON, JSONObject

from .signatures import signed_by, thought_of

_STANDARD = str.maketrans("-_", "+/")
_SOUNDS = {"audio/wav": "wav", "audio/x-wav": "wav", "audio/mp3": "mp3", "audio/mpeg": "mp3"}
# Of what a function returns, the sole member under which clients put it.
_OUTPUTS = ("output", "result")


class Dialogue:
    """A conversation as it is read, part by part; it knows the calls that wait for a result."""

    def __init__(self) -> None:
        self._waiting: list[ToolCall] = []
        self._numbers = count(1)

    def parts(self, content: JSON, path: str) -> Iterator[Passage]:
        """What contents say. Untranslatable, with the place, where that is no contents."""
        if isinstance(content, str):
            content = {"parts": [{"text": content}]}
        held = content.get("parts") if isinstance(content, dict) else None
        thinking: list[str] = []
        for n, part in enumerate(_listed(held)):
            if isinstance(part, str):
                part = {"text": part}
            if not isinstance(part, dict):
                place = f"{path}.parts[{n}]"
                raise Untranslatable(f"{place}: expected an object", param=place)
            if part.get("thought") is True and isinstance(part.get("text", ""), str):
                thinking.append(part.get("text", ""))
                if "thoughtSignature" not in part:
                    continue  # it may go on, and be signed at its end
                yield from _thought("".join(thinking), part)
            elif thinking:
                yield from _thought("".join(thinking), {})
            if part.get("thought") is not True:
                yield from self._part(part)
            thinking = []
        if thinking:
            yield from _thought("".join(thinking), {})

    def _part(self, part: JSONObject) -> Iterator[Passage]:
        signed = signed_by(part)
        if isinstance(text := part.get("text"), str):
            if text or signed:
                yield Words(text, signed=signed)
        elif isinstance(call := part.get("functionCall"), dict):
            yield self._call(call)._replace(signed=signed)
        elif isinstance(response := part.get("functionResponse"), dict):
            yield self._result(response)
        elif media := _media(part):
            yield media
        elif part:
            yield Foreign("gemini", part)

    def _call(self, call: JSONObject) -> ToolCall:
        name = call.get("id") or self._new_id()
        arguments = written(call.get("args") or {}).decode()
        made = ToolCall(str(name), str(call.get("name", "")), arguments)
        self._waiting.append(made)
        return made

    def _new_id(self) -> str:
        known = {call.id for call in self._waiting}
        return next(name for n in self._numbers if (name := f"call_{n}") not in known)

    def _result(self, response: JSONObject) -> ToolResult:
        name, own = str(response.get("name", "")), response.get("id")
        call = next((one for one in self._waiting if own and one.id == own), None)
        if call is None and not own:
            of_name = [one for one in self._waiting if one.name == name]
            call = next(iter(of_name or self._waiting), None)
        if call is not None:
            self._waiting.remove(call)
        # `response` is data of the user's own, a list of parts beside it is not.
        text, failed = _returned(response.get("response"))
        media = [_media(as_object(part)) for part in _listed(response.get("parts"))]
        parts = (*((Words(text),) if text else ()), *(one for one in media if one))
        ident = call.id if call else str(own or self._new_id())
        return ToolResult(ident, name or (call.name if call else ""), parts, failed)


def _thought(text: str, part: JSONObject) -> Iterator[Passage]:
    """Reasoning with what has signed it; nothing where there is neither."""
    signed = signed_by(part)
    if text or signed:
        yield thought_of(text, signed)


def _returned(response: JSON) -> tuple[str, bool]:
    """What a function returned as text, and whether that is a failure."""
    value, failed = response, False
    if isinstance(response, dict) and len(response) == 1:
        [(key, inner)] = response.items()
        failed = key == "error"
        value = inner if failed or key in _OUTPUTS else response
    return (value if isinstance(value, str) else written(value).decode()), failed


def _media(part: JSONObject) -> Passage | None:
    """An image, audio or a file; None for any other part."""
    if isinstance(blob := part.get("inlineData"), dict):
        mime = str(blob.get("mimeType", "application/octet-stream"))
        data = standard(str(blob.get("data", "")))
        if mime in _SOUNDS:
            return Sound(data, _SOUNDS[mime])
        url = f"data:{mime};base64,{data}"
        name = str(blob.get("displayName", ""))
        return Picture(url, mime) if mime.startswith("image/") else Paper(url, name=name, mime=mime)
    if isinstance(held := part.get("fileData"), dict):
        url, mime = str(held.get("fileUri", "")), str(held.get("mimeType", ""))
        name = str(held.get("displayName", ""))
        return Picture(url, mime) if mime.startswith("image/") else Paper(url, name=name, mime=mime)
    return None


def standard(data: str) -> str:
    """Base64 in its standard alphabet and padded: Google takes the other, and none, as well."""
    data = data.translate(_STANDARD)
    return data + "=" * (-len(data) % 4)


def _listed(value: JSON) -> Iterable[Any]:
    """The items of a list; a sole one, as in Google's own examples, stands by itself."""
    return value if isinstance(value, list) else [] if value is None else [value]
