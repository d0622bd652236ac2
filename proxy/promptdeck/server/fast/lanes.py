"""Lanes: what the fast path remembers belongs to one, and goes with it.

A lane is made once for each deck of a server, and once for each session. Its heads and its
ready answers are let go when the session is closed; nothing else keeps them, nor what they
lead to, alive. A body whose bytes are known costs one look-up in its lane; another may still
say the same, which its names tell, or in the end its canonical form.
"""

from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator
from typing import NamedTuple

import xxhash

from promptdeck.core.dialects.providers import Route
from promptdeck.core.interaction import Variant
from promptdeck.core.matching.body import Body
from promptdeck.engine.asking import Known
from promptdeck.engine.decks.deck import Deck
from promptdeck.engine.exchange import Exchange
from promptdeck.engine.incoming import Incoming
from promptdeck.engine.outcome import Flown, Served
from promptdeck.errors import HTTPError
from promptdeck.server.answers.pace import Pace

from .heads import Heads, KnownHead
from .hitlog import HitLog
from .memo import Memo, Room
from .ready import Message, Ready

# Decks that clients name in one server, more than anybody has cassettes in use at once. An
# empty lane takes 2 KB; one that is pushed out is made anew by the next request.
_MOST_DECKS = 1000
# Clients use a handful of endpoints; whose paths hold ids gain nothing by more.
_MOST_READERS = 64


class Behind(NamedTuple):
    """The exchange, deck and pace behind one base_url, and how its session stays in use."""

    exchange: Exchange
    deck: Deck
    pace: Pace
    in_use: Callable[[], bool] | None = None
    """Notes that a session is in use; False if it was idle for too long. None without one."""


class Lane:
    """The way of one deck's or session's heads to their answers, and those that are ready.

    `answer` by a digest, or `answer_otherwise`; `remember` what was sent. A digest is the
    body's, seeded with the head's `seed`: what counts beside the body is in it. Once closed
    it answers nothing, and holds nothing of what was behind it.
    """

    __slots__ = ("_behind", "_hits", "_in_use", "_memo", "_readers")

    def __init__(self, behind: Behind, room: Room, hits: HitLog) -> None:
        self._behind: Behind | None = behind
        self._in_use = behind.in_use
        self._memo = Memo(room)
        self._readers: dict[int, Callable[[bytes], Body]] = {}
        """What makes `Body` values, by the seed of what else counts of a request."""
        self._hits = hits

    def close(self) -> None:
        """Let go of everything."""
        self._behind = self._in_use = None
        self._readers.clear()
        self._memo.close()

    def is_for(self, behind: Behind) -> bool:
        """True if this lane leads to the same exchange and deck."""
        mine = self._behind
        return mine is not None and mine.deck is behind.deck and mine.exchange is behind.exchange

    @property
    def keep_alive(self) -> float | None:
        """After so many seconds of silence a stream gets a comment; None is never."""
        return self._behind.pace.keep_alive if self._behind else None

    def answer(self, head: KnownHead, digest: bytes) -> Message | None:
        """The answer to a body that is known in these very bytes; None if there is none."""
        ready = self._memo.get(digest)
        # A closed lane has no answers; a session that nobody asks must not seem idle.
        if ready is None or (self._in_use and not self._in_use()):
            return None
        # As `_given`, without its call: most hits come this way.
        message = ready.again(head.request_id)
        if message is None:
            self._memo.drop(digest)
        else:
            self._hits.note(head.counts, ready.line)
        return message

    def answer_otherwise(
        self, head: KnownHead, digest: bytes, data: bytes
    ) -> Message | Flown | None:
        """The answer to a body whose exact bytes are new; None if the ordinary way has to give it.

        It may say the same as one that is known, or be asked for the first time.
        """
        behind = self._behind
        if behind is None or (self._in_use and not self._in_use()):
            return None
        body = (self._readers.get(head.seed) or self._reader(behind, head))(data)
        if ready := self._memo.find(_names(head, digest, body)):
            if body.is_news:
                body.learn()
            return self._given(head, ready, digest)
        # Only here: what says the same as a body that is known has none that counts, and to look
        # for one in 60 KB takes as long as all else of a hit.
        if any(key in data for key in head.keys):
            return None
        request = head.asked.request(data)
        known = behind.exchange.known_at_once(request, body)
        if known and (ready := self._of_form(head, known)):
            names = _names(head, digest, body) if known.names else (digest,)
            self._memo.name(names, _form(head, known.place))
            return self._given(head, ready, digest)
        route = None if (url := head.asked.upstream) is None else Route(url, "", data, is_home=True)
        incoming = Incoming(request, head.headers, route)
        answer = behind.exchange.at_once(incoming, behind.deck, known)
        if isinstance(answer, Served):
            plain = known and known.form.dialect.converts and not known.warning
            made = _made(answer, behind.pace, head) if plain else None
            return self._kept(head, digest, made) if made else None
        return answer

    def _reader(self, behind: Behind, head: KnownHead) -> Callable[[bytes], Body]:
        """A function that makes a `Body` of bytes, for what counts in a head; kept for others."""
        if len(self._readers) >= _MOST_READERS:
            self._readers.clear()
        reader = self._readers[head.seed] = behind.exchange.reader(head.asked)
        return reader

    def remember(self, head: KnownHead, body: bytes, ready: Ready) -> None:
        """Keep an answer that was sent, for the bodies that say what this one does."""
        if self._behind:
            self._keep(head, xxhash.xxh3_128_digest(body, head.seed), ready)

    def _of_form(self, head: KnownHead, known: Known) -> Ready | None:
        """The answer to another body that came to the same canonical form."""
        ready = self._memo.find([_form(head, known.place)])
        return ready if ready and ready.repeat.answers(known) else None

    def _kept(self, head: KnownHead, digest: bytes, ready: Ready) -> Message | None:
        self._keep(head, digest, ready)
        return self._given(head, ready, digest)

    def _keep(self, head: KnownHead, digest: bytes, ready: Ready) -> None:
        repeat = ready.repeat
        names = [(head.seed, name) for name in repeat.names]
        self._memo.put(ready, [digest, _form(head, repeat.place), *names])

    def _given(self, head: KnownHead, ready: Ready, name: Hashable) -> Message | None:
        """Play an answer that was found by a name; forget it where it is good no longer."""
        message = ready.again(head.request_id)
        if message is None:
            self._memo.drop(name)
        else:
            self._hits.note(head.counts, ready.line)
        return message


