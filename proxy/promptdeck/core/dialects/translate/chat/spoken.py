"""Turns of a prompt as the messages of a chat request."""

import re
from collections.abc import Iterable, Iterator

import xxhash

from promptdeck.core.dialects.base import value_of
from promptdeck.core.dialects.translate.aim import Aim, Options
from promptdeck.core.dialects.translate.naming import safe_name
from promptdeck.core.dialects.translate.neutral import (
    Foreign,
    Paper,
    Passage,
    Picture,
    Prompt,
    Regret,
    Sound,
    Thought,
    ToolCall,
    ToolResult,
    Utterance,
    Words,
)
from promptdeck.core.dialects.translate.signing import goes_to
from promptdeck.core.text.jsontext import JSON, JSONObject

from .flavours import Flavour


class Speaking:
    """Writes the messages of one request, and says in `options` what gets lost."""

    def __init__(self, prompt: Prompt, aim: Aim, flavour: Flavour, options: Options) -> None:
        self._prompt = prompt
        self._aim = aim
        self._flavour = flavour
        self._options = options
        self._shown: list[JSONObject] = []
        """What results of tools show beside text, until the last of them is told: no chat server
        takes pictures there, and all take them from the user."""

    def messages(self) -> list[JSONObject]:
        """All turns, as far as they say anything."""
        messages = [message for turn in self._prompt.turns for message in self._turn(turn)]
        messages += self._shown_now()
        last: JSONObject = messages[-1] if messages else {"role": ""}
        if last["role"] == "assistant" and "tool_calls" not in last:
            if self._flavour.prefixes:
                last["prefix"] = True
            else:
                why = "the model goes on with a turn of its own, not with this one"
                self._options.lose_at(self._prompt.turns[-1].path, why)
        return messages

    def _shown_now(self) -> list[JSONObject]:
        """The user's message that shows what results of tools have shown, if there is any."""
        shown, self._shown = self._shown, []
        return [{"role": "user", "content": self._content(shown)}] if shown else []

    def _turn(self, turn: Utterance) -> Iterator[JSONObject]:
        if turn.role == "assistant":
            message = self._assistant(turn)
            yield from self._shown_now()
            said = [message] if message else []
        else:
            said = [*self._heard(turn)]
        for message in said:
            if turn.name and message["role"] != "tool":
                if self._flavour.has_names:
                    message["name"] = turn.name
                else:
                    self._options.lose_at(f"{turn.path}.name", "has no counterpart")
            yield message

    def _heard(self, turn: Utterance) -> Iterator[JSONObject]:
        """The messages of a system's or a user's turn: results of tools come first."""
        for part in turn.parts:
            if isinstance(part, ToolResult):
                yield self._result(part, turn)
        rest = [part for part in turn.parts if not isinstance(part, ToolResult)]
        parts = [*self._parts(rest, turn)]
        if parts and turn.role == "user":
            parts, self._shown = [*self._shown, *parts], []
        if parts:
            yield {"role": turn.role, "content": self._content(parts)}
        elif rest and turn.role == "user":  # without a word, but their turn
            yield {"role": "user", "content": ""}

    def _result(self, result: ToolResult, turn: Utterance) -> JSONObject:
        """The message of a tool's result."""
        parts = [*self._parts(result.parts, turn)]
        texts = [part for part in parts if part["type"] == "text"]
        self._shown += [part for part in parts if part["type"] != "text"]
        if result.failed:
            self._options.lose_at(turn.path, "that a tool has failed is told by its result alone")
        content = self._content(texts) if texts else ""
        return {"role": "tool", "tool_call_id": self._id(result.id), "content": content}

    def _assistant(self, turn: Utterance) -> JSONObject | None:
        """The message of an assistant's turn; None where nothing is left of it."""
        message: JSONObject = {"role": "assistant", "content": None}
        said = [part for part in turn.parts if isinstance(part, Words | Picture | Sound | Paper)]
        texts = [*self._parts(said, turn)]
        if all(part["type"] == "text" and len(part) == 2 for part in texts):
            text = "".join(part["text"] for part in texts)
            message["content"] = text or None
        else:
            message["content"] = texts
        calls = [self._call(part) for part in turn.parts if isinstance(part, ToolCall)]
        if calls:
            message["tool_calls"] = calls
        if refusal := "".join(part.text for part in turn.parts if isinstance(part, Regret)):
            message["refusal"] = refusal
        self._foreign(turn.parts, turn, message)
        said_any = len(message) > 2 or message["content"]
        self._reason(turn.parts, message)
        return message if said_any else None

    def _reason(self, parts: Iterable[Passage], message: JSONObject) -> None:
        """Put the reasoning into a message, as far as it may go back, and in what form it may."""
        thoughts = [part for part in parts if isinstance(part, Thought)]
        kind = self._flavour.reasoning
        own = [value_of(one.signed.text.encode()) for one in thoughts
               if one.signed and goes_to(one.signed, self._aim)]  # fmt: skip
        if entries := [one for one in own if isinstance(one, dict)]:
            message["reasoning_details"] = entries
        text = "".join(
            one.text for one in thoughts if one.signed is None or goes_to(one.signed, self._aim)
        )
        if not text or kind in ("", "reasoning_details"):
            return
        if kind != "parts":
            message[kind] = text
            return
        content = message["content"]
        said = [{"type": "text", "text": content}] if isinstance(content, str) else content or []
        thinking = {"type": "thinking", "thinking": [{"type": "text", "text": text}]}
        message["content"] = [thinking, *said]

    def _foreign(self, parts: Iterable[Passage], turn: Utterance, message: JSONObject) -> None:
        for part in parts:
            if isinstance(part, Foreign):
                if part.dialect == "chat" and "type" not in part.value:
                    message.update(part.value)
                else:
                    self._lose(part, turn)

    def _lose(self, part: Foreign, turn: Utterance) -> None:
        kind = part.value.get("type") or next(iter(part.value), "a part")
        self._options.lose_at(turn.path, f"`{kind}` has no counterpart")

    def _call(self, call: ToolCall) -> JSONObject:
        told: JSONObject = {"id": self._id(call.id)}
        name = safe_name(call.name)
        if call.is_custom and self._flavour.has_custom:
            told |= {"type": "custom", "custom": {"name": name, "input": call.arguments}}
        else:
            arguments = call.arguments or "{}"
            told |= {"type": "function", "function": {"name": name, "arguments": arguments}}
        if call.signed is not None and goes_to(call.signed, self._aim):
            if self._flavour.signs_calls == "google":
                told["extra_content"] = {"google": {"thought_signature": call.signed.text}}
            elif self._flavour.signs_calls == "dedalus":
                told["thought_signature"] = call.signed.text
        return told

    def _id(self, name: str) -> str:
        """A call's id as this server takes it: one and the same for the call and its result."""
        if self._flavour.short_ids:
            return name if _NINE.fullmatch(name) else _short(name, 9)
        # OpenAI refuses longer ones.
        return name if len(name) <= 40 else _short(name, 32)

    def _parts(self, parts: Iterable[Passage], turn: Utterance) -> Iterator[JSONObject]:
        for part in parts:
            told = self._part(part, turn)
            if told is None:
                continue
            mark = getattr(part, "cache", None)
            if mark and self._flavour.marks_caches:
                told["cache_control"] = mark
            yield told

    def _part(self, part: Passage, turn: Utterance) -> JSONObject | None:
        """A part of a content; None for what is not there, which is named then."""
        match part:
            case Words(text):
                return {"type": "text", "text": text} if text else None
            case Picture(url, _, detail):
                image: JSONObject = {"url": url} | ({"detail": detail} if detail else {})
                return {"type": "image_url", "image_url": image}
            case Sound(data, form):
                return {"type": "input_audio", "input_audio": {"data": data, "format": form}}
            case Paper():
                return self._paper(part, turn)
            case Foreign("chat", value):
                return value
            case Foreign():
                self._lose(part, turn)
        return None

    def _paper(self, paper: Paper, turn: Utterance) -> JSONObject | None:
        if self._aim.provider == "mistral":
            if paper.url:
                return {"type": "document_url", "document_url": paper.url}
            return {"type": "file", "file_id": paper.id}
        if paper.id:
            return {"type": "file", "file": {"file_id": paper.id}}
        if paper.url.startswith("data:text/plain"):
            text = _text_in(paper.url)
            if text is not None:
                return {"type": "text", "text": text}
        if not paper.url.startswith("data:") and self._flavour.refuses:
            self._options.lose_at(turn.path, "a file by its URL has no counterpart")
            return None
        name = paper.name or "file.pdf"
        return {"type": "file", "file": {"filename": name, "file_data": paper.url}}

    def _content(self, parts: list[JSONObject]) -> JSON:
        """Parts as a content: one text is that text."""
        plain = [part["text"] for part in parts if part.keys() == {"type", "text"}]
        if len(parts) == len(plain) and (len(plain) == 1 or self._flavour.flat):
            return "\n\n".join(plain)
        return parts


_NINE = re.compile(r"[a-zA-Z0-9]{9}")


def _short(name: str, length: int) -> str:
    """Another name for a call, the same each time."""
    return xxhash.xxh128_hexdigest(name.encode("utf-8", "surrogatepass"))[:length]


def _text_in(url: str) -> str | None:
    """The text in a data URL of base64; None where it is none."""
    from base64 import b64decode  # of the few requests that have such

    head, _, data = url.partition(",")
    try:
        return b64decode(data).decode() if head.endswith(";base64") else None
    except ValueError:
        return None
