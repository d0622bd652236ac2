"""The OpenAPI document as a page to read: one file, no scripts, nothing loaded from outside."""

import re
from collections.abc import Iterable, Iterator
from html import escape
from typing import Any

from promptdeck.core.text.jsontext import JSON
from promptdeck.core.text.jsontext import render as text_of

from .examples import REQUESTS, error
from .request import FIELDS, in_key
from .schema import JSONSchema, label

# Where `serve` listens if nothing else is said.
_BASE = "http://127.0.0.1:4141"


def render(document: dict[str, Any]) -> str:
    """The page of HTML of an OpenAPI document, which is the one that `openapi.document` makes."""
    shapes = document["components"]["schemas"]
    body = shapes["ChatCompletionRequest"]["properties"]
    types = {name: shape for name, shape in shapes.items() if name != "ChatCompletionRequest"}
    parts = [
        f"<h1>{escape(document['info']['title'])}</h1>",
        f"<p class=lead>{escape(document['info']['summary'])}</p>",
        _prose(document["info"]["description"]),
        _NAVIGATION,
        "<h2 id=try>Try it</h2>",
        *_tries(),
        "<h2 id=fields>Fields of a request</h2>",
        _prose(_FIELDS_ABOUT),
        _fields(body, types.keys()),
        "<h2 id=types>Types</h2>",
        *(_type(name, shape, types.keys()) for name, shape in types.items()),
        "<h2 id=paths>Paths</h2>",
        *_paths(document["paths"]),
    ]
    return _PAGE.format(style=_STYLE, content="\n".join(parts))


_NAVIGATION = """\
<nav><a href=#try>Try it</a> <a href=#fields>Fields of a request</a> <a href=#types>Types</a>
<a href=#paths>Paths</a> <a href=/openapi.json>openapi.json</a></nav>"""
_FIELDS_ABOUT = """\
Only `model` is required. Every other field but `automatic_tool_execution` may be `null`, which \
counts as absent. What is not in the key does not count when requests are compared: change it, and \
the same recording answers.\
"""


# Text


def _prose(text: str) -> str:
    """Paragraphs, parted by blank lines, as HTML."""
    return "".join(f"<p>{_inline(part)}</p>" for part in text.split("\n\n"))


def _inline(text: str) -> str:
    """Text as HTML, with what stands in backquotes as code."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(text, quote=False))


def _linked(text: str, names: Iterable[str]) -> str:
    """Text as HTML, with a link from each word that is one of the types' names."""
    known = frozenset(names)

    def link(match: "re.Match[str]") -> str:
        word = match[0]
        return f'<a href="#type-{word}">{word}</a>' if word in known else word

    return re.sub(r"\w+", link, escape(text, quote=False))


def _table(heads: str, rows: Iterable[str]) -> str:
    """A table as HTML, of its heads, parted by commas, and of what `_row` makes."""
    head = "".join(f"<th>{escape(name)}" for name in heads.split(", "))
    return f"<div class=wide><table><thead><tr>{head}<tbody>{''.join(rows)}</table></div>"


def _row(*cells: str) -> str:
    """A row of a table, of cells that are HTML."""
    return "<tr>" + "".join(f"<td>{cell}" for cell in cells)


def _notes(shape: JSONSchema) -> str:
    """A shape's description, that of what it holds, and its default, as HTML."""
    inner = shape.get("items") or shape.get("additionalProperties")
    below = inner.get("description", "") if isinstance(inner, dict) else ""
    default = f"Default: {text_of(shape['default'], 'compact')}." if "default" in shape else ""
    return _inline(" ".join(filter(None, [shape.get("description", ""), below, default])))


# Parts of the page


def _fields(properties: dict[str, JSONSchema], names: Iterable[str]) -> str:
    """The table of a request's fields; `names` are the types that there are links to."""

    def row(name: str, shape: JSONSchema) -> str:
        shown = f"<code>{name}</code>"
        if shape.get("deprecated"):
            shown += " <small>deprecated</small>"
        if name == "model":
            shown += " <small>required</small>"
        return f'<tr id="field-{name}">' + _row(
            shown,
            _linked(label(shape), names),
            _notes(shape),
            _inline(in_key(name)),
            escape(FIELDS[name].provider),
        ).removeprefix("<tr>")

    rows = (row(name, shape) for name, shape in properties.items())
    return _table("field, type, what it does, in the key, from", rows)


def _type(name: str, shape: JSONSchema, names: Iterable[str]) -> str:
    """A type, to be opened by who wants to see it."""
    # A link to what is inside opens the details; a link to the details themselves would not.
    head = f'<details><summary><b>{name}</b></summary><div id="type-{name}">'
    about = f"<p>{_inline(shape['description'])}</p>" if "description" in shape else ""
    return f"{head}{about}{_content(shape, names)}</div></details>"


def _content(shape: JSONSchema, names: Iterable[str]) -> str:
    """A type's parts: a list of its options, or a table of its keys, if it has any."""
    if "anyOf" in shape:
        options = "".join(f"<li>{_option(option, names)}" for option in shape["anyOf"])
        return f"<p>One of</p><ul>{options}</ul>"
    properties = shape.get("properties", {})
    required = shape.get("required", [])
    rows = (
        _row(
            f"<code>{key}</code>{' <small>required</small>' if key in required else ''}",
            _linked(label(item), names),
            _notes(item),
        )
        for key, item in properties.items()
    )
    return _table("key, type, notes", rows) if properties else ""


