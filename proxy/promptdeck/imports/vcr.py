"""Cassettes of vcrpy and pytest-recording, YAML or JSON, version 1.

Read with the safe loader only (vcrpy before 8.2.1 ran what a cassette said,
GHSA-rpj2-4hq8-938g). Bodies are kept compressed or not, depending on the HTTP
client that was patched, with the header left in place; streams are one text.
langchain's serializer writes two lists, `requests` and `responses`.
"""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

import yaml

from promptdeck.core.interaction import Headers, header
from promptdeck.core.text.jsontext import JSON, compact

from .entry import (
    Elided,
    Imported,
    NotCarried,
    Unreadable,
    each,
    framed,
    listed,
    moment,
    text_of,
    unbase64,
    unpacked,
    utf8,
)

_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _Safe(_Loader):  # type: ignore[misc]  # one of two classes
    """The safe loader, which also takes the two tags that Python 2 left in old cassettes."""


_Safe.add_constructor("tag:yaml.org,2002:python/unicode", _Safe.construct_yaml_str)
_Safe.add_constructor("tag:yaml.org,2002:python/str", _Safe.construct_yaml_str)
_Safe.add_constructor("tag:yaml.org,2002:python/tuple", _Safe.construct_yaml_seq)


def _file(loader: Any, node: Any) -> bytes:
    """The bytes of a file that a request's body was read from; the object itself is not made."""
    state = loader.construct_mapping(node, deep=True).get("state") or [b""]
    return state[0] if isinstance(state[0], bytes) else str(state[0]).encode()


_Safe.add_constructor("tag:yaml.org,2002:python/object/new:_io.BytesIO", _file)


def read(text: str) -> Iterator[Imported | NotCarried]:
    """Every interaction, in order. Unreadable for what is no vcrpy cassette."""
    is_json = text.lstrip().startswith("{")
    return each(_from_json(text) if is_json else _from_yaml(text), _imported)


def _from_json(text: str) -> list[tuple[str, JSON]]:
    """The interactions of a JSON cassette, each with its JSON path. Unreadable."""
    try:
        return listed(text, "interactions")
    except Unreadable:
        requests, responses = listed(text, "requests"), listed(text, "responses")
    pairs = _paired([entry for _, entry in requests], [entry for _, entry in responses])
    return [(place, pair) for (place, _), pair in zip(requests, pairs, strict=True)]


def _paired(requests: list[JSON], responses: list[JSON]) -> list[JSON]:
    """langchain's two lists as vcrpy's one. Unreadable if they are not equally long."""
    if len(requests) != len(responses):
        raise Unreadable(f"it has {len(requests)} requests and {len(responses)} responses")
    pairs = zip(requests, responses, strict=True)
    return [{"request": request, "response": response} for request, response in pairs]


def _from_yaml(text: str) -> list[tuple[str, JSON]]:
    """The interactions of a YAML cassette, each with the line it begins on. Unreadable."""
    loader = _Safe(text)
    try:
        root = loader.get_single_node()
        lines = _lines(root)
        value = loader.construct_document(root)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise Unreadable(_told(error)) from None
    finally:
        loader.dispose()
    if "interactions" not in value:
        return list(zip(lines, _paired(value["requests"], value["responses"]), strict=True))
    return list(zip(lines, value["interactions"], strict=False))


def _lines(root: Any) -> list[str]:
    """The line of each interaction below a file's root node. Unreadable for other files."""
    pairs = root.value if isinstance(root, yaml.MappingNode) else []
    named = {key.value: value for key, value in pairs if isinstance(key, yaml.ScalarNode)}
    if "promptdeck" in named:
        raise Unreadable("a cassette of promptdeck already: copy it as it is")
    if "http_interactions" in named:
        raise Unreadable("a cassette of Ruby's VCR, not of vcrpy: record it anew")
    if "interactions" in named:
        return _lines_of("interactions", named)
    if {"requests", "responses"} <= named.keys():
        _lines_of("responses", named)
        return _lines_of("requests", named)
    raise Unreadable("not a vcrpy cassette: it has no `interactions`")


def _lines_of(key: str, named: dict[str, Any]) -> list[str]:
    """The line of each entry of the list `key`; `named` has the nodes by their keys."""
    if not isinstance(named[key], yaml.SequenceNode):
        raise Unreadable(f"not a vcrpy cassette: its `{key}` are no list")
    return [str(entry.start_mark.line + 1) for entry in named[key].value]


def _told(error: Exception) -> str:
    """An error of the YAML reader in a line for people, with the place where it is known."""
    mark = getattr(error, "problem_mark", None)
    line = f"line {mark.line + 1}: " if mark else ""
    problem = str(getattr(error, "problem", None) or error)
    if "python/" in problem:
        problem += ", which would run code; record this cassette anew"
    return line + problem


def _imported(place: str, entry: JSON) -> Imported:
    """One entry of the file. Elided, or the errors of an unexpected layout."""
    request, response = entry["request"], entry["response"]
    sent, came = _headers(request.get("headers")), _headers(response.get("headers"))
    body = unpacked(_answer(response), header(came, "content-encoding"))
    return Imported(
        place,
        text_of(request.get("method"), "method").upper(),
        text_of(request.get("uri"), "uri"),
        sent,
        _body(request),
        _status(response),
        came,
        framed(came, body),
        _recorded_at(entry.get("recorded_at")),
    )


def _headers(value: JSON) -> Headers:
    """Headers as pairs, from a mapping in which a name has one value or a list of them."""
    found: list[tuple[str, str]] = []
    for name, values in (value or {}).items():
        values = values if isinstance(values, list) else [values]
        found += [(name, _header_text(item)) for item in values]
    return tuple(found)


def _header_text(value: Any) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else str(value)


def _body(holder: JSON) -> bytes:
    """The body of a request or a response."""
    # Made by several projects' own serializers, for the sake of readable reviews.
    if "parsed_body" in holder:
        return compact(holder["parsed_body"])
    return _bytes(holder.get("body"))


def _answer(response: JSON) -> bytes:
    """The body of a response in any of vcrpy's forms."""
    # vcrpy before 6 kept the answers to httpx in this form.
    return _bytes(response["content"]) if "content" in response else _body(response)


def _bytes(body: Any) -> bytes:
    """A body that is text, bytes, nothing, or one of these in a mapping. Elided."""
    if isinstance(body, dict):
        if "base64_string" in body:
            return unbase64(body["base64_string"])
        body = body["string"]
    if body is None or isinstance(body, bytes):
        return body or b""
    if not isinstance(body, str):
        raise Elided(f"a body that is neither text nor bytes but {type(body).__name__}")
    return utf8(body)


def _status(response: JSON) -> int:
    if "status_code" in response:
        return int(response["status_code"])
    return int(response["status"]["code"])


def _recorded_at(value: Any) -> float | None:
    """A time that YAML read as one, or as text; None for anything else."""
    if isinstance(value, datetime):
        value = value.isoformat()
    return moment(value) if isinstance(value, str) else None
