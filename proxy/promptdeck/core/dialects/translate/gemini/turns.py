"""A conversation as contents: turns by turns, each with its results where they must stand."""

from collections.abc import Sequence

from promptdeck.core.dialects.translate.aim import Aim, Options, Untranslatable
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
from promptdeck.core.text.jsontext import JSON, JSONObject, Unfaithful

from .families import GoogleFamily
from .grounding import is_beside
from .signatures import complete, sent, unsealed
from .spoken import exact, function_name, is_made_id, media_of, returned

_NO_CACHE = "Google caches by itself: it takes no marks"


def contents_of(
    prompt: Prompt, aim: Aim, family: GoogleFamily, options: Options
) -> tuple[list[JSONObject], list[JSONObject]]:
    """The parts of the system instruction, and the contents.

    Untranslatable where a call has no result, a result no call, or the last turn is the model's
    and must not be.
    """
    system: list[JSONObject] = []
    contents = _Contents(aim, family, options)
    for turn in prompt.turns:
        if turn.role != "system":
            contents.add(turn)
            continue
        if contents.listed:
            # There is no place for it amid the conversation, and it is no word of the user's.
            options.lose_at(turn.path, "the system speaks before all turns")
        texts = [part.text for part in turn.parts if isinstance(part, Words)]
        if len(texts) < len(turn.parts):
            options.lose_at(turn.path, "the system speaks in text alone")
        system += ({"text": text} for text in texts if text)
    listed = contents.whole()
    if not listed or listed[0]["role"] == "model":
        first = next((one.path for one in prompt.turns if one.role != "system"), "$.messages")
        options.lose_at(first, "an empty turn of the user's is put first, as there must be one")
        listed.insert(0, {"role": "user", "parts": [{"text": ""}]})
    if listed[-1]["role"] == "model" and not family.prefills:
        path = prompt.turns[-1].path
        raise Untranslatable(
            f"{path}: {aim.model} takes no conversation whose last turn is the model's", param=path
        )
    for part in complete(listed) if family.signs else ():
        if place := contents.unsigned.get(id(part)):
            why = "no signature came with the call: the model reasons anew"
            options.lose_at(place, why, asked=False)
    if any(getattr(part, "cache", None) for turn in prompt.turns for part in turn.parts):
        options.lose_at("$..cache_control", _NO_CACHE, asked=False)
    return system, listed


class _Contents:
    """Contents as they grow: neighbours of one role are one turn."""

    def __init__(self, aim: Aim, family: GoogleFamily, options: Options) -> None:
        self.listed: list[JSONObject] = []
        self.unsigned: dict[int, str] = {}
        """Where parts stood, by their identity, that call something and were never signed."""
        self._aim = aim
        self._family = family
        self._options = options
        self._waiting: list[ToolCall] = []
        """The calls of the last turn of the model."""
        self._results: list[list[JSONObject] | None] = []
        """Of each of these the result, as far as it has come."""

    def add(self, turn: Utterance) -> None:
        """Add a turn of the user's or the model's."""
        if turn.name:
            self._options.lose_at(f"{turn.path}.name", "has no counterpart")
        if turn.role == "user":
            for part in turn.parts:
                if isinstance(part, ToolResult):
                    self._answer(part, turn.path)
        others = [part for part in turn.parts if not isinstance(part, ToolResult)]
        if others and (turn.role == "user" or any(self._results)):
            self._settle(turn.path)
        parts = [told for part in others for told in self._part(part, turn.path)]
        self._say("user" if turn.role == "user" else "model", parts)

    def whole(self) -> list[JSONObject]:
        """All contents; Untranslatable where the last calls have no result."""
        self._settle("")
        return self.listed

    def _say(self, role: str, parts: Sequence[JSONObject]) -> None:
        if not parts:
            return
        if self.listed and self.listed[-1]["role"] == role:
            self.listed[-1]["parts"].extend(parts)
        else:
            self.listed.append({"role": role, "parts": [*parts]})

    def _part(self, part: Passage, path: str) -> list[JSONObject]:
        """What a passage is as parts: one, or none where it says nothing here."""
        match part:
            case Words(text=text, signed=signed):
                told = {"text": text} | sent(signed, self._aim)
                return [told] if text or len(told) > 1 else []
            case Regret(text=text):
                return [{"text": text}] if text else []
            case ToolCall():
                return [self._call(part, path)]
            case Thought(text=text, signed=signed):
                # Without its signature it would be of no use, and with another's it is refused.
                told = sent(signed, self._aim)
                return [{"text": text, "thought": True} | told] if told else []
            case Picture(detail=detail) if detail not in ("", "auto"):
                self._options.lose_at(path, f"an image's detail ({detail}) has no counterpart")
                return [media_of(part, path)]
            case Picture() | Sound() | Paper():
                return [media_of(part, path)]
            case Foreign(dialect="gemini", value=value):
                return [] if is_beside(value) else [unsealed(value, self._aim)]
            case _:
                self._options.lose_at(path, "holds what another provider's tools have done")
                return []

    def _call(self, call: ToolCall, path: str) -> JSONObject:
        self._waiting.append(call)
        self._results.append(None)
        told: JSONObject = {"name": function_name(call.name), "args": _arguments(call, path)}
        if call.id and not is_made_id(call.id):
            told = {"id": call.id, **told}
        part = {"functionCall": told, **sent(call.signed, self._aim)}
        if call.signed is None:
            self.unsigned[id(part)] = path
        return part

    def _answer(self, result: ToolResult, path: str) -> None:
        """Take a call's result; all of a turn are said at once, in the order of their calls."""
        for n, call in enumerate(self._waiting):
            if call.id == result.id and self._results[n] is None:
                self._results[n] = returned(result, call.name, path, within=self._family.mixes)
                break
        else:
            why = f"no call in the turn before has the id {result.id!r}"
            raise Untranslatable(f"{path}: {why}", param=path)
        if None not in self._results:
            self._settle(path)

    def _settle(self, path: str) -> None:
        """Say the results of the calls of the turn before: as many as there were calls."""
        if None in self._results:
            name = self._waiting[self._results.index(None)].id
            where = f"{path}: before it" if path else "at the end"
            why = f"{where} there must be a result for the call {name!r}"
            raise Untranslatable(why, param=path or None)
        results = [parts for parts in self._results if parts]
        self._say("user", [parts[0] for parts in results])
        self._say("user", [part for parts in results for part in parts[1:]])
        self._waiting, self._results = [], []


def _arguments(call: ToolCall, path: str) -> JSONObject:
    """The arguments of a call. Untranslatable where they are no object."""
    try:
        value: JSON = exact(call.arguments.strip() or "{}")
    except Unfaithful:
        value = False
    if value is None:
        return {}
    if not isinstance(value, dict):
        why = f"the arguments of {call.name} are no JSON object"
        raise Untranslatable(f"{path}: {why}", param=path)
    return value
