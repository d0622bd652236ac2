"""A cassette's file, and the database that keeps its index."""

import pytest

from tests.recordings import opened


@pytest.fixture
def path(tmp_path):
    return tmp_path / "tapes" / "x.yaml"


@pytest.fixture
async def database(tmp_path):
    async with opened(tmp_path / "store.db") as one:
        yield one
