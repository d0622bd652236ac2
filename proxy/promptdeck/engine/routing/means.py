"""What the trips of a server have in common: the choice, the ways, patience, breakers, time."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import NamedTuple

from promptdeck.core.dialects.interpreted import Remembering
from promptdeck.core.routing.choosing import Choice, Choosing
from promptdeck.engine.flights.launch import Way

from .breakers import Breakers
from .waiting import Patience


class Clock(NamedTuple):
    """Time and chance, as a trip takes them: tests have their own."""

    monotonic: Callable[[], float]
    wall: Callable[[], float]
    random: Callable[[], float]
    sleep: Callable[[float], Awaitable[None]]

    @classmethod
    def of_machine(cls) -> "Clock":
        """The machine's own."""
        import random

        return cls(time.monotonic, time.time, random.random, asyncio.sleep)


class Means(NamedTuple):
    """What all trips of a server have in common."""

    choosing: Choosing
    way: Callable[[str], Way]
    """The way to an upstream, by its name; by no name to the default one."""
    breakers: Breakers
    patience: Patience
    hold_back: float
    """Seconds for which an answer's head waits for content."""
    first_byte: float | None
    """Seconds for which a head is waited for where another model is left; None: as long as its
    upstream's own timeout."""
    strict: bool
    """Whether what an upstream cannot be told is an error, and no warning."""
    rooms: Mapping[str, asyncio.Semaphore]
    """By upstream, where no more than so many requests may be under way."""
    memory: Remembering
    clock: Clock

    def retries(self, choice: Choice) -> int:
        """How often a model is asked again."""
        upstream = self.choosing.upstreams.get(choice.upstream)
        own = upstream.retries if upstream else None
        return self.patience.retries if own is None else own
