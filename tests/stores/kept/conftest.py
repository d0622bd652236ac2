"""A store for what clients asked to have kept."""

import pytest

from tests.recordings import opened


@pytest.fixture
async def database(tmp_path):
    async with opened(tmp_path / "store.db") as one:
        yield one
