"""A conversation as the items of a request's input.

A turn of the model's is several items: its reasoning, what it said, its calls. None of them is
sent by an id but reasoning: "Item of type 'function_call' was provided without its required
'reasoning' item" is what the API says of a call that it knows by its id. And it wants an item
behind reasoning: "... of type 'reasoning' was provided without its required following item".
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence

from promptdeck.core.dialects.translate.aim import Aim, Options, Untranslatable
from promptdeck.core.dialects.translate.naming import safe_name
from promptdeck.core.dialects.translate.neutral import (
    Foreign,
    Paper,
    Passage,
    Picture,
    Regret,
    Sound,
    Thought,
    ToolCall,
    ToolResult,
    Utterance,
    Words,
)
from promptdeck.core.dialects.translate.openai import OpenAIFamily
from promptdeck.core.dialects.translate.signing import goes_to
from promptdeck.core.text.jsontext import JSON, JSONObject

_DETAILS = ("auto", "low", "high", "original")
_SUFFIXES: Mapping[str, str] = {
    "application/pdf": ".pdf",
    "text/plain": ".txt",
    "text/markdown": ".md",
}
_LONGEST_ID = 64
"""Of a call: "string too long. Expected a string with maximum length 64" (the API)."""


def input_of(
    turns: Sequence[Utterance], aim: Aim, family: OpenAIFamily, options: Options
) -> list[JSONObject]:
    """The items of all turns, in their order; what has no counterpart is lost in `options`.

    Untranslatable where a part can neither be said nor left out.
    """
    items: list[JSONObject] = []
    for turn in turns:
        if turn.name:
            options.lose_at(f"{turn.path}.name", "has no counterpart")
        said = _by_model(turn, aim, family, options) if turn.role == "assistant" else None
        items += said if said is not None else _told(turn, family, options)
    return items


# What the model said


def _by_model(
    turn: Utterance, aim: Aim, family: OpenAIFamily, options: Options
) -> Iterator[JSONObject]:
    """The items of what the model said: reasoning goes only to who signed it, before an item."""
    phase = _phase_of(turn) if family.phases else None
    waiting: list[JSONObject] = []
    for group in _grouped(turn.parts):
        first = group[0]
        if isinstance(first, Thought):
            waiting += [] if family.reasons == "never" else _reasoning(first, aim)
            continue
        item = _item(group, turn, options)
        if item is not None:
            if phase is not None and item.get("role") == "assistant":
                item["phase"] = phase
            yield from waiting
            waiting = []
            yield item


def _grouped(parts: Sequence[Passage]) -> Iterator[list[Passage]]:
    """The parts, with neighbouring words in one group: they are one message."""
    words: list[Passage] = []
    for part in parts:
        if isinstance(part, Words | Regret):
            words.append(part)
            continue
        if words:
            yield words
            words = []
        yield [part]
    if words:
        yield words


def _item(group: list[Passage], turn: Utterance, options: Options) -> JSONObject | None:
    """The item of a group of parts; None where there is none."""
    match group[0]:
        case Words() | Regret():
            return _spoken(group)
        case ToolCall() as call:
            return _call(call)
        # What its own tools have done is of no use there without the reasoning that led to it.
        case Foreign("responses") | Thought():
            return None
        case Foreign(_, value):
            what = f"{value.get('type', 'a part')} is of its own provider alone"
            options.lose_at(turn.path, what)
            return None
        case _:
            raise _unsayable(turn, "the model's turn has a part that only a user's can have")


def _phase_of(turn: Utterance) -> JSON:
    """The phase in which a turn was spoken, where a client has sent it back; the last counts."""
    phases = [
        part.value.get("phase")
        for part in turn.parts
        if isinstance(part, Foreign) and part.dialect == "responses"
    ]
    return next((one for one in reversed(phases) if one is not None), None)


def _spoken(parts: list[Passage]) -> JSONObject | None:
    """A message of the model's: its text, or parts where it has refused; None of no text.

    The text alone is what the SDK's types know of a message without an id (`EasyInputMessage`).
    """
    texts = [part.text for part in parts if isinstance(part, Words)]
    if len(texts) == len(parts):
        text = "".join(texts)
        return {"role": "assistant", "content": text} if text else None
    content: list[JSON] = [
        {"type": "refusal", "refusal": part.text}
        if isinstance(part, Regret)
        else {"type": "output_text", "text": part.text, "annotations": []}
        for part in parts
        if isinstance(part, Words | Regret) and part.text
    ]
    if not content:
        return None
    return {"type": "message", "role": "assistant", "content": content}


def _reasoning(thought: Thought, aim: Aim) -> list[JSONObject]:
    """The item of a block of reasoning; none of one that another model or upstream has signed."""
    signed = thought.signed
    if signed is None or not goes_to(signed, aim):
        return []
    summary: list[JSON] = (
        [{"type": "summary_text", "text": thought.text}]
        if thought.text and thought.is_summary
        else []
    )
    item: JSONObject = {"type": "reasoning", "summary": summary, "encrypted_content": signed.text}
    # Its content is not sent back: what is encrypted holds it. Its id need not be there, and must
    # be the very one with which that was encrypted.
    return [{"id": thought.id, **item} if thought.id.startswith("rs") else item]


def _call(call: ToolCall) -> JSONObject:
    named = {"call_id": id_of(call.id), "name": safe_name(call.name)}
    if call.is_custom:
        return {"type": "custom_tool_call", **named, "input": call.arguments}
    return {"type": "function_call", **named, "arguments": call.arguments or "{}"}


def id_of(name: str) -> str:
    """The id of a call as the API takes it: the client's own, or a short one that stands for it."""
    if len(name) <= _LONGEST_ID:
        return name
    return "call_" + hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:48]


