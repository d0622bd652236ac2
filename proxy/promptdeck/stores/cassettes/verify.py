"""Flaws of a cassette file: it is not what it claims to be, or not safe to commit."""

import re
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from promptdeck.core.dialects.interpreted import is_told_otherwise
from promptdeck.core.dialects.table import says
from promptdeck.core.interaction import Request
from promptdeck.core.matching.fingerprint import fingerprint
from promptdeck.core.matching.normalize import normalize
from promptdeck.core.matching.rules import NO_RULES
from promptdeck.core.secrets.answers import cleared_body, cleared_frames
from promptdeck.core.secrets.redact import Redactor
from promptdeck.errors import CassetteError

from .dump import dump
from .file import contents, decoded
from .load import Entry, each_entry, told_altered
from .progress import Progress, silently


class Flaw(NamedTuple):
    """Something wrong with a cassette, as a line for people."""

    place: str
    """`FILE:LINE`"""
    text: str
    mend: str = ""
    """What to do about it."""

    def __str__(self) -> str:
        text = f"{self.text}; {self.mend}" if self.mend else self.text
        return f"{self.place}: {text}" if self.place else text


def verify(
    path: Path,
    redactor: Redactor,
    name: str = "",
    unused: Collection[str] = (),
    step: Progress = silently,
) -> list[Flaw]:
    """Every problem of a readable cassette, by lines. CassetteError for one that cannot be read.

    `redactor` knows secrets; `name` is the cassette's, for the commands that mend it;
    `unused` are ids that should not be there any more.
    """
    text = decoded(contents(path), path)
    problems: list[_Noticed] = []
    lines: dict[str, list[int]] = defaultdict(list)
    for entry in each_entry(text, str(path), step):
        lines[entry.interaction.id].append(entry.line)
        problems += [(entry.line, *problem) for problem in _problems(entry, redactor)]
        if entry.interaction.id in unused:
            problems.append((entry.line, f"{entry.interaction.id} was not used", _PRUNE))
    for recording, places in lines.items():
        if len(places) > 1:
            twice = f"the id {recording} stands more than once"
            problems += [(line, twice, _FIX) for line in places]
    starts = sorted(line for places in lines.values() for line in places)
    problems += _in_comments(text, redactor, starts, problems)
    if len(text) > _LARGEST:
        problems.append((1, f"it is {len(text) >> 20} MiB large", _SPLIT))
    return [
        Flaw(f"{path}:{line}", what, mend.format(name or path.stem))
        for line, what, mend in sorted(problems, key=lambda problem: problem[0])
    ]


_Noticed = tuple[int, str, str]
"""Line, what is wrong, how it is mended."""

_LARGEST = 50 * 1024 * 1024
"""Bytes. GitHub warns of larger files, and takes none of twice the size."""


_SUSPECT = "it holds what looks like a secret"
_BY_HAND = "take it out of the comment and, if others may have seen it, revoke it"
_SPLIT = "run promptdeck cassette split {} --by conversation, and remove it"
_FIX = "run promptdeck cassette fix {}"
_FIX_OR_RESTORE = f"{_FIX}, else restore the file"
_PRUNE = "run promptdeck cassette prune {} with the report"
TOLD_OTHERWISE = "this version tells its client another answer than the one that recorded it"
_REREAD = f"look at what it is now, and {_FIX} if that is right"
_REDACT = "run promptdeck cassette redact {} and, if others may have seen the secret, revoke it"


def _key_once(request: Request, redactor: Redactor) -> str:
    """The key that 0.1.0 gave a request, for which more counted."""
    return fingerprint(normalize(request, NO_RULES, redactor, once=True).canonical)


def _problems(entry: Entry, redactor: Redactor) -> Iterator[tuple[str, str]]:
    """Each thing that is wrong with one entry, and how it is mended."""
    item = entry.interaction
    key = fingerprint(normalize(item.request, NO_RULES, redactor).canonical)
    edited = key != item.key and item.key != _key_once(item.request, redactor)
    if edited:
        yield f"the request was edited: its key is {key} now, the file says {item.key}", _FIX
    if otherwise := entry.says is not None and entry.says != says(item):
        yield "`says` does not tell what the frames say", _FIX
    # What is told already is not told twice; of a whole answer, or of what does not count in a
    # request, only the digests tell that it was altered.
    told = {"request"} if edited else set()
    if otherwise:
        told |= {"says", "answer"}
    if set(entry.altered) - told:
        yield told_altered(entry), f"if that is meant, {_FIX_OR_RESTORE}"
    if is_told_otherwise(item):
        yield TOLD_OTHERWISE, _REREAD
    try:
        dump(item)
    except CassetteError as error:
        yield str(error), f"{_FIX}, or record it again"
    if secrets := _secrets(entry, redactor):
        yield f"{_SUSPECT}: {', '.join(sorted(secrets))}", _REDACT


def _secrets(entry: Entry, redactor: Redactor) -> set[str]:
    """The kinds of secrets that stand in an entry, comments aside."""
    item = entry.interaction
    _, in_request = redactor.body(item.request.body)
    if item.response.is_stream:
        _, in_response = cleared_frames(redactor, item.response.frames)
    else:
        _, in_response = cleared_body(redactor, item.response.body)
    urls = (item.request.target, item.upstream)
    in_target = {"query"} if any(redactor.query(url) != url for url in urls) else set()
    headers = "\n".join(value for _, value in item.response.headers)
    in_rest = redactor.text(headers)[1] + redactor.text(entry.says or "")[1]
    return {*in_request, *in_response, *in_target, *in_rest}


# What looks like a comment: a `#` at a line's start or behind a space.
# A block of text may have such lines, too; its secrets were found before.
# Within quotes it would be none; before them it may yet be text, which has no secrets by now.
_COMMENT = re.compile(r'(?m)^(?:[^"\n#]*[ \t])?(#[^\n]*)')


def _in_comments(
    text: str, redactor: Redactor, starts: Sequence[int], found: Iterable[_Noticed]
) -> list[_Noticed]:
    """The secrets in comments, but for those of recordings that have secrets already.

    `starts` are the lines at which recordings begin; `found` is what is known of them.
    """
    known = {line for line, what, _ in found if what.startswith(_SUSPECT)}
    told: list[_Noticed] = []
    line, seen = 1, 0
    for comment in _COMMENT.finditer(text):
        if not redactor.suspicious(comment[1].encode()):
            continue
        line, seen = line + text.count("\n", seen, comment.start()), comment.start()
        above = bisect_right(starts, line)
        _, kinds = redactor.text(comment[1])
        if kinds and not (above and starts[above - 1] in known):
            told.append((line, f"{_SUSPECT}: {', '.join(sorted(kinds))}", _BY_HAND))
    return told
