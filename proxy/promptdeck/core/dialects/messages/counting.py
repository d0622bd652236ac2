"""What counts of a request of this protocol, and what as equal."""

from promptdeck.core.dialects.marks import one_text, parts_without_marks
from promptdeck.core.text.jsontext import JSON


def counting(body: dict[str, JSON]) -> dict[str, JSON]:
    """A body, without labels, with each value in its one form: no marks, a sole text as text."""
    counted = {**body}
    if "system" in counted:
        counted["system"] = one_text(counted["system"])
    for place in ("messages", "tools"):
        if isinstance(items := counted.get(place), list):
            counted[place] = [parts_without_marks(item) for item in items]
    return counted
