"""What log probabilities say once more: an answer's tokens, in pieces and as bytes.

Chat completions, Responses, legacy completions and Gemini list the tokens of a text beside
it, some with the bytes of each. A secret of the text is cut out of all of them.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from promptdeck.core.text.jsontext import JSON

from .redact import Redactor, without

_Path = tuple[str | int, ...]


class _ListedToken(NamedTuple):
    """A token in the JSON of an answer, which can be replaced there."""

    frame: int
    """The number of the frame that it is in."""
    holder: Any
    """The object or the list in which its text stands, under `key`."""
    key: str | int

    @property
    def data(self) -> bytes:
        """What it says: its bytes where they are told, else those of its text."""
        told = self.holder.get("bytes") if isinstance(self.holder, dict) else None
        try:
            return bytes(told) if told else self._text.encode("utf-8", "surrogatepass")
        except (TypeError, ValueError):
            return self._text.encode("utf-8", "surrogatepass")

    @property
    def _text(self) -> str:
        text: str = self.holder[self.key]
        return text

    def put(self, text: str) -> None:
        """Put another text in its place, also where it is listed among the likeliest."""
        old = self._text
        self.holder[self.key] = text
        if isinstance(self.holder, dict):
            for item in (self.holder, *_objects(self.holder.get("top_logprobs"))):
                if item is self.holder or item.get("token") in (old, text) or not text:
                    item["token"] = text
                    if item.get("bytes"):
                        item["bytes"] = list(text.encode())


def clear_tokens(
    redactor: Redactor, values: Iterable[JSON], extra: Sequence[str], counts: Counter[str]
) -> set[int]:
    """Cut secrets out of the tokens in values, those of a stream's frames or of one body.

    The values are changed in place. Gives the numbers of those that were, and adds to `counts`.
    """
    listed: dict[_Path, list[_ListedToken]] = defaultdict(list)
    for number, value in enumerate(values):
        for path, token in _tokens(value, (), number):
            listed[path].append(token)
    changed: set[int] = set()
    for tokens in listed.values():
        said = [token.data.decode("latin-1") for token in tokens]
        text = "".join(said)
        spans = redactor.spans(text, extra)
        counts.update(span.name for span in spans)
        begin = 0
        for token, old in zip(tokens, said, strict=True):
            new = without(text, spans, begin, begin + len(old)) if spans else old
            begin += len(old)
            if new != old:
                token.put(new.encode("latin-1", "replace").decode("utf-8", "replace"))
                changed.add(token.frame)
    return changed


def _tokens(value: JSON, path: _Path, frame: int) -> Iterator[tuple[_Path, _ListedToken]]:
    """Each token in a value, at the path that those share which go on from it."""
    if isinstance(value, dict):
        index = value.get("index")
        path = (*path, str(value.get("type", "")), index if isinstance(index, int) else "")
        for key, item in value.items():
            if key == "tokens" and isinstance(item, list) and "token_logprobs" in value:
                for place, text in enumerate(item):
                    if isinstance(text, str):
                        yield (*path, key), _ListedToken(frame, item, place)
            elif key != "top_logprobs":
                yield from _tokens(item, (*path, key), frame)
    elif isinstance(value, list):
        for item in value:
            if isinstance(item, dict) and isinstance(item.get("token"), str):
                yield path, _ListedToken(frame, item, "token")
            else:
                yield from _tokens(item, path, frame)


def _objects(value: JSON) -> Iterator[dict[str, Any]]:
    """The objects in a list; none of anything else."""
    if isinstance(value, list):
        yield from (item for item in value if isinstance(item, dict))
