"""An answer dealt out as the pieces of a stream, word by word; `fold` gives it back.

A piece is an answer of its own: texts are cut, calls and all else come whole. Where two parts
would be one had they come in two pieces, the border between them is within a piece.
"""

from collections.abc import Iterator, Sequence

from promptdeck.core.dialects.pieces import Deals, as_list, as_object, words
from promptdeck.core.text.jsontext import JSON, JSONObject

from .fold import goes_on, is_empty

_ON_EACH = ("modelVersion", "responseId", "createTime")


def cut(answer: JSONObject, deal: Deals = words) -> list[JSONObject]:
    """The pieces of a stream that folds into `answer`; `deal` cuts its texts."""
    named = {key: answer[key] for key in _ON_EACH if key in answer}
    # Each piece has a usage: what of it is known before the end are the prompt's counts.
    usage = as_object(answer.get("usageMetadata"))
    known = {key: item for key, item in usage.items() if key.startswith("prompt")}
    counted = {"usageMetadata": known} if known else {}
    pieces: list[JSONObject] = []
    if isinstance(candidates := answer.get("candidates"), list):
        for candidate in map(as_object, candidates):
            pieces += (
                {"candidates": [one], **counted, **named} for one in _candidate(candidate, deal)
            )
        pieces = pieces or [{"candidates": []}]
    pieces = pieces or [{}]
    pieces[-1] |= {key: item for key, item in answer.items() if key != "candidates"}
    return pieces


def _candidate(candidate: JSONObject, deal: Deals) -> Iterator[JSONObject]:
    """A candidate in pieces; the last has all that is no content."""
    content = candidate.get("content")
    index = {"index": candidate["index"]} if "index" in candidate else {}
    if not isinstance(content, dict) or not as_list(content.get("parts")):
        yield candidate
        return
    *groups, last = _groups(content["parts"], deal)
    for group in groups:
        yield {"content": content | {"parts": group}, **index}
    yield candidate | {"content": content | {"parts": last}}


def _groups(parts: Sequence[JSON], deal: Deals) -> list[list[JSON]]:
    """The parts of each piece: one, or two where a border must lie within a piece."""
    groups: list[list[JSON]] = []
    previous: JSON = None
    for part in parts:
        first, *rest = _dealt(part, deal)
        # What is empty would say nothing in a piece of its own.
        if groups and (goes_on(previous, part) or is_empty(part)):
            groups[-1].append(first)
        else:
            groups.append([first])
        groups += ([one] for one in rest)
        previous = part
    return groups


def _dealt(part: JSON, deal: Deals) -> list[JSON]:
    """A text as parts that go on with one another; any other part as it is."""
    # One with a signature, say, does not go on with itself.
    if not goes_on(part, part):
        return [part]
    return [{**part, "text": word} for word in deal(part["text"])] or [part]
