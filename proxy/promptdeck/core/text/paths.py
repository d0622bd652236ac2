"""Places in JSON as people write them: `$.messages[0].content`."""

import re

# As RFC 9535 section 2.7 writes names in normalized paths.
_ESCAPES = {code: f"\\u{code:04x}" for code in range(0x20)} | str.maketrans(
    {"\b": r"\b", "\f": r"\f", "\n": r"\n", "\r": r"\r", "\t": r"\t", "'": r"\'", "\\": r"\\"}
)


def child_path(place: str, key: str | int) -> str:
    """The JSON path of the child `key` of what is at `place`: `$.a`, `$[0]`, `$['a key']`.

    `parse_path` reads it back.
    """
    if isinstance(key, int):
        return f"{place}[{key}]"
    # Nearly all keys are plain, and the engine for expressions takes ten times as long.
    if (key.isascii() and key.isidentifier()) or re.fullmatch(r"[A-Za-z_]\w*", key):
        return f"{place}.{key}"
    return f"{place}['{key.translate(_ESCAPES)}']"
