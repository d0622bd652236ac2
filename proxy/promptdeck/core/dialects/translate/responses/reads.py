"""A request to `/v1/responses` as a prompt.

https://platform.openai.com/docs/api-reference/responses/create
"""

from collections.abc import Iterator, Mapping
from typing import Any

from promptdeck.core.dialects.pieces import as_list, as_object
from promptdeck.core.dialects.translate.aim import Untranslatable
from promptdeck.core.dialects.translate.neutral import (
    Foreign,
    Prompt,
    Shape,
    Thinking,
    Tool,
    ToolChoice,
    Utterance,
    Words,
)
from promptdeck.core.text.jsontext import JSON, JSONObject

from .namespaces import flat, tools_in
from .turns import turns_of

# What the provider keeps cannot be known elsewhere.
_KEPT = {
    "previous_response_id": "the response that it goes on from is kept by its provider: send all"
    " of the conversation as `input`",
    "conversation": "a conversation is kept by its provider: send all of it as `input`",
    "prompt": "a prompt template is kept by its provider: send its text",
}
# Labels, and how a stream is padded: nothing of it reaches a model.
_SILENT = ("client_metadata", "stream_options", "access_programs", "background_options")
_READ = (
    "model", "input", "instructions", "tools", "tool_choice", "parallel_tool_calls", "text",
    "reasoning", "include", "stream", *_KEPT, *_SILENT,
)  # fmt: skip
_NAMES = {"max_output_tokens": "max_tokens"}
# What asks for nothing: the API's own defaults.
_UNSAID: tuple[tuple[str, JSON], ...] = (
    ("background", False),
    ("truncation", "disabled"),
    ("context_management", []),
)
# Of all turns: what is signed always goes back, as far as it may.
_UNSAID_OF_REASONING: Mapping[str, tuple[JSON, ...]] = {
    "context": (None, "auto", "all_turns"),
    "mode": (None, "standard"),
}
_PATHS = {
    "max_tokens": "$.max_output_tokens",
    "choice": "$.tool_choice",
    "parallel": "$.parallel_tool_calls",
    "shape": "$.text.format",
    "response_format": "$.text.format",
    "verbosity": "$.text.verbosity",
    "thinking": "$.reasoning",
    "reasoning_effort": "$.reasoning.effort",
    "logprobs": "$.include",
    "messages": "$.input",
}
_SEARCHES = ("web_search", "web_search_preview")


def prompt_of(body: JSONObject, target: str) -> Prompt:
    """The prompt that a request asks; `target` says nothing of it here.

    Untranslatable where it names what its provider keeps, or cannot be understood.
    """
    del target
    for name, why in _KEPT.items():
        if body.get(name) is not None:
            raise Untranslatable(f"$.{name} cannot be sent: {why}", param=f"$.{name}")
    if not isinstance(model := body.get("model"), str):
        raise Untranslatable("$.model must be a string", param="$.model")
    reading = _ReadBody(body)
    turns, added = turns_of(body.get("input"))
    tools = [
        *reading.tools(as_list(body.get("tools")), "$.tools"),
        *reading.tools(added, "$.input"),
    ]
    parallel = body.get("parallel_tool_calls")
    return Prompt(
        "responses",
        model,
        (*_instructions(body.get("instructions")), *turns),
        tuple(tools),
        reading.choice(),
        parallel if isinstance(parallel, bool) else None,
        reading.shape(),
        reading.thinking(),
        body.get("stream") is True,
        reading.options(),
        reading.paths,
    )


def _instructions(text: JSON) -> Iterator[Utterance]:
    """What is said ahead of all turns. A list of items is what only a response says of it."""
    if isinstance(text, str) and text:
        yield Utterance("system", (Words(text),), "$.instructions")


