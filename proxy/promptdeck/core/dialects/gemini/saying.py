"""What a request of this protocol asks and an answer of it says, for people."""

from collections.abc import Iterator, Sequence

from promptdeck.core.dialects.pieces import as_list, as_object, called, index_of, labelled
from promptdeck.core.dialects.streamed import TextLeaf
from promptdeck.core.text.jsontext import JSON, JSONObject

from .fold import goes_on, says_nothing


def text_of(answer: JSONObject) -> str:
    """The text that an answer says; candidates are numbered where there are several."""
    texts = [
        (index_of(candidate, at), "\n".join(_lines(as_object(candidate.get("content")))))
        for at, candidate in enumerate(map(as_object, as_list(answer.get("candidates"))))
    ]
    if len(texts) < 2:
        return "".join(text for _, text in texts)
    return "\n\n".join(f"[candidate {index}]\n{text}" for index, text in texts)


def turns(body: JSONObject) -> Iterator[tuple[str, str]]:
    """Who says what in a request: role and text of each turn."""
    system = body.get("systemInstruction", body.get("system_instruction"))
    if system:
        told = system if isinstance(system, str) else "\n".join(_lines(as_object(system)))
        yield "system", told
    contents = body.get("contents")
    for content in contents if isinstance(contents, list) else [contents]:
        if isinstance(content, str):
            yield "user", content
        elif content:
            turn = as_object(content)
            yield str(turn.get("role", "user")), "\n".join(_lines(turn))


def _lines(content: JSONObject) -> Iterator[str]:
    """All that content says, a line or more for each part."""
    parts = content.get("parts")
    for part in map(as_object, parts if isinstance(parts, list) else [parts]):
        if isinstance(part.get("text"), str):
            yield from labelled("reasoning" if part.get("thought") else "", part["text"])
        for key, item in part.items():
            yield from _line(key, as_object(item))


def _line(key: str, item: JSONObject) -> Iterator[str]:
    """The line of a member of a part that is no text."""
    match key:
        case "functionCall" | "function_call":
            yield called(item.get("name"), item.get("args", {}))
        case "functionResponse" | "function_response":
            yield f"[{item.get('name', '')}] " + called("", item.get("response"))[1:-1]
        case "executableCode":
            yield from labelled("code", item.get("code"))
        case "codeExecutionResult":
            yield from labelled("result", item.get("output"))
        case "inlineData" | "inline_data" | "fileData" | "file_data":
            yield f"[{item.get('mimeType', item.get('mime_type', 'file'))}]"


def texts(answer: JSONObject) -> Iterator[TextLeaf]:
    """The texts of an answer: number of the candidate, and of the part in its content."""
    for at, candidate in enumerate(map(as_object, as_list(answer.get("candidates")))):
        content = as_object(candidate.get("content"))
        for number, part in enumerate(map(as_object, as_list(content.get("parts")))):
            if isinstance(part.get("text"), str):
                yield TextLeaf((index_of(candidate, at), number), part, "text")


def dealt(values: Sequence[JSONObject]) -> Iterator[tuple[int, TextLeaf]]:
    """The same texts in pieces, each part counted as `fold` counts it."""
    last: dict[int, tuple[int, JSON]] = {}
    for n, value in enumerate(values):
        for at, candidate in enumerate(map(as_object, as_list(value.get("candidates")))):
            index = index_of(candidate, at)
            parts = as_list(as_object(candidate.get("content")).get("parts"))
            if index in last and says_nothing(parts):
                continue
            for place, part in enumerate(parts):
                number, previous = last.get(index, (-1, None))
                # Only the first of a piece goes on with the last of the one before.
                if place or not goes_on(previous, part):
                    number += 1
                last[index] = number, part
                if isinstance(as_object(part).get("text"), str):
                    yield n, TextLeaf((index, number), part, "text")
