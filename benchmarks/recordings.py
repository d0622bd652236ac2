"""The recordings that are replayed: promptdeck makes one of each kind, the rest are copies."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import count

import bodies
import load
from process import LOAD_CORE, Workshop

from promptdeck.core.interaction import Interaction
from promptdeck.stores.cassettes.digests import digests_of
from promptdeck.stores.cassettes.dump import HEADER
from promptdeck.stores.cassettes.load import entries

KINDS = {
    "chat": bodies.chat(0),
    "stream": bodies.chat(0, stream=True),
    "transcript": bodies.transcript(0),
    "long": bodies.chat(0, stream=True, frames=bodies.LONG),
}


@dataclass(frozen=True)
class _Seed:
    """One recording, as text of a cassette and as it is read from that."""

    text: str
    interaction: Interaction
    says: str | None

    def copy(self, number: int, unique: int) -> str:
        """The text of the same recording of another number, as promptdeck would write it."""
        # An index is made from the requests themselves: any key will do that no other has.
        name, key = f"{unique:06x}-002-{unique:08x}-1", f"p1:{unique:032x}"
        old, new = bodies.marker(0), bodies.marker(number)
        request = self.interaction.request
        asked = request._replace(body=request.body.replace(old.encode(), new.encode()))
        text = re.sub(r"(?m)^- id: .*", f"- id: {name}", self.text.replace(old, new))
        text = re.sub(r"(?m)^  key: .*", f"  key: {key}", text)
        digests = digests_of(self.interaction._replace(request=asked), self.says)
        return re.sub(r"(?m)^  digest: .*", f"  digest: {digests}", text)


@dataclass(frozen=True)
class Seeds:
    """One recording of each kind."""

    kinds: dict[str, _Seed]

    def save(self, workshop: Workshop, name: str, numbers: dict[str, Iterable[int]]) -> None:
        """Make a cassette with a recording for each number of each kind."""
        fresh = count(1)
        copies = (
            self.kinds[kind].copy(number, next(fresh))
            for kind, wanted in numbers.items()
            for number in wanted
        )
        path = workshop.folder / "cassettes" / f"{name}.yaml"
        path.write_text(HEADER + "".join(copies))


def record_seeds(workshop: Workshop) -> Seeds:
    """Record a request of each kind once."""
    with (
        workshop.other("upstream", b"", "0", core=LOAD_CORE) as upstream,
        workshop.promptdeck(
            "record", "--cassette", "seed", "--upstream", url(upstream.port)
        ) as deck,
    ):
        for body in KINDS.values():
            load.ask(deck.port, body)
    text = (workshop.folder / "cassettes" / "seed.yaml").read_text()
    _, *items = re.split(r"(?m)^(?=- id: )", text)
    read = entries(text)
    return Seeds(
        {
            _kind(item): _Seed(f"{item.rstrip()}\n\n", entry.interaction, entry.says)
            for item, entry in zip(items, read, strict=True)
        }
    )


def _kind(item: str) -> str:
    if "tools:\n" in item:
        return "transcript"
    if "max_completion_tokens" in item:
        return "long"
    return "stream" if "variant: sse" in item else "chat"


def url(port: int) -> str:
    return f"http://127.0.0.1:{port}/v1"