class Lanes:
    """The lanes of one server, with the heads that lead to them and the room that they share."""

    def __init__(self, hits: HitLog, room: Room | None = None, heads: Heads | None = None) -> None:
        self.heads = Heads() if heads is None else heads
        self.room = Room() if room is None else room
        self._hits = hits
        self._of_decks: OrderedDict[str, Lane] = OrderedDict()
        self._of_sessions: dict[str, Lane] = {}

    def of_deck(self, behind: Behind) -> Lane:
        """The lane of a deck that the server plays, by the deck's name."""
        name = behind.deck.name
        lane = self._of_decks.get(name)
        if lane is None or not lane.is_for(behind):
            self._let_go(self._of_decks.pop(name, None))
            lane = self._of_decks[name] = Lane(behind, self.room, self._hits)
            if len(self._of_decks) > _MOST_DECKS:
                self._let_go(self._of_decks.popitem(last=False)[1])
        self._of_decks.move_to_end(name)
        return lane

    def of_session(self, session: str, behind: Behind) -> Lane | None:
        """The lane of a session, by its id; None where that has been closed meanwhile."""
        lane = self._of_sessions.get(session)
        if lane is None and behind.in_use and behind.in_use():
            lane = self._of_sessions[session] = Lane(behind, self.room, self._hits)
        return lane

    def close_session(self, session: str) -> None:
        """Let go of all that is remembered for a session, by its id."""
        self._let_go(self._of_sessions.pop(session, None))

    def _let_go(self, lane: Lane | None) -> None:
        if lane:
            self.heads.forget(lane)
            lane.close()


def _made(served: Served, pace: Pace, head: KnownHead) -> Ready | None:
    """Make a recording ready to be sent; None where the ordinary way must, or says why not."""
    try:
        return Ready.of(served, pace, head.asked, head.counts.target)
    except HTTPError:
        return None


def _names(head: KnownHead, digest: bytes, body: Body) -> Iterator[Hashable]:
    """The names of a body, the cheapest first, each for what counts in this head."""
    yield digest
    seed = head.seed
    for name in body.names():
        yield seed, name


def _form(head: KnownHead, place: tuple[str, Variant]) -> Hashable:
    """The name of an answer by the canonical form of what it answers."""
    return head.seed, place
