"""Whether a cassette file is what it claims to be, and safe to commit."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from proxy.core.accumulate import says
from proxy.core.fingerprint import fingerprint
from proxy.core.normalize import normalize
from proxy.core.redact import Redactor
from proxy.core.rules import Rules
from proxy.errors import CassetteError

from .cassette_file import contents, decoded
from .cassette_yaml import Entry, dump, entries

_NO_RULES = Rules()


class Problem(NamedTuple):
    place: str
    """`FILE:LINE`"""
    text: str
    mend: str = ""
    """What to do about it."""

    def __str__(self) -> str:
        text = f"{self.text}; {self.mend}" if self.mend else self.text
        return f"{self.place}: {text}" if self.place else text


def verify(path: Path, redactor: Redactor, name: str = "") -> list[Problem]:
    """Every problem of a readable cassette. CassetteError for one that cannot be read.

    `name` is the cassette's, for the commands that mend it.
    """
    found = entries(decoded(contents(path), path), str(path))
    counts = Counter(entry.interaction.id for entry in found)
    return [
        Problem(f"{path}:{entry.line}", what, mend.format(name or path.stem))
        for entry in found
        for what, mend in _problems(entry, counts[entry.interaction.id], redactor)
    ]


_FIX = "run promptdeck cassette fix {}"
_REDACT = "run promptdeck cassette redact {} and, if others may have seen the secret, revoke it"


def _problems(entry: Entry, count: int, redactor: Redactor) -> Iterator[tuple[str, str]]:
    """What is wrong, and the mend."""
    item = entry.interaction
    key = fingerprint(normalize(item.request, _NO_RULES, redactor).canonical)
    if key != item.key:
        yield f"the request was edited: its key is {key} now, the file says {item.key}", _FIX
    if entry.says is not None and entry.says != says(item.response):
        yield "`says` does not tell what the frames say; replay uses the frames", _FIX
    if count > 1:
        yield f"the id {item.id} stands more than once", _FIX
    try:
        dump(item)
    except CassetteError as error:
        yield str(error), f"{_FIX}, or record it again"
    if secrets := _secrets(entry, redactor):
        yield f"it holds what looks like a secret: {', '.join(sorted(secrets))}", _REDACT


def _secrets(entry: Entry, redactor: Redactor) -> set[str]:
    item = entry.interaction
    _, in_request = redactor.body(item.request.body)
    if item.response.is_stream:
        _, in_response = redactor.stream(item.response.frames)
    else:
        _, in_response = redactor.body(item.response.body)
    in_target = {"query"} if redactor.query(item.request.target) != item.request.target else set()
    headers = "\n".join(value for _, value in item.response.headers)
    in_rest = redactor.text(headers)[1] + redactor.text(entry.says or "")[1]
    return {*in_request, *in_response, *in_target, *in_rest}
