"""The store, open on a file of its own, that what clients asked to have kept lies in."""

import pytest

from tests.recordings import opened


@pytest.fixture
async def database(tmp_path):
    async with opened(tmp_path / "store.db") as one:
        yield one
