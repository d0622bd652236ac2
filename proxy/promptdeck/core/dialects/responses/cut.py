"""A response dealt out as a stream of events, word by word.

`fold` gives the response back, and so does the SDK's own accumulator. The order of the events
is that of https://platform.openai.com/docs/api-reference/responses-streaming.
"""

from collections.abc import Iterator, Mapping

from promptdeck.core.dialects.pieces import Deals, as_list, as_object, event, words
from promptdeck.core.text.jsontext import JSON, JSONObject

from .fold import ENDS

# By the status of a response its last event; without one, as some servers send it, it is done.
_LAST: Mapping[JSON, str] = {
    "completed": ENDS[0],
    "incomplete": ENDS[1],
    "failed": ENDS[2],
}
# What is not known yet when a response begins.
_OPEN = ("completed_at", "error", "incomplete_details", "usage")
# By an item's type: the type of the events that deal out its text, and the text's key.
_DEALT: Mapping[JSON, tuple[str, str]] = {
    "function_call": ("function_call_arguments", "arguments"),
    "mcp_call": ("mcp_call_arguments", "arguments"),
    "custom_tool_call": ("custom_tool_call_input", "input"),
    "code_interpreter_call": ("code_interpreter_call_code", "code"),
}
# By an item's type: the steps that are told before its text, and after it.
_STEPS: Mapping[JSON, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "mcp_call": (("in_progress",), ("completed",)),
    "mcp_list_tools": (("in_progress",), ("completed",)),
    "code_interpreter_call": (("in_progress",), ("interpreting", "completed")),
    "web_search_call": (("in_progress", "searching"), ("completed",)),
    "file_search_call": (("in_progress", "searching"), ("completed",)),
    "image_generation_call": (("in_progress", "generating"), ("completed",)),
}
_PARTS: Mapping[JSON, tuple[str, str]] = {
    "output_text": ("output_text", "text"),
    "refusal": ("refusal", "refusal"),
    "reasoning_text": ("reasoning_text", "text"),
}


def cut(response: JSONObject, deal: Deals = words) -> list[bytes]:
    """The frames of a stream that folds into `response`; `deal` cuts its texts."""
    begun = response | {"output": []}
    if "status" in response:
        begun["status"] = "in_progress"
    begun |= {key: None for key in _OPEN if key in response}
    last = _LAST.get(response.get("status"), ENDS[0])
    events: list[JSONObject] = [
        {"type": "response.created", "response": begun},
        {"type": "response.in_progress", "response": begun},
        *(
            {**one, "output_index": index}
            for index, item in enumerate(as_list(response.get("output")))
            for one in _item(as_object(item), deal)
        ),
        {"type": last, "response": response},
    ]
    return [event({**one, "sequence_number": number}) for number, one in enumerate(events)]


def _item(item: JSONObject, deal: Deals) -> Iterator[JSONObject]:
    """The events of one item of the output, without its index."""
    kind = item.get("type")
    begun = item | ({"status": "in_progress"} if "status" in item else {})
    for place in ("content", "summary"):
        if isinstance(item.get(place), list):
            begun[place] = []
    dealt, key = _DEALT.get(kind, ("", ""))
    text = item.get(key)
    if isinstance(text, str):
        begun[key] = ""
    before, after = _STEPS.get(kind, ((), ()))
    named = {"item_id": item["id"]} if "id" in item else {"item_id": ""}
    yield {"type": "response.output_item.added", "item": begun}
    yield from ({"type": f"response.{kind}.{step}", **named} for step in before)
    for number, part in enumerate(as_list(item.get("summary"))):
        yield from _summary(as_object(part), named | {"summary_index": number}, deal)
    for number, part in enumerate(as_list(item.get("content"))):
        yield from _part(as_object(part), named | {"content_index": number}, deal)
    if isinstance(text, str):
        yield from _text(dealt, key, text, named | _name(item), deal)
    yield from ({"type": f"response.{kind}.{step}", **named} for step in after)
    yield {"type": "response.output_item.done", "item": item}


def _name(item: JSONObject) -> JSONObject:
    """The function's name, which is said once more with its arguments."""
    return {"name": item["name"]} if item.get("type") == "function_call" and "name" in item else {}


def _summary(part: JSONObject, named: JSONObject, deal: Deals) -> Iterator[JSONObject]:
    """The events of a part of a reasoning's summary."""
    yield {"type": "response.reasoning_summary_part.added", **named, "part": part | {"text": ""}}
    if isinstance(text := part.get("text"), str):
        yield from _text("reasoning_summary_text", "text", text, named, deal)
    yield {"type": "response.reasoning_summary_part.done", **named, "part": part}


def _part(part: JSONObject, named: JSONObject, deal: Deals) -> Iterator[JSONObject]:
    """The events of a part of an item's content."""
    kind, key = _PARTS.get(part.get("type"), ("", ""))
    text = part.get(key)
    begun = {**part, key: ""} if isinstance(text, str) else part
    for place in ("annotations", "logprobs"):
        if isinstance(part.get(place), list):
            begun = {**begun, place: []}
    yield {"type": "response.content_part.added", **named, "part": begun}
    if isinstance(text, str):
        yield from _text(kind, key, text, named, deal, as_list(part.get("logprobs")))
    for number, annotation in enumerate(as_list(part.get("annotations"))):
        yield {
            "type": "response.output_text.annotation.added",
            **named,
            "annotation_index": number,
            "annotation": annotation,
        }
    yield {"type": "response.content_part.done", **named, "part": part}


def _text(
    kind: str,
    key: str,
    text: str,
    named: JSONObject,
    deal: Deals,
    logprobs: list[JSON] | None = None,
) -> Iterator[JSONObject]:
    """The events that deal out a text, in its tokens where they are told, and tell it again."""
    head = f"response.{kind}"
    name = named.get("name")
    named = {key: value for key, value in named.items() if key != "name"}
    told: JSONObject = {"logprobs": []} if kind == "output_text" else {}
    for word, tokens in _tokens(text, logprobs or [], deal):
        carried = {"logprobs": tokens} if tokens else told
        yield {"type": f"{head}.delta", **named, "delta": word, **carried}
    whole = {"logprobs": logprobs or []} if kind == "output_text" else {}
    own = {} if name is None else {"name": name}
    yield {"type": f"{head}.done", **named, key: text, **own, **whole}


def _tokens(text: str, logprobs: list[JSON], deal: Deals) -> Iterator[tuple[str, list[JSON]]]:
    """A text in pieces, each with the log probabilities that come with it."""
    tokens = [as_object(entry).get("token") for entry in logprobs]
    texts = [token for token in tokens if isinstance(token, str)]
    if logprobs and len(texts) == len(tokens) and "".join(texts) == text:
        yield from ((token, [entry]) for token, entry in zip(texts, logprobs, strict=True))
        return
    rest = logprobs
    for word in deal(text):
        yield word, rest
        rest = []
