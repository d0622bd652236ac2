"""A conversation as Anthropic's messages.

Turns of users and the assistant take turns: neighbours of one role are one message. The results of
calls come first in the message behind the calls, all of them; a text is never blank.
"""

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from promptdeck.core.dialects.translate.aim import Aim, Options, Untranslatable
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
from promptdeck.core.text.jsontext import JSON, JSONObject, Unfaithful, load

from .families import Family
from .ids import safe_id
from .sources import paper, picture


class Turned(NamedTuple):
    """A message on its way, with the place of its first turn in the client's request."""

    role: str
    path: str
    results: list[JSONObject]
    blocks: list[JSONObject]

    @property
    def content(self) -> list[JSONObject]:
        """All blocks: results of calls must come first."""
        return [*self.results, *self.blocks]


class Talk:
    """A prompt's turns, made into what the system says and messages."""

    def __init__(self, prompt: Prompt, aim: Aim, family: Family, say: Options) -> None:
        """Untranslatable where Anthropic would take no such conversation; `say` what is lost."""
        self._aim, self._family, self._say = aim, family, say
        self._places: dict[str, str] = {}
        """Where the results of calls stand in the client's request, by the calls' ids."""
        turns = prompt.turns
        leading = next((n for n, turn in enumerate(turns) if turn.role != "system"), len(turns))
        self.system = [block for turn in turns[:leading] for block in self._spoken(turn)]
        self.messages: list[Turned] = []
        for number, turn in enumerate(turns[leading:], leading):
            if turn.role == "system":
                self._interrupt(turn, turns[number + 1 :])
            else:
                self._add(turn.role, turn.path, *self._said(turn))
        self._check()

    def body(self) -> list[JSON]:
        """The value of `messages`."""
        return [
            {"role": message.role, "content": _short(message.content)} for message in self.messages
        ]

    @property
    def has_calls(self) -> bool:
        """True if the assistant has called a tool."""
        return any(_calls(message) for message in self.messages)

    @property
    def has_lost_thoughts(self) -> bool:
        """True if the model is amid calls, and what it thought before the first of them is missing.

        That is an error where thinking of a budget is enabled: a turn must begin with it. What
        follows on results need not, unless the model thinks between calls.
        """
        first: Turned | None = None
        for answer, message in zip(self.messages[:0:-1], self.messages[-2::-1], strict=False):
            if not answer.results and answer.role == "user":
                break
            first = message if message.role == "assistant" else first
        return first is not None and not str(first.blocks[0]["type"]).endswith("thinking")

    def _add(
        self, role: str, path: str, results: list[JSONObject], blocks: list[JSONObject]
    ) -> None:
        """Add a turn's blocks, to the last message where that is of the same role."""
        if not results and not blocks:
            return
        if not self.messages or self.messages[-1].role != role:
            self.messages.append(Turned(role, path, [], []))
        self.messages[-1].results.extend(results)
        self.messages[-1].blocks.extend(blocks)

    def _interrupt(self, turn: Utterance, rest: Sequence[Utterance]) -> None:
        """Add what the system says amid the conversation, in its place.

        A turn of its own must follow a user's and precede the assistant's, or be the last; where
        it may not be, and for models that know of none, the user's turn quotes it.
        """
        after = next((one.role for one in rest if one.role != "system"), "assistant")
        last = self.messages[-1] if self.messages else None
        if (
            self._family.system_turns
            and last is not None
            and last.role in ("user", "system")
            and after == "assistant"
        ):
            self._add("system", turn.path, [], [*self._spoken(turn)])
            return
        quoted: list[JSONObject] = [
            {**block, "text": f"<system>{block['text']}</system>"} for block in self._spoken(turn)
        ]
        self._add("user", turn.path, [], quoted)

    def _spoken(self, turn: Utterance) -> Iterator[JSONObject]:
        """The texts of the system's turn: there may be nothing else."""
        for part in turn.parts:
            if isinstance(part, Words):
                if part.text.strip():
                    yield _marked({"type": "text", "text": part.text}, part.cache)
            else:
                self._say.lose_at(turn.path, "the system's turn may have text alone")

    def _said(self, turn: Utterance) -> tuple[list[JSONObject], list[JSONObject]]:
        """The results of calls in a turn, and its other blocks."""
        if turn.name:
            self._say.lose_at(f"{turn.path}.name", "has no counterpart")
        results: list[JSONObject] = []
        blocks: list[JSONObject] = []
        for part in turn.parts:
            if isinstance(part, ToolResult):
                results.append(self._result(part, turn.path))
            elif (block := self._block(part, turn)) is not None:
                blocks.append(block)
        return results, blocks

    def _block(self, part: Passage, turn: Utterance) -> JSONObject | None:
        """The block of a part that is no result; None where nothing of it is to be sent."""
        if isinstance(part, Words | Regret):
            said: JSONObject = {"type": "text", "text": part.text}
            cache = part.cache if isinstance(part, Words) else None
            return _marked(said, cache) if part.text.strip() else None
        if isinstance(part, Thought):
            return self._thought(part)
        if isinstance(part, ToolCall):
            return _marked(_call(part, turn.path), part.cache)
        if isinstance(part, Foreign):
            if part.dialect == "messages":
                return part.value if _goes_back(part.value) else None
            self._say.lose_at(turn.path, f"{part.value.get('type', 'a part')} has no counterpart")
            return None
        if turn.role == "assistant":
            self._say.lose_at(turn.path, "the assistant's turn may have no images and files")
            return None
        return self._shown(part, turn.path)

    def _thought(self, part: Thought) -> JSONObject | None:
        """Reasoning under its signature, which is of use to the model that signed it alone."""
        if part.signed is None or not goes_to(part.signed, self._aim):
            return None
        if part.is_hidden:
            return {"type": "redacted_thinking", "data": part.signed.text}
        return {"type": "thinking", "thinking": part.text, "signature": part.signed.text}

    def _shown(self, part: Passage, path: str) -> JSONObject:
        """What the user shows: an image or a file."""
        if isinstance(part, Picture):
            if part.detail not in ("", "auto"):
                self._say.lose_at(path, f"detail {part.detail} has no counterpart")
            return _marked(picture(part, path), part.cache)
        if isinstance(part, Paper):
            return _marked(paper(part, path), part.cache)
        what = "audio" if isinstance(part, Sound) else type(part).__name__
        raise Untranslatable(f"Anthropic takes no {what} here", param=path)

    def _result(self, part: ToolResult, path: str) -> JSONObject:
        """What a call gave; without content where that is blank."""
        result: JSONObject = {"type": "tool_result", "tool_use_id": safe_id(part.id)}
        self._places.setdefault(result["tool_use_id"], path)
        content: list[JSONObject] = []
        for inner in part.parts:
            if isinstance(inner, Words):
                if inner.text.strip():
                    content.append(_marked({"type": "text", "text": inner.text}, inner.cache))
            elif isinstance(inner, Foreign) and inner.dialect == "messages":
                content.append(inner.value)
            else:
                content.append(self._shown(inner, path))
        if content:
            result["content"] = _short(content)
        if part.failed:
            result["is_error"] = True
        return _marked(result, part.cache)

    def _check(self) -> None:
        """Raise Untranslatable for what Anthropic would refuse, by the place in the request."""
        if not self.messages:
            raise Untranslatable("Anthropic wants a message that is not blank", param="$.messages")
        open_calls: set[str] = set()
        for message in self.messages:
            answered = [str(result["tool_use_id"]) for result in message.results]
            if unknown := next((name for name in answered if name not in open_calls), ""):
                what = f"no message before makes the call {unknown} that this answers"
                raise Untranslatable(what, param=self._places[unknown])
            if message.role != "system" and open_calls - set(answered):
                what = f"the call {min(open_calls - set(answered))} is not answered here"
                raise Untranslatable(what, param=message.path)
            open_calls = _calls(message) if message.role != "system" else open_calls
        if open_calls:
            what = f"the call {min(open_calls)} is not answered"
            raise Untranslatable(what, param=self.messages[-1].path)
        self._check_end(self.messages[-1])

    def _check_end(self, last: Turned) -> None:
        """Raise Untranslatable if the assistant has the last word and the model minds."""
        kind = str(last.blocks[-1]["type"]) if last.blocks else ""
        # A turn that the provider paused in its own tools is gone on with by all.
        if last.role != "assistant" or kind not in ("text", "thinking", "redacted_thinking"):
            return
        if not self._family.prefill:
            what = "this model does not go on with the assistant's turn: the user's must be last"
            raise Untranslatable(what, param=last.path)
        if kind == "text":
            # "final assistant content cannot end with trailing whitespace"
            last.blocks[-1]["text"] = str(last.blocks[-1]["text"]).rstrip()