class _ReadBody:
    """A body that is being read: what has no place in a prompt becomes an option of it.

    An option that no upstream has is lost by its place, so that nothing is lost without a word.
    """

    def __init__(self, body: JSONObject) -> None:
        self._body = body
        self._options: dict[str, JSON] = {}
        self.paths = {**_PATHS}

    def _beside(self, path: str, value: JSON) -> None:
        """Keep something that has no name elsewhere under its own place."""
        name = path.removeprefix("$.")
        self._options[name] = value
        self.paths[name] = path

    def tools(self, tools: list[JSON], place: str) -> Iterator[Tool | Foreign]:
        for number, tool in enumerate(map(as_object, tools)):
            yield from self._tool(tool, f"{place}[{number}]")

    def _tool(self, tool: JSONObject, path: str) -> Iterator[Tool | Foreign]:
        kind = str(tool.get("type", ""))
        if kind == "function":
            yield _function(tool)
        elif kind == "custom":
            yield _custom(tool)
        elif kind == "namespace":
            for one in tools_in(tool):
                yield from self._tool(one, path)
        elif kind.startswith(_SEARCHES):
            self._search(tool, path)
        elif kind == "tool_search":
            # All tools are told at once, so that there is none to be searched for.
            return
        else:
            self._beside(path, tool)

    def _search(self, tool: JSONObject, path: str) -> None:
        """OpenAI's search, as chat completions ask for it; what those cannot say is kept beside."""
        options: JSONObject = {}
        if isinstance(size := tool.get("search_context_size"), str):
            options["search_context_size"] = size
        if isinstance(place := tool.get("user_location"), dict):
            inner = {key: value for key, value in place.items() if key != "type" and value}
            options["user_location"] = {"type": "approximate", "approximate": inner}
        for name in ("filters", "external_web_access"):
            if tool.get(name) is not None:
                self._beside(f"{path}.{name}", tool[name])
        # An empty object asks for nothing elsewhere: the size that is the default says the same.
        self._options["web_search_options"] = options or {"search_context_size": "medium"}
        self.paths["web_search_options"] = path

    def choice(self) -> ToolChoice | None:
        asked = self._body.get("tool_choice")
        if asked in ("none", "auto", "required"):
            return ToolChoice(asked)
        if not isinstance(asked, dict):
            return None
        kind = asked.get("type")
        if kind in ("function", "custom"):
            return ToolChoice("required", (_named(asked),))
        if kind == "allowed_tools":
            names = [_named(one) for one in map(as_object, as_list(asked.get("tools")))]
            mode: Any = "required" if asked.get("mode") == "required" else "auto"
            return ToolChoice(mode, tuple(name for name in names if name))
        self._beside("$.tool_choice", asked)
        return None

    def shape(self) -> Shape | None:
        form = as_object(as_object(self._body.get("text")).get("format"))
        if form.get("type") == "json_object":
            return Shape()
        if form.get("type") != "json_schema":
            return None
        name, description = form.get("name"), form.get("description")
        return Shape(
            as_object(form.get("schema")),
            name if isinstance(name, str) else "",
            description if isinstance(description, str) else None,
            form.get("strict"),
        )

    def thinking(self) -> Thinking | None:
        asked = as_object(self._body.get("reasoning"))
        effort = asked.get("effort")
        summary = asked.get("summary") or asked.get("generate_summary")
        for name, unsaid in _UNSAID_OF_REASONING.items():
            if asked.get(name) not in unsaid:
                self._beside(f"$.reasoning.{name}", asked[name])
        if not isinstance(effort, str) and not summary:
            return None
        effort = effort if isinstance(effort, str) else ""
        return Thinking(effort, shown=True if summary and summary != "none" else None)

    def options(self) -> dict[str, JSON]:
        """All else that was asked; what asks for nothing is left out."""
        for name, value in self._body.items():
            if value is not None and name not in _READ and (name, value) not in _UNSAID:
                self._options[_NAMES.get(name, name)] = value
        verbosity = as_object(self._body.get("text")).get("verbosity")
        if verbosity is not None:
            self._options["verbosity"] = verbosity
        wanted = [one for one in as_list(self._body.get("include")) if isinstance(one, str)]
        if "message.output_text.logprobs" in wanted or self._options.get("top_logprobs"):
            self._options["logprobs"] = True
        # Encrypted reasoning always comes, and pictures are told where there are any.
        others = [one for one in wanted if one.partition(".")[0] not in ("message", "reasoning")]
        if others:
            self._options["include"] = others
        return self._options


def _named(tool: JSONObject) -> str:
    return flat(tool.get("namespace"), tool.get("name"))


def _function(tool: JSONObject) -> Tool:
    """A function. One that is not said to be strict is so only as far as its schema can be."""
    description, name = tool.get("description"), tool.get("name")
    strict = tool.get("strict")
    return Tool(
        name if isinstance(name, str) else "",
        description if isinstance(description, str) else None,
        tool.get("parameters"),
        strict if isinstance(strict, bool) else None,
    )


def _custom(tool: JSONObject) -> Tool:
    form = as_object(tool.get("format"))
    if form.get("type") == "grammar":  # which chat completions nest once more
        inner = {key: value for key, value in form.items() if key != "type"}
        form = {"type": "grammar", "grammar": inner}
    return _function(tool)._replace(schema=None, strict=None, custom=form)
