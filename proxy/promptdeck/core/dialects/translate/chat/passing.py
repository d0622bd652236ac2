"""What of a chat request must be another at a chat upstream, though both speak the same."""

from collections.abc import Iterator

from promptdeck.core.dialects.pieces import as_list, as_object, objects_in, written
from promptdeck.core.dialects.translate.aim import Aim, Lost, Untranslatable, is_idle
from promptdeck.core.dialects.translate.fields import ROWS, STRIPPED
from promptdeck.core.dialects.translate.signing import goes_to
from promptdeck.core.text.jsontext import JSON, JSONObject
from promptdeck.core.text.splicing import Trail

from . import details
from .flavours import Flavour, flavour_of
from .reads import prompt_of
from .writes import written as said_anew

# In a message only for whoever keeps reasoning between turns.
_REASONING = ("reasoning_content", "reasoning", "reasoning_details", "thinking_blocks")
_SIGNED = ("thought_signature", "extra_content")


def edits_for(body: JSONObject, aim: Aim) -> tuple[dict[Trail, bytes | None], tuple[Lost, ...]]:
    """The edits to a request's body, and what of it is lost by them.

    Of providers that pass over what they do not know, only what is nobody's but ours is taken out;
    whose provider nobody knows gets all. What the provider has by another name gets that. Signed
    reasoning goes back where it came from, and no further.
    """
    edits: dict[Trail, bytes | None] = {}
    lost: list[Lost] = []
    flavour = flavour_of(aim)
    if aim.provider not in ("", "dedalus"):
        edits, lost = _made_otherwise(body, flavour, aim)
        _edit_fields(body, flavour, edits, lost)
    for at, message in enumerate(as_list(body.get("messages"))):
        if isinstance(message, dict) and message.get("role") == "assistant":
            for place in _foreign(message, flavour, aim):
                edits["messages", at, *place] = None
    return edits, tuple(lost)


def _edit_fields(
    body: JSONObject, flavour: Flavour, edits: dict[Trail, bytes | None], lost: list[Lost]
) -> None:
    for name, value in body.items():
        if (name,) in edits:
            continue
        if name in STRIPPED or name == "mcp_servers":
            edits[name,] = None
            if name == "mcp_servers" and value:
                lost.append(Lost("$.mcp_servers", "has no counterpart"))
        elif name in ROWS and name not in flavour.has and name not in _ANYWHERE:
            is_limit = name in ("max_tokens", "max_completion_tokens")
            there = flavour.limit if is_limit else flavour.renamed.get(name)
            if there or flavour.refuses:
                edits[name,] = None
            if there:
                if value is not None:
                    edits[there,] = written(value)
                continue
            if name != _UNNAMED and not is_idle(name, value):
                lost.append(Lost(f"$.{name}", "has no counterpart"))


# What other providers have, of which a chat server may have a counterpart.
_FOREIGN = """system_instruction generation_config tool_config output_config thinking functions
    function_call""".split()


def _made_otherwise(
    body: JSONObject, flavour: Flavour, aim: Aim
) -> tuple[dict[Trail, bytes | None], list[Lost]]:
    """The edits by which fields of other providers become this one's own, and what they lose."""
    edits: dict[Trail, bytes | None] = {}
    fields = [name for name in _FOREIGN if body.get(name) and name not in flavour.has]
    if "tool_choice" in flavour.has and not _is_openai_s(body.get("tool_choice")):
        fields.append("tool_choice")
    if not fields:
        return edits, []
    try:
        with_them, without = (
            said_anew(prompt_of(one, ""), aim)
            for one in (body, {key: body[key] for key in body if key not in fields})
        )
    except Untranslatable:  # odd, and the provider's to judge
        return edits, []
    edits |= {(name,): None for name in fields}
    before = without.body
    for name, value in with_them.body.items():
        if name != "messages" and value != before.get(name):
            edits[name,] = written(value)
    edits |= _messages(body, with_them.body["messages"], before["messages"])
    return edits, [one for one in with_them.lost if one not in without.lost]


def _messages(
    body: JSONObject, said: list[JSONObject], before: list[JSONObject]
) -> dict[Trail, bytes | None]:
    """The edit by which messages come before the client's own, or take their place."""
    count = len(said) - len(before)
    own = body.get("messages")
    if said == before:
        return {}
    if said[count:] == before and isinstance(own, list) and own:
        return {("messages", 0): b",".join(map(written, [*said[:count], own[0]]))}
    return {("messages",): written(said)}


def _is_openai_s(choice: JSON) -> bool:
    """True for a choice of tools in the words that every chat server reads, and for none."""
    if isinstance(choice, dict):
        return choice.get("type") in ("function", "custom", "allowed_tools")
    return choice in (None, "none", "auto", "required") or not isinstance(choice, str)


# Every chat server reads these.
_ANYWHERE = frozenset(["model", "messages", "stream"])
# What it chooses is there in any case where it is not known: the usage.
_UNNAMED = "stream_options"


def _foreign(message: JSONObject, flavour: Flavour, aim: Aim) -> Iterator[Trail]:
    """The places in an assistant's message of what is of use to another provider alone."""
    entries = objects_in([message.get("reasoning_details")])
    ours = [entry for entry in entries if "upstream" in entry]
    found = details.read(message) if ours else []
    is_foreign = any(not goes_to(one.thought.signed, aim) for one in found if one.thought.signed)
    for name in _REASONING:
        is_ours = bool(ours) and name == "reasoning_details"
        is_refused = flavour.refuses and flavour.reasoning != name
        if name in message and (is_foreign or is_ours or is_refused):
            yield (name,)
    if "native_parts" in message:
        yield ("native_parts",)
    own = {one.thought.id for one in found if one.of and goes_to(one.thought.signed, aim)}
    knows = aim.provider in ("", "google", "dedalus") and not ours
    for at, call in enumerate(map(as_object, as_list(message.get("tool_calls")))):
        for name in _SIGNED:
            if name in call and not (knows or call.get("id") in own):
                yield ("tool_calls", at, name)
