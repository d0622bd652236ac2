"""A block of content, as the part of a turn that it is."""

import base64
from collections.abc import Iterator, Sequence

from promptdeck.core.dialects.pieces import as_list, as_object
from promptdeck.core.dialects.translate.aim import Untranslatable
from promptdeck.core.dialects.translate.neutral import (
    Foreign,
    Paper,
    Passage,
    Picture,
    Signed,
    Thought,
    ToolCall,
    ToolResult,
    Words,
)
from promptdeck.core.text.jsontext import JSON, JSONObject, compact

from .ids import own_id
from .loose import unseal

_PROVIDER = "anthropic"
"""Whose signatures those are that nobody sealed."""


def passages(blocks: Sequence[JSON], path: str, names: dict[str, str]) -> tuple[Passage, ...]:
    """The parts that blocks are. Untranslatable where one is no block.

    `names` has those of the tools that were called before, by the ids of the calls; the calls
    among the blocks are added.
    """
    parts: list[Passage] = []
    waiting: Signed | None = None
    for number, block in enumerate(blocks):
        place = f"{path}[{number}]"
        if not isinstance(block, dict) or not isinstance(block.get("type"), str):
            raise Untranslatable("a block of content must have a type", param=place)
        signed, of = None, None
        if block["type"] == "thinking":
            signed, of = unseal(_text(block, "signature", place), _PROVIDER)
        if of == "call":
            waiting = signed
        elif of == "text":
            before = parts[-1] if parts else None
            if isinstance(before, Words):
                parts[-1] = before._replace(signed=signed)
            else:
                parts.append(Words("", signed=signed))
        else:
            for part in _parts(block, place, names):
                if waiting is not None and isinstance(part, ToolCall):
                    part, waiting = part._replace(signed=waiting), None
                parts.append(part)
    return tuple(parts)


def _parts(block: JSONObject, path: str, names: dict[str, str]) -> Iterator[Passage]:
    """The parts that one block is; more than one where it holds blocks itself."""
    kind, cache = block["type"], block.get("cache_control")
    if kind == "text":
        citations = tuple(filter(None, map(citation, as_list(block.get("citations")))))
        yield Words(_text(block, "text", path), cache, citations=citations)
    elif kind == "image":
        yield _picture(as_object(block.get("source")), cache, path)
    elif kind == "document":
        yield from _paper(block, path, names)
    elif kind == "search_result":
        yield Words(_found(block), cache)
    elif kind == "thinking":
        signed, _ = unseal(_text(block, "signature", path), _PROVIDER)
        yield Thought(_text(block, "thinking", path), signed if signed.text else None)
    elif kind == "redacted_thinking":
        yield Thought("", unseal(_text(block, "data", path), _PROVIDER)[0], is_hidden=True)
    elif kind == "tool_use":
        yield _call(block, path, names)
    elif kind == "tool_result":
        yield _result(block, path, names)
    else:
        yield Foreign("messages", block)


def _text(block: JSONObject, key: str, path: str) -> str:
    """A member of a block that must be text, empty where it is missing."""
    if not isinstance(value := block.get(key, ""), str):
        raise Untranslatable(f"`{key}` must be text", param=f"{path}.{key}")
    return value


def _call(block: JSONObject, path: str, names: dict[str, str]) -> ToolCall:
    name, given = _text(block, "name", path), block.get("input", {})
    own = own_id(_text(block, "id", path))
    if not isinstance(given, dict):
        raise Untranslatable("`input` must be an object", param=f"{path}.input")
    names[own] = name
    return ToolCall(own, name, compact(given).decode(), cache=block.get("cache_control"))


def _result(block: JSONObject, path: str, names: dict[str, str]) -> ToolResult:
    own, content = own_id(_text(block, "tool_use_id", path)), block.get("content")
    parts: tuple[Passage, ...] = ()
    if isinstance(content, str):
        parts = (Words(content),)
    elif content is not None:
        if not isinstance(content, list):
            raise Untranslatable("`content` must be a text or a list", param=f"{path}.content")
        parts = passages(content, f"{path}.content", names)
    failed, cache = block.get("is_error") is True, block.get("cache_control")
    return ToolResult(own, names.get(own, ""), parts, failed, cache=cache)


def _picture(source: JSONObject, cache: JSON, path: str) -> Picture:
    mime = source.get("media_type")
    url = _source(source, f"{path}.source")
    return Picture(url, mime if isinstance(mime, str) else "", cache=cache)


def _source(source: JSONObject, path: str) -> str:
    """Where the bytes of an image or a document are, as one URL; a file's id alone for such."""
    kind = source.get("type")
    if kind == "base64":
        return f"data:{_text(source, 'media_type', path)};base64,{_text(source, 'data', path)}"
    if kind == "text":
        data = _text(source, "data", path).encode("utf-8", "surrogatepass")
        return f"data:text/plain;base64,{base64.b64encode(data).decode()}"
    if kind == "url":
        return _text(source, "url", path)
    if kind == "file":
        return _text(source, "file_id", path)
    raise Untranslatable("`source` must be base64, text, url or file", param=path)


def _paper(block: JSONObject, path: str, names: dict[str, str]) -> Iterator[Passage]:
    """A document, behind what is said about it; its blocks, where it consists of such."""
    source, place = as_object(block.get("source")), f"{path}.source"
    if context := _text(block, "context", path) if block.get("context") else "":
        yield Words(context)
    if source.get("type") == "content":
        content = source.get("content")
        blocks = [{"type": "text", "text": content}] if isinstance(content, str) else content
        yield from passages(as_list(blocks), f"{place}.content", names)
        return
    title = _text(block, "title", path) if block.get("title") else ""
    url, cache = _source(source, place), block.get("cache_control")
    if source["type"] == "file":
        yield Paper(id=url, name=title, cache=cache)
    else:
        mime = "application/pdf" if source["type"] == "url" else _text(source, "media_type", place)
        yield Paper(url, name=title, mime=mime, cache=cache)


def _found(block: JSONObject) -> str:
    """A result of the client's own search as text, in which a model can tell its source."""
    texts = (as_object(one).get("text") for one in as_list(block.get("content")))
    said = "\n".join(text for text in texts if isinstance(text, str))
    title, source = str(block.get("title", "")), str(block.get("source", ""))
    told = f"<title>{title}</title>\n<source>{source}</source>\n{said}"
    return f"<search_result>\n{told}\n</search_result>"


def citation(value: JSON) -> JSONObject | None:
    """A citation in chat completions' form; None for one of a document, which has no URL."""
    told = as_object(value)
    if not isinstance(url := told.get("url"), str):
        return None
    title, cited = told.get("title"), told.get("cited_text")
    inner: JSONObject = {"url": url, "title": title if isinstance(title, str) else ""}
    if isinstance(cited, str) and cited:
        inner["content"] = cited
    return {"type": "url_citation", "url_citation": inner}
