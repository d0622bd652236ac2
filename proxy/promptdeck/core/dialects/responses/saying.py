"""What a request of this protocol asks and a response of it says, for people."""

from collections.abc import Iterator, Sequence

from promptdeck.core.dialects.pieces import as_list, as_object, called, labelled
from promptdeck.core.dialects.streamed import TextLeaf
from promptdeck.core.text.jsontext import JSON, JSONObject

from .fold import place_of

# By an item's type: the name of the call that it is, and the key of what is called with.
_CALLS = {
    "function_call": ("", "arguments"),
    "mcp_call": ("", "arguments"),
    "custom_tool_call": ("", "input"),
    "code_interpreter_call": ("code_interpreter", "code"),
    "web_search_call": ("web_search", "action"),
    "file_search_call": ("file_search", "queries"),
    "computer_call": ("computer", "action"),
    "local_shell_call": ("local_shell", "action"),
    "shell_call": ("shell", "action"),
}
_TEXTS = ("output_text", "input_text", "text", "reasoning_text", "summary_text")


def text_of(response: JSONObject) -> str:
    """All that a response says, a line or more for each thing."""
    return "\n".join(lines(response))


def lines(response: JSONObject) -> Iterator[str]:
    """All that a response says, a line or more for each thing."""
    for item in map(as_object, as_list(response.get("output"))):
        yield from _line(item)


def turns(body: JSONObject) -> Iterator[tuple[str, str]]:
    """Who says what in a request: role and text of each turn."""
    if isinstance(instructions := body.get("instructions"), str):
        yield "system", instructions
    asked = body.get("input")
    if isinstance(asked, str):
        yield "user", asked
    for item in map(as_object, as_list(asked)):
        role = item.get("role") or str(item.get("type", "?")).removesuffix("_output")
        yield str(role), "\n".join(_line(item))


def _line(item: JSONObject) -> Iterator[str]:
    """The lines of an item of the input or output."""
    kind = item.get("type", "message")
    if kind == "message":
        yield from _content(item.get("content"))
    elif kind == "reasoning":
        for part in (*as_list(item.get("summary")), *as_list(item.get("content"))):
            yield from labelled("reasoning", as_object(part).get("text"))
    elif kind in _CALLS:
        name, key = _CALLS[kind]
        yield called(name or item.get("name"), item.get(key, ""))
    elif "output" in item:
        yield f"[{kind}] " + "\n".join(_content(item["output"]))
    else:
        yield f"[{kind}]"


def _content(content: JSON) -> Iterator[str]:
    """The lines of content: a text, or parts."""
    if isinstance(content, str):
        yield content
    for part in map(as_object, as_list(content)):
        if part.get("type") in _TEXTS:
            yield from labelled("", part.get("text"))
        elif "refusal" in part:
            yield from labelled("refusal", part["refusal"])
        else:
            yield f"[{part.get('type', '?')}]"


_KEYS = {
    "output_text": "text",
    "refusal": "refusal",
    "reasoning_text": "text",
    "summary_text": "text",
}


def texts(response: JSONObject) -> Iterator[TextLeaf]:
    """The texts of a response: number of the item, the list in it and the place there, its key."""
    for number, item in enumerate(map(as_object, as_list(response.get("output")))):
        yield from _in_item(number, item, deals=True)


def _in_item(number: JSON, item: JSONObject, *, deals: bool) -> Iterator[TextLeaf]:
    for place in ("summary", "content"):
        for at, part in enumerate(map(as_object, as_list(item.get(place)))):
            yield from _in_part((number, place, at), part, deals=deals)


def _in_part(place: tuple[JSON, str, JSON], part: JSONObject, *, deals: bool) -> Iterator[TextLeaf]:
    if key := _KEYS.get(str(part.get("type"))):
        yield TextLeaf((*place, key), part, key, deals, logprobs=part)


def dealt(values: Sequence[JSONObject]) -> Iterator[tuple[int, TextLeaf]]:
    """The same texts in events: in deltas a part of it, in many others the whole again."""
    for n, value in enumerate(values):
        for leaf in _in_event(value):
            yield n, leaf


def _in_event(value: JSONObject) -> Iterator[TextLeaf]:
    kind, number = str(value.get("type")), value.get("output_index")
    if response := as_object(value.get("response")):
        for leaf in texts(response):
            yield leaf._replace(deals=False)
    yield from _in_item(number, as_object(value.get("item")), deals=False)
    place = ("summary", "summary_index") if "summary" in kind else ("content", "content_index")
    slot = number, place[0], value.get(place[1])
    yield from _in_part(slot, as_object(value.get("part")), deals=False)
    found = place_of(kind)
    if found and found[0]:
        key = "delta" if kind.endswith(".delta") else found[2]
        yield TextLeaf((*slot, found[2]), value, key, deals=key == "delta", logprobs=value)
