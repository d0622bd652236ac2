"""What counts of a request of this protocol, and what as equal."""

from promptdeck.core.dialects.base import Dropped
from promptdeck.core.dialects.marks import parts_without_marks
from promptdeck.core.text.jsontext import JSON


def counting(body: dict[str, JSON], dropped: list[Dropped]) -> dict[str, JSON]:
    """A body, without labels, with each value in its one form: no marks, input as a list."""
    counted = {**body}
    # Padding against traffic analysis is all that there is to choose of a stream.
    if "stream_options" in counted:
        del counted["stream_options"]
        dropped.append(Dropped("$.stream_options", "chooses how a stream is padded"))
    # "A text input to the model, equivalent to a text input with the `user` role" (API
    # reference, `input`).
    if isinstance(text := counted.get("input"), str):
        counted["input"] = [{"role": "user", "content": text}]
    for place in ("input", "tools"):
        if isinstance(items := counted.get(place), list):
            counted[place] = [_item(parts_without_marks(item)) for item in items]
    return counted


def _item(item: JSON) -> JSON:
    """An item without the type that a message need not name (`EasyInputMessage`)."""
    if isinstance(item, dict) and item.get("type") == "message" and "role" in item:
        return {key: value for key, value in item.items() if key != "type"}
    return item
