"""The answers of one lane that are ready to be sent again, and the room that all lanes share."""

from collections import OrderedDict
from collections.abc import Hashable, Iterable
from operator import attrgetter

from promptdeck.core.matching.recall import Recall

from .ready import Ready

_MOST_BYTES = 64 * 1024 * 1024
"""As much as the store's own memory of recordings: 20,000 answers of 2 KB."""
_MOST_NAMES = 20_000
"""Other names of one lane's answers: 5 MB. They come from clients that name another user in
each request, of whom the latest are the ones that ask again."""


# Bytes of names that a memo takes before its room notes them: to note each name that a client
# of another user brings takes 1 us of the 7 that such a hit takes in all.
_SLACK = 16 * 1024


class Room:
    """Bytes of memory that the memos of all lanes may take together.

    Where they take more, those that were not added to for the longest time give way first.
    """

    def __init__(self, most_bytes: int = _MOST_BYTES) -> None:
        self.most_bytes = most_bytes
        self.taken = 0
        self._weights: OrderedDict[Memo, int] = OrderedDict()
        """What each memo weighs; the one that was added to last stands last."""

    def settle(self, memo: "Memo") -> None:
        """Note what a memo weighs now, and make room for that."""
        self._note(memo)
        while self.taken > self.most_bytes and len(self._weights) > 1:
            oldest = next(iter(self._weights))
            if oldest.shed():
                self._note(oldest, last=False)
            else:
                self.leave(oldest)

    def leave(self, memo: "Memo") -> None:
        """Forget a memo that has been emptied."""
        self.taken -= self._weights.pop(memo, 0)

    def _note(self, memo: "Memo", *, last: bool = True) -> None:
        self.taken += memo.bytes - self._weights.get(memo, 0)
        self._weights[memo] = memo.bytes
        self._weights.move_to_end(memo, last=last)


class Memo:
    """Ready answers by the names of the bodies that they answer: a `Recall` in a `Room`."""

    def __init__(self, room: Room) -> None:
        self._room = room
        self._settled = 0
        """What all of it weighed when the room noted that."""
        self._recall: Recall[Ready] = Recall(
            attrgetter("size"), most_bytes=room.most_bytes, most_names=_MOST_NAMES
        )
        self.get = self._recall.get
        """The answer that is kept under just this name; None if there is none."""
        self.shed = self._recall.shed
        """Forget an answer; False if nothing is left."""

    @property
    def bytes(self) -> int:
        """What all of it weighs."""
        return self._recall.bytes

    def find(self, names: Iterable[Hashable]) -> Ready | None:
        """The answer of the first name that is known; those before it are its names, too."""
        found = self._recall.find(names)
        if self._recall.bytes - self._settled > _SLACK:
            self.settle()
        return found

    def put(self, ready: Ready, names: Iterable[Hashable]) -> None:
        """Keep an answer under these names."""
        self._recall.put(ready, names)
        self.settle()

    def name(self, names: Iterable[Hashable], known: Hashable) -> None:
        """Let the answer of a `known` name be found by others, too."""
        self._recall.name(names, known)
        if self._recall.bytes - self._settled > _SLACK:
            self.settle()

    def drop(self, name: Hashable) -> None:
        """Forget the answer that has this name, if there is one."""
        self._recall.drop(name)
        self.settle()

    def settle(self) -> None:
        """Have the room note what all of it weighs now."""
        self._settled = self._recall.bytes
        self._room.settle(self)

    def close(self) -> None:
        """Forget everything, and take no room any more."""
        self._recall.clear()
        self._room.leave(self)
