"""Which names a cassette may have.

A name becomes a path below the folder of cassettes and comes from strangers
too: a header or a URL can choose it. So it is spelled from a small alphabet
that means the same on every file system, and can never lead out of the folder.
"""

import re

_SEGMENT = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]*")
# Most file systems take 255 bytes for the name of a file: what is left is for the ending and for
# that of a file that is being written.
LONGEST = 200
"""Characters that a cassette's name may have."""


def validate_cassette_name(name: str) -> str:
    """`name` itself where it is fit for a cassette, such as `agents/weather`.

    Raises ValueError, which says what is wrong with it, for any other.
    """
    if not name:
        raise ValueError("a cassette's name is empty")
    if len(name) > LONGEST:
        raise ValueError(f"a cassette's name has at most {LONGEST} characters, not {len(name)}")
    for segment in name.split("/"):
        if not segment:
            raise ValueError(f"cassette name {name!r} starts or ends with / or has // in it")
        if segment.startswith("."):
            raise ValueError(f"cassette name {name!r} has a part that starts with a dot")
        if not _SEGMENT.fullmatch(segment):
            raise ValueError(
                f"cassette name {name!r} may have only A-Z a-z 0-9 . _ - and / between folders"
            )
    return name
