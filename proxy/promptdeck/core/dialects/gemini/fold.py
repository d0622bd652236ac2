"""The answer that the pieces of a stream add up to, as generateContent would have sent it.

Each piece is an answer of its own, whose texts go on from piece to piece. The rules are those
of Google's own clients (js-genai and generative-ai, `aggregateResponses`): of what is not
text, and no list that grows, the last word counts.
"""

from collections.abc import Iterable, Sequence

from promptdeck.core.dialects.pieces import as_list, as_object, index_of
from promptdeck.core.text.jsontext import JSON, JSONObject

from .arguments import joined_arguments

# Members of a text that goes on. One with a signature does not: it would be another's.
_GOES_ON = frozenset(["text", "thought"])
# Of these the lists grow, where each piece tells its own.
_GROWING = ("citationMetadata", "logprobsResult")
# Of these, members that a later piece leaves out stay.
_MERGED = ("groundingMetadata", "urlContextMetadata")


def fold(pieces: Iterable[JSONObject]) -> JSONObject:
    """The answer that the pieces of a stream add up to."""
    answer: JSONObject = {}
    candidates: dict[int, JSONObject] = {}
    for piece in pieces:
        for key, told in piece.items():
            if key == "candidates":
                answer.setdefault(key, [])
                for at, candidate in enumerate(map(as_object, as_list(told))):
                    grow(candidates.setdefault(index_of(candidate, at), {}), candidate)
            elif key == "usageMetadata" and isinstance(told, dict):
                # A count that is missing in the last piece keeps its last value.
                answer[key] = as_object(answer.get(key)) | told
            elif told is not None or key not in answer:
                answer[key] = told
    if candidates:
        answer["candidates"] = [_whole(candidates[index]) for index in sorted(candidates)]
    return answer


def grow(whole: JSONObject, candidate: JSONObject) -> None:
    """Add what a piece tells of a candidate."""
    for key, told in candidate.items():
        old = whole.get(key)
        if key == "content" and isinstance(told, dict):
            whole[key] = _content(as_object(old), told)
        elif key in _GROWING and isinstance(told, dict):
            whole[key] = _grown(as_object(old), told)
        elif key in _MERGED and isinstance(told, dict):
            whole[key] = as_object(old) | told
        elif told is not None or key not in whole:
            whole[key] = told


def _grown(old: JSONObject, told: JSONObject) -> JSONObject:
    """An object whose lists have those of another at their end, but for what is there already."""
    grown = old | told
    for key, items in told.items():
        if isinstance(items, list) and isinstance(before := old.get(key), list):
            again = items[: len(before)] == before
            grown[key] = items if again else [*before, *items]
    return grown


def _content(old: JSONObject, told: JSONObject) -> JSONObject:
    """Content that goes on in another piece."""
    content = old | {key: item for key, item in told.items() if key != "parts"}
    if isinstance(more := told.get("parts"), list):
        content["parts"] = joined_parts(as_list(old.get("parts")), more)
    return content


def joined_parts(parts: Sequence[JSON], more: Sequence[JSON]) -> list[JSON]:
    """Parts and those of the next piece, in which the first may go on with the last of before."""
    if parts and says_nothing(more):
        return [*parts]
    if parts and more and goes_on(parts[-1], more[0]):
        text = parts[-1]["text"] + more[0]["text"]
        return [*parts[:-1], {**parts[-1], "text": text}, *more[1:]]
    return [*parts, *more]


def says_nothing(parts: Sequence[JSON]) -> bool:
    """True for the parts of a piece that has no more than a finish reason to tell.

    Whole answers have no such part, and sent back to Google it is refused.
    """
    return len(parts) == 1 and is_empty(parts[0])


def is_empty(part: JSON) -> bool:
    """True for a text without letters, and without a signature."""
    return goes_on(part, part) and not part["text"]


def goes_on(part: JSON, following: JSON) -> bool:
    """True if a piece that begins with `following` goes on with the text that `part` ended."""
    both = [part, following]
    if not all(isinstance(one, dict) and isinstance(one.get("text"), str) for one in both):
        return False
    same_kind = bool(part.get("thought")) == bool(following.get("thought"))
    return same_kind and all(one.keys() <= _GOES_ON for one in both)


def _whole(candidate: JSONObject) -> JSONObject:
    """A candidate with the calls put together whose arguments came piece by piece."""
    content = candidate.get("content")
    if isinstance(content, dict) and isinstance(content.get("parts"), list):
        return candidate | {"content": content | {"parts": joined_arguments(content["parts"])}}
    return candidate
