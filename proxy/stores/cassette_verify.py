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

from .cassette_file import decoded, read
from .cassette_yaml import HEADER, dump, item_lines, load, told

_NO_RULES = Rules()


class Problem(NamedTuple):
    place: str
    """`FILE:LINE`"""
    text: str

    def __str__(self) -> str:
        return f"{self.place}: {self.text}" if self.place else self.text


def verify(path: Path, redactor: Redactor) -> list[Problem]:
    """Every problem of a readable cassette. CassetteError for one that cannot be read."""
    text = decoded(path.read_bytes(), path)
    interactions = read(path)
    lines = item_lines(text)
    texts = told(text)
    counts = Counter(item.id for item in interactions)
    problems = []
    for item, line, said in zip(interactions, lines, texts, strict=True):
        place = f"{path}:{line}"
        problems += [Problem(place, what) for what in _problems(item, said, redactor)]
        if counts[item.id] > 1:
            problems.append(Problem(place, f"the id {item.id} stands more than once"))
    return problems


def _problems(item: Interaction, said: str | None, redactor: Redactor) -> Iterator[str]:
    key = fingerprint(normalize(item.request, _NO_RULES, redactor).canonical)
    if key != item.key:
        yield f"the request was edited: its key is {key} now, the file says {item.key}"
    if said is not None and said != says(item.response):
        yield "`says` does not tell what the frames say; replay uses the frames"
    try:
        if load(HEADER + dump(item)) != [item]:
            yield "it does not survive being written again"
    except CassetteError as error:
        yield str(error)
    if found := _secrets(item, redactor):
        yield f"it holds what looks like a secret: {', '.join(sorted(found))}"


def _secrets(item: Interaction, redactor: Redactor) -> set[str]:
    _, in_request = redactor.body(item.request.body)
    if item.response.is_stream:
        _, in_response = redactor.stream(item.response.frames)
    else:
        _, in_response = redactor.body(item.response.body)
    in_target = {"query"} if redactor.query(item.request.target) != item.request.target else set()
    headers = "\n".join(value for _, value in item.response.headers)
    return {*in_request, *in_response, *in_target, *redactor.text(headers)[1]}
