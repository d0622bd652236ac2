"""Short names for canonical requests and for recordings.

A fingerprint is an index, not an identity: whoever finds one compares the
canonical bytes. Its tag names this version of normalisation, so that keys made
under other laws never meet.
"""

import re
from typing import Any

import xxhash

from promptdeck.core.text.jsontext import Unfaithful, compact, parse

TAG = "p1"
"""This version of normalisation: another, when equal requests get other canonical bytes."""


def fingerprint(canonical: bytes, rules_digest: str = "") -> str:
    """The short name of a canonical form: `p1:` and 128 bits in hex.

    `rules_digest` names the user's rules by which the form was made; the empty string for none.
    """
    data = canonical if not rules_digest else rules_digest.encode() + b"\n" + canonical
    return f"{TAG}:{xxhash.xxh3_128_hexdigest(data)}"


def recording_id(canonical: bytes, key: str, ordinal: int) -> str:
    """`ROOT-TURNS-KEY-N`: sorts a conversation's turns together and in order.

    ROOT is the digest of the conversation up to its first user message, TURNS
    counts messages, KEY is the fingerprint's start, and N counts the recordings
    of one request. Recordings of different conversations lie far apart in a
    sorted file, so that two people's additions rarely touch. A tool's call lies
    behind the turn that asked for it.
    """
    # Six digits of the root are enough: where two conversations share them, their recordings
    # lie side by side, and no more. The key's eight tell apart what has one root and length.
    # A key of another making may hold anything; an id is a plain word in every file.
    start = _NO_WORD.sub("", key.rpartition(":")[2])[:8]
    return f"{turn_of(canonical)}-{start}-{ordinal}"


def turn_of(canonical: bytes, further: int = 0) -> str:
    """`ROOT-TURNS`: which turn of which conversation a request is, `further` turns on."""
    head, _, body = canonical.partition(b"\n")
    value = _object(body)
    if asked := _TURN.fullmatch(str(_member(value.get("asked_by"), "turn"))):
        return asked[0]
    messages = value.get("messages")
    if not isinstance(messages, list):
        messages = next(filter(None, (_said(value.get(name)) for name in _OTHER_LISTS)), [])
    root = compact(_opening(messages)) if messages else head
    return f"{xxhash.xxh3_64_hexdigest(root)[:6]}-{len(messages) + further:03}"


# What else protocols call the list of what was said: one of objects, which no embeddings have.
_OTHER_LISTS = ("input", "contents")


def _said(value: Any) -> list[Any]:
    """The conversation under one of these names; nothing where it is none."""
    said = isinstance(value, list) and all(isinstance(item, dict) for item in value)
    return value if said else []


_TURN = re.compile(r"[0-9a-f]{6}-[0-9]{3,6}")


def order(recording: str) -> list[tuple[int, str]]:
    """A sort key for recording ids, or for any text in their place.

    Part by part between the dashes, numbers by value, everything else by its text.
    """
    parts = recording.split("-")
    return [(int(part) if _NUMBER.fullmatch(part) else 0, part) for part in parts]


_NO_WORD = re.compile(r"[^0-9A-Za-z]")
# Python refuses integers of thousands of digits; 18 fit 64 bits.
_NUMBER = re.compile("[0-9]{1,18}")


def _object(body: bytes) -> dict[str, Any]:
    """A body's members; none where it is no object that is read faithfully."""
    try:
        value = parse(body)
    except Unfaithful:
        return {}
    return value if isinstance(value, dict) else {}


def _member(value: Any, key: str) -> Any:
    return value.get(key) if isinstance(value, dict) else None


def _opening(messages: list[Any]) -> list[Any]:
    """The messages up to the first of the user; all of them where the user has said nothing."""
    for count, message in enumerate(messages, 1):
        if isinstance(message, dict) and message.get("role") == "user":
            return messages[:count]
    return messages
