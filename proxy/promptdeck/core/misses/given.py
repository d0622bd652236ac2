"""Ids that the answers of a run gave, by numbers where the run goes on to say them.

A provider makes them up anew in each run: the id of a call, of a job that is polled, of a file.
Two recordings of one run differ in them, and no rule is needed for that, as whoever replays one
of them is given its ids, too.
"""

import re
from collections.abc import Iterable, Iterator

from promptdeck.core.interaction import Interaction

# As it stands in JSON whatever else that says: a whole body, or the frames of a stream.
_GIVEN = re.compile(
    rb'"(?:id|\w{1,40}_id|[a-z]\w{0,40}Id)"\s{0,4}:\s{0,4}"([\w.:/-]{6,200})"'
    # Google's have a name with a slash: `files/a1b2c3`.
    rb'|"(?:name|uri)"\s{0,4}:\s{0,4}"([\w.:-]{1,40}/[\w./-]{3,200})"'
)
# A full stop behind it is the sentence's.
_WORD = re.compile(r"\w[\w.:/-]{4,}\w")


def ids_given(item: Interaction) -> tuple[str, ...]:
    """The ids in a recorded answer. A list of models gives none: their names are no secret."""
    if "/models" in item.request.target:
        return ()
    data = b"".join([frame.data for frame in item.response.frames])
    found = (match[1] or match[2] for match in _GIVEN.finditer(data))
    return tuple(dict.fromkeys(text.decode() for text in found if re.search(rb"\d", text)))


def by_given(run: Iterable[tuple[bytes, Iterable[str]]]) -> Iterator[bytes]:
    """The canonical forms of a run with ⟨given-1⟩ for what an answer before each of them gave.

    The run is given in its order, each form with the ids in its answer. Numbers are by first
    use, so that two runs that do the same have the same.
    """
    given: set[str] = set()
    numbers: dict[str, int] = {}
    for form, ids in run:
        text = form.decode("utf-8", "surrogateescape")

        def name(match: re.Match[str]) -> str:
            word = match[0]
            if word not in given:
                # A path says it among others: `/v1/jobs/ID/events`.
                parts = (part if part not in given else named(part) for part in word.split("/"))
                return "/".join(parts)
            return named(word)

        def named(word: str) -> str:
            return f"⟨given-{numbers.setdefault(word, len(numbers) + 1)}⟩"

        yield (_WORD.sub(name, text) if given else text).encode("utf-8", "surrogateescape")
        given.update(ids)
