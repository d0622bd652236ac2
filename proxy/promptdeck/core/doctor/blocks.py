"""A prompt as providers cache it: blocks in the order in which they are read.

First what the whole prompt hangs on (its model), then tools, system and turns, each part of a turn
a block of its own. Made from the neutral form, so that it is the same for all dialects.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import Literal, NamedTuple

from promptdeck.core.dialects.translate.neutral import (
    Foreign,
    Paper,
    Passage,
    Picture,
    Prompt,
    Regret,
    Sound,
    Thought,
    Tool,
    ToolCall,
    ToolResult,
    Utterance,
    Words,
)
from promptdeck.core.text.jsontext import JSON, compact
from promptdeck.core.text.wording import common_prefix

MEDIA_SIZE = 4_000
"""Characters that an image, a sound or a file counts for, about 1,000 tokens of text: a large
image takes so many or more, and its base64 has nothing to do with them."""

BlockKind = Literal["model", "tool", "shape", "system", "setting", "message"]


class PromptBlock(NamedTuple):
    """A piece of a prompt that a provider's cache holds whole or not at all."""

    kind: BlockKind
    said: str
    """All that it says, as text; of a tool its definition as JSON."""
    label: str = ""
    """The tool's name, the role that speaks, the setting's name."""
    is_media: bool = False
    path: str = ""
    """Its place in the client's request: `$.messages[3]`."""
    part: int = 0
    """Which part of that place it is, from 1; 0 where the place has one only."""
    mark: JSON = None
    """The breakpoint behind it, in Anthropic's form; None where there is none."""

    @property
    def essence(self) -> tuple[str, str, str]:
        """What counts when blocks are compared: neither where it stands nor how it is marked."""
        return self.kind, self.label, self.said

    @property
    def size(self) -> int:
        """How much of a prompt it is, in characters; a model's name and settings are none of it."""
        if self.kind in ("model", "setting"):
            return 0
        return MEDIA_SIZE if self.is_media else len(self.said)

    @property
    def is_read(self) -> bool:
        """True for what a model reads; breakpoints stand behind such, and they are counted."""
        return self.kind not in ("model", "setting", "shape")


class KeptPrefix(NamedTuple):
    """What a prompt has kept of an earlier one."""

    blocks: int
    """How many blocks are the same, from the first on."""
    offset: int
    """How many characters of the block after them are."""
    size: int
    """All that is the same, in characters."""
    broke: bool
    """True where the two part; False where one of them merely goes on."""


def size_of(blocks: Iterable[PromptBlock]) -> int:
    """How long blocks are together, in characters."""
    return sum(block.size for block in blocks)


def kept_of(old: Sequence[PromptBlock], new: Sequence[PromptBlock]) -> KeptPrefix:
    """What the blocks of a request keep of those of an earlier one."""
    same = common_prefix([one.essence for one in old], [one.essence for one in new])
    size = size_of(new[:same])
    if same in (len(old), len(new)):
        return KeptPrefix(same, 0, size, broke=False)
    one, other = old[same], new[same]
    alike = (one.kind, one.label) == (other.kind, other.label)
    offset = common_prefix(one.said, other.said) if alike else 0
    within = 0 if other.is_media else min(offset, other.size)
    return KeptPrefix(same, offset, size + within, broke=True)


def blocks_of(prompt: Prompt) -> tuple[PromptBlock, ...]:
    """The blocks of a prompt, as its provider reads them."""
    turns = [*chain.from_iterable(map(_of_turn, prompt.turns))]
    head = next((n for n, one in enumerate(turns) if one.kind != "system"), len(turns))
    found = [
        PromptBlock("model", prompt.model, path=prompt.path("model")),
        *map(_of_tool, prompt.tools, range(len(prompt.tools))),
        *_shape(prompt),
        *turns[:head],
        *_settings(prompt),
        *turns[head:],
    ]
    mark = prompt.options.get("cache_control")
    if mark is not None:  # the provider puts it behind the last block
        found[-1] = found[-1]._replace(mark=mark)
    return tuple(found)


def _of_tool(tool: Tool | Foreign, number: int) -> PromptBlock:
    path = f"$.tools[{number}]"
    if isinstance(tool, Foreign):
        name = tool.value.get("name") or tool.value.get("type")
        value = {key: one for key, one in tool.value.items() if key != "cache_control"}
        mark = tool.value.get("cache_control")
        return PromptBlock("tool", _text(value), str(name), path=path, mark=mark)
    told = {
        "description": tool.description,
        "schema": tool.schema,
        "strict": tool.strict,
        "custom": tool.custom,
    }
    said = _text({key: one for key, one in told.items() if one is not None})
    return PromptBlock("tool", said, tool.name, path=path, mark=tool.cache)


def _shape(prompt: Prompt) -> Iterator[PromptBlock]:
    """The form of the answer, which is read before the system's words."""
    if prompt.shape is not None:
        said = _text(prompt.shape._asdict())
        yield PromptBlock("shape", said, "form of the answer", path=prompt.path("shape"))


def _settings(prompt: Prompt) -> Iterator[PromptBlock]:
    """What Anthropic's cache of the turns hangs on besides: which tools may be called, thinking.

    Claude docs, "Prompt caching", what invalidates the cache.
    """
    if prompt.dialect == "messages":
        for name in ("choice", "thinking"):
            value = getattr(prompt, name)
            said = _text(value._asdict()) if value is not None else ""
            yield PromptBlock("setting", said, name, path=prompt.path(name))


def _of_turn(turn: Utterance) -> Iterator[PromptBlock]:
    kind: BlockKind = "system" if turn.role == "system" else "message"
    several = len(turn.parts) > 1
    for number, passage in enumerate(turn.parts, 1):
        yield PromptBlock(
            kind,
            _said(passage),
            turn.role,
            _is_media(passage),
            turn.path,
            number if several else 0,
            _mark(passage),
        )


def _said(passage: Passage) -> str:
    """All that a passage says; ids of calls and signatures too, since they are sent."""
    match passage:
        case Words() | Regret():
            return passage.text
        case Picture():
            return f"{passage.url}{passage.detail and f' ({passage.detail})'}"
        case Sound():
            return passage.data
        case Paper():
            return " ".join(filter(None, (passage.name, passage.id, passage.url)))
        case ToolCall():
            return f"{passage.name} {passage.id}\n{passage.arguments}"
        case ToolResult():
            return "\n".join([f"{passage.name} {passage.id}", *map(_said, passage.parts)])
        case Thought():
            return passage.text + (passage.signed.text if passage.signed else "")
        case Foreign():
            return _text({k: one for k, one in passage.value.items() if k != "cache_control"})


def _is_media(passage: Passage) -> bool:
    if isinstance(passage, ToolResult):
        return any(map(_is_media, passage.parts))
    return isinstance(passage, Picture | Sound | Paper)


def _mark(passage: Passage) -> JSON:
    """The breakpoint behind a passage, or within a tool's result."""
    if isinstance(passage, Foreign):
        return passage.value.get("cache_control")
    within = passage.parts if isinstance(passage, ToolResult) else ()
    marks = (getattr(passage, "cache", None), *map(_mark, within))
    return next((mark for mark in marks if mark is not None), None)


def _text(value: JSON) -> str:
    return compact(value).decode()
