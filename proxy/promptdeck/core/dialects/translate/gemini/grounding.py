"""What an answer rests on, as citations of chat completions, and the reverse.

Google tells places in bytes of UTF-8 (API reference, `Segment`), chat completions in characters.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from promptdeck.core.dialects.pieces import as_list, as_object
from promptdeck.core.text.jsontext import JSON, JSONObject


def citations(sources: JSONObject, text: str) -> Iterator[JSONObject]:
    """The citations in a candidate's `groundingMetadata` and `citationMetadata`, each once.

    `text` is all that it said.
    """
    data = _bytes(text)
    seen: list[JSONObject] = []
    for one in (*_grounded(as_object(sources.get("groundingMetadata")), data), *_recited(sources)):
        segment, web = one
        start, end = _place(segment, text, data)
        cited = {"url": web["uri"], "title": str(web.get("title") or "")}
        cited |= {"start_index": start, "end_index": end}
        if cited not in seen:
            seen.append(cited)
            yield {"type": "url_citation", "url_citation": cited}


def uncited(sources: JSONObject) -> JSONObject:
    """What of the sources no citation says: queries, Google's own display of them, pages read."""
    metadata = as_object(sources.get("groundingMetadata"))
    cited = ("groundingChunks", "groundingSupports")
    rest = {key: value for key, value in metadata.items() if key not in cited and value}
    pages = as_object(sources.get("urlContextMetadata"))
    return {
        **({"groundingMetadata": rest} if rest else {}),
        **({"urlContextMetadata": pages} if pages else {}),
    }


def is_beside(value: JSONObject) -> bool:
    """True for what stands beside a candidate's content, as `uncited` has it: no part of it."""
    return value.keys() <= {"groundingMetadata", "urlContextMetadata"}


def _grounded(metadata: JSONObject, data: bytes) -> Iterator[tuple[JSONObject, JSONObject]]:
    """Segments with their sources; sources that no segment names are of all the text."""
    chunks = [_source(as_object(chunk)) for chunk in as_list(metadata.get("groundingChunks"))]
    named: set[int] = set()
    for support in map(as_object, as_list(metadata.get("groundingSupports"))):
        for at in as_list(support.get("groundingChunkIndices")):
            if isinstance(at, int) and 0 <= at < len(chunks) and chunks[at].get("uri"):
                named.add(at)
                yield as_object(support.get("segment")), chunks[at]
    for at, chunk in enumerate(chunks):
        if at not in named and chunk.get("uri"):
            yield {"endIndex": len(data)}, chunk


def _source(chunk: JSONObject) -> JSONObject:
    """Where a piece comes from: the web, maps, an image, or what was retrieved elsewhere."""
    found = (as_object(chunk.get(kind)) for kind in ("web", "maps", "retrievedContext"))
    return next((one for one in found if isinstance(one.get("uri"), str)), {})


def _recited(sources: JSONObject) -> Iterator[tuple[JSONObject, JSONObject]]:
    metadata = as_object(sources.get("citationMetadata"))
    for key in ("citations", "citationSources"):
        for one in map(as_object, as_list(metadata.get(key))):
            if isinstance(one.get("uri"), str):
                yield one, one


def _place(segment: JSONObject, text: str, data: bytes) -> tuple[int, int]:
    """Where a segment begins and ends, in characters."""
    start, end = (_index(segment.get(key), len(data)) for key in ("startIndex", "endIndex"))
    said = segment.get("text")
    # A place counts from the begin of its part; the words tell which that is.
    if isinstance(said, str) and said in text and data[start:end] != _bytes(said):
        at = text.index(said)
        return at, at + len(said)
    begin = len(data[:start].decode("utf-8", "ignore"))
    return begin, begin + len(data[start:end].decode("utf-8", "ignore"))


def _index(value: JSON, most: int) -> int:
    return min(max(value, 0), most) if isinstance(value, int) else 0


def grounded(cited: Sequence[JSONObject], text: str) -> JSONObject:
    """`groundingMetadata` of citations in chat completions' form; empty where there are none."""
    chunks: list[JSONObject] = []
    supports: list[JSONObject] = []
    for citation in cited:
        told: Any = as_object(citation.get("url_citation"))
        if not isinstance(told.get("url"), str):
            continue
        web = {"web": {"uri": told["url"], "title": str(told.get("title") or "")}}
        if web not in chunks:
            chunks.append(web)
        start, end = (_index(told.get(key), len(text)) for key in ("start_index", "end_index"))
        begin, length = len(_bytes(text[:start])), len(_bytes(text[start:end]))
        segment: JSONObject = {"startIndex": begin, "endIndex": begin + length}
        if end > start:
            segment["text"] = text[start:end]
        supports.append({"segment": segment, "groundingChunkIndices": [chunks.index(web)]})
    if not chunks:
        return {}
    return {"groundingMetadata": {"groundingChunks": chunks, "groundingSupports": supports}}


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
