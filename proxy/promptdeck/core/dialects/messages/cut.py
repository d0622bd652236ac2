"""A message dealt out as a stream of events, word by word.

`fold` gives the message back, and so does the SDK's own accumulator. The order of the events
is that of https://docs.anthropic.com/en/api/messages-streaming.
"""

from collections.abc import Iterator

from promptdeck.core.dialects.pieces import Deals, as_list, as_object, event, words
from promptdeck.core.text.jsontext import JSON, JSONObject, compact

# What is known at the end alone, and where the last event but one tells it: these in its
# `delta`, the others beside it. All else stands in the first event.
_IN_DELTA = ("stop_reason", "stop_sequence", "stop_details", "container")
_BESIDE = ("context_management", "input_transformations")
# Of the usage what goes on being counted; the prompt's counts are repeated, as the API does.
_COUNTED = frozenset(
    """input_tokens output_tokens cache_creation_input_tokens cache_read_input_tokens
    output_tokens_details server_tool_use iterations""".split()
)


def cut(message: JSONObject, deal: Deals = words) -> list[bytes]:
    """The frames of a stream that folds into `message`; `deal` cuts its texts."""
    begun: JSONObject = message | {"content": []}
    for key in (*_IN_DELTA, *_BESIDE):
        if key in message:
            begun[key] = None
    usage = message.get("usage")
    if isinstance(usage, dict) and isinstance(usage.get("output_tokens"), int):
        begun["usage"] = {**usage, "output_tokens": 0}
    events: list[JSONObject] = [{"type": "message_start", "message": begun}]
    for index, block in enumerate(as_list(message.get("content"))):
        events += ({**one, "index": index} for one in _block(block, deal))
    last: JSONObject = {
        "type": "message_delta",
        "delta": {key: message[key] for key in _IN_DELTA if key in message},
        **{key: message[key] for key in _BESIDE if key in message},
    }
    if isinstance(usage, dict):
        last["usage"] = {key: item for key, item in usage.items() if key in _COUNTED}
    return [event(one) for one in [*events, last, {"type": "message_stop"}]]


def _block(block: JSON, deal: Deals) -> Iterator[JSONObject]:
    """The events of one block of the content, without its index."""
    begun, deltas = _dealt(block, deal) if isinstance(block, dict) else (block, [])
    yield {"type": "content_block_start", "index": 0, "content_block": begun}
    for delta in deltas:
        yield {"type": "content_block_delta", "index": 0, "delta": delta}
    yield {"type": "content_block_stop", "index": 0}


def _dealt(block: JSONObject, deal: Deals) -> tuple[JSONObject, list[JSONObject]]:
    """A block as it begins, and the deltas that make it whole; other kinds come whole at once."""
    kind, begun = block.get("type"), {**block}
    deltas: list[JSONObject] = []
    if kind == "text" and isinstance(text := block.get("text"), str):
        begun["text"] = ""
        deltas += ({"type": "text_delta", "text": word} for word in deal(text))
        if citations := as_list(block.get("citations")):
            begun["citations"] = []
            deltas += ({"type": "citations_delta", "citation": one} for one in citations)
    elif kind == "thinking" and isinstance(text := block.get("thinking"), str):
        begun["thinking"] = ""
        deltas += ({"type": "thinking_delta", "thinking": word} for word in deal(text))
        if isinstance(signature := block.get("signature"), str) and signature:
            begun["signature"] = ""
            deltas.append({"type": "signature_delta", "signature": signature})
    elif isinstance(kind, str) and kind.endswith("tool_use") and as_object(block.get("input")):
        begun["input"] = {}
        pieces = deal(compact(block["input"]).decode())
        deltas += ({"type": "input_json_delta", "partial_json": piece} for piece in ("", *pieces))
    return begun, deltas
