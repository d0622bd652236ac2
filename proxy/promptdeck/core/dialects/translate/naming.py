"""Names of tools for providers who take letters, digits, `_` and `-` alone, as nearly all do.

The model reads them, so the odd characters alone are spelled, by their numbers. A name is read back
from that, one to one, with nothing to remember.
"""

import re

# Google's and MCP's have dots and colons. What already looks so is spelled as well.
_ODD = re.compile(r"[^a-zA-Z0-9_-]|(?<=_)x(?=[0-9a-f]+[^a-zA-Z0-9-])")
_SPELLED = re.compile(r"_x([0-9a-f]{1,5}|10[0-9a-f]{4})_")


def safe_name(name: str) -> str:
    """A tool's name as such providers take it: `a.b` is `a_x2e_b`."""
    return _ODD.sub(lambda odd: f"_x{ord(odd[0]):x}_", name)


def own_name(name: str) -> str:
    """The name that `safe_name` was given, from what it made of it."""
    return _SPELLED.sub(lambda spelled: chr(int(spelled[1], 16)), name)
