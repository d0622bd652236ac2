"""Legacy completions, and those with a suffix: `/v1/completions`, `/v1/fim/completions`.

Mistral's with a suffix have messages for texts: those are put together, and dealt out, as a
chat's are.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from promptdeck.core.interaction import Response, Variant
from promptdeck.core.text import sse
from promptdeck.core.text.jsontext import JSON, JSONObject, compact

from .base import Dropped
from .chat import saying, variants
from .chat.counting import variant_asked
from .chat.cut import cut as cut_chat
from .chat.fold import fold as fold_chat
from .choices import problem_with_choices
from .pieces import Deals, as_list, as_object, chunk, index_of, objects_in, words
from .streamed import Streamed, TextLeaf

_NAMING = ("id", "object", "created", "model", "system_fingerprint")


class CompletionsDialect(Streamed):
    """Choices that end with a finish reason, as a chat's; a stream ends with `[DONE]`."""

    whole = "as a chat completion"

    def variant(self, body: JSON, target: str = "") -> Variant:
        del target
        return variant_asked(body)

    def counting(self, body: dict[str, JSON], dropped: list[Dropped]) -> dict[str, JSON]:
        counted = super().counting(body, dropped)
        options = counted.get("stream_options")
        if isinstance(options, dict) and isinstance(options.get("include_usage", False), bool):
            del counted["stream_options"]
            dropped.append(Dropped("$.stream_options", "chooses the variant, with usage or not"))
        return counted

    def fold(self, frames: Iterable[bytes]) -> JSONObject:
        return fold(frames)

    def cut(self, message: JSONObject, deal: Deals = words) -> list[bytes]:
        return cut(message, include_usage=True, deal=deal)

    def in_variant(self, response: Response, variant: Variant) -> Response | None:
        return variants.in_variant(response, variant, fold, cut)

    def text_of(self, message: JSONObject) -> str:
        texts = [str(leaf.text) for leaf in _of_choices(message)]
        return saying.text_of(message) if _has(message, "message") else "\n\n".join(texts)

    def asked_by(self, body: JSONObject) -> Iterator[tuple[str, str]]:
        prompt = body.get("prompt")
        for one in prompt if isinstance(prompt, list) else [prompt]:
            yield "user", one if isinstance(one, str) else compact(one).decode()

    def labels(self, message: JSONObject) -> Mapping[str, JSON]:
        choices = objects_in([message.get("choices")])
        ends = [str(one["finish_reason"]) for one in choices if "finish_reason" in one]
        return {"model": message.get("model"), "finish_reason": ", ".join(ends)}

    def texts(self, message: JSONObject) -> Iterator[TextLeaf]:
        return saying.texts(message) if _has(message, "message") else _of_choices(message)

    def dealt(self, values: Sequence[JSONObject]) -> Iterator[tuple[int, TextLeaf]]:
        yield from saying.dealt(values)
        for n, value in enumerate(values):
            yield from ((n, leaf._replace(logprobs=leaf.holder)) for leaf in _of_choices(value))

    def is_end(self, event: sse.Event) -> bool:
        return (event.data or "").strip() == sse.DONE

    def _problem_with_value(self, value: JSON) -> str | None:
        return problem_with_choices([value])

    def _problem_with_events(self, values: list[JSON], *, ended: bool) -> str | None:
        # Without its end it is whole where every choice says so: some servers send no [DONE].
        del ended
        return problem_with_choices(values)


def _has(value: JSONObject, key: str) -> bool:
    """True if any choice has a member of this name."""
    return any(key in choice for choice in objects_in([value.get("choices")]))


def _of_choices(value: JSONObject) -> Iterator[TextLeaf]:
    """The text of each choice that has one."""
    for position, choice in enumerate(objects_in([value.get("choices")])):
        if isinstance(choice.get("text"), str):
            yield TextLeaf(index_of(choice, position), choice, "text")


def fold(frames: Iterable[bytes]) -> JSONObject:
    """The completion that a stream's frames add up to. Unfaithful as `chunk`."""
    frames = [*frames]
    chunks = [*map(chunk, frames)]
    if any(_has(one, "delta") for one in chunks):
        return fold_chat(frames)
    whole: JSONObject = {}
    choices: dict[int, JSONObject] = {}
    for value in chunks:
        for key, told in value.items():
            if key == "choices":
                for at, choice in enumerate(objects_in([told])):
                    _grow(choices.setdefault(index_of(choice, at), {}), choice)
            elif whole.get(key) is None or (told is not None and key not in _NAMING):
                whole[key] = told
    return whole | {"choices": [choices[index] for index in sorted(choices)]}


def _grow(whole: JSONObject, choice: JSONObject) -> None:
    """Add what a chunk tells of a choice: its text goes on, of all else the last word counts."""
    for key, told in choice.items():
        old = whole.get(key)
        if key == "text" and isinstance(old, str) and isinstance(told, str):
            whole[key] = old + told
        elif key == "logprobs" and isinstance(old, dict) and isinstance(told, dict):
            whole[key] = old | {
                name: [*as_list(old.get(name)), *item] if isinstance(item, list) else item
                for name, item in told.items()
            }
        elif told is not None or key not in whole:
            whole[key] = told


def cut(completion: JSONObject, include_usage: bool, deal: Deals = words) -> list[bytes]:
    """The frames of a stream that folds into `completion`, word by word."""
    if _has(completion, "message"):
        return cut_chat(completion, include_usage, deal)
    named = {key: completion[key] for key in _NAMING if key in completion}
    chunks: list[JSONObject] = []
    for position, choice in enumerate(map(as_object, as_list(completion.get("choices")))):
        index = index_of(choice, position)
        text = choice.get("text")
        # All but the text comes with the last of it.
        *begin, end = (deal(text) if isinstance(text, str) else []) or [""]
        pieces = [{"index": index, "text": word, "finish_reason": None} for word in begin]
        last = choice | ({"text": end} if isinstance(text, str) else {})
        chunks += ({**named, "choices": [piece]} for piece in (*pieces, last))
    chunks = chunks or [{**named, "choices": []}]
    known = {*_NAMING, "choices", "usage"}
    chunks[-1] |= {key: item for key, item in completion.items() if key not in known}
    if include_usage and "usage" in completion:
        chunks.append({**named, "choices": [], "usage": completion["usage"]})
    return [*(sse.encode(compact(one)) for one in chunks), sse.encode(sse.DONE.encode())]


COMPLETIONS = CompletionsDialect("completions")
