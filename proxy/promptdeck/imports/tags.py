"""YAML of other tools, of which nothing is ever made but text, bytes, numbers, lists and mappings.

vcrpy's files are dumped by PyYAML's full dumper, so that what a client's library had for
a text, a list or a mapping stands in them as a Python object: aiohttp's header names,
`io.BytesIO`, tuples, enums. Such a tag is read as the one value that the object was made
from. Ruby's and Go's tags are read by the node that they stand at. A tag that names
anything else is refused: vcrpy before 8.2.1 ran what it said (GHSA-rpj2-4hq8-938g).
"""

import re
from typing import Any

import yaml

from promptdeck.core.text.jsontext import JSON

from .entry import Unreadable

_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_YAML = "tag:yaml.org,2002:"


class _Safe(_Loader):  # type: ignore[misc]  # one of two classes
    """The safe loader, with the tags of other tools."""


# Scalars and collections as PyYAML's full dumper, and Python 2's, name them.
_PLAIN = {
    "str": _Safe.construct_yaml_str,
    "unicode": _Safe.construct_yaml_str,
    "bytes": _Safe.construct_yaml_binary,
    "bool": _Safe.construct_yaml_bool,
    "int": _Safe.construct_yaml_int,
    "long": _Safe.construct_yaml_int,
    "float": _Safe.construct_yaml_float,
    "none": _Safe.construct_yaml_null,
    "tuple": _Safe.construct_yaml_seq,
    "list": _Safe.construct_yaml_seq,
    "dict": _Safe.construct_yaml_map,
}
for _name, _construct in _PLAIN.items():
    _Safe.add_constructor(f"{_YAML}python/{_name}", _construct)

# By its name a text, bytes, a list or a mapping, whoever's class it is: `multidict.istr`,
# `yarl.URL`, `http.HTTPStatus`, `requests.structures.CaseInsensitiveDict`, `_io.BytesIO`.
_HOLDER = re.compile(
    r"(?i)(str|string|unicode|text|bytes|bytearray|bytesio|stringio|url|uri|tuple|list|set|dict"
    r"|headers?|status|method|datetime)$"
)
_MAPPING = re.compile(r"(?i)(dict|headers?)$")


def _held(loader: Any, suffix: str, node: Any) -> JSON:
    """What an object of Python holds; `suffix` is its class. Unreadable for what is no holder."""
    if not _HOLDER.search(suffix.rpartition(".")[2]):
        line = node.start_mark.line + 1
        raise Unreadable(
            f"line {line}: {node.tag.removeprefix(_YAML)} would run code, and nothing of ours does:"
            " record this cassette anew"
        )
    if isinstance(node, yaml.ScalarNode):
        return loader.construct_scalar(node)
    if isinstance(node, yaml.SequenceNode):
        found = _of_arguments(loader.construct_sequence(node, deep=True))
        # An ordered mapping is made from its pairs, and there may be none.
        return {} if found in ([], "") and _MAPPING.search(suffix) else found
    parts = loader.construct_mapping(node, deep=True)
    for key in ("args", "state", "dictitems", "listitems"):
        if parts.get(key):
            found = parts[key]
            return _of_arguments(found) if isinstance(found, list) else _of_state(found)
    return _of_state(parts)


def _of_arguments(arguments: list[JSON]) -> JSON:
    """The first of what an object was made from: a file's other state is where it was read to.

    Pairs make the mapping that they are of.
    """
    first = arguments[0] if arguments else ""
    if isinstance(first, list) and first and all(map(_is_pair, first)):
        return dict(first)
    return first


def _is_pair(item: JSON) -> bool:
    return isinstance(item, list) and len(item) == 2 and isinstance(item[0], str)


def _of_state(state: JSON) -> JSON:
    """An object's members, or the headers in its store: `CaseInsensitiveDict` has `_store`."""
    store = state.get("_store") if isinstance(state, dict) else None
    if not isinstance(store, dict):
        return state
    # By the name in lower case the name as it was written, and its value.
    return dict(pair for pair in store.values() if _is_pair(pair))


for _kind in ("object/apply:", "object/new:", "object:"):
    _Safe.add_multi_constructor(f"{_YAML}python/{_kind}", _held)


def _as_written(loader: Any, suffix: str, node: Any) -> JSON:
    """A tag of another language: its node is all that is read."""
    if isinstance(node, yaml.ScalarNode):
        # As Ruby's old writer has it, one exclamation mark short.
        plain = suffix != "binary"
        return loader.construct_scalar(node) if plain else loader.construct_yaml_binary(node)
    if isinstance(node, yaml.SequenceNode):
        return loader.construct_sequence(node, deep=True)
    return loader.construct_mapping(node, deep=True)


_Safe.add_multi_constructor("!", _as_written)
_Safe.add_multi_constructor(f"{_YAML}ruby/", _as_written)


def loaded(text: str) -> tuple[JSON, Any]:
    """A YAML text's value, and its root node, which has the lines. Unreadable."""
    loader = _Safe(text)
    try:
        root = loader.get_single_node()
        return (None if root is None else loader.construct_document(root)), root
    except (yaml.YAMLError, ValueError, TypeError, RecursionError) as error:
        if isinstance(error, Unreadable):
            raise
        raise Unreadable(_told(error)) from None
    finally:
        loader.dispose()


def _told(error: Exception) -> str:
    """An error of the YAML reader in a line for people, with the place where it is known."""
    mark = getattr(error, "problem_mark", None)
    line = f"line {mark.line + 1}: " if mark else ""
    problem = str(getattr(error, "problem", None) or error)
    if "python/" in problem:
        problem += ", which would run code; record this cassette anew"
    return line + problem
