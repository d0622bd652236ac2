"""The place of a store's file, and the store that is open there."""

import pytest

from tests.recordings import opened


@pytest.fixture
def path(tmp_path):
    return tmp_path / "store.db"


@pytest.fixture
async def database(path):
    async with opened(path) as one:
        yield one
