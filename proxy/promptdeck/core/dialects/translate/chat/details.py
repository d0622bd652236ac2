"""Signed reasoning as chat completions carry it: `reasoning_details`, in OpenRouter's form.

https://openrouter.ai/docs/use-cases/reasoning-tokens

An entry is `{type, text | summary | data, signature, id, format, index}`. Ours tell besides who
signed, `upstream` and `model`; where in the answer a block stood, `after`, if anything came before
it; and `of` what it is a signature where that is no reasoning: `call` (by its `id`) or `text`.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from promptdeck.core.dialects.pieces import as_object, index_of, objects_in
from promptdeck.core.dialects.translate.neutral import Foreign, Signed, Thought
from promptdeck.core.text.jsontext import JSON, JSONObject

_FORMATS: Mapping[str, str] = {
    "anthropic": "anthropic-claude-v1",
    "google": "google-gemini-v1",
    "openai": "openai-responses-v1",
    "xai": "xai-responses-v1",
}
"""OpenRouter's names for the forms of signatures, by the provider that makes such."""
_SIGNERS = {form: name for name, form in _FORMATS.items()}


class Standing(NamedTuple):
    """How much of an answer had come at some place in it."""

    said: int = 0
    """Characters of the text."""
    calls: int = 0
    """Calls of tools that had begun."""


class Detail(NamedTuple):
    """An entry that was read."""

    thought: Thought
    """The block; of a signature of something else only what signs it."""
    spot: Standing
    of: str = ""
    """What it signs where that is no reasoning: `call` or `text`."""
    foreign: Foreign | None = None
    """What stands there in place of a block: a provider's own."""


def entry_of(thought: Thought, index: int, spot: Standing, of: str = "") -> JSONObject:
    """The entry for a block, or for a signature of something else, that a client is to keep."""
    signed = thought.signed or Signed("", "", "")
    entry: JSONObject = {"index": index}
    if thought.is_hidden or of:
        entry |= {"type": "reasoning.encrypted", "data": signed.text}
    elif thought.is_summary:
        entry |= {"type": "reasoning.summary", "summary": thought.text, "signature": signed.text}
    else:
        entry |= {"type": "reasoning.text", "text": thought.text, "signature": signed.text}
    if thought.id:
        entry["id"] = thought.id
    entry["format"] = _FORMATS.get(signed.upstream, "unknown")
    entry |= {"upstream": signed.upstream, "model": signed.model}
    if of:
        entry["of"] = of
    if spot != Standing():
        entry["after"] = {"content": spot.said, "tool_calls": spot.calls}
    return entry


def read(message: JSONObject) -> list[Detail]:
    """The signed blocks of an assistant's message: its `reasoning_details`, or LiteLLM's
    `thinking_blocks`. Those that nobody signed are there as well."""
    entries = objects_in([message.get("reasoning_details")])
    if not entries:
        blocks = objects_in([message.get("thinking_blocks")])
        return [Detail(of_block(block), Standing()) for block in blocks]
    return [_detail(entry) for entry in _paired(entries)]


def _paired(entries: Sequence[JSONObject]) -> Iterator[JSONObject]:
    """The entries, a summary and the encrypted text of the same item as one."""
    encrypted = {
        entry["id"]: entry
        for entry in entries
        if entry.get("type") == "reasoning.encrypted" and entry.get("id") and not entry.get("of")
    }
    taken = set()
    for entry in entries:
        name = entry.get("id")
        if entry.get("type") == "reasoning.summary" and not entry.get("signature"):
            twin = encrypted.get(name) if isinstance(name, str) else None
            if twin is not None and name not in taken:
                taken.add(name)
                yield {**twin, **entry, "signature": twin.get("data")}
                continue
        if not (name in taken and entry is encrypted.get(name)):
            yield entry


def _detail(entry: JSONObject) -> Detail:
    kind = entry.get("type")
    is_hidden, is_summary = kind == "reasoning.encrypted", kind == "reasoning.summary"
    text = _text(entry.get("summary" if is_summary else "text"))
    signature = _text(entry.get("data" if is_hidden else "signature"))
    of = _text(entry.get("of"))
    signer = entry.get("upstream") or _SIGNERS.get(_text(entry.get("format")), "")
    signed = Signed(_text(signer), _text(entry.get("model")), signature) if signature else None
    thought = Thought(text, signed, is_hidden and not of, is_summary, _text(entry.get("id")))
    return Detail(thought, spot_of(entry), of)


def spot_of(entry: JSONObject) -> Standing:
    """Where in its answer an entry stood."""
    after = as_object(entry.get("after"))
    return Standing(index_of(after, 0, "content"), index_of(after, 0, "tool_calls"))


def of_block(block: JSONObject) -> Thought:
    """A block in Anthropic's own form."""
    if block.get("type") == "redacted_thinking":
        return Thought("", Signed("anthropic", "", _text(block.get("data"))), is_hidden=True)
    signature = _text(block.get("signature"))
    signed = Signed("anthropic", "", signature) if signature else None
    return Thought(_text(block.get("thinking")), signed)


def _text(value: JSON) -> str:
    return value if isinstance(value, str) else ""
