"""Fingerprints and ids as `packed` keeps them: the usual forms in half the room."""

import re

_KEY = re.compile(r"p1:([0-9a-f]{32})")


def key_of(name: str) -> bytes | str:
    """A fingerprint as `packed` keeps it: bytes, half as long, for the form `p1:` and 32 digits."""
    usual = _KEY.fullmatch(name)
    return bytes.fromhex(usual[1]) if usual else name


def name_of(key: bytes | str) -> str:
    """The fingerprint of which `key_of` made `key`."""
    return key if isinstance(key, str) else f"p1:{key.hex()}"


_ID = re.compile(r"([0-9a-f]{6})-([0-9]{3}-)([0-9a-f]{8})(-[0-9]+)")
_FIRST = 3
"""Bytes of a short id that stand for the six digits before its first dash; text follows."""
_OF_KEY = 8
"""Digits of an id that are the first ones of its recording's own fingerprint."""


def id_of(name: str, key: str) -> bytes | str:
    """An id as `packed` keeps it: 8 bytes or so for the form that `recording_id` gives.

    `key` is the recording's own fingerprint (`base_key`), whose part of the id is left out.
    """
    usual = _ID.fullmatch(name)
    if usual and key.startswith(f"p1:{usual[3]}"):
        return bytes.fromhex(usual[1]) + f"{usual[2]}{usual[4][1:]}".encode()
    return name


def full_id(short: bytes | str, key: bytes | str, base_key: bytes | str | None) -> str:
    """The whole id of a row of `packed` from its columns `id`, `key` and `base_key`."""
    if isinstance(short, str):
        return short
    first, rest = short[:_FIRST], short[_FIRST:].decode()
    turns, _, ordinal = rest.partition("-")
    start = name_of(key if base_key is None else base_key).removeprefix("p1:")[:_OF_KEY]
    return f"{first.hex()}-{turns}-{start}-{ordinal}"


def ordinal_of(name: bytes | str) -> int:
    """The number at the end of an id, whole or as `id_of` gives it; ValueError without one."""
    if isinstance(name, bytes):
        # Its first bytes may be anything, a dash too.
        _, _, ordinal = name[_FIRST:].rpartition(b"-")
        return int(ordinal)
    return int(name.rpartition("-")[2])
