"""What all answers under way may hold in memory together for being recorded."""

import asyncio

PIECE_WEIGHT = 150
"""Bytes that a piece of an answer takes beside its data: its `Chunk` (72), the head of a bytes
object (33), a number of milliseconds (28) and a deque's slot (8), rounded up. Without them a stream
of 100 bytes a frame would hold more than twice what it is counted for."""


class Budget:
    """Bytes that flights ask for before they keep more; `give` back what is held no longer.

    A flight that is the only one to hold any is never refused: a lone answer is bounded by
    `record.max_bytes` already, and must not go unrecorded because of a smaller `most`.
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self.used = 0
        """Bytes held by all flights."""
        self.turn = asyncio.Lock()
        """Held while a large recording is made: that takes twice the answer's size once more, and
        in threads that share the interpreter several at once would be no quicker."""

    def take(self, more: int, *, held: int) -> bool:
        """Let a flight that has `held` bytes hold `more`; False if there is no room for them."""
        others = self.used - held
        if others and self.used + more > self.most:
            return False
        self.used += more
        return True

    def give(self, held: int) -> None:
        """Take back bytes that a flight holds no longer."""
        self.used -= held
