"""Whether a cassette file is what it claims to be, and safe to commit."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from proxy.core.accumulate import says
from proxy.core.fingerprint import fingerprint
from proxy.core.interaction import Interaction
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

    def __str__(self) -> str:
        return f"{self.place}: {self.text}" if self.place else self.text


def verify(path: Path, redactor: Redactor) -> list[Problem]:
    """Every problem of a readable cassette. CassetteError for one that cannot be read."""
    found = entries(decoded(contents(path), path), str(path))
    counts = Counter(entry.interaction.id for entry in found)
    return [
        Problem(f"{path}:{entry.line}", what)
        for entry in found
        for what in _problems(entry, counts[entry.interaction.id], redactor)
    ]


def _problems(entry: Entry, count: int, redactor: Redactor) -> Iterator[str]:
    item = entry.interaction
    key = fingerprint(normalize(item.request, _NO_RULES, redactor).canonical)
    if key != item.key:
        yield f"the request was edited: its key is {key} now, the file says {item.key}"
    if entry.says is not None and entry.says != says(item.response):
        yield "`says` does not tell what the frames say; replay uses the frames"
    if count > 1:
        yield f"the id {item.id} stands more than once: number its recordings 1, 2, ..."
    try:
        dump(item)
    except CassetteError as error:
        yield str(error)
    if secrets := _secrets(item, redactor):
        yield f"it holds what looks like a secret: {', '.join(sorted(secrets))}"


def _secrets(item: Interaction, redactor: Redactor) -> set[str]:
    _, in_request = redactor.body(item.request.body)
    if item.response.is_stream:
        _, in_response = redactor.stream(item.response.frames)
    else:
        _, in_response = redactor.body(item.response.body)
    in_target = {"query"} if redactor.query(item.request.target) != item.request.target else set()
    headers = "\n".join(value for _, value in item.response.headers)
    return {*in_request, *in_response, *in_target, *redactor.text(headers)[1]}
