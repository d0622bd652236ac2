"""Files that hold pairs of request and response, as vcrpy and its relatives write them.

vcrpy and pytest-recording, go-vcr and ReqCassette have a list `interactions`, Ruby's VCR,
betamax and rVCR `http_interactions`, PHP-VCR and ExVCR a bare list, ddapm-test-agent one
pair; langchain's serializer writes two lists, `requests` and `responses`; projects' own
recorders have pairs under a key of theirs, or one a line. All come as YAML or JSON. What a
pair says is read in `pair`.
"""

from collections.abc import Callable, Iterator
from typing import Any

import orjson
import yaml

from promptdeck.core.text.jsontext import JSON

from .entry import Imported, NotCarried, Unreadable, each
from .pair import imported
from .tags import loaded

LISTS = ("interactions", "http_interactions")
"""The keys under which pairs are listed."""


def read(text: str) -> Iterator[Imported | NotCarried]:
    """Every pair, in order. Unreadable for what is no file of such pairs."""
    if text.lstrip().startswith(("{", "[")):
        try:
            value = orjson.loads(text)
        except orjson.JSONDecodeError as error:
            return each(_lined(text, error), imported)
        return _read(value, lambda key, at: f"$.{key}[{at}]" if key else f"$[{at}]")
    value, root = loaded(text)
    return _read(value, _Lines(root))


def _read(value: JSON, place: Callable[[str, int], str]) -> Iterator[Imported | NotCarried]:
    """Every pair of a file that was parsed; `place` tells where the entry `at` in `key` is."""
    key, pairs = _pairs(value)
    if key and pairs and not any(map(is_pair, pairs)):
        # Said once, however many they are.
        reason = f"its `{key}` are another tool's, without `request` and `response`"
        return iter([NotCarried(place(key, 0), reason)])
    return each(((place(key, at), pair) for at, pair in enumerate(pairs)), imported)


def _lined(text: str, error: orjson.JSONDecodeError) -> list[tuple[str, JSON]]:
    """The pairs of a file that has one a line, with their lines. Unreadable for another one."""
    lines = [(str(at), line) for at, line in enumerate(text.split("\n"), 1) if line.strip()]
    try:
        found = [(place, orjson.loads(line)) for place, line in lines]
    except orjson.JSONDecodeError:
        raise Unreadable(f"broken JSON: {error}") from None
    if not any(is_pair(value) for _, value in found):
        raise Unreadable("not a vcrpy cassette: its lines have no `request` and `response`")
    return found


def key_of_pairs(value: JSON) -> str | None:
    """The key under which a file's JSON lists pairs, empty for a bare list; None if it has none."""
    if _is_list_of_pairs(value):
        return ""
    named = value.items() if isinstance(value, dict) else ()
    return next((key for key, item in named if _is_list_of_pairs(item)), None)


def _is_list_of_pairs(value: JSON) -> bool:
    return isinstance(value, list) and any(map(is_pair, value))


def is_pair(value: JSON) -> bool:
    """True for a request with its response."""
    return isinstance(value, dict) and {"request", "response"} <= value.keys()


class _Lines:
    """Tells the line of the entry `at` in the list `key` of a file, by its root node."""

    def __init__(self, root: Any) -> None:
        pairs = root.value if isinstance(root, yaml.MappingNode) else []
        self._named = {key.value: value for key, value in pairs if hasattr(key, "value")}
        self._root = root

    def __call__(self, key: str, at: int) -> str:
        node = self._named[key] if key else self._root
        entries = node.value if isinstance(node, yaml.SequenceNode) else [node]
        return str(entries[at].start_mark.line + 1)


def _pairs(value: JSON) -> tuple[str, list[JSON]]:
    """The key of a file's list, empty where the file is the list, and what is in it. Unreadable."""
    if _is_list_of_pairs(value):
        return "", value
    if not isinstance(value, dict):
        raise Unreadable("not a vcrpy cassette: it has no `interactions`")
    if "promptdeck" in value:
        raise Unreadable("a cassette of promptdeck already: copy it as it is")
    for key in LISTS:
        if key in value:
            return key, _list(key, value[key])
    if {"requests", "responses"} <= value.keys():
        lists = _list("requests", value["requests"]), _list("responses", value["responses"])
        return "requests", _paired(*lists)
    if is_pair(value):
        return "", [_unmarked(value)]
    if own := key_of_pairs(value):
        return own, value[own]
    raise Unreadable("not a vcrpy cassette: it has no `interactions`")


def _list(key: str, value: JSON) -> list[JSON]:
    # Some write an empty mapping, or nothing, of a test that asked for nothing.
    if not isinstance(value, list) and value:
        raise Unreadable(f"not a vcrpy cassette: its `{key}` are no list")
    return value or []


def _paired(requests: list[JSON], responses: list[JSON]) -> list[JSON]:
    """langchain's two lists as vcrpy's one. Unreadable if they are not equally long."""
    if len(requests) != len(responses):
        raise Unreadable(f"it has {len(requests)} requests and {len(responses)} responses")
    pairs = zip(requests, responses, strict=True)
    return [{"request": request, "response": response} for request, response in pairs]


_MARK = "base64:"
"""With which ddapm-test-agent begins a body that is no text."""


def _unmarked(pair: dict[str, JSON]) -> JSON:
    """ddapm-test-agent's pair with bodies that are base64 as vcrpy has them."""
    return {
        name: {**half, "body": {"base64_string": half["body"].removeprefix(_MARK)}}
        if isinstance(half, dict) and str(half.get("body")).startswith(_MARK)
        else half
        for name, half in pair.items()
    }
