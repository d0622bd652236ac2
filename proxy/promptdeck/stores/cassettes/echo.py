"""Requests that repeat an answer which was edited since.

An agent's next request has the model's last answer in it. Where that answer is
edited by hand, the program will ask with the new text, and the recording of the
next turn, which has the old one, is not found any more.
"""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from promptdeck.core.dialects.base import Dialect
from promptdeck.core.dialects.streamed import Streamed
from promptdeck.core.dialects.table import dialect_answering
from promptdeck.core.interaction import Interaction, Response
from promptdeck.core.text.jsontext import Unfaithful, compact


class EditedAnswer(NamedTuple):
    """One recording before and after an edit."""

    before: Response
    after: Interaction


class Echo(NamedTuple):
    """A request that repeats what an answer said before it was edited."""

    edited: Interaction
    repeated_by: Interaction


def echoes(edits: Iterable[EditedAnswer], found: Iterable[Interaction]) -> Iterator[Echo]:
    """Each request among `found` that has a text which an edited answer does not say any more.

    A request comes once for each edit that it repeats the old text of.
    """
    asked = list(found)
    for before, after in edits:
        dialect = dialect_answering(after)
        lost = set(_texts(dialect, before)) - set(_texts(dialect, after.response))
        for item in asked:
            if any(_repeats(item.request.body, text) for text in lost):
                yield Echo(after, item)


_TELLING = 24
"""Characters from which a text is taken for a repetition wherever it stands.

Shorter ones stand in many texts by chance: they count as whole messages only. It is a guess,
as long as a short sentence; the cost of a wrong one is a warning too many or too few."""


def _repeats(body: bytes, text: str) -> bool:
    """True if a request's body has an answer's text, as JSON writes it."""
    quoted = compact(text)
    if len(text) >= _TELLING:
        return quoted[1:-1] in body
    whole = (b'"content":' + quoted, b'"text":' + quoted)
    return b'"assistant"' in body and any(message in body for message in whole)


def _texts(dialect: Dialect, response: Response) -> Iterator[str]:
    """The texts of an answer, each by itself; none where nobody knows what it says."""
    if not isinstance(dialect, Streamed):
        return
    try:
        leaves = [*dialect.texts(dialect.message(response))]
    except Unfaithful:
        return
    yield from (leaf.text for leaf in leaves if leaf.text.strip())
