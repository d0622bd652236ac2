"""Answers from recordings, as many as go through: JSON and streams, known bytes and new ones."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack

import bodies
import load
from measure import Case, Figure, Row, Size, alternate
from process import Server, Workshop
from recordings import Seeds

FIGURES = (
    Figure("req/s", against="x"),
    Figure("p50 us"),
    Figure("p99 us"),
    Figure("CPU us/req", 1, against="x", spread=True),
    Figure("load us/req", 1),
)
CHATS, STREAMS, TRANSCRIPTS = range(256), range(1000, 1064), range(64)

Requests = Callable[[list[bytes]], Iterator[bytes]]


class Hits:
    """All servers at once: those that nobody asks cost nothing."""

    def __init__(self, workshop: Workshop, seeds: Seeds, size: Size, stack: ExitStack) -> None:
        self._size = size
        self._stack = stack
        self._workshop = workshop
        self.chats = [bodies.chat(n) for n in CHATS]
        self.streams = [bodies.chat(n, stream=True) for n in STREAMS]
        self.transcripts = [bodies.transcript(n) for n in TRANSCRIPTS]
        numbers = {"chat": CHATS, "stream": STREAMS, "transcript": TRANSCRIPTS}
        seeds.save(workshop, "hits", numbers)
        self._deck = self._promptdeck("warning")
        self._talkative = self._promptdeck("info")
        self._json = self._answer(self.chats[0])
        self._sse = self._answer(self.streams[0])
        self._bare = self._other("bare", self._json)

    def cases(self) -> Iterator[Case]:
        floor, bare, deck = self._other("floor", self._json), self._bare, self._deck
        ends = {"bare aiohttp": bare, "promptdeck": deck}
        chats, transcripts = self.chats, self.transcripts
        talkative = {**ends, "promptdeck, log level info": self._talkative}
        for name, asked in ("2 KB chat", chats), ("60 KB transcript", transcripts):
            yield self._case(f"the load's own ceiling, {name}", asked, {"raw asyncio": floor})
        yield self._case("JSON hit, 2 KB chat", chats, talkative)
        yield self._case("JSON hit, 2 KB chat", chats, ends, connections=1)
        yield self._case("JSON hit, 60 KB transcript", transcripts, ends)
        yield self._case("JSON hit, 2 KB chat, new bytes", chats, ends, bodies.fresh)
        yield self._case("JSON hit, 60 KB transcript, new bytes", transcripts, ends, bodies.fresh)
        sides = {
            "bare aiohttp, one response": self._other("bare", self._sse),
            "bare aiohttp, a write per frame": self._other("bare-frames", self._sse),
            "promptdeck": deck,
        }
        yield self._case(f"stream hit, {bodies.FRAMES} frames, 16 KB", self.streams, sides)

    def _promptdeck(self, level: str) -> Server:
        flags = ("--cassette", "hits", "--store", str(self._workshop.folder / "hits.db"))
        server = self._workshop.promptdeck("replay", *flags, log_level=level)
        return self._stack.enter_context(server)

    def _other(self, kind: str, body: bytes) -> Server:
        return self._stack.enter_context(self._workshop.other(kind, body))

    def _answer(self, body: bytes) -> bytes:
        """What promptdeck answers, for the others to answer too."""
        status, answer = load.ask(self._deck.port, body)
        expected = bodies.completion(), b"".join(bodies.frame(n) for n in range(bodies.FRAMES))
        if status != 200 or load.unstamped(answer) not in expected:
            raise RuntimeError(f"not the answer that was recorded: {status} {answer[:500]!r}")
        return answer

    def _case(
        self,
        name: str,
        asked: list[bytes],
        servers: Mapping[str, Server],
        requests: Requests = bodies.repeated,
        connections: int = 16,
    ) -> Case:
        plural = "s" if connections > 1 else ""
        with ExitStack() as stack:
            sides = {
                side: driven(stack, server, requests(asked), connections, self._size.seconds)
                for side, server in servers.items()
            }
            rows = alternate(self._size.rounds, sides)
        return Case(f"{name}, {connections} connection{plural}", FIGURES, rows)


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
