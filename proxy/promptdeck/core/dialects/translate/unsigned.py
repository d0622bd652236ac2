"""A request as an upstream was sent it, without what was signed: for one that was refused for that.

Signatures are bound to what stood before them, to a model, to an account: that one came from an
upstream is no proof that it is taken there. What they sign is left out with them, as it is of no
use to who cannot read it.
"""

from collections.abc import Callable, Mapping

from promptdeck.core.text.jsontext import JSON, Unfaithful, compact, parse

SKIP = "c2tpcF90aG91Z2h0X3NpZ25hdHVyZV92YWxpZGF0b3I="
"""What Google takes in place of a signature that was lost (FAQ of thought signatures): in base64,
`skip_thought_signature_validator`."""


def names_signature(status: int, body: bytes) -> bool:
    """True for the refusal of a request for the sake of a signature in it."""
    told = body.lower()
    return status == 400 and any(word in told for word in (b"signature", b"encrypted_content"))


def unsigned(body: bytes, dialect: str) -> bytes | None:
    """A request's body, in this dialect, without signed reasoning; None where there was none."""
    try:
        value = parse(body)
    except Unfaithful:
        return None
    if not isinstance(value, dict) or dialect not in _WITHOUT:
        return None
    name, without = _WITHOUT[dialect]
    turns = value.get(name)
    if not isinstance(turns, list):
        return None
    made = {**value, name: without(turns)}
    return None if made == value else compact(made)


def _without_thinking(messages: list[JSON]) -> list[JSON]:
    """Anthropic's turns without thinking blocks; a message of thinking alone is none."""
    bare = [_with_some(one, "content", lambda part: not _is_thinking(part)) for one in messages]
    return [one for one in bare if not (isinstance(one, dict) and one.get("content") == [])]


def _is_thinking(part: JSON) -> bool:
    return isinstance(part, dict) and part.get("type") in ("thinking", "redacted_thinking")


def _without_thoughts(contents: list[JSON]) -> list[JSON]:
    """Google's turns without thoughts, and for calls what says that their signature was lost."""
    bare = [_with_some(one, "parts", lambda part: not _is_thought(part)) for one in contents]
    return [
        {**one, "parts": [_unsigned_part(part) for part in parts]}
        if isinstance(one, dict) and isinstance(parts := one.get("parts"), list)
        else one
        for one in bare
    ]


def _is_thought(part: JSON) -> bool:
    return isinstance(part, dict) and part.get("thought") is True


def _unsigned_part(part: JSON) -> JSON:
    if not isinstance(part, dict):
        return part
    names = [name for name in ("thoughtSignature", "thought_signature") if name in part]
    if not names:
        return part
    bare = {key: value for key, value in part.items() if key not in names}
    is_call = "functionCall" in part or "function_call" in part
    return {**bare, names[0]: SKIP} if is_call else bare


def _without_items(items: list[JSON]) -> list[JSON]:
    """Items of Responses without reasoning, and without ids of calls that want theirs beside."""
    return [
        {key: value for key, value in one.items() if key != "id"}
        if isinstance(one, dict) and one.get("type") == "function_call"
        else one
        for one in items
        if not (isinstance(one, dict) and one.get("type") == "reasoning")
    ]


_SIGNED_FIELDS = frozenset(
    ["reasoning_details", "thinking_blocks", "thought_signature", "extra_content"]
)


def _without_details(messages: list[JSON]) -> list[JSON]:
    """Messages of chat completions without signed blocks, and calls without signatures."""
    return [_plain(one) for one in messages]


def _plain(message: JSON) -> JSON:
    if not isinstance(message, dict):
        return message
    bare = {key: value for key, value in message.items() if key not in _SIGNED_FIELDS}
    if isinstance(calls := bare.get("tool_calls"), list):
        bare["tool_calls"] = [_plain(call) for call in calls]
    return bare


def _with_some(turn: JSON, name: str, keeps: Callable[[JSON], bool]) -> JSON:
    """A turn with those of its parts, under a name, that are kept."""
    parts = turn.get(name) if isinstance(turn, dict) else None
    if not isinstance(turn, dict) or not isinstance(parts, list):
        return turn
    return {**turn, name: [part for part in parts if keeps(part)]}


_WITHOUT: Mapping[str, tuple[str, Callable[[list[JSON]], list[JSON]]]] = {
    "messages": ("messages", _without_thinking),
    "gemini": ("contents", _without_thoughts),
    "responses": ("input", _without_items),
    "chat": ("messages", _without_details),
}
"""By dialect the member that holds the turns, and what those are without what was signed."""
