"""The recordings that are replayed: promptdeck makes one of each kind, the rest are copies."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import count

import bodies
import load
from process import LOAD_CORE, Workshop

KINDS = {
    "chat": bodies.chat(0),
    "stream": bodies.chat(0, stream=True),
    "transcript": bodies.transcript(0),
    "long": bodies.chat(0, stream=True, frames=bodies.LONG),
}


@dataclass(frozen=True)
class Seeds:
    """`header` of a cassette, and the text of one recording of each kind."""

    header: str
    items: dict[str, str]

    def save(self, workshop: Workshop, name: str, numbers: dict[str, Iterable[int]]) -> None:
        """Make a cassette with a recording for each number of each kind."""
        fresh = count(1)
        copies = (
            _copy(self.items[kind], number, next(fresh))
            for kind, wanted in numbers.items()
            for number in wanted
        )
        path = workshop.folder / "cassettes" / f"{name}.yaml"
        path.write_text(self.header + "".join(copies))


def _copy(item: str, number: int, unique: int) -> str:
    # An index is made from the requests themselves: any key will do that no other has.
    name, key = f"{unique:06x}-002-{unique:08x}-1", f"p1:{unique:032x}"
    item = re.sub(r"(?m)^- id: .*", f"- id: {name}", item)
    item = re.sub(r"(?m)^  key: .*", f"  key: {key}", item)
    return item.replace(bodies.marker(0), bodies.marker(number))


def record_seeds(workshop: Workshop) -> Seeds:
    with (
        workshop.other("upstream", b"", "0", core=LOAD_CORE) as upstream,
        workshop.promptdeck(
            "record", "--cassette", "seed", "--upstream", url(upstream.port)
        ) as deck,
    ):
        for body in KINDS.values():
            load.ask(deck.port, body)
    text = (workshop.folder / "cassettes" / "seed.yaml").read_text()
    header, *items = re.split(r"(?m)^(?=- id: )", text)
    return Seeds(header, {_kind(item): item.rstrip("\n") + "\n\n" for item in items})


def _kind(item: str) -> str:
    if "tools:\n" in item:
        return "transcript"
    if "max_completion_tokens" in item:
        return "long"
    return "stream" if "variant: sse" in item else "chat"


def url(port: int) -> str:
    return f"http://127.0.0.1:{port}/v1"
