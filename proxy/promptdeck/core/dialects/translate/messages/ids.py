"""Ids of calls and names of tools, which Anthropic takes of letters, digits, `_` and `-` alone.

Other ids are spelled in base64 behind a mark of ours; in names, which the model reads, the odd
characters alone are spelled, by their numbers. Both are read back from that: one to one, both ways,
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


# Google's and MCP's have dots and colons. What already looks so is spelled as well.
_ODD = re.compile(r"[^a-zA-Z0-9_-]|(?<=_)x(?=[0-9a-f]+[^a-zA-Z0-9-])")
_SPELLED = re.compile(r"_x([0-9a-f]{1,5}|10[0-9a-f]{4})_")


def safe_name(name: str) -> str:
    """A tool's name as Anthropic takes it: `a.b` is `a_x2e_b`."""
    return _ODD.sub(lambda odd: f"_x{ord(odd[0]):x}_", name)


def own_name(name: str) -> str:
    """The name that `safe_name` was given, from what it made of it."""
    return _SPELLED.sub(lambda spelled: chr(int(spelled[1], 16)), name)
