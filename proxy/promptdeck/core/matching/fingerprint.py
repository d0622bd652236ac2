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


def fingerprint(canonical: bytes, rules_digest: str = "") -> str:
    """`p1:` and 128 bits in hex. User rules, if any, are part of it."""
    data = canonical if not rules_digest else rules_digest.encode() + b"\n" + canonical
    return f"{TAG}:{xxhash.xxh3_128_hexdigest(data)}"


def recording_id(canonical: bytes, key: str, ordinal: int) -> str:
    """`ROOT-TURNS-KEY-N`: sorts a conversation's turns together and in order.

    ROOT is the digest of the conversation up to its first user message, TURNS
    counts messages, KEY is the fingerprint's start, and N counts the recordings
    of one request. Recordings of different conversations lie far apart in a
    sorted file, so that two people's additions rarely touch.
    """
    head, _, body = canonical.partition(b"\n")
    messages = _messages(body)
    root = compact(_opening(messages)) if messages else head
    # A key of another making may hold anything; an id is a plain word in every file.
    start = _NO_WORD.sub("", key.rpartition(":")[2])[:8]
    return f"{xxhash.xxh3_64_hexdigest(root)[:6]}-{len(messages):03}-{start}-{ordinal}"


def order(recording: str) -> list[tuple[int, str]]:
    """A sort key for recording ids: part by part, numbers by value, everything else by text."""
    parts = recording.split("-")
    return [(int(part) if _NUMBER.fullmatch(part) else 0, part) for part in parts]


_NO_WORD = re.compile(r"[^0-9A-Za-z]")
_NUMBER = re.compile("[0-9]{1,18}")


def _messages(body: bytes) -> list[Any]:
    try:
        value = parse(body)
    except Unfaithful:
        return []
    messages = value.get("messages") if isinstance(value, dict) else None
    return messages if isinstance(messages, list) else []


def _opening(messages: list[Any]) -> list[Any]:
    for count, message in enumerate(messages, 1):
        if isinstance(message, dict) and message.get("role") == "user":
            return messages[:count]
    return messages