# What the model was told


def _told(turn: Utterance, family: OpenAIFamily, options: Options) -> Iterator[JSONObject]:
    """The items of a turn of the user's or the system's.

    Results of tools are items of their own; what stands between them is a message.
    """
    content: list[JSON] = []
    for part in turn.parts:
        if isinstance(part, ToolResult):
            if content:
                yield {"role": turn.role, "content": content}
                content = []
            yield _result(part, turn, options)
        elif said := _part(part, turn, family, options):
            content.append(said)
    if content:
        yield {"role": turn.role, "content": content}


def _result(result: ToolResult, turn: Utterance, options: Options) -> JSONObject:
    if result.failed:
        options.lose_at(turn.path, "a tool's result cannot be marked as a failure")
    kind = "custom_tool_call_output" if result.is_custom else "function_call_output"
    told = [_part(part, turn, None, options) for part in result.parts]
    output: JSON = [part for part in told if part]
    if not output or (len(output) == 1 and "text" in output[0]):
        output = output[0]["text"] if output else ""
    return {"type": kind, "call_id": id_of(result.id), "output": output}


def _part(
    part: Passage, turn: Utterance, family: OpenAIFamily | None, options: Options
) -> JSONObject:
    """A part of a message's content, or of a tool's output; an empty one for what is lost."""
    match part:
        case Words(text="", cache=None):
            return {}
        case Words():
            said: JSONObject = {"type": "input_text", "text": part.text}
        case Picture():
            said = _picture(part, turn)
        case Paper():
            said = _paper(part)
        case Sound():
            raise _unsayable(turn, "the Responses API takes no audio in its input")
        case Foreign("responses", value):
            return value
        case Foreign(_, value):
            options.lose_at(turn.path, f"{value.get('type', 'a part')} has no counterpart")
            return {}
        case _:
            raise _unsayable(turn, "a part of this turn can only be the model's")
    # Caches that are not marked are found by the API itself.
    if part.cache is not None and family is not None and family.marks:
        said["prompt_cache_breakpoint"] = {"mode": "explicit"}
    return said


def _picture(part: Picture, turn: Utterance) -> JSONObject:
    said: JSONObject = {
        "type": "input_image",
        "detail": part.detail if part.detail in _DETAILS else "auto",
    }
    if part.url.startswith(("data:", "http://", "https://")):
        # `image/jpg` is what many say; the type that there is has an e.
        return {**said, "image_url": part.url.replace("data:image/jpg;", "data:image/jpeg;", 1)}
    if "://" in part.url:
        raise _unsayable(turn, f"an image at {part.url.partition(':')[0]}: cannot be fetched there")
    return {**said, "file_id": part.url}


def _paper(part: Paper) -> JSONObject:
    if part.id:
        return {"type": "input_file", "file_id": part.id}
    if not part.url.startswith("data:"):
        return {"type": "input_file", "file_url": part.url}
    mime = part.mime or part.url[5:].partition(";")[0].partition(",")[0]
    # What is sent along must have a name.
    name = part.name or "file" + _SUFFIXES.get(mime, "." + mime.rpartition("/")[2])
    return {"type": "input_file", "filename": name, "file_data": part.url}


def _unsayable(turn: Utterance, why: str) -> Untranslatable:
    return Untranslatable(f"{turn.path} cannot be sent: {why}", param=turn.path)