def _option(shape: JSONSchema, names: Iterable[str]) -> str:
    """One option of a type in a line: the object's keys, or the type in words."""
    keys = shape.get("properties", {})
    tags = ", ".join(f"{key}: {label(item)}" for key, item in keys.items())
    shown = f"{{{tags}}}" if keys else label(shape)
    about = f" {_inline(shape['description'])}" if "description" in shape else ""
    return f"{_linked(shown, names)}{about}"


def _paths(paths: dict[str, Any]) -> Iterator[str]:
    """All methods of all paths, each to be opened by who wants to see it."""
    for path, item in paths.items():
        for method in ("get", "post", "delete"):
            if method in item:
                parameters = [*item.get("parameters", []), *item[method].get("parameters", [])]
                yield _operation(method, path, item[method], parameters)


def _operation(method: str, path: str, item: Any, parameters: list[Any]) -> str:
    """One method of a path: the table of its parameters, and that of its statuses."""
    asked = (
        _row(
            f"<code>{escape(one['name'])}</code>",
            escape(one["in"]),
            _inline(one["description"]),
        )
        for one in parameters
    )
    answered = (
        _row(f"<code>{status}</code>", _inline(response["description"]))
        for status, response in item["responses"].items()
    )
    return (
        f"<details><summary><b>{method.upper()}</b> <code>{escape(path)}</code> "
        f"<span>{_inline(item['summary'])}</span></summary>"
        + (_table("parameter, where, what it does", asked) if parameters else "")
        + _table("status, when", answered)
        + "</details>"
    )


# Examples


def _tries() -> Iterator[str]:
    """Commands to try, each with what it brings."""
    yield "<p>An answer, and the same as a stream:</p>"
    yield _console(_curl("/v1/chat/completions", REQUESTS["plain"]))
    yield _console(_curl("/v1/chat/completions", {**REQUESTS["plain"], "stream": True}, "-N"))
    yield "<p>A mistake, and what it brings (400):</p>"
    yield _console(
        _curl("/v1/chat/completions", {"model": "m", "response_format": {"type": "json_shema"}}),
        text_of(error("invalid_request"), "indent 2"),
    )
    yield "<p>An answer to collect later, first 202 and then once 200:</p>"
    yield _console(
        _curl("/v1/chat/completions", {**REQUESTS["plain"], "deferred": True}),
        '{"id": "6f1c...", ..., "request_id": "6f1c..."}',
    )
    yield _console(f"curl -si {_BASE}/v1/chat/deferred-completion/6f1c...")


def _curl(path: str, body: JSON, flags: str = "-s") -> str:
    """The command that posts a body."""
    data = text_of(body, "spaced")
    return (
        f"curl {flags} {_BASE}{path} \\\n  -H 'Content-Type: application/json' \\\n"
        f"  -H \"Authorization: Bearer $OPENAI_API_KEY\" \\\n  -d '{data}'"
    )


def _console(command: str, output: str = "") -> str:
    """A command and its output as on a terminal, in HTML."""
    shown = f"<span>$</span> <b>{escape(command, quote=False)}</b>"
    return f"<pre>{shown}{chr(10)}{escape(output, quote=False)}</pre>".replace("\n</pre>", "</pre>")


_STYLE = """
:root { color-scheme: light dark; --line: #8884; --soft: #8881; --faint: #767676;
  --link: light-dark(#0b57d0, #8ab4f8); }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 72rem; margin: 0 auto; padding: 2rem 1rem; }
p { max-width: 46rem; }
h1 { margin: 0; } h2 { margin: 2.5rem 0 .5rem; } .lead { font-size: 1.2rem; margin: 0 0 1.5rem; }
a { color: var(--link); } nav a { margin-right: 1rem; }
code, pre { font: .9em/1.45 ui-monospace, monospace; }
code { background: var(--soft); padding: .1em .3em; border-radius: .25em; white-space: nowrap; }
pre { background: var(--soft); padding: .75rem 1rem; border-radius: .5rem;
  white-space: pre-wrap; overflow-wrap: anywhere; }
pre b { font-weight: 600; } pre span { color: var(--faint); user-select: none; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: .9rem; margin: .5rem 0 1rem; }
th, td { text-align: left; vertical-align: top; padding: .4rem .75rem .4rem 0;
  border-bottom: 1px solid var(--line); }
td code { white-space: nowrap; } small { color: var(--faint); }
details th:first-child { width: 14rem; } details th:nth-child(2) { width: 24rem; }
details { border-bottom: 1px solid var(--line); padding: .4rem 0; }
summary { cursor: pointer; } summary span { color: var(--faint); }
tr:target, div:target { background: var(--soft); }
div[id] { scroll-margin-top: 3rem; }
"""

_PAGE = """<!doctype html>
<html lang=en>
<meta charset=utf-8>
<meta name=viewport content="width=device-width, initial-scale=1">
<title>promptdeck: the API</title>
<style>{style}</style>
<body>
{content}
"""
