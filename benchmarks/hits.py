"""Answers from recordings, as many as go through: JSON and streams, known bytes and new ones."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path

import bodies
import load
from measure import Case, Figure, Row, Target, alternate
from process import Server
from workbench import DECK, Bench

FIGURES = (
    Figure("req/s", against="x"),
    Figure("p50 us"),
    Figure("p99 us"),
    Figure("CPU us/req", 1, against="x", spread=True),
    Figure("load us/req", 1),
)
BARE, FLOOR, BY_FRAME = "bare aiohttp", "raw asyncio", "a write per frame"
# LiteLLM's local cache holds 200 answers, and no setting of it changes that.
NUMBERS = {
    "chat": range(128),
    "stream": range(1000, 1032),
    "transcript": range(2000, 2064),
    "long": range(3000, 3064),
}
_MUCH_LONGER = 4
"""Times the length of a round, for a peer that answers a few requests a second."""

Requests = Callable[[list[bytes], str], Iterator[bytes]]
Servers = Mapping[str, Server]


def cases(bench: Bench) -> Iterator[Case]:
    """Hits of JSON, of bytes never seen, and of streams."""
    with ExitStack() as stack:
        hits = _Hits(bench, stack)
        yield from hits.of_json()
        yield from hits.new_bytes()
        yield from hits.of_streams()


class _Hits:
    """All servers at once: those that nobody asks cost nothing."""

    def __init__(self, bench: Bench, stack: ExitStack) -> None:
        self._bench = bench
        self._stack = stack
        self.chats = [bodies.chat(n) for n in NUMBERS["chat"]]
        self.streams = [bodies.chat(n, stream=True) for n in NUMBERS["stream"]]
        self.transcripts = [bodies.transcript(n) for n in NUMBERS["transcript"]]
        self.long = [bodies.chat(n, stream=True, frames=bodies.LONG) for n in NUMBERS["long"]]
        bench.seeds.save(bench.workshop, "hits", NUMBERS)
        self._deck = {DECK: self._promptdeck()}
        extras = {name: self._promptdeck(beside=path) for name, path in bench.extras.items()}
        self._decks = self._deck | extras
        self._talkative = {f"{DECK}, log level info": self._promptdeck(log_level="info")}
        self._peers = dict(self._taught())
        self._nginx = {name: one for name, one in self._peers.items() if name == "nginx"}
        answer = self._answer(self.chats[0])
        self._bare = {BARE: self._other("bare", answer)}
        self._floor = {FLOOR: self._other("floor", answer)}

    def of_json(self) -> Iterator[Case]:
        sides = self._bare | self._decks | self._talkative | self._floor | self._peers
        yield self._case("JSON hit, 2 KB chat", self.chats, sides, targets=_SMALL)
        sides = self._floor | self._bare | self._deck | self._nginx
        yield self._case("JSON hit, 2 KB chat", self.chats, sides, connections=1, targets=_ONE)
        sides = self._bare | self._deck | self._floor | self._nginx
        yield self._case("JSON hit, 60 KB transcript", self.transcripts, sides, targets=_LARGE)

    def new_bytes(self) -> Iterator[Case]:
        kinds = (("2 KB chat", self.chats, 2.5), ("60 KB transcript", self.transcripts, 1.0))
        ways: tuple[tuple[str, Requests], ...] = (
            ("another `user`", bodies.fresh),
            ("other key order, spacing, `user`", bodies.rearranged),
        )
        for kind, asked, least in kinds:
            for way, requests in ways:
                name = f"JSON hit, {kind}, new bytes: {way}"
                targets = tuple(_both(3, f"{kind}, {way}", BARE, least))
                sides = self._bare | self._decks
                yield self._case(name, asked, sides, requests, targets=targets)

    def of_streams(self) -> Iterator[Case]:
        one = {f"{BARE}, one response": self._other("bare", self._answer(self.streams[0]))}
        sides = one | self._deck | self._peers
        name = f"stream hit, {bodies.FRAMES} frames, 16 KB"
        yield self._case(name, self.streams, sides, targets=_STREAMS)
        answer = self._answer(self.long[0])
        sides = {f"{BARE}, {BY_FRAME}": self._other("bare-frames", answer)}
        sides |= {f"{BARE}, one response": self._other("bare", answer)}
        name = f"stream hit, {bodies.LONG} frames, {len(answer) // 1024} KB"
        sides |= self._deck | self._nginx
        yield self._case(name, self.long, sides, targets=_LONG)

    def _promptdeck(self, log_level: str = "warning", beside: Path | None = None) -> Server:
        flags = ("--cassette", "hits", "--store", str(self._bench.workshop.folder / "hits.db"))
        starting = self._bench.workshop.promptdeck(
            "replay", *flags, log_level=log_level, beside=beside
        )
        server = self._stack.enter_context(starting)
        load.ask_all(server.port, self.chats + self.streams + self.transcripts + self.long)
        return server

    def _taught(self) -> Iterator[tuple[str, Server]]:
        asked = self.chats + self.streams
        for peer in self._bench.peers:
            everything = asked + self.transcripts + self.long if peer.name == "nginx" else asked
            if server := self._bench.taught(peer, everything, self._stack):
                yield peer.name, server

    def _other(self, kind: str, body: bytes) -> Server:
        return self._stack.enter_context(self._bench.workshop.other(kind, body))

    def _answer(self, body: bytes) -> bytes:
        """What promptdeck answers, for the others to answer too."""
        status, answer = load.ask(self._deck[DECK].port, body)
        if status != 200 or answer != bodies.answer_to(body):
            raise RuntimeError(f"not the answer that was recorded: {status} {answer[:500]!r}")
        return answer

    def _case(
        self,
        name: str,
        asked: list[bytes],
        servers: Servers,
        requests: Requests = bodies.repeated,
        connections: int = 16,
        targets: tuple[Target, ...] = (),
    ) -> Case:
        plural = "s" if connections > 1 else ""
        slow = {peer.name for peer in self._bench.peers if peer.slow}
        size = self._bench.size
        with ExitStack() as stack:
            sides = {
                side: driven(
                    stack,
                    server,
                    requests(asked, server.path),
                    connections,
                    size.seconds * (_MUCH_LONGER if side in slow else 1),
                )
                for side, server in servers.items()
            }
            rows = alternate(size.rounds, sides)
        return Case(f"{name}, {connections} connection{plural}", FIGURES, rows, targets)


def driven(
    stack: ExitStack, server: Server, requests: Iterator[bytes], connections: int, seconds: float
) -> Callable[[], Row]:
    """One side of a case, warmed up: a call is a round."""
    sender = load.Load(server.port, connections)
    stack.callback(sender.close)
    sender.run(requests, seconds / 2)

    def once() -> Row:
        before = server.cpu()
        run = sender.run(requests, seconds)
        cpu = (server.cpu() - before) / run.requests * 1e6
        own = run.own_cpu / run.requests * 1e6
        return run.rate, run.percentile(0.5), run.percentile(0.99), cpu, own

    return once


def _both(row: int, what: str, against: str, least: float) -> Iterator[Target]:
    """A target for the rate, and the same one for the CPU, which is steadier."""
    yield Target(row, f"{what}, rate", "req/s", DECK, against, least=least)
    yield Target(row, f"{what}, CPU", "CPU us/req", against, DECK, least=least)


_SMALL = (
    *_both(1, "2 KB hit", BARE, 4),
    *_both(1, "2 KB hit", "nginx", 2),
    Target(5, "JSON hits", "req/s", DECK, "aimock", least=8),
    Target(5, "JSON hits", "req/s", DECK, "reel", least=8),
    Target(5, "JSON hits", "req/s", DECK, "llm-cache-proxy", least=100),
    Target(5, "JSON hits", "req/s", DECK, "litellm", least=500),
)
_ONE = (
    Target(6, "one connection, p50", "p50 us", DECK, FLOOR, most=1.1),
    Target(6, "one connection, p50", "p50 us", DECK, "nginx", most=1),
)
_LARGE = (
    *_both(2, "60 KB hit", BARE, 3.5),
    *_both(2, "60 KB hit", "nginx", 20),
)
_STREAMS = (
    Target(5, "stream hits", "req/s", DECK, "aimock", least=8),
    Target(5, "stream hits", "req/s", DECK, "reel", least=8),
    Target(5, "stream hits", "req/s", DECK, "llm-cache-proxy", least=100),
    Target(5, "stream hits", "req/s", DECK, "litellm", least=3000),
)
_LONG = (
    Target(4, "200 frames, CPU", "CPU us/req", f"{BARE}, {BY_FRAME}", DECK, least=60),
    *_both(4, "200 frames", "nginx", 1),
)
