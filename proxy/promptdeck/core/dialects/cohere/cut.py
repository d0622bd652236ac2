"""An answer of Cohere's dealt out as a stream of events, word by word; `fold` gives it back."""

from collections.abc import Iterator

from promptdeck.core.dialects.pieces import OTHER_EVENTS, Deals, as_list, as_object, event, words
from promptdeck.core.text.jsontext import JSON, JSONObject

# The lists of a message, and what the events are called that have their items.
_LISTED = {"content": "content", "tool_calls": "tool-call", "citations": "citation"}
# Of a block, what is dealt out.
_TEXTS = ("thinking", "text")


def cut(answer: JSONObject, deal: Deals = words) -> list[bytes]:
    """The frames of a stream that folds into `answer`; `deal` cuts its texts."""
    message = answer.get("message")
    begun: JSONObject = {"type": "message-start"}
    if "id" in answer:
        begun["id"] = answer["id"]
    events: list[JSONObject] = []
    if isinstance(message, dict):
        first, events = _dealt(message, deal)
        begun["delta"] = {"message": first}
    beside = {"id", OTHER_EVENTS} | ({"message"} if isinstance(message, dict) else set())
    last = {key: item for key, item in answer.items() if key not in beside}
    others = [as_object(one) for one in as_list(answer.get(OTHER_EVENTS))]
    told = [one for one in others if isinstance(one.get("type"), str)]
    return [event(one) for one in (begun, *events, *told, {"type": "message-end", "delta": last})]


def _dealt(message: JSONObject, deal: Deals) -> tuple[JSONObject, list[JSONObject]]:
    """A message as it begins, and the events that make it whole."""
    begun, events = {**message}, list[JSONObject]()
    if isinstance(plan := message.get("tool_plan"), str):
        begun["tool_plan"] = ""
        events += (_event("tool-plan-delta", tool_plan=word) for word in deal(plan))
    for key, name in _LISTED.items():
        items = message.get(key)
        if isinstance(items, list) and items:
            begun[key] = []
            for index, item in enumerate(items):
                events += ({**one, "index": index} for one in _item(name, key, item, deal))
    return begun, events


def _item(name: str, key: str, item: JSON, deal: Deals) -> Iterator[JSONObject]:
    """The events of one block, call or citation, without its index."""
    begun, deltas = item, list[JSONObject]()
    if isinstance(item, dict) and name == "content":
        texts = {one: text for one in _TEXTS if isinstance(text := item.get(one), str)}
        begun = item | dict.fromkeys(texts, "")
        deltas += ({one: word} for one, text in texts.items() for word in deal(text))
    elif isinstance(item, dict):
        function = as_object(item.get("function"))
        if isinstance(arguments := function.get("arguments"), str):
            begun = item | {"function": function | {"arguments": ""}}
            deltas += ({"function": {"arguments": word}} for word in deal(arguments))
    yield _event(f"{name}-start", **{key: begun})
    yield from (_event(f"{name}-delta", **{key: delta}) for delta in deltas)
    yield {"type": f"{name}-end"}


def _event(kind: str, **message: JSON) -> JSONObject:
    return {"type": kind, "delta": {"message": message}}
