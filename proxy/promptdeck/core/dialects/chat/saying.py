"""What a request of this protocol asks and an answer of it says, for people."""

from collections.abc import Iterator, Sequence

from promptdeck.core.dialects.pieces import (
    as_object,
    called,
    index_of,
    labelled,
    objects_in,
)
from promptdeck.core.dialects.streamed import Impossible, TextLeaf
from promptdeck.core.text.jsontext import JSON, JSONObject

# What a stream deals out in words; the text of a call would have to stay JSON.
_TEXTS = ("content", "reasoning_content", "reasoning", "refusal")


def text_of(answer: JSONObject) -> str:
    """The text that a completion says: content alone, all else with a label; choices numbered."""
    texts = [
        (index_of(choice, position), "\n".join(_lines(as_object(choice.get("message")))))
        for position, choice in enumerate(objects_in([answer.get("choices")]))
    ]
    if len(texts) < 2:
        return "".join(text for _, text in texts)
    return "\n\n".join(f"[choice {index}]\n{text}" for index, text in texts)


def turns(body: JSONObject) -> Iterator[tuple[str, str]]:
    """Who says what in a request: role and text of each message."""
    if instruction := body.get("system_instruction"):
        yield "system", called("", instruction)[1:-1]
    for message in objects_in([body.get("messages")]):
        yield str(message.get("role", "?")), "\n".join(_lines(message))


def _lines(message: JSONObject) -> Iterator[str]:
    """All that a message says, a line or more for each thing."""
    # One thing under two names: whoever sends both sends it twice.
    thoughts = message.get("reasoning_content") or message.get("reasoning")
    yield from labelled("reasoning", thoughts)
    content = message.get("content")
    for part in content if isinstance(content, list) else [content]:
        is_thought = as_object(part).get("type") == "thinking"
        yield from labelled("reasoning" if is_thought else "", _text(part))
    yield from labelled("refusal", message.get("refusal"))
    yield from labelled("audio", as_object(message.get("audio")).get("transcript"))
    for call in objects_in([message.get("tool_calls")]):
        yield from _called(call.get("function"), "arguments")
        yield from _called(call.get("custom"), "input")
    yield from _called(message.get("function_call"), "arguments")


def _text(part: JSON) -> str:
    """The text in a part of the content: Mistral nests a list of parts in `thinking`."""
    if isinstance(part, list):
        return "".join(map(_text, part))
    if isinstance(part, dict):
        kind = part.get("type")
        # Pictures, sounds and files of a prompt are named by their kind.
        return _text(part.get("text", part.get("thinking", kind and f"[{kind}]")))
    return part if isinstance(part, str) else ""


def _called(call: JSON, arguments: str) -> Iterator[str]:
    """`name(arguments)` of a call's body, whose arguments stand under that key; or nothing."""
    if call := as_object(call):
        yield f"{call.get('name', '')}({call.get(arguments, '')})"


def texts(answer: JSONObject) -> Iterator[TextLeaf]:
    """The texts of a completion: which choice's, and the key in its message."""
    for position, choice in enumerate(objects_in([answer.get("choices")])):
        for field in _TEXTS:
            slot = index_of(choice, position), field
            yield TextLeaf(slot, as_object(choice.get("message")), field)


def dealt(values: Sequence[JSONObject]) -> Iterator[tuple[int, TextLeaf]]:
    """The same texts in chunks. Impossible where chunks repeat the whole message so far."""
    for n, value in enumerate(values):
        choices = objects_in([value.get("choices")])
        for choice in choices:
            delta = as_object(choice.get("delta"))
            rest = choice.get("finish_reason") is None and value.get("usage") is None
            for field in _TEXTS:
                if not isinstance(delta.get(field), str):
                    continue
                if "message" in choice:
                    raise Impossible("its frames repeat the whole message so far")
                # OpenAI pads its chunks with `obfuscation`, which may come more or fewer times.
                alone = delta.keys() <= {field, "obfuscation"} and len(choices) == 1
                slot = index_of(choice, 0), field
                yield n, TextLeaf(slot, delta, field, alone=alone and rest, logprobs=choice)
