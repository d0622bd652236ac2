"""Tools that take text, for models that know only functions: there it is an object's `input`.

OpenAI's custom tools are such; codex has a model do all its work by one.
"""

from collections.abc import Iterable, Iterator

from promptdeck.core.dialects.base import value_of
from promptdeck.core.dialects.pieces import as_list, as_object, written
from promptdeck.core.text.jsontext import JSON, JSONObject

from .aim import Options
from .neutral import (
    CallClosed,
    CallOpened,
    CallSaid,
    Passage,
    Prompt,
    Signal,
    Tool,
    ToolCall,
    ToolResult,
)

INPUT = "input"
"""The member of a call's arguments in which the text is."""


def as_functions(prompt: Prompt, options: Options) -> Prompt:
    """A prompt whose tools are all functions, and so the calls of them.

    The grammar of a tool's text is told to the model and no more, which is lost in `options`.
    """
    tools = tuple(
        _function(tool, f"{prompt.path('tools')}[{at}]", options)
        if isinstance(tool, Tool) and tool.custom is not None
        else tool
        for at, tool in enumerate(prompt.tools)
    )
    if tools == prompt.tools and not any(_is_custom(one) for t in prompt.turns for one in t.parts):
        return prompt
    turns = (turn._replace(parts=tuple(map(_called, turn.parts))) for turn in prompt.turns)
    return prompt._replace(tools=tools, turns=tuple(turns))


def _is_custom(part: Passage) -> bool:
    return isinstance(part, ToolCall | ToolResult) and part.is_custom


def _function(tool: Tool, path: str, options: Options) -> Tool:
    text: JSONObject = {"type": "string"}
    if isinstance(tool.custom, dict) and tool.custom.get("type") == "grammar":
        options.lose_at(path, "its grammar is told to the model, and not enforced")
        grammar = as_object(tool.custom.get("grammar")) or tool.custom
        told = grammar.get("definition")
        text["description"] = f"Text by this {grammar.get('syntax', '')} grammar:\n{told}"
    schema: JSONObject = {
        "type": "object",
        "properties": {INPUT: text},
        "required": [INPUT],
        "additionalProperties": False,
    }
    return tool._replace(schema=schema, custom=None)


def _called(part: Passage) -> Passage:
    if isinstance(part, ToolCall) and part.is_custom:
        arguments = written({INPUT: part.arguments}).decode()
        return part._replace(arguments=arguments, is_custom=False)
    if isinstance(part, ToolResult) and part.is_custom:
        return part._replace(is_custom=False)
    return part


def names_of(asked: JSONObject) -> frozenset[str]:
    """The tools that take text of a client's request, by their names elsewhere.

    In chat completions' form and in that of Responses, where they may be in a namespace.
    """
    tools = as_list(asked.get("tools"))
    for item in as_list(asked.get(INPUT)):
        if isinstance(item, dict) and item.get("type") == "additional_tools":
            tools = [*tools, *as_list(item.get("tools"))]
    return frozenset(_names(tools)) if tools else frozenset()


def _names(tools: Iterable[JSON]) -> Iterator[str]:
    for tool in map(as_object, tools):
        kind = tool.get("type")
        if kind == "custom":
            name = as_object(tool.get("custom")).get("name") or tool.get("name")
            if isinstance(name, str):
                yield name
        elif kind == "namespace":
            from .responses.namespaces import tools_in

            yield from _names(tools_in(tool))


class FreeText:
    """An answer's calls of tools that take text, as the client has declared them."""

    def __init__(self, names: frozenset[str]) -> None:
        self._names = names
        self._held: dict[tuple[int, int], list[str]] = {}
        """Arguments of calls that are under way, which are no text before they are whole."""

    def of(self, signal: Signal) -> Iterable[Signal]:
        """What a signal says to this client: the text of a call when that is whole."""
        match signal:
            case CallOpened(number, name=name, is_custom=False) if name in self._names:
                self._held[signal.choice, number] = []
                return [signal._replace(is_custom=True)]
            case CallSaid(number, text, choice) if (choice, number) in self._held:
                self._held[choice, number].append(text)
                return []
            case CallClosed(number, choice) if (choice, number) in self._held:
                text = _text_in("".join(self._held.pop((choice, number))))
                said = [CallSaid(number, text, choice)] if text else []
                return [*said, signal]
        return [signal]


def _text_in(arguments: str) -> str:
    """The text in a call's arguments; what is no such object is text as it is."""
    value = value_of(arguments.encode("utf-8", "surrogatepass"))
    if not isinstance(value, dict):
        return value if isinstance(value, str) else arguments
    # A model may call the one member that there is otherwise.
    alone = next(iter(value.values())) if len(value) == 1 else None
    text = value.get(INPUT, alone)
    return text if isinstance(text, str) else arguments
