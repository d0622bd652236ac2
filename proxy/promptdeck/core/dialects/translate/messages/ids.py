"""Ids of calls, which Anthropic takes of letters, digits, `_` and `-` alone.

Others are spelled in base64 behind a mark of ours, and read back from that: one to one, both ways,
with nothing to remember.
"""

import base64
import binascii
import re

_TAKEN = re.compile(r"[a-zA-Z0-9_-]+")
_MARK = "toolu_pd_"


def safe_id(id: str) -> str:  # noqa: A002  that is what it is
    """An id as Anthropic takes it: itself, where it is such a one."""
    if _TAKEN.fullmatch(id) and not id.startswith(_MARK):
        return id
    data = id.encode("utf-8", "surrogatepass")
    return _MARK + base64.urlsafe_b64encode(data).decode().rstrip("=")


def own_id(id: str) -> str:  # noqa: A002
    """The id that `safe_id` was given, from what it made of it."""
    if not id.startswith(_MARK):
        return id
    try:
        text = id[len(_MARK) :]
        padded = text + "=" * (-len(text) % 4)
        return base64.b64decode(padded, b"-_", validate=True).decode("utf-8", "surrogatepass")
    except (binascii.Error, ValueError):
        return id
