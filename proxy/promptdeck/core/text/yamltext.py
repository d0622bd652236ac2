"""Write a JSON value as YAML for people: block text for prose, one line where one line will do.

PyYAML's writer turns any text with an emoji or a trailing space into one long
escaped line; prompts are full of both. This one keeps such text readable and
leaves escapes to what YAML cannot hold otherwise. Reading is `stores/cassettes/reader.py`'s.

Other tools edit such files: pre-commit's hooks and editors strip blanks at the ends of lines
and empty lines at a file's end. No line that is written here ends in a blank of any kind.
"""

import re
from collections.abc import Iterator

import orjson

from .jsontext import JSON

# YAML 1.2 section 5.1 less its line breaks, which readers would fold into LF.
_UNPRINTABLE = re.compile(
    "[^\\t\\n\\x20-\\x7e\\xa0-\\u2027\\u202a-\\ud7ff\\ue000-\\ufefe\\uff00-\\ufffd\\U00010000-\\U0010ffff]"
)
# Narrower than YAML's plain scalars: no indicator of any version at the start, no comment and no
# key within, and addresses of requests, which begin with a slash.
_PLAIN_START = re.compile(r"[^\W_]")
# Searched for one by one: an expression takes 40 ns a character, in one call that nobody gets in
# between, and one that matches around them keeps 120 bytes of each to go back to.
_NOT_PLAIN = ("\n", "\t", ": ", " #")
_ADDRESS = re.compile(r"/[\w./:?=&%@+-]*")
_PLAIN_KEY = re.compile(r"[A-Za-z][\w-]*")
# YAML readers look no further for a key's colon than 1024 characters (YAML 1.2 on implicit
# keys), quotes and escapes among them: a few less leave no doubt how they are counted.
_LONGEST_KEY = 1000
# What a hook or an editor strips: any space of Unicode at a line's end, a line of nothing else.
_BLANK_END = re.compile(r"[^\S\n](?:\n|\Z)")
# What some YAML reader takes for another type: null, booleans, numbers, dates, times.
_NOT_TEXT = re.compile(
    r"(?i)null|true|false|yes|no|on|off|y|n|[-+]?\.(inf|nan)|nan|inf|infinity"
    r"|[-+]?[\d_.][\d_.,:eE+-]*|0x[\da-f_]+|0o?[0-7_]+|0b[01_]+|\d{4}-\d\d?-\d\d?([Tt ].*)?"
)


def block(value: JSON, indent: int = 0) -> Iterator[str]:
    """The lines of a mapping or a list in block style, without line ends.

    Nothing for an empty one and for any other value: `flow` writes those. A line may hold
    line ends itself where a key is too long for one.
    """
    pad = " " * indent
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _entry(_head(pad, key), item, indent)
    elif isinstance(value, list):
        for item in value:
            yield from _item(pad, item, indent)


def _head(pad: str, key: str) -> str:
    """A key and its colon; a long one as an explicit key, on a line of its own."""
    name = _key(key)
    return f"{pad}{name}:" if len(name) <= _LONGEST_KEY else f"{pad}? {name}\n{pad}:"


def _entry(head: str, value: JSON, indent: int) -> Iterator[str]:
    """The lines of a member of a mapping; `head` is its key with the colon."""
    if isinstance(value, dict) and value:
        yield head
        yield from block(value, indent + 2)
    elif isinstance(value, list) and value:
        yield head
        yield from block(value, indent)
    else:
        yield from _scalar(head, value, indent)


def _item(pad: str, value: JSON, indent: int) -> Iterator[str]:
    """The lines of an item of a list."""
    # A list in a list is a row of a table: one line each.
    if isinstance(value, dict) and value:
        first, *rest = block(value, indent + 2)
        yield f"{pad}- {first[indent + 2 :]}"
        yield from rest
    else:
        yield from _scalar(f"{pad}-", value, indent)


def _scalar(head: str, value: JSON, indent: int) -> Iterator[str]:
    """The lines of a value behind `head`: text of several lines as such, all else on one line."""
    if not isinstance(value, str) or "\n" not in value.strip("\n"):
        yield f"{head} {flow(value)}"
        return
    pad = " " * (indent + 2)
    if _is_literal(value):
        # What stands behind the bar is about the last line's end (YAML 1.2, 8.1.1.2).
        yield f"{head} |" if value.endswith("\n") else f"{head} |-"
        for line in value.removesuffix("\n").split("\n"):
            yield pad + line if line else ""
    else:
        yield f'{head} "\\'
        yield from _escaped(value, pad)


