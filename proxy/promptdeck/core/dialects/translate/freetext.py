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


def names_of(dialect: str, asked: JSONObject) -> frozenset[str]:
    """The tools that take text of a request in this dialect, by their names elsewhere.

    Chat completions have them and Responses, where they may be in a namespace. What Anthropic
    calls custom is a function.
    """
    if dialect not in ("chat", "responses"):
        return frozenset()
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
    """An answer's calls as their client has declared the tools: text, or an object with it."""

    def __init__(self, names: frozenset[str]) -> None:
        """`names` are the tools that take text."""
        self._names = names
        self._held: dict[tuple[int, int], tuple[bool, list[str]]] = {}
        """By choice and number, of calls that are under way: whether to tell their text, and what
        has come of that. An object is none before it is whole."""

    def of(self, signal: Signal) -> Iterable[Signal]:
        """What a signal says to this client: the rest of a call of the other kind at its end."""
        match signal:
            case CallOpened(number, name=name, is_custom=is_custom, choice=choice):
                takes_text = name in self._names
                if takes_text is is_custom:
                    return [signal]
                self._held[choice, number] = takes_text, []
                return [signal._replace(is_custom=takes_text)]
            case CallSaid(number, text, choice) if (choice, number) in self._held:
                self._held[choice, number][1].append(text)
                return []
            case CallClosed(number, choice) if (choice, number) in self._held:
                takes_text, said = self._held.pop((choice, number))
                whole = "".join(said)
                text = _text_in(whole) if takes_text else written({INPUT: whole}).decode()
                return [*([CallSaid(number, text, choice)] if text else []), signal]
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
