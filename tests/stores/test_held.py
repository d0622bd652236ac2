"""Recordings held back, and what of them a release that does not end leaves."""

import asyncio

import pytest

from promptdeck.errors import StoreUnavailable
from promptdeck.stores.held import Held
from promptdeck.stores.memory import MemoryStore
from tests.recordings import interaction, stored


class Busy(MemoryStore):
    """Waits, or refuses, at the third recording."""

    def __init__(self, refuses):
        super().__init__()
        self._refuses = refuses

    async def put(self, key, stored, *, replace):
        if len(list(self.names())) == 2 and self._refuses is not None:
            refuses, self._refuses = self._refuses, None
            if refuses:
                raise StoreUnavailable("full")
            await asyncio.sleep(10)
        return await super().put(key, stored, replace=replace)


@pytest.mark.parametrize("refuses", [True, False])
async def test_what_a_release_does_not_get_to_is_released_by_the_next(refuses):
    behind = Busy(refuses)
    held = Held(behind)
    for n in range(5):
        await held.put(*stored(interaction(str(n))), replace=False)
    with pytest.raises((StoreUnavailable, TimeoutError)):
        async with asyncio.timeout(0.05):
            await held.release()
    assert len(list(behind.names())) == 2
    assert len(await held.release()) == 3
    for n in range(5):
        assert len(behind.find(stored(interaction(str(n)))[0])) == 1
