"""What every case is given: where it runs, how much it measures, and who is measured."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from installs import HOME, is_ready
from measure import Size
from peers import Peer
from process import LOAD_CORE, Server, Workshop
from recordings import Seeds, record_seeds

DECK = "promptdeck"
"""How the side is called that the targets are about: without access log, on asyncio's loop."""


@dataclass(frozen=True)
class Bench:
    """What one run of benchmarks works with."""

    workshop: Workshop
    size: Size
    peers: Sequence[Peer] = ()
    """None for a run without peers."""
    left_out: dict[str, str] = field(default_factory=dict)
    """Peers, and why nothing is shown of them."""

    @cached_property
    def seeds(self) -> Seeds:
        """Recordings to make cassettes of, recorded by promptdeck when first asked for."""
        return record_seeds(self.workshop)

    def peer(self, name: str) -> Peer | None:
        """The peer of this name, if it is measured."""
        return next((peer for peer in self.peers if peer.name == name), None)

    @cached_property
    def extras(self) -> dict[str, Path]:
        """Packages that promptdeck uses where it finds them: the name of a side, and the folder."""
        return {f"{DECK} + uvloop": HOME / "uvloop"} if is_ready("uvloop") else {}

    @contextmanager
    def upstream(self, *options: str) -> Iterator[Server]:
        """A provider on the load's core, until the block ends; see `servers.Upstream`."""
        with self.workshop.other("upstream", b"", *options, core=LOAD_CORE) as server:
            yield server

    def taught(self, peer: Peer, asked: Sequence[bytes], stack: ExitStack) -> Server | None:
        """A peer that has recorded those requests, and now has no upstream; None if it can't."""
        try:
            with self.upstream("0") as upstream:
                server = stack.enter_context(peer.start(self.workshop, upstream.port))
                peer.learn(server, asked)
            peer.check(server, asked)
        except (RuntimeError, OSError, ValueError) as error:
            self.left_out[peer.name] = str(error)[:500]
            return None
        return server
