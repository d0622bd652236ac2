"""The answers of one server that are ready to be sent again, found by the bodies they answer.

Filled with what the ordinary way has just sent, and with what is recorded when it is
first asked for. A body whose bytes are known costs one look-up; another may still say
the same, which its names tell, or in the end its canonical form.
"""

import asyncio
from collections.abc import Callable, Hashable, Iterator
from operator import attrgetter

import xxhash

from promptdeck.core.interaction import Variant
from promptdeck.core.matching.body import Body
from promptdeck.core.matching.recall import Recall
from promptdeck.engine.asking import Known
from promptdeck.engine.outcome import Flown, Served

from .heads import Heads, KnownHead
from .hitlog import HitLog
from .ready import Message, Ready

_MOST_BYTES = 64 * 1024 * 1024
"""As much as the store's own memory of recordings: 20,000 answers of 2 KB."""
_MOST_NAMES = 20_000
"""Other names of answers; some 200 bytes each."""


class Memo:
    """`answer` by a digest, or `answer_otherwise`; `remember` what was sent.

    A digest is the body's, seeded with the head's `seed`: what counts beside the body is in
    it. `session_is_open` tells for a session's id whether its answers are still good.
    """

    def __init__(
        self, loop: asyncio.AbstractEventLoop, session_is_open: Callable[[str], bool]
    ) -> None:
        self._session_is_open = session_is_open
        self.heads = Heads()
        self._recall: Recall[Ready] = Recall(
            attrgetter("size"), most_bytes=_MOST_BYTES, most_names=_MOST_NAMES
        )
        self._hits = HitLog(loop)

    def answer(self, head: KnownHead, digest: bytes) -> Message | None:
        """The answer to a body that is known in these very bytes; None if there is none."""
        ready = self._recall.get(digest)
        if ready is None or (head.session and not self._session_is_open(head.session)):
            return None
        # As `_given`, without its call: most hits come this way.
        message = ready.again(head.request_id)
        if message is None:
            self._recall.drop(digest)
        else:
            self._hits.note(head.counts, ready)
        return message

    def answer_otherwise(
        self, head: KnownHead, digest: bytes, body: Body
    ) -> Message | Flown | None:
        """What answers a body that is not known in these bytes; None if the ordinary way must.

        It may say the same as one that is known, or be asked for the first time.
        """
        if head.session and not self._session_is_open(head.session):
            return None
        if ready := self._recall.find(_names(head, digest, body)):
            if body.is_news:
                body.learn()
            return self._given(head, ready, digest)
        lane = head.lane
        known = lane.known(head.counts, body)
        if known and (ready := self._of_form(head, known)):
            names = _names(head, digest, body) if known.names else (digest,)
            self._recall.name(names, _form(head, known.place))
            return self._given(head, ready, digest)
        answer = lane.answer(head.counts, head.headers, body, known)
        if isinstance(answer, Served):
            plain = known and known.form.dialect.converts and not known.warning
            ready = Ready.of(answer, lane.pace) if plain else None
            return self._kept(head, digest, ready) if ready else None
        return answer

    def remember(self, head: KnownHead, body: bytes, ready: Ready) -> None:
        """Keep an answer that was sent, for the bodies that say what this one does."""
        self._keep(head, xxhash.xxh3_128_digest(body, head.seed), ready)

    def _of_form(self, head: KnownHead, known: Known) -> Ready | None:
        """The answer to another body that came to the same canonical form."""
        ready = self._recall.find([_form(head, known.place)])
        return ready if ready and ready.repeat.answers(known) else None

    def _kept(self, head: KnownHead, digest: bytes, ready: Ready) -> Message | None:
        self._keep(head, digest, ready)
        return self._given(head, ready, digest)

    def _keep(self, head: KnownHead, digest: bytes, ready: Ready) -> None:
        repeat = ready.repeat
        names = [(head.seed, name) for name in repeat.names]
        self._recall.put(ready, [digest, _form(head, repeat.place), *names])

    def _given(self, head: KnownHead, ready: Ready, name: Hashable) -> Message | None:
        """Play an answer that was found by a name; forget it where it is good no longer."""
        message = ready.again(head.request_id)
        if message is None:
            self._recall.drop(name)
        else:
            self._hits.note(head.counts, ready)
        return message


def _names(head: KnownHead, digest: bytes, body: Body) -> Iterator[Hashable]:
    """The names of a body, the cheapest first, each for what counts in this head."""
    yield digest
    seed = head.seed
    for name in body.names():
        yield seed, name


def _form(head: KnownHead, place: tuple[str, Variant]) -> Hashable:
    """The name of an answer by the canonical form of what it answers."""
    return head.seed, place