def _is_literal(text: str) -> bool:
    """True if a literal block holds this text exactly, and no hook or formatter alters it."""
    if text.endswith("\n\n") or _BLANK_END.search(text) or _has_unprintable(text):
        return False
    # Readers would take blanks at the first line's start for the block's depth. YAML has a sign
    # that says the depth instead, with which prettier 3 writes another text.
    return text.lstrip("\n")[0] not in " \t"


def _escaped(text: str, pad: str) -> Iterator[str]:
    """Text of several lines as the lines of a double-quoted scalar, less what opens it.

    Each shows its end as an escape, and a backslash joins it to the next (YAML 1.2, 7.3.1).
    """
    *lines, end = text.split("\n")
    lines = [f"{line}\n" for line in lines] + ([end] if end else [])
    for number, line in enumerate(lines, 1):
        # A reader drops the blanks that a line begins with, up to the first that is escaped, and
        # prettier 3 drops those beyond ASCII, too.
        shown = _FIRST_BLANK.sub(_as_escape, _double_quoted(line)[1:-1])
        yield f"{pad}{shown}" + ('"' if number == len(lines) else "\\")


_FIRST_BLANK = re.compile(r"^\s")


def _as_escape(blank: re.Match[str]) -> str:
    return "\\ " if blank[0] == " " else f"\\u{ord(blank[0]):04x}"


def flow(value: JSON) -> str:
    """The value on one line, in flow style."""
    if isinstance(value, str):
        return value if _fits_plain(value) else _quoted(value)
    if isinstance(value, dict):
        return "{" + ", ".join(_pair(key, item) for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_in_flow, value)) + "]"
    if isinstance(value, float):
        return repr(value)
    return orjson.dumps(value).decode()


def _pair(key: str, value: JSON) -> str:
    """A member of a mapping on one line."""
    name = _key(key)
    mark, space = ("", "") if len(name) <= _LONGEST_KEY else ("? ", " ")
    return f"{mark}{name}{space}: {_in_flow(value)}"


def _in_flow(value: JSON) -> str:
    """A value within a list or mapping on one line, where plain text could be cut at a comma."""
    return _quoted(value) if isinstance(value, str) else flow(value)


def _key(key: str) -> str:
    """A key, in quotes unless it is a plain word that no reader takes for another type."""
    plain = _PLAIN_KEY.fullmatch(key) and not _NOT_TEXT.fullmatch(key)
    return key if plain else _double_quoted(key)


def _fits_plain(text: str) -> bool:
    """True if no reader could take this text, written without quotes, for anything else."""
    return (
        _is_plain(text)
        and not (text[-1].isspace() or text.endswith(":"))
        and not _NOT_TEXT.fullmatch(text)
        and not _has_unprintable(text)
    )


def _is_plain(text: str) -> bool:
    """True if a text has no sign of YAML's where that would tell, or is a request's address."""
    if _PLAIN_START.match(text):
        return not any(sign in text for sign in _NOT_PLAIN)
    return bool(_ADDRESS.fullmatch(text))


def _has_unprintable(text: str) -> bool:
    """True if a text has what YAML cannot hold but as an escape."""
    # Of most long texts, which are base64, the first two say so, ten times as fast.
    return not (text.isascii() and text.isprintable()) and bool(_UNPRINTABLE.search(text))


def _quoted(text: str) -> str:
    """Text in quotes: single ones where double ones would need escapes, and they will do."""
    if ('"' in text or "\\" in text) and "\n" not in text and not _has_unprintable(text):
        return "'" + text.replace("'", "''") + "'"
    return _double_quoted(text)


def quoted_part(text: str) -> str:
    """A part of a text as it stands within double quotes."""
    return _double_quoted(text)[1:-1]


def _double_quoted(text: str) -> str:
    """Text in double quotes: JSON's, with escapes for what YAML takes for unprintable."""
    quoted = orjson.dumps(text).decode()
    return _UNPRINTABLE.sub(lambda match: f"\\u{ord(match[0]):04x}", quoted)
