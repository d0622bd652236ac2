"""What a request asks of a model, whatever its dialect: two that ask the same have the same text.

A program that moves from one SDK to another asks the same in other words. What protocols have
alike counts here, and so does every option that one of them has; what only says who asks, how the
answer is to come, or which reasoning was signed by whom, does not.
"""

from collections.abc import Collection, Iterable, Iterator
from itertools import groupby
from typing import TYPE_CHECKING, Any

from promptdeck.core.interaction import Request
from promptdeck.core.text.jsontext import JSON, canonical

from .base import LABELS, Dialect, value_of
from .gemini.dialect import GEMINI
from .table import TRANSLATED, dialect_in

if TYPE_CHECKING:  # at run time only who asks for it needs it
    from .translate.neutral import Foreign, Passage, Prompt, Tool, Utterance

_NOT_ASKED = frozenset(["stream", "stream_options", "include", *LABELS])
"""Options that do not say what is to be answered."""


def meaning(request: Request) -> bytes | None:
    """The text of what a request asks; None where it asks in no dialect that is translated.

    None as well for what cannot be understood.
    """
    dialect = dialect_in(request)
    if TRANSLATED.get(dialect.name) is not dialect:
        return None
    from .translate.aim import Untranslatable
    from .translate.translation import prompt_of

    try:
        return canonical(_plain(_told(prompt_of(request, dialect))))
    except (Untranslatable, ValueError, TypeError, RecursionError):
        return None


def elsewhere(request: Request, but: Collection[Dialect] = ()) -> Iterator[tuple[Dialect, Request]]:
    """A request about as clients of the other dialects, `but` for some, would ask it.

    Where that can be said in theirs.
    """
    dialect = dialect_in(request)
    if TRANSLATED.get(dialect.name) is not dialect:
        return
    from .translate.aim import Aim, Untranslatable
    from .translate.translation import prompt_of, written

    for other in TRANSLATED.values():
        if other is dialect or other in but:
            continue
        try:
            model = prompt_of(request, dialect).model
            there = written(request, dialect, Aim("", other.name, model))
        except Untranslatable:
            continue
        # The writer takes what has a slash for a path of another kind.
        target = f"/v1/models/{model}:generateContent" if other is GEMINI else there.target
        yield other, Request("POST", target, "application/json", there.body)


def _told(prompt: "Prompt") -> JSON:
    """A prompt as JSON, each thing in its one form."""
    from .translate.aim import is_idle

    options = {
        name: value
        for name, value in prompt.options.items()
        if name not in _NOT_ASKED and not is_idle(name, value)
    }
    auto = prompt.choice is not None and prompt.choice.mode == "auto" and not prompt.choice.names
    shape, thinking = prompt.shape, prompt.thinking
    return {
        "model": prompt.model,
        "turns": [*_turns(prompt.turns)],
        "tools": [*map(_tool, prompt.tools)],
        "choice": None if auto else prompt.choice,
        "parallel": prompt.parallel is not False,
        "shape": shape and shape._replace(strict=shape.strict or None),
        "thinking": thinking and thinking._replace(shown=None),
        "options": options,
    }


def _plain(value: Any) -> JSON:
    """A value with lists in place of tuples, also of named ones."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return [*map(_plain, value)] if isinstance(value, list | tuple) else value


def _tool(tool: "Tool | Foreign") -> JSON:
    from .translate.neutral import Foreign

    if isinstance(tool, Foreign):
        return tool
    return tool._replace(cache=None, strict=tool.strict or None)


def _turns(turns: "Iterable[Utterance]") -> Iterator[JSON]:
    """What each side says, neighbours of one role as one."""
    for role, same in groupby(turns, key=lambda turn: turn.role):
        yield [role, [*_parts(part for turn in same for part in turn.parts)]]


def _parts(parts: "Iterable[Passage]") -> Iterator[JSON]:
    from .translate.neutral import Paper, Picture, Thought, ToolCall, ToolResult, Words

    for part in parts:
        kind = type(part).__name__
        match part:
            case Thought():
                pass  # clients keep of it what they know
            case Words(text, citations=citations):
                yield [kind, text, [*citations]]
            case ToolCall():
                arguments = value_of((part.arguments or "{}").encode("utf-8", "surrogatepass"))
                said = arguments if isinstance(arguments, dict) else part.arguments
                yield [kind, part.id, part.name, said, part.is_custom]
            case ToolResult():
                yield [kind, part.id, part.name, [*_parts(part.parts)], part.failed]
            case Picture() | Paper():
                yield [kind, part._replace(cache=None)]
            case _:
                yield [kind, part]