# Of blocks that tell of no tool: where a model was made to work in a container.
_GO_BACK = re.compile(r"(server|mcp)_tool_use|\w+_tool_result|container_upload")


def _goes_back(block: JSONObject) -> bool:
    """True for a block of an answer that is taken in a request: others tell of how that was made.

    Such as `fallback` and `compaction`, that only betas take.
    """
    return _GO_BACK.fullmatch(str(block.get("type"))) is not None


def _calls(message: Turned) -> set[str]:
    """The ids of the calls that a message makes."""
    return {str(block["id"]) for block in message.blocks if block["type"] == "tool_use"}


def _call(part: ToolCall, path: str) -> JSONObject:
    """A call. Untranslatable where its arguments are no JSON object."""
    try:
        given: JSON = load(part.arguments) if part.arguments.strip() else {}
    except Unfaithful:
        given = None
    if not isinstance(given, dict):
        what = f"the arguments of the call {part.id} of {part.name} are no JSON object"
        raise Untranslatable(what, param=path)
    return {
        "type": "tool_use",
        "id": safe_id(part.id),
        "name": safe_name(part.name),
        "input": given,
    }


def _marked(block: JSONObject, cache: JSON) -> JSONObject:
    """A block with its marker for the prompt cache, if it has one."""
    return {**block, "cache_control": cache} if cache else block


def _short(content: list[JSONObject]) -> JSON:
    """Content as the text that it is, where it is no more."""
    alone = content[0] if len(content) == 1 else {}
    return alone["text"] if alone.keys() == {"type", "text"} else content
